"""What a link knows of a meeting (R40) and of its former event (R11); sources that contradict themselves (R42).

Revision ID: 0016
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("links", sa.Column("guests", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("links", sa.Column("online", sa.Boolean(), nullable=False, server_default=sa.text("false")))
    op.add_column("links", sa.Column("join_url", sa.Text(), nullable=True))
    op.add_column("links", sa.Column("former_uid", sa.Text(), nullable=True))
    former = sa.text("former_uid IS NOT NULL")
    op.create_index(
        "ix_links_former_uid",
        "links",
        ["integration_id", "former_uid"],
        sqlite_where=former,
        postgresql_where=former,
    )
    series = sa.text("series_identifier IS NOT NULL")
    op.create_index(
        "ix_links_series",
        "links",
        ["integration_id", "series_identifier"],
        sqlite_where=series,
        postgresql_where=series,
    )
    op.create_table(
        "version_doubts",
        sa.Column("key", sa.String(36), primary_key=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("item_ref", sa.String(36), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("said_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("noted_at", sa.Double(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
    )
    op.create_index("ix_version_doubts_noted_at", "version_doubts", ["noted_at"])
    op.create_table(
        "trusted_sources",
        sa.Column("source", sa.Text(), primary_key=True),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("trusted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("trusted_by", sa.Text(), nullable=False),
    )
