"""Settings of a deployment: one YAML file, the same on a laptop and on a cluster.

Precedence: a command-line flag, then the file, then the default written here. Unknown keys are refused by name.
"""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.errors import SettingsError

Device = Literal["auto", "cpu", "cuda"]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EncodeSettings(_Section):
    """How the encode job uses the machines. Counts left null are chosen from what Ray says the cluster has."""

    device: Device = "auto"
    num_encoders: int | None = Field(default=None, ge=1)
    encoder_num_cpus: float = Field(default=0.1, ge=0)
    decoders_per_encoder: int | None = Field(default=None, ge=1)
    decoder_num_cpus: float = Field(default=0.9, gt=0)
    batch_items: int = Field(default=64, ge=1, description="pictures decoded and encoded together")
    batches_in_flight: int = Field(default=4, ge=1, description="decoded batches waiting, per decoder")
    task_attempts: int = Field(default=3, ge=1)
    commit_every_tasks: int = Field(default=16, ge=1)
    commit_every_seconds: float = Field(default=10.0, gt=0)


class DecodeSettings(_Section):
    """Caps that keep one hostile file from taking the machine. Larger items become rejects."""

    max_bytes: int = Field(default=64 * 2**20, ge=1)
    max_pixels: int = Field(default=40_000_000, ge=1)


class SourceDefaults(_Section):
    task_items: int = Field(default=512, ge=1, le=2**19, description="items per task, the unit of progress")


class SearchSettings(_Section):
    """`num_searchers` 0 searches inside the calling process; more start that many Ray actors. `num_threads` share the
    scan of a shard: useful where there are more processors than shards."""

    num_searchers: int = Field(default=0, ge=0)
    num_threads: int = Field(default=1, ge=1, le=1024)
    device: Literal["cpu", "cuda"] = Field(default="cpu", description="where an index of kind scan is scanned")
    deadline_seconds: float = Field(default=30.0, gt=0)
    cache_dir: str | None = Field(default=None, description="where index shards of an s3:// catalog are kept")


class GateSettings(_Section):
    """What a trained model's codes must be like before it is stored. Null thresholds follow from the sample."""

    enabled: bool = True
    min_bit_entropy: float = Field(default=0.1, ge=0, le=1, description="mean over bits")
    max_share_of_dead_bits: float | None = Field(default=None, ge=0, le=1)
    min_distinct_codes: int | None = Field(default=None, ge=1)


class TrainSettings(_Section):
    """How the train job uses the machines, and when a method that learns by epochs stops.

    `patience` epochs without a better validation value end a training; 0 runs every epoch.
    """

    device: Device = "auto"
    num_workers: int = Field(default=1, ge=1)
    cpus_per_worker: int | None = Field(default=None, ge=1)
    validation_share: float = Field(default=0.1, ge=0, le=0.5)
    patience: int = Field(default=10, ge=0)
    checkpoint_epochs: int = Field(default=1, ge=1)
    gate: GateSettings = GateSettings()


class ServeSettings(_Section):
    """How `bitquarry serve` answers. Any `host` but loopback needs `keys_file`. `num_replicas` of each searcher, where
    `search.num_searchers` is above 0. `limits`: those of `docs/serving.md` that shall be others than there."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535, description="0 takes a free one")
    alias: str = "live"
    keys_file: str | None = Field(default=None, description="made by `bitquarry keys add`")
    num_replicas: int = Field(default=1, ge=1)
    searcher_num_cpus: float = Field(default=1.0, ge=0, description="that Ray sets aside for one searcher")
    refresh_seconds: float = Field(default=1.0, gt=0, description="how often aliases and shards are looked at")
    max_staleness_seconds: float | None = Field(default=None, gt=0)
    batching: bool = True
    max_batch_queries: int = Field(default=256, ge=1, description="that share one pass over the codes")
    drain_seconds: float = Field(default=30.0, gt=0, description="for answers to what is asked when a signal comes")
    json_log: bool = Field(default=False, description="the log on stderr as JSON, with a line for every request")
    limits: dict[str, int | float] = Field(default_factory=dict)


class RaySettings(_Section):
    """`address` null starts a local Ray; "auto" or host:port joins a running cluster."""

    address: str | None = None
    num_cpus: int | None = Field(default=None, ge=1)


class Settings(_Section):
    catalog: str | None = None
    encode: EncodeSettings = EncodeSettings()
    decode: DecodeSettings = DecodeSettings()
    source: SourceDefaults = SourceDefaults()
    search: SearchSettings = SearchSettings()
    serve: ServeSettings = ServeSettings()
    train: TrainSettings = TrainSettings()
    ray: RaySettings = RaySettings()


def load_settings(path: Path | None, overrides: dict[str, Any] | None = None) -> Settings:
    """Read a settings file and lay `overrides` ({"encode.device": "cpu"}; None means not given) over it.

    Raises `SettingsError` naming the file, the key and the nearest known one.
    """
    raw = _read_yaml(path) if path is not None else {}
    for dotted, value in (overrides or {}).items():
        if value is not None:
            _lay_over(raw, dotted.split("."), value)
    try:
        return Settings.model_validate(raw)
    except ValidationError as error:
        raise SettingsError(_explain(error, path)) from None


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"settings file {path}: {error.strerror}; give --config a readable YAML file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise SettingsError(f"settings file {path} is not valid YAML: {reason}") from None
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise SettingsError(f"settings file {path}: expected sections such as 'encode:', got {type(raw).__name__}")
    return raw


def _lay_over(raw: dict[str, Any], keys: list[str], value: Any) -> None:
    for key in keys[:-1]:
        raw = raw.setdefault(key, {})
    raw[keys[-1]] = value


def _explain(error: ValidationError, path: Path | None) -> str:
    first = error.errors()[0]
    name = ".".join(map(str, first["loc"]))
    where = f"settings file {path}" if path is not None else "settings"
    if first["type"] != "extra_forbidden":
        return f"{where}: {name} = {first['input']!r}: {first['msg'][:1].lower()}{first['msg'][1:]}"
    known = _known_keys(first["loc"][:-1])
    close = get_close_matches(str(first["loc"][-1]), known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
    return f"{where}: unknown key {name!r}; {hint}"


def _known_keys(section: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = Settings
    for key in section:
        annotation = model.model_fields[str(key)].annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            model = annotation
    return list(model.model_fields)
