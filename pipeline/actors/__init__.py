"""Thin Ray shells around the classes of the other folders."""
