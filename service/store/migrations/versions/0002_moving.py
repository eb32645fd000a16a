"""Copies that are on their way to the calendar that is linked now (R16).

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    moving: sa.Column[bool] = sa.Column(
        "moving", sa.Boolean(), server_default=sa.text("false"), nullable=False
    )
    op.add_column("links", moving)
    op.create_index(
        "ix_links_moving",
        "links",
        ["integration_id", "id"],
        unique=False,
        sqlite_where=sa.text("moving"),
        postgresql_where=sa.text("moving"),
    )
