"""The codes of `pipeline.sample_corpus.clustered_codes`, for the benchmarks."""

from pipeline.sample_corpus.clustered_codes import CODES_PER_CENTRE, MAX_FLIPPED, clustered_codes, near_codes

__all__ = ["CODES_PER_CENTRE", "MAX_FLIPPED", "clustered_codes", "near_codes"]
