"""Imports that are held: of what series, and why (R39).

Revision ID: 0018
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("held_imports", sa.Column("series_identifier", sa.Text(), nullable=True))
    op.add_column(
        "held_imports", sa.Column("code", sa.Text(), nullable=False, server_default="held_import")
    )
