"""The innermost loops over arrays: Hamming distances of packed codes, and the k smallest of many.

They know neither ids nor tie rules beyond ascending position; `operators.search` gives them meaning.
"""
