"""A real Prometheus scrapes a real service under load, and its counters are what the clients counted."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

from tests.pipeline.search_api.metric_samples import complaints_of
from tests.pipeline.search_api.served_pictures import INDEX, ServedPictures, served
from tests.prometheus_server import prometheus_server

__all__ = ["served"]

NUM_CLIENTS = 4
NUM_QUERIES = 50


def _ask(served: ServedPictures, client: int, told: Counter[int]) -> None:
    """Right and wrong queries by turns; hostile names that must not become labels."""
    for number in range(NUM_QUERIES):
        code = served.codes.to_hex()[number % len(served.codes)] if number % 5 else "no code"
        told[served.running.post(served.path(), {"code": code, "k": 3}).status] += 1
        if number % 10 == 0:
            served.running.post(f"/v1/indexes/hostile-{client}-{number}/query", {"code": code})
            served.running.get(f"/hostile/{client}/{number}")


def test_counters_are_what_the_clients_counted(served: ServedPictures, tmp_path: Path) -> None:
    told: list[Counter[int]] = [Counter() for _ in range(NUM_CLIENTS)]
    with prometheus_server(str(urlsplit(served.running.url).netloc), tmp_path) as prometheus:
        clients = [threading.Thread(target=_ask, args=(served, n, told[n])) for n in range(NUM_CLIENTS)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        statuses = sum(told, Counter[int]())
        assert set(statuses) == {200, 400}
        by_outcome = 'bitquarry_queries_total{{index="{}", outcome="{}"}}'
        good, bad = by_outcome.format(INDEX, "ok"), by_outcome.format(INDEX, "client_error")
        assert prometheus.wait_for(good, [statuses[200]].__eq__) == [statuses[200]]
        assert prometheus.wait_for(bad, [statuses[400]].__eq__) == [statuses[400]]
        timed = f'bitquarry_query_duration_seconds_count{{index="{INDEX}", stage="total"}}'
        assert prometheus.wait_for(timed, [statuses[200]].__eq__) == [statuses[200]]
        asked = 'sum(bitquarry_http_requests_total{route="/v1/indexes/{name}/query", status="200"})'
        assert prometheus.wait_for(asked, [statuses[200]].__eq__) == [statuses[200]]
        assert prometheus.wait_for(f'bitquarry_index_ready{{index="{INDEX}"}}', [1.0].__eq__) == [1.0]
        assert prometheus.wait_for('up{job="bitquarry"}', [1.0].__eq__) == [1.0]
        names = prometheus.values('{job="bitquarry"}')
    assert not [labels for labels in names if "hostile" in str(labels)]


def test_promtool_accepts_what_is_scraped(served: ServedPictures) -> None:
    served.running.post(served.path(), {"code": served.codes.to_hex()[0]})
    assert complaints_of(served.running.get("/metrics").body) == ""
