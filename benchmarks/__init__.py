"""Benchmarks: one file per workload, and what they share to time, record and compare."""
