"""A source's tasks to codes: planning, decoding, hashing, and the report of a run."""
