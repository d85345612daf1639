"""Executions: their rows, and the definitions they are pinned to."""

from __future__ import annotations

import builtins
from datetime import datetime
from functools import partial
from typing import Any

import sqlalchemy as sa

from flowmaestro.events import Status
from flowmaestro.storage import retention
from flowmaestro.storage.errors import (
    ExecutionExists,
    IdempotencyMismatch,
    UnknownExecution,
    UnknownWorkflow,
)
from flowmaestro.storage.models import (
    ErrorDetails,
    Execution,
    Idempotency,
    NewExecution,
    Page,
    WorkflowVersion,
)
from flowmaestro.storage.options import StorageOptions
from flowmaestro.storage.paging import read_rows_of_page
from flowmaestro.storage.schema import (
    executions,
    from_milliseconds,
    idempotency_keys,
    to_milliseconds,
    workflow_versions,
)
from flowmaestro.storage.sqlite.readers import Readers
from flowmaestro.storage.sqlite.writer import Writer


class Executions:
    """The executions of every workspace. Made by :class:`~flowmaestro.storage.Storage`."""

    def __init__(self, writer: Writer, readers: Readers, options: StorageOptions) -> None:
        self._writer = writer
        self._readers = readers
        self._options = options

    async def create(self, new: NewExecution) -> tuple[Execution, bool]:
        """Store a pending execution, or find the one that the same request made before.

        Returns:
            The execution, and whether it was created now.

        Raises:
            IdempotencyMismatch: the key was used in this workspace within its lifetime, with
                another fingerprint.
            ExecutionExists: the id is taken.
            StorageUnavailable: nothing was stored.

        Cancelling it does not undo it.
        """
        lifetime_began = new.created_at - self._options.idempotency_lifetime
        return await self._writer.write(partial(_create, new=new, lifetime_began=lifetime_began))

    async def find_repeated(self, workspace: str, idempotency: Idempotency) -> Execution | None:
        """Return the execution that the same request made before; ``None`` if this is the first.

        Raises:
            IdempotencyMismatch: the key was used in this workspace within its lifetime, with
                another fingerprint.
            StorageUnavailable: it could not be read.
        """
        return await self._readers.read(
            partial(
                _find_repeated,
                workspace=workspace,
                idempotency=idempotency,
                lifetime_began=self._options.clock() - self._options.idempotency_lifetime,
            )
        )

    async def forget_idempotency_keys(self) -> None:
        """Remove the idempotency keys past their lifetime, in small transactions.

        Raises:
            StorageUnavailable: it stopped half way; what it did stays done.
        """
        await retention.forget_idempotency_keys(
            self._writer, self._options.clock() - self._options.idempotency_lifetime
        )

    async def get(self, execution_id: str, workspace: str | None = None) -> Execution:
        """Return one execution.

        Raises:
            UnknownExecution: there is none, or it belongs to another workspace than *workspace*.
            StorageUnavailable: it could not be read.
        """
        return await self._readers.read(
            partial(_get, execution_id=execution_id, workspace=workspace)
        )

    async def list(
        self,
        workspace: str,
        *,
        workflow_id: str | None = None,
        status: Status | None = None,
        page: int = 1,
        per_page: int = 20,
    ) -> Page[Execution]:
        """Return a page of a workspace's executions, newest first; empty past the last page."""
        conditions = [executions.c.workspace == workspace]
        if workflow_id is not None:
            conditions.append(executions.c.workflow_id == workflow_id)
        if status is not None:
            conditions.append(executions.c.status == status)
        rows, total_count = await self._readers.read(
            partial(
                read_rows_of_page,
                query=sa.select(executions).where(*conditions),
                order=executions.c.log_id.desc(),
                page=page,
                per_page=per_page,
            )
        )
        return Page([_execution(row) for row in rows], page, per_page, total_count)

    async def unfinished(
        self, *, after: str | None = None, limit: int = 100
    ) -> builtins.list[Execution]:
        """Return pending and running executions of every workspace, oldest first.

        Args:
            after: The id of the last execution of the previous page.
            limit: The most to return.
        """
        return await self._readers.read(partial(_unfinished, after=after, limit=limit))

    async def definitions(self, execution_id: str) -> dict[str, WorkflowVersion]:
        """Return the workflow versions that the execution is pinned to, by workflow id.

        Raises:
            UnknownExecution: there is no such execution.
        """
        return await self._readers.read(partial(_definitions, execution_id=execution_id))

    async def oldest_pending_since(self) -> datetime | None:
        """Return when the pending execution that has waited longest was created; ``None``: there is
        none."""
        return await self._readers.read(_oldest_pending_since)

    async def count_unfinished(self) -> int:
        """Return how many executions are pending or running."""
        return await self._readers.read(_count_unfinished)


# Made once: making a statement, and its key in SQLAlchemy's cache, costs more than running it.
_INSERT = sa.insert(executions)
_BY_ID = sa.select(executions).where(executions.c.id == sa.bindparam("id"))


