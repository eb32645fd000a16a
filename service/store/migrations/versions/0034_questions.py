"""Questions to dispatchers, absences of technicians, and the language of what copies say (R52).

Revision ID: 0034
"""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None
generation = 1
"""The version before can work on it: it knows neither tables nor column, and writes a copy as it did."""
loses = ("questions", "absences", "integrations.language")


def upgrade() -> None:
    op.create_table(
        "questions",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("integration_id", sa.String(36), nullable=False),
        sa.Column("link_id", sa.String(36), nullable=False),
        sa.Column("item_ref", sa.String(36), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=True),
        sa.Column("print", sa.Text(), nullable=False),
        sa.Column("starts", sa.Text(), nullable=True),
        sa.Column("ends", sa.Text(), nullable=True),
        sa.Column("found_starts", sa.Text(), nullable=True),
        sa.Column("found_ends", sa.Text(), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("closed", sa.Text(), nullable=True),
        sa.Column("settled_by", sa.Text(), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reopened", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_questions"),
    )
    _index_questions()
    op.create_table(
        "absences",
        sa.Column("integration_id", sa.String(36), nullable=False),
        sa.Column("calendar_id", sa.Text(), nullable=False),
        sa.Column("event_uid", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("integration_id", "calendar_id", "event_uid", name="pk_absences"),
    )
    op.create_index("ix_absences_ends_at", "absences", ["ends_at"])
    asked = sa.text("code = 'questioned'")
    op.create_index(
        "ix_links_questioned", "links", ["integration_id"], sqlite_where=asked, postgresql_where=asked
    )
    op.add_column("integrations", sa.Column("language", sa.Text(), nullable=True))


def _index_questions() -> None:
    for name, columns, condition, unique in (
        ("uq_questions_open", ["link_id", "kind"], "state = 'open'", True),
        ("uq_questions_cause", ["link_id", "cause"], "cause IS NOT NULL", True),
        ("ix_questions_tenant", ["tenant_id", "state", "id"], None, False),
        ("ix_questions_integration", ["integration_id"], None, False),
        ("ix_questions_settled_at", ["settled_at"], "settled_at IS NOT NULL", False),
    ):
        where = sa.text(condition) if condition else None
        op.create_index(
            name, "questions", columns, unique=unique, sqlite_where=where, postgresql_where=where
        )


def downgrade() -> None:
    op.drop_column("integrations", "language")
    op.drop_index("ix_links_questioned", "links")
    op.drop_table("absences")
    op.drop_table("questions")
