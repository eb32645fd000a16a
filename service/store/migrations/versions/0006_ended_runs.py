"""Runs that have not ended are found among all that have, and old ones to be forgotten (R25).

Revision ID: 0006
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_runs_ended_at", "runs", ["ended_at"], unique=False)
