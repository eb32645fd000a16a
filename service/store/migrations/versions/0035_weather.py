"""How integrations fare by each process, and how each provider is by all of that (R53).

Revision ID: 0035
"""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None
generation = 1
"""The version before can work on it: it knows nothing of the new tables."""
made_again = ("weather_reports", "weather")


def upgrade() -> None:
    op.create_table(
        "weather_reports",
        sa.Column("process_id", sa.String(36), primary_key=True),
        sa.Column("told_at", sa.Double(), nullable=False),
        sa.Column("said", sa.JSON(), nullable=False),
    )
    op.create_index("ix_weather_reports_told_at", "weather_reports", ["told_at"])
    op.create_table(
        "weather",
        sa.Column("data_centre", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("since", sa.Double(), nullable=True),
        sa.Column("told", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("data_centre", "provider"),
    )


def downgrade() -> None:
    op.drop_table("weather")
    op.drop_table("weather_reports")
