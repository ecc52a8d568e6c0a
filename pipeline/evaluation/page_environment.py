"""What the HTML pages have in common: templates, and how pictures and numbers are written."""

from __future__ import annotations

from base64 import b64encode
from math import isnan

from jinja2 import Environment, PackageLoader, StrictUndefined

from operators.decoders.magic_bytes import media_type_of

NONE = "–"


def page_environment() -> Environment:
    """Templates of this package, with the filters `data_uri`, `seconds` and `distance`."""
    environment = Environment(
        loader=PackageLoader("pipeline", "evaluation"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters.update(data_uri=data_uri, seconds=seconds_text, distance=distance_text)
    return environment


def data_uri(picture: bytes | None) -> str | None:
    """The picture inside the page itself; None for None."""
    if picture is None:
        return None
    return f"data:{media_type_of(picture) or 'application/octet-stream'};base64,{b64encode(picture).decode('ascii')}"


def seconds_text(value: float | None) -> str:
    return NONE if value is None else f"{short_number(value)} s"


def short_number(value: float) -> str:
    """Three digits, or more where a whole number has more."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def distance_text(value: float) -> str:
    """Whole for counted bits, three digits for real distances."""
    return f"{value:.0f}" if value == int(value) else f"{value:.3g}"


def figure_text(value: float | None) -> str:
    """Counts as they are, shares with four digits."""
    if value is None or isnan(value):
        return NONE
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"
