"""The tables. ``migrations/`` makes the same ones step by step; a test compares the two.

The columns that every append reads come first in ``executions``, before the ones that may be long
enough to spill onto other pages.

``events`` is ordered by arrival, not by execution: a commit that holds events of a hundred
executions then writes a few pages instead of a hundred, which measured three times cheaper. Its
two indexes are small, and the newest number of a log is the end of a range in one of them.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def to_milliseconds(moment: datetime) -> int:
    """Return *moment* (aware) as Unix milliseconds, rounded down."""
    return (moment - EPOCH) // _MILLISECOND


def from_milliseconds(value: int) -> datetime:
    return EPOCH + value * _MILLISECOND


class Milliseconds(TypeDecorator[datetime]):
    """An aware datetime, stored as Unix milliseconds: exact, compact, and ordered."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> int | None:
        return None if value is None else to_milliseconds(value)

    def process_result_value(self, value: int | None, _dialect: Dialect) -> datetime | None:
        return None if value is None else from_milliseconds(value)


metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)
_Json = sa.JSON(none_as_null=True)
_RowId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

executions = sa.Table(
    "executions",
    metadata,
    sa.Column("log_id", _RowId, primary_key=True),
    sa.Column("id", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("trimmed_through", sa.BigInteger, nullable=False),
    sa.Column("completed_at", Milliseconds),
    sa.Column("workspace", sa.Text, nullable=False),
    sa.Column("workflow_id", sa.Text, nullable=False),
    sa.Column("workflow_name", sa.Text, nullable=False),
    sa.Column("created_at", Milliseconds, nullable=False),
    sa.Column("started_at", Milliseconds),
    sa.Column("duration_ms", sa.BigInteger),
    sa.Column("definitions", _Json, nullable=False),
    sa.Column("error_details", _Json),
    sa.Column("error", sa.Text),
    sa.Column("inputs", _Json, nullable=False),
    sa.Column("outputs", _Json),
    sa.Column("traceparent", sa.Text),
    sa.UniqueConstraint("id"),
    sa.Index(None, "workspace", "log_id"),
    sa.Index(None, "workspace", "workflow_id", "log_id"),
    sa.Index(None, "workspace", "status", "log_id"),
    sqlite_autoincrement=True,
)
"""``log_id`` is the order of creation and what events refer to."""

sa.Index(
    "ix_executions_unfinished",
    executions.c.log_id,
    sqlite_where=executions.c.completed_at.is_(None),
)
sa.Index(
    "ix_executions_finished",
    executions.c.completed_at,
    sqlite_where=executions.c.completed_at.is_not(None),
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("position", _RowId, primary_key=True),
    sa.Column("log_id", sa.BigInteger, sa.ForeignKey(executions.c.log_id), nullable=False),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("key", sa.Text),
    sa.Column("data", sa.Text, nullable=False),
    sa.UniqueConstraint("log_id", "number"),
)
sa.Index(
    "ix_events_key",
    events.c.log_id,
    events.c.key,
    unique=True,
    sqlite_where=events.c.key.is_not(None),
)

workflows = sa.Table(
    "workflows",
    metadata,
    sa.Column("position", _RowId, primary_key=True),
    sa.Column("id", sa.Text, nullable=False),
    sa.Column("workspace", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("created_at", Milliseconds, nullable=False),
    sa.Column("updated_at", Milliseconds, nullable=False),
    sa.Column("deleted_at", Milliseconds),
    sa.UniqueConstraint("id"),
    sa.Index(None, "workspace", "position"),
)

workflow_versions = sa.Table(
    "workflow_versions",
    metadata,
    sa.Column("workflow_id", sa.Text, sa.ForeignKey(workflows.c.id), primary_key=True),
    sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("created_at", Milliseconds, nullable=False),
    sa.Column("input_schema", _Json),
    sa.Column("document", _Json, nullable=False),
)

idempotency_keys = sa.Table(
    "idempotency_keys",
    metadata,
    sa.Column("workspace", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("execution_id", sa.Text, nullable=False),
    sa.Column("created_at", Milliseconds, nullable=False),
    sa.Index(None, "created_at"),
)

api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("position", _RowId, primary_key=True),
    sa.Column("id", sa.Text, nullable=False),
    sa.Column("key_hash", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("workspace", sa.Text, nullable=False),
    sa.Column("environment", sa.Text, nullable=False),
    sa.Column("scopes", _Json, nullable=False),
    sa.Column("prefix", sa.Text, nullable=False),
    sa.Column("created_at", Milliseconds, nullable=False),
    sa.Column("expires_at", Milliseconds),
    sa.Column("revoked_at", Milliseconds),
    sa.Column("rate_limit_per_minute", sa.BigInteger, nullable=False),
    sa.Column("rate_limit_per_day", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("id"),
    sa.UniqueConstraint("key_hash"),
    sa.Index(None, "workspace", "position"),
)
