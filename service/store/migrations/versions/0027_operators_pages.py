"""What operators look back at, what is given up and taken back together (R30), and what runs come to (R27).

Numbers of runs that have ended are told apart by what their log says was passed over; the rest of what they
skipped agreed already.

Revision ID: 0027
"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None
generation = 1
"""The version before can work on it: it leaves what is new empty, and counts what agrees as skipped."""

_PASSED = (
    "(SELECT count(*) FROM log_entries WHERE log_entries.run_id = runs.id"
    " AND log_entries.outcome IN ('skipped', 'held'))"
)


def upgrade() -> None:
    op.add_column("dead_letter_acts", sa.Column("batch", sa.String(36), nullable=True))
    together = sa.text("batch IS NOT NULL")
    op.create_index(
        "ix_dead_letter_acts_batch",
        "dead_letter_acts",
        ["batch"],
        sqlite_where=together,
        postgresql_where=together,
    )
    op.create_index("ix_dead_letters_buried", "dead_letters", ["tenant_id", "first_failed_at"])
    op.create_index("ix_dead_letters_message_id", "dead_letters", ["message_id"])
    op.add_column("runs", sa.Column("agreed", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("runs", sa.Column("deleted", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("runs", sa.Column("passed_over", sa.JSON(), nullable=True))
    op.execute(f"UPDATE runs SET agreed = skipped - {_PASSED} WHERE skipped > {_PASSED}")
    op.execute("UPDATE runs SET skipped = skipped - agreed WHERE agreed > 0")
    op.create_table(
        "operation_samples",
        sa.Column("seconds", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("told", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("seconds", "at"),
    )
