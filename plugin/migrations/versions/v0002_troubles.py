"""Flows that need a hand."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "troubles",
        sa.Column("flow_id", sa.Text, primary_key=True),
        sa.Column("reason", sa.Text, primary_key=True),
        sa.Column("person", sa.Text, primary_key=True),
        sa.Column("since", sa.Text, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("troubles")
