"""What storage raises. Every error carries its fields; the database's own error is its cause.

::

    StorageError
    ├── StorageUnavailable        the disk is full, the database is locked, I/O fails: try again
    │   └── StorageClosed         after ``aclose()``
    ├── DatabaseUnusable          at open: the file or the URL cannot be used at all
    │   ├── DatabaseLocked        another server uses the file
    │   ├── DatabaseTooNew        a newer version of FlowMaestro wrote it
    │   └── UnsupportedDatabase   the URL names a database that is not supported
    ├── BackupFailed              no backup was made, and nothing was changed
    ├── RestoreFailed             nothing was restored, and the database is as it was
    ├── NotFound
    │   ├── UnknownExecution
    │   ├── UnknownKey
    │   └── UnknownWorkflow       also: of an unknown version
    ├── Conflict
    │   ├── ExecutionExists
    │   ├── IdempotencyMismatch
    │   ├── LogEnded
    │   └── WorkflowExists
    ├── CursorExpired
    └── EventTooLarge
"""

from __future__ import annotations

from pathlib import Path


class StorageError(Exception):
    """The root of what storage raises."""


class StorageUnavailable(StorageError):
    """The database could not do it now, and nothing of it was done. Trying again is safe."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The storage is unavailable: {reason}.")
        self.reason = reason


class StorageClosed(StorageUnavailable):
    """The storage was closed, or is being closed."""

    def __init__(self) -> None:
        super().__init__("it is closed")


class DatabaseUnusable(StorageError):
    """The database cannot be opened, and trying again will not help."""

    def __init__(self, database: str, reason: str) -> None:
        super().__init__(f"The database {database} cannot be used: {reason}.")
        self.database = database
        self.reason = reason


class DatabaseLocked(DatabaseUnusable):
    """Another server uses the database file: two never run on one."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), "another FlowMaestro server is using it (stop that one first)")
        self.path = path


class DatabaseTooNew(DatabaseUnusable):
    """The database's schema is one that this version does not know."""

    def __init__(self, database: str, revision: str) -> None:
        super().__init__(
            database,
            f"a newer version of FlowMaestro wrote it (schema {revision}); install that version",
        )
        self.revision = revision


class UnsupportedDatabase(DatabaseUnusable):
    """The URL names a database that is not supported."""


class BackupFailed(StorageError):
    """No backup was made: there is no file under its name that was not there before."""

    def __init__(self, target: Path, reason: str) -> None:
        super().__init__(f"No backup was made to {target}: {reason}.")
        self.target = target
        self.reason = reason


class RestoreFailed(StorageError):
    """Nothing was restored: the database is what it was before."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"Nothing was restored to {path}: {reason}.")
        self.path = path
        self.reason = reason


class NotFound(StorageError):
    """The thing asked for does not exist, or belongs to another workspace."""

    def __init__(self, kind: str, identifier: str) -> None:
        super().__init__(f"There is no {kind} {identifier!r}.")
        self.identifier = identifier


class UnknownExecution(NotFound):
    def __init__(self, execution_id: str) -> None:
        super().__init__("execution", execution_id)
        self.execution_id = execution_id


class UnknownKey(NotFound):
    def __init__(self, key_id: str) -> None:
        super().__init__("API key", key_id)
        self.key_id = key_id


class UnknownWorkflow(NotFound):
    def __init__(self, workflow_id: str, version: int | None = None) -> None:
        super().__init__("workflow" if version is None else f"version {version} of", workflow_id)
        self.workflow_id = workflow_id
        self.version = version


class Conflict(StorageError):
    """What is stored already forbids it; trying again will not help."""


class ExecutionExists(Conflict):
    def __init__(self, execution_id: str) -> None:
        super().__init__(f"There is already an execution {execution_id!r}.")
        self.execution_id = execution_id


class IdempotencyMismatch(Conflict):
    """The idempotency key was used before, for a request that differs."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"The idempotency key {key!r} was already used with a different request; "
            "use a new key for a new request."
        )
        self.key = key


class LogEnded(Conflict):
    """The log has its terminal event, and nothing follows that."""

    def __init__(self, execution_id: str) -> None:
        super().__init__(f"The log of execution {execution_id!r} has ended.")
        self.execution_id = execution_id


class WorkflowExists(Conflict):
    """The id is in use, or belongs to another workspace. Which one it is nobody is told."""

    def __init__(self, workflow_id: str) -> None:
        super().__init__(
            f"The workflow id {workflow_id!r} is already taken: choose another, or replace the "
            "workflow if it is yours."
        )
        self.workflow_id = workflow_id


class CursorExpired(StorageError):
    """The events right after the cursor were removed by retention."""

    def __init__(self, execution_id: str, trimmed_through: int) -> None:
        super().__init__(
            f"The events of execution {execution_id!r} up to number {trimmed_through} are no "
            "longer retained."
        )
        self.execution_id = execution_id
        self.trimmed_through = trimmed_through


class EventTooLarge(StorageError):
    """One event's JSON is longer than the log takes. Sizes in bytes of UTF-8."""

    def __init__(self, limit: int, size: int) -> None:
        super().__init__(f"An event of {size} bytes is over the limit of {limit} bytes.")
        self.limit = limit
        self.size = size
