"""Pages of a log: how large to ask for, and reading one for a single reader."""

from __future__ import annotations

from flowmaestro.events import TERMINAL_TYPES
from flowmaestro.storage import EventLog, LogRecord
from flowmaestro.streaming.subscription import Subscription
from flowmaestro.streaming.views import EMPTY, Chunk, View, render

_FIRST_PAGE_RECORDS = 100


class PageSize:
    """How many records to ask for, learnt from the page before so that a page stays near
    ``page_bytes``. Most pages are then used whole."""

    __slots__ = ("_max_records", "_page_bytes", "records")

    def __init__(self, *, max_records: int, page_bytes: int) -> None:
        self.records = min(max_records, _FIRST_PAGE_RECORDS)
        self._max_records = max_records
        self._page_bytes = page_bytes

    def learn(self, records: int, size_bytes: int) -> None:
        """Take note of a page that showed so many *records* and so many bytes. After one that
        showed none the next is as long as may be."""
        fitting = self._page_bytes * records // max(size_bytes, 1) if records else self._max_records
        self.records = max(1, min(fitting, self._max_records))

    def cut(self, records: list[LogRecord]) -> list[LogRecord]:
        """Return the first of *records* that fit into a page: at least one."""
        size = 0
        for count, record in enumerate(records):
            size += record.size_bytes
            if size > self._page_bytes and count:
                return records[:count]
        return records


async def read_page(
    log: EventLog, execution_id: str, subscription: Subscription, view: View, size: PageSize
) -> Chunk:
    """Advance *subscription*, which is behind, by one page of the *log*.

    Returns:
        What *view* shows of the page, which may be nothing.

    Raises:
        LogGap: the log lacks what follows the cursor.
        StorageError: the log could not be read, or no longer holds what follows the cursor.

    In each of these cases, and when it is cancelled, the subscription stays where it was.
    """
    known = subscription.newest
    records = await log.read(execution_id, after=subscription.cursor, limit=size.records)
    if not records:
        subscription.empty_page(known)
        return EMPTY
    records = size.cut(records)
    chunk = render(records, view)
    size.learn(chunk.events, len(chunk.body))
    first, last = records[0], records[-1]
    subscription.page(first.number, last.number, ended=last.type in TERMINAL_TYPES)
    return chunk
