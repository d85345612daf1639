"""Workflows and their versions."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

import sqlalchemy as sa

from flowmaestro.storage.errors import UnknownWorkflow, WorkflowExists
from flowmaestro.storage.ids import IdGenerator
from flowmaestro.storage.models import Page, Workflow, WorkflowVersion
from flowmaestro.storage.options import StorageOptions
from flowmaestro.storage.paging import read_rows_of_page
from flowmaestro.storage.schema import workflow_versions, workflows
from flowmaestro.storage.sqlite.readers import Readers
from flowmaestro.storage.sqlite.writer import Writer


class Workflows:
    """The workflows of every workspace. Made by :class:`~flowmaestro.storage.Storage`.

    Each workspace has ids of its own: what another one calls its workflows it neither sees nor is
    hindered by. A workflow that was deleted comes back under its id, as its next version.
    """

    def __init__(
        self, writer: Writer, readers: Readers, ids: IdGenerator, options: StorageOptions
    ) -> None:
        self._writer = writer
        self._readers = readers
        self._ids = ids
        self._options = options

    async def create(
        self,
        workspace: str,
        document: dict[str, Any],
        *,
        name: str,
        id: str | None = None,  # noqa: A002
        input_schema: dict[str, Any] | None = None,
    ) -> Workflow:
        """Store a workflow as version 1; without an *id* it gets a new one.

        With the id of a deleted workflow of the same workspace it is that one's next version.

        Raises:
            WorkflowExists: the id is taken.
        """
        return await self._writer.write(
            partial(
                _create,
                workspace=workspace,
                workflow_id=id or self._ids.new_id("wf"),
                name=name,
                document=document,
                input_schema=input_schema,
                now=self._options.clock(),
            )
        )

    async def replace(
        self,
        workspace: str,
        workflow_id: str,
        document: dict[str, Any],
        *,
        name: str,
        input_schema: dict[str, Any] | None = None,
    ) -> Workflow:
        """Store the next version of a workflow. Executions keep the version they began with.

        One that was deleted is there again.

        Raises:
            UnknownWorkflow: there never was one in this workspace.
        """
        return await self._writer.write(
            partial(
                _replace,
                workspace=workspace,
                workflow_id=workflow_id,
                name=name,
                document=document,
                input_schema=input_schema,
                now=self._options.clock(),
            )
        )

    async def delete(self, workspace: str, workflow_id: str) -> None:
        """Delete a workflow; its versions stay for the executions that are pinned to them.

        Raises:
            UnknownWorkflow: there is none in this workspace, or it was deleted before.
        """
        await self._writer.write(
            partial(
                _delete, workspace=workspace, workflow_id=workflow_id, now=self._options.clock()
            )
        )

    async def get(self, workspace: str, workflow_id: str) -> Workflow:
        """Return a workflow at its newest version.

        Raises:
            UnknownWorkflow: there is none in this workspace, or it was deleted.
        """
        return await self._readers.read(partial(_get, workspace=workspace, workflow_id=workflow_id))

    async def require_replaceable(self, workspace: str, workflow_id: str) -> None:
        """Check that :meth:`replace` would find a workflow, if a deleted one.

        Raises:
            UnknownWorkflow: there never was one in this workspace.
        """
        await self._readers.read(
            partial(_newest_version, workspace=workspace, workflow_id=workflow_id)
        )

    async def list(self, workspace: str, *, page: int = 1, per_page: int = 20) -> Page[Workflow]:
        """Return a page of a workspace's workflows, newest first; empty past the last page."""
        rows, total_count = await self._readers.read(
            partial(
                read_rows_of_page,
                query=_NEWEST_VERSIONS.where(_is_there(workspace)),
                order=workflows.c.position.desc(),
                page=page,
                per_page=per_page,
            )
        )
        return Page([_workflow(row) for row in rows], page, per_page, total_count)

    async def ids(self, workspace: str) -> frozenset[str]:
        """Return the ids of a workspace's workflows."""
        return await self._readers.read(partial(_ids, workspace=workspace))

    async def version(self, workspace: str, workflow_id: str, version: int) -> WorkflowVersion:
        """Return one version, also of a deleted workflow.

        Raises:
            UnknownWorkflow: there is no such version in this workspace.
        """
        return await self._readers.read(
            partial(_version, workspace=workspace, workflow_id=workflow_id, version=version)
        )


_NEWEST_VERSIONS = sa.select(
    workflows, workflow_versions.c.document, workflow_versions.c.input_schema
).join(
    workflow_versions,
    (workflow_versions.c.workspace == workflows.c.workspace)
    & (workflow_versions.c.workflow_id == workflows.c.id)
    & (workflow_versions.c.version == workflows.c.version),
)


