"""Whose each message in the outbox is, so that tenants take turns (R44).

Revision ID: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("outbox", sa.Column("tenant_id", sa.Text(), server_default="", nullable=False))
    unsent = sa.text("sent_at IS NULL AND due_at IS NULL")
    op.create_index(
        "ix_outbox_tenant", "outbox", ["tenant_id", "id"], sqlite_where=unsent, postgresql_where=unsent
    )
