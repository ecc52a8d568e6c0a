"""Whole files by URI: a local folder or S3, behind one contract."""
