from math import nan

from pipeline.evaluation.page_environment import (
    data_uri,
    distance_text,
    figure_text,
    page_environment,
    seconds_text,
    short_number,
)


def test_numbers_are_short() -> None:
    assert [seconds_text(value) for value in (None, 0.01234, 99.94, 1234.5)] == ["–", "0.0123 s", "99.9 s", "1,234 s"]
    assert [distance_text(value) for value in (17, 0.0, 0.12345, 12.5)] == ["17", "0", "0.123", "12.5"]
    assert [figure_text(value) for value in (None, nan, 12345, 0.5)] == ["–", "–", "12,345", "0.5000"]
    assert short_number(0.5) == "0.5"


def test_pictures_are_inside_the_page() -> None:
    assert data_uri(b"\xff\xd8\xff\xe0") == "data:image/jpeg;base64,/9j/4A=="
    assert data_uri(None) is None


def test_what_is_shown_is_escaped() -> None:
    assert page_environment().from_string("{{ x }}").render(x="<script>") == "&lt;script&gt;"
