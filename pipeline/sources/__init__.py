"""Sources: where pictures come from, listed in a stable order and cut into tasks with content-derived digests.

`open_source(settings)` gives a `Source`; `source.tasks()` lists it; `read_items(task)` yields one record per item;
`fetch_media(uri)` gives the bytes of one item again; `sample_items(source)` draws items for training.
"""
