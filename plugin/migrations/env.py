"""Alembic runs this file: the vault's tables, over the connection that ``plugin.adapters.sql`` opened."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"], transaction_per_migration=False, render_as_batch=True
)
context.run_migrations()
