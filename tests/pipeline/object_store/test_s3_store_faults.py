"""`S3Store` behind a proxy that loses replies, cuts bodies, answers errors and falls silent."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from pipeline.errors import CommitStateUnknown, ObjectExists, StorageError
from pipeline.object_store.s3_client import S3Timing
from pipeline.object_store.s3_store import S3Store
from tests.fault_proxy import Action, Fault, FaultProxy, seeded_faults
from tests.s3_server import SECRET, S3Server

STORE = S3Store(S3Timing(max_attempts=3, connect_timeout_seconds=2, read_timeout_seconds=0.3))
FOREVER = 10**6
DATA = bytes(range(256)) * 16


class TrustingStore(S3Store):
    """What the read-back replaces: believes that 412 means another writer's object."""

    def _settle(self, uri: str, data: bytes, error: ClientError | BotoCoreError) -> None:
        raise ObjectExists(uri) from error


@pytest.fixture(autouse=True)
def _no_waiting_between_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.0)
    monkeypatch.setattr("pipeline.object_store.s3_store._back_off", lambda _: None)


@pytest.fixture
def uri(fault_proxy: FaultProxy, s3_server: S3Server) -> str:
    """URI of an object in an empty bucket behind the proxy."""
    return f"{s3_server.uri}/folder/a"


@pytest.mark.parametrize("action", ["lost_reply", "stall_reply", "truncate_reply"])
def test_a_create_whose_reply_was_lost_is_ours(fault_proxy: FaultProxy, uri: str, action: Action) -> None:
    fault_proxy.plan([Fault(action=action, method="PUT")])
    STORE.create(uri, DATA)
    assert STORE.read(uri) == DATA


def test_without_reading_back_the_winner_believes_it_lost(fault_proxy: FaultProxy, uri: str) -> None:
    """The test above can fail: the same fault, the same retry, and a store that trusts the 412."""
    fault_proxy.plan([Fault(action="lost_reply", method="PUT")])
    with pytest.raises(ObjectExists):
        TrustingStore(STORE.timing).create(uri, DATA)
    assert STORE.read(uri) == DATA


def test_a_create_that_another_writer_won_in_between_is_lost(fault_proxy: FaultProxy, uri: str) -> None:
    STORE.create(uri, b"another writer's")
    fault_proxy.plan([Fault(action="lost_reply", method="PUT")])
    with pytest.raises(ObjectExists):
        STORE.create(uri, DATA)
    assert STORE.read(uri) == b"another writer's"


def test_a_create_applied_although_answered_503_is_ours(fault_proxy: FaultProxy, uri: str) -> None:
    fault_proxy.plan(
        [Fault(action="lost_reply", method="PUT"), Fault(action="status", method="PUT", nth=1, times=FOREVER)]
    )
    STORE.create(uri, DATA)
    assert STORE.read(uri) == DATA


@pytest.mark.parametrize(
    "faults",
    [
        [Fault(action="lost_reply", method="PUT"), Fault(action="reset", nth=1, times=FOREVER)],
        [Fault(action="status", method="PUT", times=FOREVER)],
        [Fault(action="reset", method="PUT", times=FOREVER)],
    ],
    ids=["store went away", "503 forever", "reset forever"],
)
def test_a_create_that_cannot_be_settled_says_so(fault_proxy: FaultProxy, uri: str, faults: Sequence[Fault]) -> None:
    fault_proxy.plan(faults)
    with pytest.raises(CommitStateUnknown, match=r"PutObject got no clear answer .* run the command again"):
        STORE.create(uri, DATA)


def test_a_conflict_is_retried_and_bounded(fault_proxy: FaultProxy, uri: str) -> None:
    conflict = Fault(action="status", method="PUT", status=409, code="ConditionalRequestConflict", times=2)
    fault_proxy.plan([conflict])
    STORE.create(uri, DATA)
    assert fault_proxy.num_requests("PUT") == 3
    assert STORE.read(uri) == DATA

    fault_proxy.plan([Fault(action="status", method="PUT", status=409, code=conflict.code, times=FOREVER)])
    with pytest.raises(CommitStateUnknown, match="ConditionalRequestConflict"):
        STORE.create(f"{uri}2", DATA)
    assert fault_proxy.num_requests("PUT") == 3


@pytest.mark.parametrize("action", ["truncate_reply", "stall_reply"])
def test_a_damaged_body_is_read_again(fault_proxy: FaultProxy, uri: str, action: Action) -> None:
    STORE.write(uri, DATA)
    fault_proxy.plan([Fault(action=action, method="GET", target=".*/folder/a")])
    assert STORE.read(uri) == DATA
    assert fault_proxy.num_requests("GET") == 2


@pytest.mark.parametrize("action", ["truncate_reply", "stall_reply"])
def test_a_body_that_never_arrives_whole_is_an_error(fault_proxy: FaultProxy, uri: str, action: Action) -> None:
    STORE.write(uri, DATA)
    fault_proxy.plan([Fault(action=action, method="GET", times=FOREVER)])
    with pytest.raises(StorageError, match=rf"{uri}: body incomplete in 3 tries, expected 4,096 bytes"):
        STORE.read(uri)
    assert fault_proxy.num_requests("GET") == 3


