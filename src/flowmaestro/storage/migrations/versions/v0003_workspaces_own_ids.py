"""A workflow's id is its workspace's own: another one may use the same."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_RowId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    # SQLite changes no constraint of a table that is there: both are put aside and made anew.
    op.execute("CREATE TEMPORARY TABLE old_workflows AS SELECT * FROM workflows")
    op.execute("CREATE TEMPORARY TABLE old_versions AS SELECT * FROM workflow_versions")
    op.drop_table("workflow_versions")
    op.drop_table("workflows")
    op.create_table(
        "workflows",
        sa.Column("position", _RowId, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("workspace", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_workflows")),
        sa.UniqueConstraint("workspace", "id", name=op.f("uq_workflows_workspace_id")),
    )
    op.create_index(op.f("ix_workflows_workspace_position"), "workflows", ["workspace", "position"])
    op.create_table(
        "workflow_versions",
        sa.Column("workspace", sa.Text(), nullable=False),
        sa.Column("workflow_id", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("input_schema", sa.JSON(), nullable=True),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace", "workflow_id"],
            ["workflows.workspace", "workflows.id"],
            name=op.f("fk_workflow_versions_workspace_workflow_id_workflows"),
        ),
        sa.PrimaryKeyConstraint(
            "workspace", "workflow_id", "version", name=op.f("pk_workflow_versions")
        ),
    )
    op.execute(
        "INSERT INTO workflows (position, id, workspace, name, version, created_at, updated_at, "
        "deleted_at) SELECT position, id, workspace, name, version, created_at, updated_at, "
        "deleted_at FROM old_workflows"
    )
    op.execute(
        "INSERT INTO workflow_versions (workspace, workflow_id, version, created_at, input_schema, "
        "document) SELECT old_workflows.workspace, workflow_id, old_versions.version, "
        "old_versions.created_at, input_schema, document FROM old_versions "
        "JOIN old_workflows ON old_workflows.id = old_versions.workflow_id"
    )
    op.execute("DROP TABLE old_versions")
    op.execute("DROP TABLE old_workflows")
