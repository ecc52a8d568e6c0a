"""Computes on bytes, arrays and tensors: decoders, features, hashers, search, metrics. No files, no network, no Ray."""
