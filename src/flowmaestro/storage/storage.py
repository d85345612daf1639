"""The door of storage: opens the database and holds its parts."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from pathlib import Path

import sqlalchemy as sa

from flowmaestro.storage.errors import StorageError
from flowmaestro.storage.executions import Executions
from flowmaestro.storage.ids import IdGenerator
from flowmaestro.storage.keys import Keys
from flowmaestro.storage.log import CommitListeners, EventLog
from flowmaestro.storage.migrations import bring_up_to_date, read_revision
from flowmaestro.storage.options import StorageOptions
from flowmaestro.storage.sqlite.engines import reading_engine, writing_engine
from flowmaestro.storage.sqlite.faults import unusable
from flowmaestro.storage.sqlite.readers import Readers
from flowmaestro.storage.sqlite.writer import Writer
from flowmaestro.storage.statistics import StorageStatistics
from flowmaestro.storage.url import database_path, require_folder
from flowmaestro.storage.workflows import Workflows


class Storage:
    """One open database. Bound to the event loop that opened it; made by :meth:`open`.

    It is an async context manager that closes itself.
    """

    def __init__(self, path: Path, engine: sa.Engine, options: StorageOptions) -> None:
        listeners = CommitListeners()
        ids = IdGenerator()
        self.statistics = StorageStatistics()
        self._writer = Writer(engine, options, listeners.tell, self.statistics)
        self._readers = Readers(
            reading_engine(path, options), options.reader_threads, self.statistics
        )
        self.path = path
        self.ids = ids
        self.log = EventLog(self._writer, self._readers, listeners, options, self.statistics)
        self.executions = Executions(self._writer, self._readers, options)
        self.workflows = Workflows(self._writer, self._readers, ids, options)
        self.keys = Keys(self._writer, self._readers, ids, options)

    @classmethod
    async def open(cls, url: str, *, options: StorageOptions | None = None) -> Storage:
        """Open the database, creating it or bringing its schema up to date.

        Args:
            url: ``sqlite:///path.db`` or a path.
            options: The settings; the defaults suit a server.

        Raises:
            DatabaseUnusable: it is no database, is damaged, is from a newer version, is not
                writable, … (its subclasses say more).
            StorageUnavailable: it is locked by another process, or the disk is full.
        """
        options = options or StorageOptions()
        path = database_path(url)
        engine = writing_engine(path, options)
        await asyncio.to_thread(_prepare, engine, path)
        return cls(path, engine, options)

    async def aclose(self) -> None:
        """Finish the writes that are queued, then close the database. Repeating it is safe.

        Writes and reads that begin later raise :class:`StorageClosed`.
        """
        await self._writer.aclose()
        await self._readers.aclose()

    def queues(self) -> dict[str, tuple[int, int | None]]:
        """Return how much waits in each queue, and the bound of each that has one."""
        gate = self._writer.gate
        return {
            "log_writes": (gate.count, gate.max_count),
            "log_bytes": (gate.bytes, gate.max_bytes),
            "log_writers_waiting": (gate.waiting, None),
            "log_reads": (self._readers.pending, None),
        }

    async def check(self) -> None:
        """Read a little from the database.

        Raises:
            StorageUnavailable: it cannot be read.
        """
        await self._readers.read(read_revision)

    async def __aenter__(self) -> Storage:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def _prepare(engine: sa.Engine, path: Path) -> None:
    require_folder(path)
    _make_private(path)
    try:
        with engine.connect() as connection:
            bring_up_to_date(connection, str(path))
    except StorageError:
        raise
    except sa.exc.DBAPIError as error:
        raise unusable(error, path) from error


def _make_private(path: Path) -> None:
    """Make a new database's file one that only its owner may open; SQLite gives the files beside
    it the same mode.

    Without opening it: to close a file is to lose the locks that this process has on it, another
    thread's with them. Where that cannot be done, SQLite makes the file, or says why not.
    """
    with contextlib.suppress(OSError, AttributeError):
        os.mknod(path, stat.S_IFREG | 0o600)
