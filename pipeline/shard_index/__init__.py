"""The read side on disk: a collection's codes at one table version become an immutable, memory-mapped generation.

`collection_rows` reads the code table, `index_builder` writes shards and the manifest that commits them, `index_shard`
and `shard_searcher` open and search them, `alias` says which generation is live, `index_catalog` lists and verifies.
"""
