"""Codebooks, codewords and lookup tables: the parts of product and composite quantization."""
