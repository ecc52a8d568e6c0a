"""Failed requests become errors that name what failed, pickle, and show no credential."""

from __future__ import annotations

import pickle

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
)

from pipeline.errors import ObjectNotFound, StorageError
from pipeline.object_store.s3_faults import is_refusal, storage_error


def reply(status: int, code: str) -> ClientError:
    message = "the key AKIA-CANARY is bad"
    return ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "PutObject",
    )


UNREACHABLE = EndpointConnectionError(endpoint_url="http://host:9")


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (reply(404, "NoSuchKey"), ObjectNotFound, "s3://bucket/a: no such object"),
        (reply(404, "404"), ObjectNotFound, "s3://bucket/a: no such object"),
        (reply(404, "NoSuchBucket"), ObjectNotFound, "bucket s3://bucket (asked by PutObject): no such object"),
        (
            reply(403, "SignatureDoesNotMatch"),
            StorageError,
            "s3://bucket/a: PutObject on bucket bucket failed with SignatureDoesNotMatch: "
            "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        ),
        (reply(500, ""), StorageError, "s3://bucket/a: PutObject on bucket bucket failed with 500"),
    ],
)
def test_errors_name_uri_and_operation(error: ClientError, kind: type[StorageError], text: str) -> None:
    translated = storage_error("s3://bucket/a", "PutObject", error)
    assert (type(translated), str(translated)) == (kind, text)
    restored = pickle.loads(pickle.dumps(translated))  # noqa: S301 - our own bytes
    assert (type(restored), str(restored)) == (kind, text)


def test_an_unreachable_store_is_named() -> None:
    assert "http://host:9" in str(storage_error("s3://bucket/a", "GetObject", UNREACHABLE))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (reply(400, "ExpiredToken"), True),
        (reply(403, "AccessDenied"), True),
        (reply(404, "NoSuchBucket"), True),
        (NoCredentialsError(), True),
        (ParamValidationError(report="bad bucket name"), True),
        (reply(408, "RequestTimeout"), False),
        (reply(409, "ConditionalRequestConflict"), False),
        (reply(412, "PreconditionFailed"), False),
        (reply(500, "InternalError"), False),
        (UNREACHABLE, False),
    ],
)
def test_only_what_had_no_effect_is_a_refusal(error: ClientError | BotoCoreError, expected: bool) -> None:
    assert is_refusal(error) is expected
