"""Errors raised by `pipeline`, with the exit code that the command line gives each.

    PipelineError                     1  failed
    ├── UsageError                    2  the command or settings are wrong
    │   ├── SettingsError                a settings file cannot be read or has a wrong value
    │   ├── UnknownName                  no model, collection, index, protocol … of that name
    │   ├── UnknownItem                  an index holds no item of that id or key
    │   └── MissingExtra                 an optional library is not installed
    ├── SourceError                   1  a source cannot be listed
    │   ├── SourceNotFound            2  no such folder, bucket, table or file
    │   └── EmptySource               2  there, but nothing in it to encode
    ├── StorageError                  1  the catalog cannot be read or written
    │   ├── ObjectNotFound               no such object
    │   ├── ObjectExists                 create-only write lost: somebody else's object is there
    │   └── CommitStateUnknown           the store went away while committing: run the command again
    ├── CorruptFile                   1  a file's bytes differ from what was recorded when it was written
    ├── ConflictError                 4  somebody else's work is in the way
    │   ├── ModelMismatch                codes and model have different fingerprints
    │   └── CommitConflict               other writers kept winning
    ├── MissingAccelerator            1  settings ask for a GPU that is not there
    ├── TaskFailed                    1  a task failed on every attempt
    ├── SearchError                   1  shards did not answer
    ├── ServiceOverloaded             1  more queries wait than the service takes on: ask again later
    ├── ServiceRefused                1  a service that was asked answered with an error
    ├── ServiceUnreachable            1  a service that was asked did not answer
    └── GateFailed                    5  a quality gate said no

Every error is built from positional plain values, so that it survives pickling between processes. A message says what
was given, what was expected, which item, and what to do.
"""

from typing import ClassVar


class PipelineError(Exception):
    """Base of everything `pipeline` raises on purpose. Its one-line text is what the user reads."""

    exit_code: ClassVar[int] = 1


class UsageError(PipelineError):
    exit_code = 2


class SettingsError(UsageError):
    pass


class UnknownName(UsageError):
    """Arguments: `kind` ("model", "index", …), `name` given, `known` names (tuple of str)."""

    def __init__(self, kind: str, name: str, known: tuple[str, ...] = ()) -> None:
        super().__init__(kind, name, known)
        self.kind = kind
        self.name = name
        self.known = known

    def __str__(self) -> str:
        known = f"known: {', '.join(self.known)}" if self.known else "there is none yet"
        return f"no {self.kind} named {self.name!r}; {known}"


class UnknownItem(UsageError):
    pass


class SourceError(PipelineError):
    pass


class SourceNotFound(SourceError):
    exit_code = 2


class EmptySource(SourceError):
    exit_code = 2


class StorageError(PipelineError):
    pass


class ObjectNotFound(StorageError):
    """Argument: `uri`."""

    def __init__(self, uri: str) -> None:
        super().__init__(uri)
        self.uri = uri

    def __str__(self) -> str:
        return f"{self.uri}: no such object"


class ObjectExists(StorageError):
    """Argument: `uri`."""

    def __init__(self, uri: str) -> None:
        super().__init__(uri)
        self.uri = uri

    def __str__(self) -> str:
        return f"{self.uri}: already exists"


class CommitStateUnknown(StorageError):
    pass


class CorruptFile(PipelineError):
    """Arguments: `uri` of the file, what is `wrong` with it, the `remedy` (all str)."""

    def __init__(self, uri: str, wrong: str, remedy: str) -> None:
        super().__init__(uri, wrong, remedy)
        self.uri = uri
        self.wrong = wrong
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.uri} is corrupt: {self.wrong}; {self.remedy}"


class ConflictError(PipelineError):
    exit_code = 4


class ModelMismatch(ConflictError):
    """Arguments: `subject` ("collection photos", "index photos"), its `recorded` fingerprint, the one `given`."""

    def __init__(self, subject: str, recorded: str, given: str) -> None:
        super().__init__(subject, recorded, given)
        self.subject = subject
        self.recorded = recorded
        self.given = given

    def __str__(self) -> str:
        return (
            f"{self.subject} holds codes of model {self.recorded}, the model given is {self.given}; "
            "use the model it was made with, or another name"
        )


class CommitConflict(ConflictError):
    pass


class MissingAccelerator(PipelineError):
    pass


class MissingExtra(UsageError):
    """Arguments: `library` that cannot be imported, `extra` that installs it."""

    def __init__(self, library: str, extra: str) -> None:
        super().__init__(library, extra)
        self.library = library
        self.extra = extra

    def __str__(self) -> str:
        return f"{self.library} is not installed; run: pip install 'bitquarry[{self.extra}]'"


class TaskFailed(PipelineError):
    pass


class SearchError(PipelineError):
    pass


class ServiceOverloaded(PipelineError):
    """Arguments: `num_waiting` queries, and the `limit` (both int)."""

    def __init__(self, num_waiting: int, limit: int) -> None:
        super().__init__(num_waiting, limit)
        self.num_waiting = num_waiting
        self.limit = limit

    def __str__(self) -> str:
        return f"{self.num_waiting} queries wait, {self.limit} may; ask again in a second"


class ServiceRefused(PipelineError):
    """Arguments: HTTP `status`, `detail` in the service's words, `request_id` of its log ("" without one), and
    `retry_after_seconds` that it asks to wait (0 when it does not)."""

    def __init__(self, status: int, detail: str, request_id: str = "", retry_after_seconds: int = 0) -> None:
        super().__init__(status, detail, request_id, retry_after_seconds)
        self.status = status
        self.detail = detail
        self.request_id = request_id
        self.retry_after_seconds = retry_after_seconds

    def __str__(self) -> str:
        wait = f"; ask again in {self.retry_after_seconds} s" if self.retry_after_seconds else ""
        request = f" (request {self.request_id})" if self.request_id else ""
        return f"the service answered {self.status}: {self.detail}{wait}{request}"


class ServiceUnreachable(PipelineError):
    """Arguments: `url` of the service, and the `reason` that there is no answer (str)."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, reason)
        self.url = url
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.url} does not answer: {self.reason}; start it with: bitquarry serve"


class GateFailed(PipelineError):
    exit_code = 5
