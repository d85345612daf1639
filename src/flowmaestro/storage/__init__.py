"""Storage: the log and the tables, in a database of one file.

Reading order: ``models`` (the values), ``storage`` (the door), ``log``, ``executions``,
``workflows``, ``keys`` (the parts), ``schema`` (the tables), ``sqlite/`` (the writer thread with
its group commit, and the readers), ``migrations/``, ``upkeep/`` (backup, restore, checks).
"""

from flowmaestro.storage.errors import (
    BackupFailed,
    Conflict,
    CursorExpired,
    DatabaseLocked,
    DatabaseTooNew,
    DatabaseUnusable,
    EventTooLarge,
    ExecutionExists,
    IdempotencyMismatch,
    LogEnded,
    NotFound,
    RestoreFailed,
    StorageClosed,
    StorageError,
    StorageUnavailable,
    UnknownExecution,
    UnknownKey,
    UnknownWorkflow,
    UnsupportedDatabase,
    WorkflowExists,
)
from flowmaestro.storage.executions import Executions
from flowmaestro.storage.ids import IdGenerator
from flowmaestro.storage.keys import Keys
from flowmaestro.storage.lock import DatabaseLock, lock_database
from flowmaestro.storage.log import CommitListener, EventLog
from flowmaestro.storage.models import (
    ApiKey,
    Environment,
    ErrorDetails,
    Execution,
    HashedKey,
    Idempotency,
    LogEntry,
    LogHead,
    LogRecord,
    NewExecution,
    NewKey,
    Page,
    Workflow,
    WorkflowVersion,
)
from flowmaestro.storage.options import StorageOptions
from flowmaestro.storage.statistics import (
    LONG_SECONDS,
    SHORT_SECONDS,
    Distribution,
    StorageStatistics,
)
from flowmaestro.storage.storage import Storage
from flowmaestro.storage.url import database_path
from flowmaestro.storage.workflows import Workflows

__all__ = [
    "LONG_SECONDS",
    "SHORT_SECONDS",
    "ApiKey",
    "BackupFailed",
    "CommitListener",
    "Conflict",
    "CursorExpired",
    "DatabaseLock",
    "DatabaseLocked",
    "DatabaseTooNew",
    "DatabaseUnusable",
    "Distribution",
    "Environment",
    "ErrorDetails",
    "EventLog",
    "EventTooLarge",
    "Execution",
    "ExecutionExists",
    "Executions",
    "HashedKey",
    "IdGenerator",
    "Idempotency",
    "IdempotencyMismatch",
    "Keys",
    "LogEnded",
    "LogEntry",
    "LogHead",
    "LogRecord",
    "NewExecution",
    "NewKey",
    "NotFound",
    "Page",
    "RestoreFailed",
    "Storage",
    "StorageClosed",
    "StorageError",
    "StorageOptions",
    "StorageStatistics",
    "StorageUnavailable",
    "UnknownExecution",
    "UnknownKey",
    "UnknownWorkflow",
    "UnsupportedDatabase",
    "Workflow",
    "WorkflowExists",
    "WorkflowVersion",
    "Workflows",
    "database_path",
    "lock_database",
]
