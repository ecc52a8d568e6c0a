"""Pixels to feature vectors: one class per feature, listed in `feature_registry`."""
