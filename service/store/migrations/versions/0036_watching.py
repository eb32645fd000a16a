"""Since when an integration only watches, and what it would have on both sides by now.

Revision ID: 0036
"""

import sqlalchemy as sa
from alembic import op

from service.store.tables import Moment

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None
generation = 1
"""The version before can work on it: to it a watching integration is one that is not active."""
loses = ("watched", "integrations.watching_since")


def upgrade() -> None:
    op.add_column("integrations", sa.Column("watching_since", Moment(), nullable=True))
    op.create_table(
        "watched",
        sa.Column("integration_id", sa.String(36), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=True),
        sa.Column("event_uid", sa.Text(), nullable=True),
        sa.Column("item_ref", sa.String(36), nullable=True),
        sa.Column("stands", sa.Boolean(), nullable=False),
        sa.Column("starts_at", Moment(), nullable=True),
        sa.Column("link", sa.JSON(), nullable=True),
        sa.Column("item", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(
            ["integration_id"], ["integrations.id"], name="fk_watched_integration_id_integrations"
        ),
        sa.PrimaryKeyConstraint("integration_id", "key", name="pk_watched"),
    )
    op.create_index("ix_watched_event_uid", "watched", ["integration_id", "event_uid"])
    op.create_index("ix_watched_event_id", "watched", ["integration_id", "event_id"])


def downgrade() -> None:
    op.drop_table("watched")
    op.drop_column("integrations", "watching_since")
