"""Permission, erasing, and events and calendars that come back under new ids (R34, R35, R36, R41).

Revision ID: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("integrations", sa.Column("permission_answer", sa.Text(), nullable=True))
    op.add_column(
        "integrations",
        sa.Column("grant_refused", sa.Boolean(), nullable=False, server_default=sa.text("false")),
    )
    op.add_column("integrations", sa.Column("known_since", sa.DateTime(timezone=True), nullable=True))
    op.add_column("integrations", sa.Column("listed_calendars", sa.JSON(), nullable=True))
    op.add_column("integrations", sa.Column("erasing_since", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_integrations_erasing",
        "integrations",
        ["erasing_since"],
        sqlite_where=sa.text("erasing_since IS NOT NULL"),
        postgresql_where=sa.text("erasing_since IS NOT NULL"),
    )
    op.add_column("integration_state", sa.Column("heard_at", sa.Double(), nullable=True))
    op.add_column("integration_state", sa.Column("audited_at", sa.Double(), nullable=True))
    op.create_table(
        "held_imports",
        sa.Column("integration_id", sa.String(36), nullable=False),
        sa.Column("calendar_id", sa.Text(), nullable=False),
        sa.Column("event_uid", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("event_keys", sa.JSON(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("starts", sa.Text(), nullable=False),
        sa.Column("ends", sa.Text(), nullable=False),
        sa.Column("held_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("integration_id", "calendar_id", "event_uid", name="pk_held_imports"),
        sa.ForeignKeyConstraint(
            ["integration_id"], ["integrations.id"], name="fk_held_imports_integration_id_integrations"
        ),
    )
    op.create_table(
        "permission_requests",
        sa.Column("state_hash", sa.String(64), nullable=False),
        sa.Column("integration_id", sa.String(36), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("state_hash", name="pk_permission_requests"),
    )
    op.create_index("ix_permission_requests_expires_at", "permission_requests", ["expires_at"])
    op.create_index(
        "ix_items_imported_by",
        "items",
        ["imported_by", "ref"],
        sqlite_where=sa.text("imported_by IS NOT NULL"),
        postgresql_where=sa.text("imported_by IS NOT NULL"),
    )
    op.add_column("consents", sa.Column("reconnects", sa.String(36), nullable=True))