@pytest.mark.parametrize("action", ["status", "lost_reply", "truncate_reply", "reset"])
@pytest.mark.parametrize("nth", [0, 1, 2])
def test_a_listing_survives_a_failed_page(
    fault_proxy: FaultProxy, uri: str, monkeypatch: pytest.MonkeyPatch, action: Action, nth: int
) -> None:
    expected = [f"{uri}{number}" for number in range(5)]
    for written in expected:
        STORE.write(written, b"")
    monkeypatch.setattr("pipeline.object_store.s3_store.PAGE_KEYS", 2)
    fault_proxy.plan([Fault(action=action, method="GET", nth=nth)])
    assert [info.uri for info in STORE.list(uri.rsplit("/", 1)[0])] == expected
    assert fault_proxy.num_requests("GET") == 4


@pytest.mark.parametrize("action", ["status", "truncate_reply"])
def test_a_page_that_keeps_failing_is_no_end_of_list(
    fault_proxy: FaultProxy, uri: str, monkeypatch: pytest.MonkeyPatch, action: Action
) -> None:
    for number in range(5):
        STORE.write(f"{uri}{number}", b"")
    monkeypatch.setattr("pipeline.object_store.s3_store.PAGE_KEYS", 2)
    fault_proxy.plan([Fault(action=action, method="GET", nth=1, times=FOREVER)])
    listing = STORE.list(uri.rsplit("/", 1)[0])
    assert [next(listing).uri, next(listing).uri] == [f"{uri}0", f"{uri}1"]
    with pytest.raises(StorageError, match="ListObjectsV2 on bucket tests-"):
        next(listing)


PAGE = """<?xml version="1.0"?><ListBucketResult><IsTruncated>{truncated}</IsTruncated>{entries}</ListBucketResult>"""
ENTRY = "<Contents><Key>folder/{}</Key><Size>1</Size><ETag>&quot;x&quot;</ETag></Contents>"


@pytest.mark.parametrize(
    ("keys", "truncated", "message"),
    [("ab", "true", "broke off without a next page"), ("ba", "false", "expected ascending keys")],
)
def test_a_listing_that_contradicts_itself_is_refused(
    fault_proxy: FaultProxy, uri: str, keys: str, truncated: str, message: str
) -> None:
    page = PAGE.format(truncated=truncated, entries="".join(map(ENTRY.format, keys)))
    fault_proxy.plan([Fault(action="status", status=200, body=page.encode())])
    with pytest.raises(StorageError, match=message):
        list(STORE.list(uri.rsplit("/", 1)[0]))


@pytest.mark.parametrize(
    ("status", "code", "remedy"),
    [
        (403, "AccessDenied", "check the bucket's policy"),
        (403, "InvalidAccessKeyId", "check AWS_ACCESS_KEY_ID"),
        (403, "RequestTimeTooSkewed", "the clock of this machine is wrong"),
        (400, "ExpiredToken", "the credentials have expired; renew them"),
    ],
)
def test_refusals_name_bucket_operation_and_remedy_without_retries(
    fault_proxy: FaultProxy, uri: str, status: int, code: str, remedy: str
) -> None:
    fault_proxy.plan([Fault(action="status", status=status, code=code, times=FOREVER)])
    bucket = uri.split("/")[2]
    requests: dict[str, Callable[[], object]] = {
        "GetObject": lambda: STORE.read(uri),
        "PutObject": lambda: STORE.create(uri, DATA),
        "ListObjectsV2": lambda: list(STORE.list(uri)),
    }
    for operation, request in requests.items():
        with pytest.raises(
            StorageError, match=rf"{operation} on bucket {bucket} failed with {code}: .*{remedy}"
        ) as raised:
            request()
        assert raised.type is StorageError
        assert SECRET not in str(raised.value)
    assert fault_proxy.num_requests("PUT") == 1


def test_an_overloaded_store_gets_a_bounded_number_of_requests(fault_proxy: FaultProxy, uri: str) -> None:
    fault_proxy.plan([Fault(action="status", times=FOREVER)])
    with pytest.raises(StorageError, match="failed with SlowDown: the store is overloaded"):
        STORE.read(uri)
    assert len(fault_proxy.requests) == 3


def create_under_random_faults(store: S3Store, proxy: FaultProxy, bucket_uri: str, seed: int) -> int:
    """Create 40 objects under 25 names, several writers to a name, and compare what each was told with what is stored.

    Returns how many were told that they won."""
    generator = random.Random(seed)
    proxy.plan(seeded_faults(seed, num_requests=200, rate=0.35))
    won: dict[str, bytes] = {}
    unknown: set[str] = set()
    for number in range(40):
        uri, data = f"{bucket_uri}/{generator.randrange(25)}", b"writer %d" % number
        try:
            store.create(uri, data)
        except ObjectExists:
            assert uri in won or uri in unknown, f"{uri}: lost to nobody"
        except CommitStateUnknown:
            unknown.add(uri)
        else:
            assert uri not in won, f"{uri}: two winners"
            won[uri] = data
    proxy.plan([])
    assert {uri: store.read(uri) for uri in won} == won
    return len(won)


@pytest.mark.parametrize("seed", [1, 2])
def test_create_says_the_truth_under_random_faults(fault_proxy: FaultProxy, s3_server: S3Server, seed: int) -> None:
    assert create_under_random_faults(STORE, fault_proxy, s3_server.uri, seed) > 10


def test_random_faults_find_a_store_that_trusts_412(fault_proxy: FaultProxy, s3_server: S3Server) -> None:
    with pytest.raises(AssertionError, match="lost to nobody"):
        create_under_random_faults(TrustingStore(STORE.timing), fault_proxy, s3_server.uri, seed=1)
