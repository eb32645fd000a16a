"""What a run changed, that it can be undone (R50); a tenant's integrations in order, and acts on them (R47).

Revision ID: 0024
"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "run_changes",
        sa.Column("run_id", sa.String(36), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("item_ref", sa.String(36), nullable=False),
        sa.Column("integration_id", sa.String(36), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("before", sa.JSON(), nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undone_by", sa.String(36), nullable=True),
        sa.PrimaryKeyConstraint("run_id", "side", "item_ref", name="pk_run_changes"),
    )
    op.create_index("ix_run_changes_at", "run_changes", ["at"])
    op.create_index("ix_run_changes_integration", "run_changes", ["integration_id"])
    op.add_column("runs", sa.Column("undoes", sa.String(36), nullable=True))
    op.create_table(
        "tenant_acts",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("integration_ids", sa.JSON(), nullable=False),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_tenant_acts"),
    )
    op.create_index("ix_tenant_acts_at", "tenant_acts", ["at"])
    op.create_index("ix_tenant_acts_tenant", "tenant_acts", ["tenant_id", "id"])
    living = sa.text("deleted_at IS NULL")
    op.create_index(
        "ix_integrations_tenant",
        "integrations",
        ["tenant_id", "id"],
        sqlite_where=living,
        postgresql_where=living,
    )
