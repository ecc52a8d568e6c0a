"""`bitquarry train`."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli import options
from pipeline.cli.output import say

if TYPE_CHECKING:
    from pipeline.model_store.stored_model import StoredModel
    from pipeline.settings import Settings
    from pipeline.training.epoch_figures import EpochFigures
    from pipeline.training.fit_request import FitRequest


def train(
    name: Annotated[str, typer.Option("--name", "-n", help="Name of the model; every run makes its next version.")],
    source: options.Source,
    method: Annotated[str, typer.Option("--method", "-m", help="One of <methods>.")] = "itq",
    num_bits: Annotated[int, typer.Option("--num-bits", "-b", help="Bits per code (per table, for lsh).", min=1)] = 64,
    features: Annotated[str, typer.Option("--features", "-f", help="One of <features>.")] = "hog",
    feature_set: Annotated[
        list[str] | None, typer.Option("--feature-set", help="Setting of the features, as side=64; may be repeated.")
    ] = None,
    method_set: Annotated[
        list[str] | None, typer.Option("--method-set", help="Setting of the method, as num_tables=8; may be repeated.")
    ] = None,
    sample_items: Annotated[int, typer.Option("--sample-items", help="Pictures to fit on.", min=1)] = 20_000,
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same pictures: same model.")] = 0,
    validation_share: Annotated[
        float | None,
        typer.Option("--validation-share", help="Share of the sample that is not trained on; default 0.1, 0: none."),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option("--patience", help="Epochs without a better validation value until it stops; default 10, 0: all."),
    ] = None,
    checkpoint_epochs: Annotated[
        int | None, typer.Option("--checkpoint-epochs", help="Epochs from checkpoint to checkpoint; default 1.")
    ] = None,
    gate: Annotated[
        bool, typer.Option("--gate/--no-gate", help="Refuse to store a model whose codes have collapsed.")
    ] = True,
    cache_features: Annotated[
        bool, typer.Option("--cache-features", help="Keep the features, so that the next train reads no picture.")
    ] = False,
    tensorboard: Annotated[
        Path | None, typer.Option("--tensorboard", help="Folder for TensorBoard's event files (extra `tensorboard`).")
    ] = None,
    device: options.Device = None,
    num_workers: Annotated[
        int | None, typer.Option("--num-workers", help="Workers that train together; default 1.", min=1)
    ] = None,
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
    """Fit a hashing model on a sample of a source and store it in the catalog.

    A method that learns by epochs goes on from its last checkpoint when the same command is run again.
    """
    from operators.decoders.image_decoder import DecodeLimits
    from pipeline.training.fit_request import FitRequest

    settings = options.settings_from(
        config,
        catalog=catalog,
        ray__address=ray_address,
        train__device=device,
        train__num_workers=num_workers,
        train__validation_share=validation_share,
        train__patience=patience,
        train__checkpoint_epochs=checkpoint_epochs,
        train__gate__enabled=None if gate else False,
    )
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
        cache_features=cache_features,
        settings=settings.train,
    )
    stored = _train(settings, name, request, tensorboard)
    facts = {"model": stored.model_id, "fingerprint": stored.fingerprint, **stored.lineage}
    say(json.dumps(facts) if as_json else _summary(stored))
    return 0


def _train(settings: Settings, name: str, request: FitRequest, tensorboard: Path | None) -> StoredModel:
    from pipeline.actors.ray_session import ray_session
    from pipeline.cli.train_progress import TrainProgress
    from pipeline.jobs.train_model import check_training, train_model
    from pipeline.training.tensorboard_events import TensorboardEvents
    from pipeline.training.training_note import TrainingNote

    catalog = options.catalog_of(settings, may_be_new=True)
    checked = check_training(name, request)  # a wrong name, setting or source is told before Ray starts
    with ExitStack() as stack:
        events = stack.enter_context(TensorboardEvents(str(tensorboard))) if tensorboard is not None else None
        stack.enter_context(ray_session(settings.ray))
        progress = stack.enter_context(TrainProgress())

        def report(news: EpochFigures | TrainingNote) -> None:
            progress(news)
            if events is not None and not isinstance(news, TrainingNote):
                events(news)

        return train_model(catalog, name, checked, report)


def _summary(stored: StoredModel) -> str:
    facts = stored.lineage
    what = f"{facts['method']} on {facts['features']}"
    lines = [f"model {stored.model_id}: {what}, fitted on {facts['num_sampled']:,} pictures"]
    history = facts.get("history")
    if isinstance(history, list):
        lines.append(f"epochs: {len(history)}, stored: that of epoch {facts['best_epoch']}")
    return "\n".join([*lines, f"fingerprint {stored.fingerprint}"])
