"""Deleted items whose texts are still kept are found without a look at all others (R50).

Revision ID: 0028
"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None
generation = 1
"""The version before can work on it: it has one more index to keep."""


def upgrade() -> None:
    telling = "(content IS NOT NULL OR message_body IS NOT NULL)"
    op.create_index(
        "ix_items_deleted_texts",
        "items",
        ["stored_at"],
        sqlite_where=sa.text(f"deleted = 1 AND {telling}"),
        postgresql_where=sa.text(f"deleted AND {telling}"),
    )


def downgrade() -> None:
    op.drop_index("ix_items_deleted_texts", "items")
