"""Replays of very many letters, which a keeper hands over bit by bit (R30).

Revision ID: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "bulk_replays",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=True),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("matching", sa.JSON(), nullable=False),
        sa.Column("rate", sa.Double(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("upto", sa.Text(), nullable=False),
        sa.Column("reached", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bulk_replays")),
    )
