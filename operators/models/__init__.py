"""Features and a hasher as one model."""