def _create(
    connection: sa.Connection, *, new: NewExecution, lifetime_began: datetime
) -> tuple[Execution, bool]:
    if new.idempotency is not None:
        earlier = _find_repeated(
            connection,
            workspace=new.workspace,
            idempotency=new.idempotency,
            lifetime_began=lifetime_began,
        )
        if earlier is not None:
            return earlier, False
        _remember(connection, new, new.idempotency)
    values: dict[str, Any] = {
        "id": new.id,
        "workspace": new.workspace,
        "workflow_id": new.workflow_id,
        "workflow_name": new.workflow_name,
        "status": "pending",
        "trimmed_through": 0,
        "definitions": dict(new.definitions),
        "inputs": dict(new.inputs),
        "created_at": new.created_at,
        "traceparent": new.traceparent,
    }
    try:
        connection.execute(_INSERT, values)
    except sa.exc.IntegrityError as error:
        raise ExecutionExists(new.id) from error
    execution = Execution(
        id=new.id,
        workspace=new.workspace,
        workflow_id=new.workflow_id,
        workflow_name=new.workflow_name,
        status="pending",
        inputs=values["inputs"],
        outputs=None,
        error=None,
        error_details=None,
        created_at=from_milliseconds(to_milliseconds(new.created_at)),
        started_at=None,
        completed_at=None,
        duration_ms=None,
        definitions=values["definitions"],
        traceparent=new.traceparent,
    )
    return execution, True


def _find_repeated(
    connection: sa.Connection,
    *,
    workspace: str,
    idempotency: Idempotency,
    lifetime_began: datetime,
) -> Execution | None:
    row = connection.execute(
        sa.select(idempotency_keys).where(_is_key(workspace, idempotency))
    ).one_or_none()
    if row is None or row.created_at < lifetime_began:
        return None
    if row.fingerprint != idempotency.fingerprint:
        raise IdempotencyMismatch(idempotency.key)
    return _get(connection, execution_id=row.execution_id, workspace=None)


def _remember(connection: sa.Connection, new: NewExecution, idempotency: Idempotency) -> None:
    """Let the key stand for the new execution; what it stood for before is out of its lifetime."""
    connection.execute(sa.delete(idempotency_keys).where(_is_key(new.workspace, idempotency)))
    connection.execute(
        sa.insert(idempotency_keys).values(
            workspace=new.workspace,
            key=idempotency.key,
            fingerprint=idempotency.fingerprint,
            execution_id=new.id,
            created_at=new.created_at,
        )
    )


def _is_key(workspace: str, idempotency: Idempotency) -> sa.ColumnElement[bool]:
    key = idempotency_keys.c
    return (key.workspace == workspace) & (key.key == idempotency.key)


def _get(connection: sa.Connection, *, execution_id: str, workspace: str | None) -> Execution:
    row = connection.execute(_BY_ID, {"id": execution_id}).one_or_none()
    if row is None or workspace not in (None, row.workspace):
        raise UnknownExecution(execution_id)
    return _execution(row)


def _unfinished(connection: sa.Connection, *, after: str | None, limit: int) -> list[Execution]:
    query = sa.select(executions).where(executions.c.completed_at.is_(None))
    if after is not None:
        place = sa.select(executions.c.log_id).where(executions.c.id == after)
        query = query.where(executions.c.log_id > place.scalar_subquery())
    rows = connection.execute(query.order_by(executions.c.log_id).limit(limit))
    return [_execution(row) for row in rows]


def _definitions(connection: sa.Connection, *, execution_id: str) -> dict[str, WorkflowVersion]:
    pinned = _get(connection, execution_id=execution_id, workspace=None).definitions
    version = workflow_versions.c
    query = sa.select(version.workflow_id, version.version, version.document).where(
        sa.tuple_(version.workflow_id, version.version).in_(list(pinned.items()))
    )
    found = {row.workflow_id: WorkflowVersion(*row) for row in connection.execute(query)}
    for workflow_id, number in pinned.items():
        if workflow_id not in found:
            raise UnknownWorkflow(workflow_id, number)
    return found


def _oldest_pending_since(connection: sa.Connection) -> datetime | None:
    # By the index of unfinished executions: those before it are running, and these are few.
    query = (
        sa.select(executions.c.created_at)
        .where(executions.c.completed_at.is_(None), executions.c.status == "pending")
        .order_by(executions.c.log_id)
        .limit(1)
    )
    return connection.execute(query).scalar_one_or_none()


def _count_unfinished(connection: sa.Connection) -> int:
    query = (
        sa.select(sa.func.count())
        .select_from(executions)
        .where(executions.c.completed_at.is_(None))
    )
    return connection.execute(query).scalar_one()


def _execution(row: sa.Row[Any]) -> Execution:
    return Execution(
        id=row.id,
        workspace=row.workspace,
        workflow_id=row.workflow_id,
        workflow_name=row.workflow_name,
        status=row.status,
        inputs=row.inputs,
        outputs=row.outputs,
        error=row.error,
        error_details=None if row.error_details is None else ErrorDetails(**row.error_details),
        created_at=row.created_at,
        started_at=row.started_at,
        completed_at=row.completed_at,
        duration_ms=row.duration_ms,
        definitions=row.definitions,
        traceparent=row.traceparent,
    )
