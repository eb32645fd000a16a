"""What processes tell of themselves, and a log that its filters find by the index alone.

Revision ID: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "processes",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("told_at", sa.Double(), nullable=False),
        sa.Column("said", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_processes")),
    )
    op.create_index("ix_processes_told_at", "processes", ["told_at"], unique=False)
    op.drop_index("ix_log_entries_page", "log_entries")
    op.create_index(
        "ix_log_entries_page",
        "log_entries",
        ["integration_id", "trigger", "id", "direction", "outcome", "item_type"],
        unique=False,
    )
    op.create_index(
        "ix_links_standing",
        "links",
        ["integration_id"],
        unique=False,
        sqlite_where=sa.text("state IN ('held', 'failed')"),
        postgresql_where=sa.text("state IN ('held', 'failed')"),
    )
    op.create_index(
        "ix_log_entries_not_done",
        "log_entries",
        ["integration_id", "trigger", "outcome", "id"],
        unique=False,
        sqlite_where=sa.text("outcome != 'done'"),
        postgresql_where=sa.text("outcome != 'done'"),
    )
