"""Runs Alembic from inside the program: no configuration file, no command line."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import command
from alembic.config import Config


def config(connection: sa.Connection | None = None) -> Config:
    """Return Alembic's configuration for our revisions, on *connection*."""
    configuration = Config()
    configuration.set_main_option("script_location", "flowmaestro.storage:migrations")
    configuration.attributes["connection"] = connection
    return configuration


def upgrade(connection: sa.Connection) -> None:
    """Run the missing revisions inside the transaction that is open on *connection*."""
    command.upgrade(config(connection), "head")
