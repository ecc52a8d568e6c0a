"""The service while things go wrong: every answer is whole, or says what it lacks, or is refused."""

from __future__ import annotations

import copy
import mmap
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from pipeline.object_store.open_store import open_store
from pipeline.shard_index.index_catalog import IndexCatalog
from tests.faults.served_answers import INDEX, ServedAnswers
from tests.served_command import QueryLoad, Reply, ServedCommand, served_command, wait_until


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> ServedAnswers:
    return ServedAnswers(tmp_path_factory.mktemp("serving") / "catalog", num_generations=2)


def config_file(folder: Path, text: str) -> Path:
    file = folder / "serve.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def check_all(answers: ServedAnswers, load: QueryLoad) -> None:
    """Every query was answered, rightly."""
    assert load.broken == []
    for number, reply in load.replies:
        assert reply.status == 200, reply.content
        answers.check(number, reply.content)


def searcher_processes(served: ServedCommand) -> list[psutil.Process]:
    """The service's searchers, by the names that Ray gives its processes."""
    return [child for child in psutil.Process(served.process.pid).children(recursive=True) if _is_searcher(child)]


def _is_searcher(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        alive = process.status() != psutil.STATUS_ZOMBIE
        return alive and "".join(process.cmdline()[:1]).startswith("ray::ServingSearcher")
    return False


def test_a_killed_searcher_under_load(answers: ServedAnswers) -> None:
    with served_command(answers.catalog, "--searchers", "2") as served:
        with QueryLoad(served, answers.path, answers.bodies(allow_partial=True)) as load:
            load.wait_for_more()
            for _ in range(2):
                victim = searcher_processes(served)[0]
                before = len(load.replies)
                os.kill(victim.pid, signal.SIGKILL)
                wait_until(lambda: degraded(load, before), "an answer without the dead")  # noqa: B023
                wait_until(lambda: whole_again(load), "full coverage returns by itself")
        assert len(searcher_processes(served)) == 2
        check_all(answers, load)
        assert max(reply.seconds for _, reply in load.replies) < 25
        # Who does not allow partial answers is refused, and told to ask again.
        os.kill(searcher_processes(served)[1].pid, signal.SIGKILL)
        with QueryLoad(served, answers.path, answers.bodies()) as strict:
            wait_until(lambda: any(reply.status == 503 for _, reply in strict.replies), "a refusal")
            wait_until(lambda: whole_again(strict), "full coverage returns by itself")
        wait_until(lambda: served.get("/readyz")["ready"], "the service is ready")
        assert {reply.status for _, reply in strict.replies} <= {200, 503}
        for number, reply in strict.replies:
            if reply.status == 200:
                answers.check(number, reply.content)
                assert not reply.content["degraded"]
            else:
                assert reply.headers["retry-after"] == "1"
                assert "shards did not answer" in reply.content["detail"]
        assert served.stop() == 0


def degraded(load: QueryLoad, first: int) -> bool:
    return any(reply.content["degraded"] for _, reply in load.replies[first:] if reply.status == 200)


def whole_again(load: QueryLoad) -> bool:
    """The last answers are all complete."""
    last = [reply for _, reply in load.replies[-20:]]
    return all(reply.status == 200 and not reply.content["degraded"] for reply in last)


def test_another_replica_answers_for_a_killed_one(answers: ServedAnswers) -> None:
    with served_command(answers.catalog, "--searchers", "1", "--replicas", "2") as served:
        with QueryLoad(served, answers.path, answers.bodies()) as load:
            survivor = searcher_processes(served)[0].pid
            for _ in range(3):
                load.wait_for_more()
                (victim,) = [process.pid for process in searcher_processes(served) if process.pid != survivor]
                os.kill(victim, signal.SIGKILL)
                load.wait_for_more()
                wait_until(lambda: len(searcher_processes(served)) == 2, "Ray starts it anew")
        check_all(answers, load)
        assert not any(reply.content["degraded"] for _, reply in load.replies)


@pytest.mark.parametrize("searchers", ["0", "2"])
def test_an_alias_that_is_switched_under_load(answers: ServedAnswers, tmp_path: Path, searchers: str) -> None:
    config = config_file(tmp_path, "serve: {refresh_seconds: 0.05}\n")
    first, second = answers.generations
    catalog = IndexCatalog(str(answers.catalog), open_store(str(answers.catalog)))
    with served_command(answers.catalog, "--config", config, "--searchers", searchers) as served:
        with QueryLoad(served, answers.path, answers.bodies()) as load:
            for number in range(50):
                wanted = (first, second)[number % 2]
                if number % 5:
                    asked = {"index": INDEX, "alias": "live", "generation": wanted}
                    assert served.ask("POST", "/v1/aliases", asked).status == 200
                else:
                    catalog.point_alias(INDEX, "live", wanted)
                before = len(load.replies)
                wait_until(lambda: answers_from(load, before, wanted), "the alias is followed")  # noqa: B023
        check_all(answers, load)
        assert served.stop() == 0


def answers_from(load: QueryLoad, first: int, generation: str) -> bool:
    return any(reply.content["generation"] == generation for _, reply in load.replies[first:] if reply.status == 200)


def test_the_checks_can_fail(answers: ServedAnswers) -> None:
    with served_command(answers.catalog) as served:
        reply = served.ask("POST", answers.path, answers.bodies()[0])
    answers.check(0, reply.content)
    (other,) = set(answers.generations) - {reply.content["generation"]}
    shard = answers.generations[reply.content["generation"]].manifest.shards[0].name
    wrong: list[dict[str, Any]] = [
        {"hits": reply.content["hits"][:-1]},  # silently short
        {"hits": list(reversed(reply.content["hits"]))},
        {"generation": other},  # the hits of one generation under the name of another
        {"coverage": 0.5},
        {"degraded": True},
        {"failed_shards": [shard], "degraded": True, "coverage": 0.5},  # blamed on a shard that did answer
    ]
    for change in wrong:
        with pytest.raises(AssertionError):
            answers.check(0, copy.deepcopy(reply.content) | change)
    with pytest.raises(AssertionError):
        answers.check(1, reply.content)


def test_hostile_clients_do_not_stop_others(answers: ServedAnswers, tmp_path: Path) -> None:
    """64 MiB of body, with a length and in chunks, headers without end, and connections that say nothing."""
    limits = "{header_seconds: 1, body_seconds: 2, max_connections: 100}"
    config = config_file(tmp_path, f"serve: {{limits: {limits}}}\n")
    with served_command(answers.catalog, "--config", config) as served:
        process = psutil.Process(served.process.pid)
        with QueryLoad(served, answers.path, answers.bodies()) as load, ExitStack() as hostile:
            load.wait_for_more()
            before = process.memory_info().rss
            idle = [hostile.enter_context(socket.create_connection(served.address, timeout=20)) for _ in range(80)]
            head = f"POST {answers.path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            length = send_until_closed(served, f"{head}Content-Length: {2**26}\r\n\r\n".encode(), b"x" * 2**16)
            chunk = b"10000\r\n" + b"x" * 2**16 + b"\r\n"
            chunked = send_until_closed(served, f"{head}Transfer-Encoding: chunked\r\n\r\n".encode(), chunk)
            endless = send_until_closed(served, b"GET / HTTP/1.1\r\n", b"x-more: " + b"y" * 2000 + b"\r\n")
            assert length.startswith(b"HTTP/1.1 413 ")
            assert chunked.startswith(b"HTTP/1.1 413 ")
            assert endless.startswith((b"HTTP/1.1 431 ", b""))
            assert all(client.recv(1) == b"" for client in idle), "connections that say nothing are closed"
            load.wait_for_more()
            assert process.memory_info().rss < before + 150 * 2**20
        check_all(answers, load)


def send_until_closed(served: ServedCommand, head: bytes, piece: bytes) -> bytes:
    """Send 64 MiB in pieces, or as much as the service takes; what it said."""
    received: list[bytes] = []
    with socket.create_connection(served.address, timeout=30) as client:
        reader = threading.Thread(target=lambda: received.extend(_all_of(client)))
        reader.start()
        with suppress(OSError):
            client.sendall(head)
            for _ in range(2**26 // len(piece)):
                client.sendall(piece)
        reader.join(60)
        assert not reader.is_alive(), "the connection is held"
    return b"".join(received)


def _all_of(client: socket.socket) -> Iterator[bytes]:
    with suppress(OSError):
        while received := client.recv(2**16):
            yield received


def test_overload_is_refused_and_the_rest_answered(answers: ServedAnswers, tmp_path: Path) -> None:
    config = config_file(tmp_path, "serve: {batching: false, limits: {max_waiting: 2, retry_seconds: 3}}\n")
    with served_command(answers.catalog, "--config", config) as served:
        with QueryLoad(served, answers.path, answers.bodies(), num_clients=24) as load:
            wait_until(lambda: refused(load) >= 5, "refusals")
            load.wait_for_more(100)
        assert load.broken == []
        served_well = [each for each in load.replies if each[1].status == 200]
        assert len(served_well) + refused(load) == len(load.replies)
        for number, reply in served_well:
            answers.check(number, reply.content)
        for reply in (reply for _, reply in load.replies if reply.status != 200):
            assert reply.headers["retry-after"] == "3"
            assert reply.headers["content-type"] == "application/problem+json"
        assert served.ask("POST", answers.path, answers.bodies()[0]).status == 200


def refused(load: QueryLoad) -> int:
    return sum(reply.status in (429, 503) for _, reply in load.replies)


@pytest.mark.parametrize("searchers", ["0", "1"])
def test_sigterm_under_load_drains_and_ends_well(answers: ServedAnswers, searchers: str) -> None:
    with served_command(answers.catalog, "--searchers", searchers) as served:
        with QueryLoad(served, answers.path, answers.bodies()) as load:
            load.wait_for_more()
            assert served.stop() == 0
            # The port is closed: no connection, and none that ended amid an answer.
            wait_until(lambda: len(load.broken) > load.num_clients, "the clients notice")
        for number, reply in load.replies:
            assert reply.status == 200
            answers.check(number, reply.content)
        assert not any("IncompleteRead" in said for said in load.broken)


def test_memory_is_flat(answers: ServedAnswers) -> None:
    with served_command(answers.catalog) as served:
        process = psutil.Process(served.process.pid)
        with QueryLoad(served, answers.path, answers.bodies()) as load:
            load.wait_for_more(1500)
            before = process.memory_info().rss
            load.wait_for_more(1500)
            assert grown_bytes(process, before) < 8 * 2**20
        check_all(answers, load)


def grown_bytes(process: psutil.Process, before: int) -> int:
    return int(process.memory_info().rss) - before


def test_growing_memory_is_seen() -> None:
    process = psutil.Process()
    before = process.memory_info().rss
    with mmap.mmap(-1, 2**24) as held:  # an allocator would take memory that an earlier test gave back to it
        held.write(bytes(2**24))
        assert grown_bytes(process, before) > 8 * 2**20


def test_a_load_notices_what_is_wrong(answers: ServedAnswers) -> None:
    """A reply that is late, refused or of another kind does not pass for an answer."""
    with served_command(answers.catalog) as served:
        load = QueryLoad(served, answers.path, answers.bodies())
        load.replies.append((0, Reply(503, {}, {"detail": "refused"}, 0.1)))
        with pytest.raises(AssertionError):
            check_all(answers, load)
        load.replies.clear()
        load.broken.append("ConnectionResetError: reset")
        with pytest.raises(AssertionError):
            check_all(answers, load)
