"""A sample of a source to a fitted model."""
