"""Help texts that name what the registries hold, which are imported only when help is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from typer.core import TyperCommand


def _methods() -> str:
    from operators.hashers.hasher_registry import method_names

    return ", ".join(method_names())


def _features() -> str:
    from operators.features.feature_registry import feature_names

    return ", ".join(feature_names())


_NAMES: dict[str, Callable[[], str]] = {"<methods>": _methods, "<features>": _features}


class NamesInHelp(TyperCommand):
    """A command in whose options' help `<methods>` and `<features>` stand for the names that there are."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        for option in self.params:
            for placeholder, names in _NAMES.items():
                text = getattr(option, "help", None) or ""
                if placeholder in text:
                    option.help = text.replace(placeholder, names())  # type: ignore[attr-defined]
        super().format_help(ctx, formatter)
