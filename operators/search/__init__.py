"""Search of one block of codes, and the merge of several blocks' answers.

Exact: `hamming_flat` ranks by Hamming distance, `asymmetric_scan` by lookup tables, `table_collisions` by colliding
hash tables, all on `block_scan`; `gpu_scan` and `multi_index_hash` give the answers of `hamming_flat`. Approximate:
`faiss_binary`. `shortlist_rerank` ranks an answer anew, `merge_ranked` joins answers over parts of the data into the
answer over the whole.
"""
