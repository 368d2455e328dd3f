"""What Alembic runs around each migration: the caller's connection, in the caller's transaction."""

from alembic import context

from rom.clinic import store_audit, store_people, store_visits
from rom.clinic.store_columns import Row

TABLES = (store_audit, store_people, store_visits)
"""The modules whose tables make up the schema."""

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Row.metadata,
    render_as_batch=True,
)
context.run_migrations()
