"""boto3 clients for S3, one per process, thread, endpoint and timing. They are never pickled."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from pipeline.object_store.s3_endpoint import s3_endpoint

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


@dataclass(frozen=True, kw_only=True)
class S3Timing:
    """Bounds on one request. `max_attempts` counts the first try, and bounds the re-reading of a damaged body too."""

    max_attempts: int = 5
    connect_timeout_seconds: float = 5.0
    read_timeout_seconds: float = 30.0


class _ThreadClients(threading.local):
    def __init__(self) -> None:
        self.by_key: dict[tuple[int, str | None, S3Timing], S3Client] = {}


_clients = _ThreadClients()


def s3_client(timing: S3Timing) -> S3Client:
    """This thread's client; endpoint and credentials come from the standard environment when it is first needed."""
    key = (os.getpid(), s3_endpoint(), timing)
    if key not in _clients.by_key:
        _clients.by_key[key] = _new_client(timing)
    return _clients.by_key[key]


def _new_client(timing: S3Timing) -> S3Client:
    endpoint = s3_endpoint()
    config = Config(
        # The only layer of retries: exponential backoff with jitter, at most 20 s between two tries.
        retries={"mode": "standard", "total_max_attempts": timing.max_attempts},
        connect_timeout=timing.connect_timeout_seconds,
        read_timeout=timing.read_timeout_seconds,
        tcp_keepalive=True,
        # S3-compatible servers are seldom reachable as bucket.host.
        s3={"addressing_style": "path" if endpoint else "auto"},
    )
    # A session is not thread-safe, hence its own for each client.
    return boto3.session.Session().client("s3", endpoint_url=endpoint, config=config)
