"""Which change of Vorex's a log entry belongs to.

Revision ID: 0026
"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None
generation = 1
"""The version before can work on it: it leaves the new column empty."""


def upgrade() -> None:
    op.add_column("log_entries", sa.Column("trace_id", sa.Text(), nullable=True))
