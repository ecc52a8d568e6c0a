"""A small evaluated report, made by the real code, for tests of reports and pages."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image

from operators.binary_codes import BinaryCodes
from operators.metrics.code_health import code_health
from pipeline.evaluation.code_distances import code_distances
from pipeline.evaluation.label_relevance import relevance_of
from pipeline.evaluation.neighbour_gallery import GallerySettings, GallerySide, neighbour_gallery
from pipeline.evaluation.retrieval_measurement import MeasurementSettings, measure_retrieval
from pipeline.evaluation.retrieval_report import RetrievalReport, RunDescription, RunSeconds


def png(shade: int) -> bytes:
    buffer = BytesIO()
    Image.new("L", (8, 8), shade).save(buffer, "PNG")
    return buffer.getvalue()


def small_report(*, label: str = "cat", num_bits: int = 16, method: str = "lsh") -> RetrievalReport:
    """4 queries and 12 items of two labels: `label` and "dog"."""
    generator = np.random.default_rng(num_bits)
    database = BinaryCodes.from_bits(generator.random((12, num_bits)) < 0.5)
    queries = BinaryCodes.from_bits(generator.random((4, num_bits)) < 0.5)
    names = (label, "dog")
    labels = [[(names[row % 2],) for row in range(count)] for count in (4, 12)]
    distances = code_distances(queries, database, "hamming", 1)
    relevance = relevance_of(labels[0], labels[1])
    sides = [
        GallerySide(keys=[f"{row}.png" for row in range(len(side))], labels=side, thumbnail=lambda row: png(20 * row))
        for side in labels
    ]
    return RetrievalReport(
        run=RunDescription(
            protocol="folder",
            protocol_summary="a test",
            features="pixels",
            feature_settings={"side": 8},
            method=method,
            method_settings={"seed": 0},
            num_bits=num_bits,
            num_tables=1,
            ranking="hamming",
            seed=0,
            num_database=12,
            num_queries=4,
            num_rejected=0,
        ),
        measurement=measure_retrieval(distances, relevance, MeasurementSettings(cutoffs=(10,))),
        code_health=code_health(database),
        seconds=RunSeconds(train_seconds=1.5, rank_seconds=0.25),
        gallery=neighbour_gallery(distances, relevance, (sides[0], sides[1]), GallerySettings(num_queries=2)),
    )
