"""What is decided and recorded about people who leave (R54).

Revision ID: 0033
"""

import sqlalchemy as sa
from alembic import op

from service.store.tables import Moment

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None
generation = 1
"""The version before can work on it: whoever leaves is paused, as by that one, and nothing is recorded."""
loses = ("leaver_choices", "leaver_records")


def upgrade() -> None:
    op.create_table(
        "leaver_choices",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("choice", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id"),
    )
    op.create_table(
        "leaver_records",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("left_at", Moment(), nullable=False),
        sa.Column("said_by", sa.Text(), nullable=False),
        sa.Column("choice", sa.Text(), nullable=False),
        sa.Column("parts", sa.JSON(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_leaver_records_tenant", "leaver_records", ["tenant_id", "id"])
    unsigned = sa.text("document IS NULL")
    op.create_index(
        "ix_leaver_records_open",
        "leaver_records",
        ["id"],
        sqlite_where=unsigned,
        postgresql_where=unsigned,
    )


def downgrade() -> None:
    op.drop_table("leaver_records")
    op.drop_table("leaver_choices")
