"""Since when an integration stands as it does, its way out of an old protocol, and what more is written (R13, R22).

Revision ID: 0019
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("integrations", sa.Column("status_since", sa.DateTime(timezone=True), nullable=True))
    op.add_column("integrations", sa.Column("migration_url", sa.Text(), nullable=True))
    op.add_column("integrations", sa.Column("event_details", sa.JSON(), nullable=True))
