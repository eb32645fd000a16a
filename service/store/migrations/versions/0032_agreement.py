"""How many pairs of both sides agree, and which do not (R51).

Revision ID: 0032
"""

import sqlalchemy as sa
from alembic import op

from service.store.tables import Moment

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None
generation = 1
"""The version before can work on it: it leaves what is new empty."""
made_again = (
    "disagreements",
    "integration_state.pairs_agree",
    "integration_state.pairs_of",
    "integration_state.pairs_checked_at",
)


def upgrade() -> None:
    for name, kind in (("agree", sa.Integer()), ("of", sa.Integer()), ("checked_at", Moment())):
        op.add_column("integration_state", sa.Column(f"pairs_{name}", kind, nullable=True))
    op.create_table(
        "disagreements",
        sa.Column("link_id", sa.String(36), nullable=False),
        sa.Column("integration_id", sa.String(36), nullable=False),
        sa.Column("item_ref", sa.String(36), nullable=False),
        sa.Column("run_id", sa.String(36), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("link_id"),
    )
    op.create_index("ix_disagreements_integration", "disagreements", ["integration_id", "link_id"])
    found = sa.text("times > 1")
    op.create_index(
        "ix_disagreements_findings",
        "disagreements",
        ["integration_id"],
        sqlite_where=found,
        postgresql_where=found,
    )


def downgrade() -> None:
    op.drop_table("disagreements")
    for name in ("checked_at", "of", "agree"):
        op.drop_column("integration_state", f"pairs_{name}")
