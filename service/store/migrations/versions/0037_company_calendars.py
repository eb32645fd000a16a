"""One consent of a tenant's administrator, and each person whom it connects.

Revision ID: 0037
"""

import sqlalchemy as sa
from alembic import op

from service.store.tables import Moment

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None
generation = 1
"""The version before can work on it: it knows neither table, and what they connected are integrations."""
loses = ("company_calendars", "company_people")


def upgrade() -> None:
    op.create_table(
        "company_calendars",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("sub", sa.Text(), nullable=True),
        sa.Column("provider_name", sa.Text(), nullable=True),
        sa.Column("domain", sa.Text(), nullable=True),
        sa.Column("connected_by", sa.Text(), nullable=True),
        sa.Column("connected_at", Moment(), nullable=True),
        sa.Column("state_hash", sa.Text(), nullable=True),
        sa.Column("state_by", sa.Text(), nullable=True),
        sa.Column("state_session", sa.String(36), nullable=True),
        sa.Column("state_until", sa.Double(), nullable=True),
        sa.Column("verifier", sa.Text(), nullable=True),
        sa.Column("event_types", sa.JSON(), nullable=False),
        sa.Column("item_types", sa.JSON(), nullable=False),
        sa.Column("locked", sa.JSON(), nullable=False),
        sa.Column("copies", sa.Text(), nullable=True),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id"),
        sa.UniqueConstraint("state_hash", name="uq_company_calendars_state"),
    )
    op.create_table(
        "company_people",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("since", Moment(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("due_at", sa.Double(), nullable=True),
        sa.Column("state_hash", sa.Text(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("sub", sa.Text(), nullable=True),
        sa.Column("profile", sa.JSON(), nullable=True),
        sa.Column("integration_id", sa.String(36), nullable=True),
        sa.Column("told_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("tenant_id", "user_id", name="uq_company_people_user"),
        sa.UniqueConstraint("state_hash", name="uq_company_people_state"),
    )
    op.create_index("ix_company_people_due", "company_people", ["due_at"])
    op.create_index("ix_company_people_integration", "company_people", ["integration_id"])
    op.create_index("ix_company_people_tenant", "company_people", ["tenant_id", "id"])


def downgrade() -> None:
    op.drop_table("company_people")
    op.drop_table("company_calendars")
