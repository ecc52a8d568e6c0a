"""Where S3 is: the standard environment variables decide, for boto3 and delta-rs alike."""

from __future__ import annotations

import os

from pipeline.errors import SettingsError


def s3_endpoint() -> str | None:
    """URL of the S3 server from `AWS_ENDPOINT_URL_S3`, else `AWS_ENDPOINT_URL`; None means Amazon's own.

    Raises `SettingsError` for a value that is not an http or https URL.
    """
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"):
        endpoint = os.environ.get(name)
        if endpoint:
            if not endpoint.startswith(("http://", "https://")):
                raise SettingsError(f"{name} = {endpoint!r}: expected a URL such as http://host:9000")
            return endpoint
    return None
