"""Old dead letters are found without reading those that are not (R30).

Revision ID: 0009
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_dead_letters_failed", "dead_letters", ["state", "last_failed_at"])
