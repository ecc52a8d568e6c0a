"""The endpoint comes from the standard variables, the S3-specific one first."""

from __future__ import annotations

import pytest

from pipeline.errors import SettingsError
from pipeline.object_store.s3_endpoint import s3_endpoint


@pytest.mark.parametrize(
    ("specific", "general", "expected"),
    [
        ("", "", None),
        ("", "http://general:9000", "http://general:9000"),
        ("https://specific", "http://general", "https://specific"),
    ],
)
def test_endpoint(monkeypatch: pytest.MonkeyPatch, specific: str, general: str, expected: str | None) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", specific)
    monkeypatch.setenv("AWS_ENDPOINT_URL", general)
    assert s3_endpoint() == expected


def test_a_url_is_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "host:9000")
    with pytest.raises(SettingsError, match=r"AWS_ENDPOINT_URL = 'host:9000': expected a URL"):
        s3_endpoint()
