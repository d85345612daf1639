"""The file beside the database in which SQLite keeps what was committed last."""

from __future__ import annotations

from pathlib import Path

from flowmaestro.storage.errors import DatabaseUnusable

_MAGIC = (0x377F0682, 0x377F0683)
"""How it begins, in big-endian: https://sqlite.org/fileformat2.html#the_write_ahead_log"""


def require_write_ahead_log(path: Path) -> None:
    """Check that what lies where the write-ahead log of the database at *path* should be is one.

    SQLite takes any other file for an empty log and writes over it, and what had been committed to
    the real one would be lost without a word. One that is empty, or was never written (all zeros,
    after a power cut), held nothing.

    Raises:
        DatabaseUnusable: it is something else, or cannot be read.
    """
    log = Path(f"{path}-wal")
    try:
        with log.open("rb") as file:
            beginning = file.read(4)
    except FileNotFoundError:
        return
    except OSError as error:
        reason = f"its write-ahead log {log} cannot be read ({error.strerror or error})"
        raise DatabaseUnusable(str(path), reason) from error
    if any(beginning) and int.from_bytes(beginning, "big") not in _MAGIC:
        raise DatabaseUnusable(
            str(path),
            f"its write-ahead log {log} is damaged; restore both from a backup, or move that file "
            "away to go on without what was written last",
        )
