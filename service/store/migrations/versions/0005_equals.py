"""The equal events of a run's range, until it is known which of them are alone (R29).

Revision ID: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "run_equals",
        sa.Column("run_id", sa.String(36), nullable=False),
        sa.Column("event_uid", sa.Text(), nullable=False),
        sa.Column("twin", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "event_uid", name=op.f("pk_run_equals")),
    )
    op.create_index("ix_run_equals_twin", "run_equals", ["run_id", "twin"], unique=False)
