"""Feature vectors to binary codes: one class per method, listed in `hasher_registry`."""
