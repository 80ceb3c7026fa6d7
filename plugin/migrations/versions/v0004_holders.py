"""Who holds a claim."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("claims", sa.Column("holder", sa.Text, nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("claims", "holder")
