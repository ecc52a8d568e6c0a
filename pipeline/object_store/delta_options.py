"""What delta-rs must be told about a table's store, beyond the environment that it reads by itself."""

from __future__ import annotations

import os

from pipeline.object_store.s3_endpoint import s3_endpoint
from pipeline.object_store.uri_path import scheme_of

# delta-rs signs for this region when none is set; S3-compatible servers accept any, Amazon needs the real one.
_DEFAULT_REGION = "us-east-1"


def delta_storage_options(uri: str) -> dict[str, str] | None:
    """Storage options for `deltalake` at `uri`; None for a local folder. Credentials stay in the environment."""
    if scheme_of(uri) != "s3":
        return None
    options: dict[str, str] = {}
    if not (os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")):
        options["AWS_REGION"] = _DEFAULT_REGION
    endpoint = s3_endpoint()
    if endpoint is not None:
        options["AWS_ENDPOINT_URL"] = endpoint
        if endpoint.startswith("http://"):
            options["AWS_ALLOW_HTTP"] = "true"
    return options
