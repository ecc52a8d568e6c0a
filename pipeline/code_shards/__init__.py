"""A collection on disk: Parquet files of codes, and the Delta log that says which count."""
