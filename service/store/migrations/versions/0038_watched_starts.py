"""What a watching integration would have is found by when it begins; and which integrations an act found watching.

Revision ID: 0038
"""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None
generation = 1
"""The version before can work on it: an index, and a column that it leaves empty."""
loses = ("tenant_acts.watched_ids",)


def upgrade() -> None:
    op.create_index("ix_watched_starts_at", "watched", ["integration_id", "starts_at"])
    op.add_column("tenant_acts", sa.Column("watched_ids", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("tenant_acts", "watched_ids")
    op.drop_index("ix_watched_starts_at", "watched")
