"""What a failed S3 request means, and how it is told to people: bucket, key, operation, code; never a credential."""

from __future__ import annotations

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
)

from pipeline.errors import ObjectNotFound, StorageError
from pipeline.object_store.uri_path import S3Address

_CLOCK = "the clock of this machine is wrong; set it and run the command again"
_CREDENTIALS = "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
_NEVER_SENT = (
    CredentialRetrievalError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
)
_REMEDIES = {
    "AccessDenied": "these credentials may not do that; check the bucket's policy",
    "403": "these credentials may not do that; check them and the bucket's policy",
    "InvalidAccessKeyId": _CREDENTIALS,
    "SignatureDoesNotMatch": _CREDENTIALS,
    "ExpiredToken": "the credentials have expired; renew them and run the command again",
    "RequestTimeTooSkewed": _CLOCK,
    "RequestExpired": _CLOCK,
    "SlowDown": "the store is overloaded; run the command again later",
    "EntityTooLarge": "the store takes no object that large; write smaller shards",
}


def error_code(error: ClientError) -> str:
    """The code the server gave, such as "NoSuchKey"; the HTTP status as text where a reply has no body."""
    return error.response.get("Error", {}).get("Code", "")


def http_status(error: ClientError) -> int:
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)


def is_refusal(error: ClientError | BotoCoreError) -> bool:
    """Whether the request certainly had no effect: refused as such (4xx), or never sent.

    Not for 412 and 409, where an earlier try of the same request may have won, nor for 408 (timed out)."""
    if isinstance(error, ClientError):
        return 400 <= http_status(error) < 500 and http_status(error) not in (408, 409, 412)
    return isinstance(error, _NEVER_SENT)


def storage_error(uri: str, operation: str, error: ClientError | BotoCoreError) -> StorageError:
    """`ObjectNotFound` for a missing key or bucket, else a `StorageError` that names what failed and what to do."""
    bucket = S3Address.of(uri).bucket
    if isinstance(error, ClientError):
        code = error_code(error)
        if code == "NoSuchBucket":
            return ObjectNotFound(f"bucket s3://{bucket} (asked by {operation})")
        if http_status(error) == 404:
            return ObjectNotFound(uri)
        remedy = f": {_REMEDIES[code]}" if code in _REMEDIES else ""
        return StorageError(f"{uri}: {operation} on bucket {bucket} failed with {code or http_status(error)}{remedy}")
    # Texts of botocore's own errors name hosts and addresses only; the class says what it was.
    return StorageError(f"{uri}: {operation} on bucket {bucket} failed: {type(error).__name__}: {error}")
