"""From a query to an answer: encode it, ask every searcher, merge, look up what the winners are. Knows no Ray.

`query_encoder` makes codes, `query_router` fans out through `SearcherPort`s and merges, `search_session` ties both to
one generation of one index.
"""
