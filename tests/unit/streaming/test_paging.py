from __future__ import annotations

import pytest

from flowmaestro.storage import LogRecord
from flowmaestro.streaming import PageSize, StreamingOptions


def records(*sizes: int) -> list[LogRecord]:
    return [LogRecord(number, "node:log", "x" * size) for number, size in enumerate(sizes, start=1)]


def test_small_events_make_the_next_page_longer_up_to_the_most() -> None:
    size = PageSize(max_records=500, page_bytes=100_000)
    size.learn(100, 100 * 400)
    assert size.records == 250
    size.learn(250, 250 * 10)
    assert size.records == 500


def test_large_events_make_the_next_page_shorter_down_to_one() -> None:
    size = PageSize(max_records=500, page_bytes=100_000)
    size.learn(10, 10 * 30_000)
    assert size.records == 3
    size.learn(3, 3 * 1_000_000)
    assert size.records == 1


def test_a_page_is_cut_where_it_grows_past_its_bytes_but_never_to_nothing() -> None:
    size = PageSize(max_records=500, page_bytes=100)
    assert len(size.cut(records(50, 50, 50))) == 2
    assert len(size.cut(records(500, 1))) == 1
    assert len(size.cut(records(10, 20))) == 2


def test_a_page_is_as_long_as_its_bytes_not_its_characters() -> None:
    size = PageSize(max_records=500, page_bytes=100)
    page = [LogRecord(number, "node:log", "語" * 30) for number in (1, 2, 3)]  # 90 bytes each
    assert len(size.cut(page)) == 1


def test_after_a_page_that_showed_nothing_the_next_is_as_long_as_may_be() -> None:
    size = PageSize(max_records=500, page_bytes=100)
    size.learn(0, 0)
    assert size.records == 500


@pytest.mark.parametrize(
    "options",
    [
        {"heartbeat_seconds": 0},
        {"stalled_reader_seconds": -1},
        {"buffer_bytes": 0},
        {"page_records": 0},
        {"page_bytes": 0},
        {"min_retry_ms": 5, "max_retry_ms": 4},
        {"min_retry_ms": -1},
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be"):
        StreamingOptions(**options)
