"""`bitquarry demo` as a first user runs it: from the sample corpus to a service, and Ctrl-C."""

from __future__ import annotations

import os
import re
import signal
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pipeline.errors import ServiceUnreachable
from pipeline.search_client.search_client import SearchClient, SearchTerms
from tests import command_line


@pytest.mark.ray
@pytest.mark.timeout(300)
def test_the_demo_serves_what_it_made_until_ctrl_c(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    demo = command_line.start("demo", "--out", out, "--port", "0")
    assert demo.stdout is not None
    said = ""
    try:
        while (found := re.search(r"^serving clips at (http://\S+) ", said, re.MULTILINE)) is None:
            line = demo.stdout.readline()
            assert line, said
            said += line
        url = found[1]
        with SearchClient(url) as client:
            assert client.ready().ready
            answer = client.query_key("clips", "animals/birds/baby-tux_alex_kuehne_01.png", SearchTerms(k=3))
            assert (len(answer.hits), answer.rows_total, answer.coverage) == (3, 976, 1.0)
        assert b"<title>Bitquarry</title>" in _page(url)
        os.killpg(demo.pid, signal.SIGINT)  # as a terminal does
        rest, complaints = demo.communicate(timeout=60)
    finally:
        if demo.poll() is None:
            os.killpg(demo.pid, signal.SIGKILL)
            demo.wait()
    assert (demo.returncode, "Traceback" in complaints) == (0, False), complaints
    assert "The service has stopped." in rest
    assert (out / "report.html").as_uri() in said
    with pytest.raises(ServiceUnreachable):
        SearchClient(url).ready()


def _page(url: str) -> bytes:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=10)
    connection.request("GET", "/")
    page = connection.getresponse().read()
    connection.close()
    return page
