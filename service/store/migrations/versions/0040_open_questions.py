"""Open questions are found without the settled ones, which are kept for long.

Revision ID: 0040
"""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None
generation = 1
"""The version before can work on it: it has one more index to keep."""


def upgrade() -> None:
    opened = sa.text("state = 'open'")
    op.create_index(
        "ix_questions_open", "questions", ["id"], sqlite_where=opened, postgresql_where=opened
    )


def downgrade() -> None:
    op.drop_index("ix_questions_open", "questions")
