"""The proxy does what its plan says, to the requests it says, and nothing to others."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

import pytest

from tests.fault_proxy import Action, Fault, FaultProxy, seeded_faults
from tests.s3_server import S3Server

BODY = bytes(range(256)) * 40


def request(url: str, method: str, target: str, body: bytes | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=2)
    try:
        connection.request(method, target, body)
        reply = connection.getresponse()
        return reply.status, reply.read()
    finally:
        connection.close()


def test_forwards_requests_and_replies_unchanged(s3_server: S3Server, fault_proxy: FaultProxy) -> None:
    target = f"/{s3_server.bucket}/a%20b/../c"
    assert request(fault_proxy.endpoint_url, "PUT", target, BODY)[0] == 200
    assert request(s3_server.endpoint_url, "GET", target) == (200, BODY)
    assert request(fault_proxy.endpoint_url, "GET", target) == (200, BODY)
    assert request(fault_proxy.endpoint_url, "HEAD", target) == (200, b"")
    assert fault_proxy.requests == [("PUT", target), ("GET", target), ("HEAD", target)]


def test_status_hits_the_planned_requests_only(s3_server: S3Server, fault_proxy: FaultProxy) -> None:
    target = f"/{s3_server.bucket}/key"
    fault_proxy.plan([Fault(action="status", status=500, code="Oops", method="PUT", target=".*key", nth=1, times=2)])
    statuses = [request(fault_proxy.endpoint_url, "PUT", target, b"x")[0] for _ in range(4)]
    assert statuses == [200, 500, 500, 200]
    assert request(fault_proxy.endpoint_url, "PUT", f"/{s3_server.bucket}/other", b"x")[0] == 200
    assert request(fault_proxy.endpoint_url, "GET", target) == (200, b"x")
    assert (fault_proxy.num_requests("PUT"), fault_proxy.num_requests("GET")) == (5, 1)


@pytest.mark.parametrize(
    ("action", "error", "stored"),
    [
        ("lost_reply", http.client.RemoteDisconnected, True),
        ("reset", ConnectionResetError, False),
    ],
)
def test_a_broken_put_is_stored_or_not(
    s3_server: S3Server, fault_proxy: FaultProxy, action: Action, error: type[Exception], stored: bool
) -> None:
    target = f"/{s3_server.bucket}/key"
    fault_proxy.plan([Fault(action=action)])
    with pytest.raises(error) as raised:
        request(fault_proxy.endpoint_url, "PUT", target, b"x")
    assert raised.type is error
    assert request(s3_server.endpoint_url, "GET", target)[0] == (200 if stored else 404)


def test_truncated_and_stalled_replies_announce_the_whole_body(s3_server: S3Server, fault_proxy: FaultProxy) -> None:
    target = f"/{s3_server.bucket}/key"
    request(s3_server.endpoint_url, "PUT", target, BODY)
    fault_proxy.plan([Fault(action="truncate_reply"), Fault(action="stall_reply", nth=1)])
    with pytest.raises(http.client.IncompleteRead) as raised:
        request(fault_proxy.endpoint_url, "GET", target)
    assert raised.value.partial == BODY[: len(BODY) // 2]
    assert raised.value.expected == len(BODY) - len(BODY) // 2
    with pytest.raises(TimeoutError):
        request(fault_proxy.endpoint_url, "GET", target)
    assert request(fault_proxy.endpoint_url, "GET", target) == (200, BODY)


def test_seeded_plans_repeat_and_differ_by_seed() -> None:
    plans = [seeded_faults(seed, num_requests=200, rate=0.25) for seed in (1, 1, 2)]
    assert plans[0] == plans[1] != plans[2]
    assert 20 < len(plans[0]) < 80
    assert {fault.action for fault in plans[0]} == {"status", "lost_reply", "truncate_reply", "reset"}
