"""`bitquarry train`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from pipeline.cli import options
from pipeline.cli.output import say


def train(
    name: Annotated[str, typer.Option("--name", "-n", help="Name of the model; every run makes its next version.")],
    source: options.Source,
    method: Annotated[str, typer.Option("--method", "-m", help="itq or lsh.")] = "itq",
    num_bits: Annotated[int, typer.Option("--num-bits", "-b", help="Bits per code (per table, for lsh).", min=1)] = 64,
    features: Annotated[str, typer.Option("--features", "-f", help="hog, gist, pixels or backbone.")] = "hog",
    feature_set: Annotated[
        list[str] | None, typer.Option("--feature-set", help="Setting of the features, as side=64; may be repeated.")
    ] = None,
    method_set: Annotated[
        list[str] | None, typer.Option("--method-set", help="Setting of the method, as num_tables=8; may be repeated.")
    ] = None,
    sample_items: Annotated[int, typer.Option("--sample-items", help="Pictures to fit on.", min=1)] = 20_000,
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same pictures: same model.")] = 0,
    catalog: options.Catalog = None,
    config: options.Config = None,
    source_kind: options.Kind = "auto",
    bytes_column: options.BytesColumn = None,
    uri_column: options.UriColumn = None,
    key_column: options.KeyColumn = None,
    label_column: options.LabelColumn = None,
    ray_address: options.RayAddress = None,
    as_json: options.AsJson = False,
) -> int:
    """Fit a hashing model on a sample of a source and store it in the catalog."""
    from operators.decoders.image_decoder import DecodeLimits
    from pipeline.actors.ray_session import ray_session
    from pipeline.jobs.train_model import check_training, train_model
    from pipeline.training.model_fitting import FitRequest

    settings = options.settings_from(config, catalog=catalog, ray__address=ray_address)
    catalog_uri = options.catalog_of(settings, may_be_new=True)
    columns = options.Columns(bytes_column, uri_column, key_column, label_column)
    request = FitRequest(
        method=method,
        num_bits=num_bits,
        features=features,
        source=options.source_settings(settings, source, source_kind, columns),
        feature_settings=options.parse_settings(feature_set, "--feature-set"),
        hasher_settings=options.parse_settings(method_set, "--method-set"),
        sample_items=sample_items,
        seed=seed,
        limits=DecodeLimits(max_bytes=settings.decode.max_bytes, max_pixels=settings.decode.max_pixels),
    )
    columns = options.Columns(bytes_column, uri_column, key_column, label_column)
    request = check_training(name, request)  # a wrong name, setting or source is told before Ray starts
    with ray_session(settings.ray):
        stored = train_model(catalog_uri, name, request)
    facts = {"model": stored.model_id, "fingerprint": stored.fingerprint, **stored.lineage}
    if as_json:
        say(json.dumps(facts))
    else:
        say(f"model {stored.model_id}: {method} on {features}, fitted on {stored.lineage['num_sampled']:,} pictures")
        say(f"fingerprint {stored.fingerprint}")
    return 0
