"""Where S3 is: the standard environment variables decide, for boto3 and delta-rs alike."""

from __future__ import annotations

import os


def s3_endpoint() -> str | None:
    """URL of the S3 server from `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL`; None means Amazon's own."""
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None
