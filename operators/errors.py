"""Errors raised by `operators`: what is wrong with bytes, arrays or tensors.

    OperatorError(ValueError)
    ├── UndecodableMedia     these bytes are not a picture we can read
    ├── MediaTooLarge        refused before allocation: more bytes or pixels than the cap
    ├── ShapeMismatch        an array has another shape, dtype or width than the call needs
    ├── InvalidSetting       a setting of a feature, hasher or search call is out of range
    ├── SearchCancelled      whoever asked for a search does not want it any more
    ├── NotFitted            encode was called before fit
    ├── NonFiniteFeatures    NaN or infinity where features are expected
    └── TrainingDiverged     a loss or a weight became NaN or infinite

Every error is built from positional plain values, so that it survives pickling between processes.
"""


class OperatorError(ValueError):
    """Base of everything `operators` raises on purpose."""


class UndecodableMedia(OperatorError):
    """The bytes are not a readable picture. Arguments: `reason` (str), `media_type` (str, "" if unknown)."""

    def __init__(self, reason: str, media_type: str = "") -> None:
        super().__init__(reason, media_type)
        self.reason = reason
        self.media_type = media_type

    def __str__(self) -> str:
        return f"{self.media_type}: {self.reason}" if self.media_type else self.reason


class MediaTooLarge(OperatorError):
    """Refused before allocation. Arguments: `quantity` ("bytes" or "pixels"), `given` (int), `limit` (int)."""

    def __init__(self, quantity: str, given: int, limit: int) -> None:
        super().__init__(quantity, given, limit)
        self.quantity = quantity
        self.given = given
        self.limit = limit

    def __str__(self) -> str:
        return (
            f"{self.given:,} {self.quantity}, the limit is {self.limit:,}; raise decode.max_{self.quantity} to allow it"
        )


class ShapeMismatch(OperatorError):
    """Arguments: `name` of the value, what was `given`, what was `expected` (all str)."""

    def __init__(self, name: str, given: str, expected: str) -> None:
        super().__init__(name, given, expected)
        self.name = name
        self.given = given
        self.expected = expected

    def __str__(self) -> str:
        return f"{self.name}: got {self.given}, expected {self.expected}"


class InvalidSetting(OperatorError):
    """Arguments: `name` of the setting, the value `given`, what was `expected` (all str)."""

    def __init__(self, name: str, given: str, expected: str) -> None:
        super().__init__(name, given, expected)
        self.name = name
        self.given = given
        self.expected = expected

    def __str__(self) -> str:
        return f"{self.name} = {self.given}: expected {self.expected}"


class SearchCancelled(OperatorError):
    """A search ended before its answer because its caller said so. No arguments."""

    def __str__(self) -> str:
        return "the search was cancelled"


class NotFitted(OperatorError):
    """Arguments: `method`, the hasher that was asked to encode before it was fitted."""

    def __init__(self, method: str) -> None:
        super().__init__(method)
        self.method = method

    def __str__(self) -> str:
        return f"{self.method} has not been fitted: call fit(features) or load a trained model first"


class NonFiniteFeatures(OperatorError):
    """Arguments: `rows`, the tuple of row positions that hold NaN or infinity."""

    def __init__(self, rows: tuple[int, ...]) -> None:
        super().__init__(rows)
        self.rows = rows

    def __str__(self) -> str:
        shown = ", ".join(map(str, self.rows[:5])) + (", …" if len(self.rows) > 5 else "")
        return f"{len(self.rows)} feature rows hold NaN or infinity (rows {shown}); they cannot be hashed"


class TrainingDiverged(OperatorError):
    """Arguments: `name` of the quantity and its `value` (both str)."""

    def __init__(self, name: str, value: str) -> None:
        super().__init__(name, value)
        self.name = name
        self.value = value

    def __str__(self) -> str:
        return f"training diverged: {self.name} became {self.value}; lower the learning rate or change the seed"
