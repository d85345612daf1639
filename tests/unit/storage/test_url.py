"""Which database a URL names."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowmaestro.storage import UnsupportedDatabase
from flowmaestro.storage.url import database_path


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///flowmaestro.db", Path.cwd() / "flowmaestro.db"),
        ("sqlite:////var/lib/flowmaestro.db", Path("/var/lib/flowmaestro.db")),
        ("data/my log.db", Path.cwd() / "data" / "my log.db"),
        ("/var/lib/é.db", Path("/var/lib/é.db")),
    ],
)
def test_names_a_file(url: str, path: Path) -> None:
    assert database_path(url) == path


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("postgresql://me:secret@host/db", "PostgreSQL is not supported yet"),
        ("postgres://me:secret@host/db", "PostgreSQL is not supported yet"),
        ("postgresql+psycopg://me:secret@host/db", "PostgreSQL is not supported yet"),
        ("mysql://me:secret@host/db", "only SQLite files"),
        ("sqlite://secret", "it names no file"),
        ("sqlite:///", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
        ("", "needs a file"),
        (":memory:", "needs a file"),
        ("a\0b", "NUL"),
    ],
)
def test_refuses_what_it_cannot_use_and_shows_no_password(url: str, reason: str) -> None:
    with pytest.raises(UnsupportedDatabase, match=reason) as caught:
        database_path(url)
    assert "secret" not in str(caught.value)
