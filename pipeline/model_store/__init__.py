"""Trained models in a catalog, by name and version."""
