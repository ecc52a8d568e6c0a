"""Exact search of one block of codes, and the merge of several blocks' answers.

`hamming_flat` ranks by Hamming distance, `table_collisions` by colliding hash tables; both run on `block_scan`.
`merge_ranked` joins answers over parts of the data into the answer over the whole.
"""
