"""Which bits a near-duplicate join sorts codes by, so that every near pair meets in some bucket and few others do.

The code is cut into m > r substrings of equal length. Two codes that differ in at most r bits agree in at least m - r
of the substrings, whichever these are; so there is one table for each choice of m - r substrings, and the codes that
agree in all of its choice are compared (G. S. Manku, A. Jain, A. Das Sarma, "Detecting near-duplicates for web
crawling", WWW 2007; with m = r + 1 it is multi-index hashing: M. Norouzi, A. Punjani, D. Fleet, CVPR 2012).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np

from operators.kernels.bucket_pairs import FILTER_WORDS, Words, keys_of

_LEAST_KEY_BITS = 8
_MAX_EXTRA_SUBSTRINGS = 4
_MAX_TABLES = 64
_SAMPLE_CODES = 2**15
_SAMPLED_TABLES = 12
# Measured on one core of a Zen 5; only their ratio matters, and a wrong one costs time, never a pair.
_SECONDS_PER_CODE = 40e-9
_SECONDS_PER_PAIR_WORD = 0.25e-9


@dataclass(frozen=True, eq=False)
class JoinTables:
    """`masks`: uint64 `(num_tables, num_words)`, the bits each table sorts by; one mask without bits compares all
    pairs. `num_predicted_pairs`: how many pairs will be compared, as a sample has it."""

    masks: Words
    num_substrings: int
    num_predicted_pairs: float

    def predicted_seconds(self, num_codes: int) -> float:
        """For `num_codes` codes on both sides together, on the machine that the constants are from."""
        num_words = int(self.masks.shape[1])
        sorting = len(self.masks) * num_codes * _SECONDS_PER_CODE
        return sorting + self.num_predicted_pairs * min(num_words, FILTER_WORDS) * _SECONDS_PER_PAIR_WORD


def choose_tables(left: Words, right: Words | None, *, num_bits: int, radius: int) -> JoinTables:
    """The cheapest way to join codes with each other, or with `right`; uint64 `(num_codes, num_words)`, the first
    `num_bits` bits of the words count (from the lowest of the first word on).

    Tried are m = r + 1 to r + 4 substrings where that makes tables of at least 8 bits (and at most 64 tables beyond
    r + 1), and the comparison of all pairs. A sample of 32,768 codes a side, evenly spaced, tells how many pairs would
    be compared: codes are seldom uniform. The choice changes the time, never the answer.
    """
    num_codes = len(left) if right is None else len(left) + len(right)
    num_pairs = len(left) * (len(left) - 1) / 2 if right is None else float(len(left) * len(right))
    choices = [JoinTables(np.zeros((1, left.shape[1]), np.uint64), 0, num_pairs)]
    sampled = _sampled(left), None if right is None else _sampled(right)
    for num_substrings in range(radius + 1, min(radius + _MAX_EXTRA_SUBSTRINGS, num_bits) + 1):
        num_tables, num_chosen = comb(num_substrings, radius), num_substrings - radius
        if num_bits * num_chosen // num_substrings < _LEAST_KEY_BITS:
            continue
        if num_chosen > 1 and num_tables > _MAX_TABLES:
            break
        masks = substring_masks(num_bits, num_substrings, num_chosen, left.shape[1])
        predicted = num_pairs * _share_of_pairs(masks, sampled)
        choices.append(JoinTables(masks, num_substrings, predicted))
    return min(choices, key=lambda tables: tables.predicted_seconds(num_codes))


def substring_masks(num_bits: int, num_substrings: int, num_chosen: int, num_words: int) -> Words:
    """One mask per choice of `num_chosen` of the substrings, uint64 `(num_tables, num_words)`."""
    bounds = [num_bits * number // num_substrings for number in range(num_substrings + 1)]
    masks = np.zeros((comb(num_substrings, num_chosen), 64 * num_words), bool)
    for mask, chosen in zip(masks, combinations(range(num_substrings), num_chosen), strict=True):
        for substring in chosen:
            mask[bounds[substring] : bounds[substring + 1]] = True
    return np.packbits(masks, axis=1, bitorder="little").view(np.uint64)


def _sampled(words: Words) -> Words:
    if len(words) <= _SAMPLE_CODES:
        return words
    return words[np.arange(_SAMPLE_CODES) * len(words) // _SAMPLE_CODES]


def _share_of_pairs(masks: Words, sampled: tuple[Words, Words | None]) -> float:
    """Pairs that some table compares, over all pairs; at least what uniform codes would have, where a small sample sees
    none. Of many tables a few, evenly spaced, speak for all."""
    asked = masks[np.unique(np.linspace(0, len(masks) - 1, _SAMPLED_TABLES).astype(np.int64))]
    shares = [max(_share_of_one(mask, *sampled), 0.5 ** int(np.bitwise_count(mask).sum())) for mask in asked]
    return len(masks) * float(np.mean(shares))


def _share_of_one(mask: Words, left: Words, right: Words | None) -> float:
    keys, numbers = np.unique(keys_of(left, mask), return_counts=True)
    if right is None:
        return float((numbers * (numbers - 1.0)).sum() / max(len(left) * (len(left) - 1.0), 1.0))
    other_keys, other_numbers = np.unique(keys_of(right, mask), return_counts=True)
    _, here, there = np.intersect1d(keys, other_keys, assume_unique=True, return_indices=True)
    return float((numbers[here] * other_numbers[there]).sum() / max(float(len(left) * len(right)), 1.0))