def _is_there(workspace: str, workflow_id: str | None = None) -> sa.ColumnElement[bool]:
    there = (workflows.c.workspace == workspace) & workflows.c.deleted_at.is_(None)
    return there if workflow_id is None else there & (workflows.c.id == workflow_id)


def _belongs(workspace: str, workflow_id: str) -> sa.ColumnElement[bool]:
    """The workflow of this id, if this workspace has it or had it."""
    return (workflows.c.workspace == workspace) & (workflows.c.id == workflow_id)


def _create(
    connection: sa.Connection,
    *,
    workspace: str,
    workflow_id: str,
    name: str,
    document: dict[str, Any],
    input_schema: dict[str, Any] | None,
    now: datetime,
) -> Workflow:
    deleted = connection.execute(
        sa.select(workflows.c.id).where(
            _belongs(workspace, workflow_id), workflows.c.deleted_at.is_not(None)
        )
    ).one_or_none()
    if deleted is not None:
        return _replace(
            connection,
            workspace=workspace,
            workflow_id=workflow_id,
            name=name,
            document=document,
            input_schema=input_schema,
            now=now,
        )
    try:
        connection.execute(
            sa.insert(workflows).values(
                id=workflow_id,
                workspace=workspace,
                name=name,
                version=1,
                created_at=now,
                updated_at=now,
            )
        )
    except sa.exc.IntegrityError as error:
        raise WorkflowExists(workflow_id) from error
    _insert_version(connection, workspace, workflow_id, 1, document, input_schema, now)
    return _get(connection, workspace=workspace, workflow_id=workflow_id)


def _replace(
    connection: sa.Connection,
    *,
    workspace: str,
    workflow_id: str,
    name: str,
    document: dict[str, Any],
    input_schema: dict[str, Any] | None,
    now: datetime,
) -> Workflow:
    version = _newest_version(connection, workspace=workspace, workflow_id=workflow_id) + 1
    connection.execute(
        sa.update(workflows)
        .where(_belongs(workspace, workflow_id))
        .values(name=name, version=version, updated_at=now, deleted_at=None)
    )
    _insert_version(connection, workspace, workflow_id, version, document, input_schema, now)
    return _get(connection, workspace=workspace, workflow_id=workflow_id)


def _insert_version(
    connection: sa.Connection,
    workspace: str,
    workflow_id: str,
    version: int,
    document: dict[str, Any],
    input_schema: dict[str, Any] | None,
    now: datetime,
) -> None:
    connection.execute(
        sa.insert(workflow_versions).values(
            workspace=workspace,
            workflow_id=workflow_id,
            version=version,
            document=document,
            input_schema=input_schema,
            created_at=now,
        )
    )


def _delete(connection: sa.Connection, *, workspace: str, workflow_id: str, now: datetime) -> None:
    deleted = connection.execute(
        sa.update(workflows).where(_is_there(workspace, workflow_id)).values(deleted_at=now)
    )
    if not deleted.rowcount:
        raise UnknownWorkflow(workflow_id)


# Made once: making a statement, and its key in SQLAlchemy's cache, costs more than running it.
_BY_ID = _NEWEST_VERSIONS.where(
    (workflows.c.workspace == sa.bindparam("workspace"))
    & (workflows.c.id == sa.bindparam("id"))
    & workflows.c.deleted_at.is_(None)
)


def _get(connection: sa.Connection, *, workspace: str, workflow_id: str) -> Workflow:
    row = connection.execute(_BY_ID, {"workspace": workspace, "id": workflow_id}).one_or_none()
    if row is None:
        raise UnknownWorkflow(workflow_id)
    return _workflow(row)


def _newest_version(connection: sa.Connection, *, workspace: str, workflow_id: str) -> int:
    """Return the number of a workflow's newest version, also of a deleted one."""
    query = sa.select(workflows.c.version).where(_belongs(workspace, workflow_id))
    version = connection.execute(query).scalar_one_or_none()
    if version is None:
        raise UnknownWorkflow(workflow_id)
    return int(version)


def _ids(connection: sa.Connection, *, workspace: str) -> frozenset[str]:
    return frozenset(
        connection.execute(sa.select(workflows.c.id).where(_is_there(workspace))).scalars()
    )


def _version(
    connection: sa.Connection, *, workspace: str, workflow_id: str, version: int
) -> WorkflowVersion:
    column = workflow_versions.c
    row = connection.execute(
        sa.select(column.workflow_id, column.version, column.document).where(
            column.workspace == workspace,
            column.workflow_id == workflow_id,
            column.version == version,
        )
    ).one_or_none()
    if row is None:
        raise UnknownWorkflow(workflow_id, version)
    return WorkflowVersion(*row)


def _workflow(row: sa.Row[Any]) -> Workflow:
    return Workflow(
        id=row.id,
        workspace=row.workspace,
        name=row.name,
        version=row.version,
        document=row.document,
        input_schema=row.input_schema,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
