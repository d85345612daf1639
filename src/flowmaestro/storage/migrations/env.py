"""What Alembic runs to get at the database: the connection that :mod:`.upgrade` hands over."""

from alembic import context

from flowmaestro.storage.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite changes a table by making it anew
)
with context.begin_transaction():
    context.run_migrations()
