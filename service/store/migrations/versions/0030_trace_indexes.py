"""The way of one change is found without a look at the whole log.

Revision ID: 0030
"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0028"
branch_labels = None
depends_on = None
generation = 1
"""The version before can work on it: it has three more indexes to keep."""


def upgrade() -> None:
    for column in ("trace_id", "message_id"):
        known = sa.text(f"{column} IS NOT NULL")
        op.create_index(
            f"ix_log_entries_{column}",
            "log_entries",
            [column, "id"],
            sqlite_where=known,
            postgresql_where=known,
        )
    op.create_index("ix_outbox_message_id", "outbox", ["message_id"])


def downgrade() -> None:
    op.drop_index("ix_outbox_message_id", "outbox")
    op.drop_index("ix_log_entries_message_id", "log_entries")
    op.drop_index("ix_log_entries_trace_id", "log_entries")
