"""Which database a URL names."""

from __future__ import annotations

from pathlib import Path

from flowmaestro.storage.errors import DatabaseUnusable, UnsupportedDatabase

_SQLITE = "sqlite:///"


def database_path(url: str) -> Path:
    """Return the absolute path of the SQLite file that *url* names.

    Args:
        url: ``sqlite:///relative.db``, ``sqlite:////absolute/path.db``, or a plain path.

    Raises:
        UnsupportedDatabase: it names another kind of database, or no file.
    """
    if url.startswith(_SQLITE):
        path = url[len(_SQLITE) :]
    elif "://" in url:
        scheme = url.partition("://")[0]
        if scheme.partition("+")[0] in ("postgres", "postgresql"):
            reason = "PostgreSQL is not supported yet"
        elif scheme == "sqlite":
            reason = "it names no file; use sqlite:///path.db"
        else:
            reason = "only SQLite files are supported"
        # Whatever follows the scheme may hold a password: it is not shown.
        raise UnsupportedDatabase(f"{scheme}://…", f"{reason} (use sqlite:///path.db)")
    else:
        path = url
    if not path or path == ":memory:":
        raise UnsupportedDatabase(url or "''", "the log needs a file (use sqlite:///path.db)")
    if "\0" in path:
        raise UnsupportedDatabase(repr(url), "a path cannot hold a NUL character")
    return Path(path).absolute()


def require_folder(path: Path) -> None:
    """Say plainly that the database's folder is missing, which SQLite would not.

    Raises:
        DatabaseUnusable: there is no such folder.
    """
    if not path.parent.is_dir():
        raise DatabaseUnusable(str(path), f"there is no folder {path.parent}")
