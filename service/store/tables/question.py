"""Questions to a tenant's dispatchers, and the absences by which some are asked (R52)."""

from sqlalchemy import Boolean, Column, Index, PrimaryKeyConstraint, Table, Text, text

from service.store.tables.columns import IdColumn, Moment, metadata

questions = Table(
    "questions",
    metadata,
    Column("id", IdColumn, primary_key=True),
    Column("tenant_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("integration_id", IdColumn, nullable=False),
    Column("link_id", IdColumn, nullable=False),
    Column("item_ref", IdColumn, nullable=False),
    Column("kind", Text, nullable=False),
    # By what an overlap is known again; a deletion or a move is one for as long as its link says so.
    Column("cause", Text),
    # Of the call as it was asked about: whoever changes it in Vorex has answered.
    Column("print", Text, nullable=False),
    # When the call was, as its item says, and where it was found, or the absence.
    Column("starts", Text),
    Column("ends", Text),
    Column("found_starts", Text),
    Column("found_ends", Text),
    Column("asked_at", Moment, nullable=False),
    Column("state", Text, nullable=False),
    Column("answer", Text),
    # Why it closed by itself.
    Column("closed", Text),
    Column("settled_by", Text),
    Column("settled_at", Moment),
    # R50: its answer was taken back, though what that had written stays.
    Column("reopened", Boolean, nullable=False, server_default=text("false")),
    Index(
        "uq_questions_open",
        "link_id",
        "kind",
        unique=True,
        sqlite_where=text("state = 'open'"),
        postgresql_where=text("state = 'open'"),
    ),
    Index(
        "uq_questions_cause",
        "link_id",
        "cause",
        unique=True,
        sqlite_where=text("cause IS NOT NULL"),
        postgresql_where=text("cause IS NOT NULL"),
    ),
    Index(
        "ix_questions_open",
        "id",
        sqlite_where=text("state = 'open'"),
        postgresql_where=text("state = 'open'"),
    ),
    Index("ix_questions_tenant", "tenant_id", "state", "id"),
    Index("ix_questions_integration", "integration_id"),
    Index(
        "ix_questions_settled_at",
        "settled_at",
        sqlite_where=text("settled_at IS NOT NULL"),
        postgresql_where=text("settled_at IS NOT NULL"),
    ),
)

absences = Table(
    "absences",
    metadata,
    Column("integration_id", IdColumn, nullable=False),
    Column("calendar_id", Text, nullable=False),
    Column("event_uid", Text, nullable=False),
    Column("starts_at", Moment, nullable=False),
    Column("ends_at", Moment, nullable=False),
    PrimaryKeyConstraint("integration_id", "calendar_id", "event_uid"),
    Index("ix_absences_ends_at", "ends_at"),
)
