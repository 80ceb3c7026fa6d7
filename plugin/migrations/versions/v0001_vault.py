"""Salts, chain heads, leases, opened marks, claims, known keys."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "salts",
        sa.Column("flow_id", sa.Text, primary_key=True),
        sa.Column("person", sa.Text, primary_key=True),
        sa.Column("salt", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "heads",
        sa.Column("flow_id", sa.Text, primary_key=True),
        sa.Column("head", sa.Text, nullable=False),
        sa.Column("length", sa.BigInteger, nullable=False),
        sa.Column("fence", sa.BigInteger, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("file_id", sa.Text, nullable=True),
    )
    op.create_table(
        "leases",
        sa.Column("flow_id", sa.Text, primary_key=True),
        sa.Column("instance_id", sa.Text, nullable=False),
        sa.Column("boot_id", sa.Text, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("fence", sa.BigInteger, nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "opened",
        sa.Column("flow_id", sa.Text, primary_key=True),
        sa.Column("recipient", sa.Text, primary_key=True),
        sa.Column("round", sa.BigInteger, primary_key=True),
        sa.Column("at", sa.Text, nullable=False),
    )
    op.create_table(
        "claims",
        sa.Column("flow_id", sa.Text, primary_key=True),
        sa.Column("work", sa.Text, primary_key=True),
        sa.Column("until", sa.Text, nullable=False),
        sa.Column("attempts", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("not_before", sa.Text, nullable=False),
    )
    op.create_table(
        "known_keys",
        sa.Column("kid", sa.Text, primary_key=True),
    )


def downgrade() -> None:
    for name in ("known_keys", "claims", "opened", "leases", "heads", "salts"):
        op.drop_table(name)
