"""A message on its way in and out: what was done with it, how often it failed, what is still to be sent."""

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

from service.store.tables.columns import IdColumn, Moment, metadata

inbox = Table(
    "inbox",
    metadata,
    Column("consumer", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("processed_at", Double, nullable=False),
    PrimaryKeyConstraint("consumer", "source", "message_id"),
    Index("ix_inbox_processed_at", "processed_at"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("consumer", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("at", Moment, nullable=False),
    Column("error", Text, nullable=False),
    PrimaryKeyConstraint("consumer", "source", "message_id", "attempt"),
    Index("ix_attempts_at", "at"),
)

suspects = Table(
    "suspects",
    metadata,
    Column("consumer", Text, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("crashes", Integer, nullable=False),
    Column("at", Moment, nullable=False),
    PrimaryKeyConstraint("consumer", "message_id"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", IdColumn, primary_key=True),
    Column("exchange", Text, nullable=False),
    Column("routing_key", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("headers", JSON, nullable=False),
    Column("mandatory", Boolean, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("sent_at", Double),
    # A replay goes out at its own pace; everything else at once.
    Column("due_at", Double),
    Column("letter_id", IdColumn),
    Index(
        "ix_outbox_unsent",
        "id",
        sqlite_where=text("sent_at IS NULL AND due_at IS NULL"),
        postgresql_where=text("sent_at IS NULL AND due_at IS NULL"),
    ),
    Index(
        "ix_outbox_due_at",
        "due_at",
        sqlite_where=text("sent_at IS NULL AND due_at IS NOT NULL"),
        postgresql_where=text("sent_at IS NULL AND due_at IS NOT NULL"),
    ),
    Index("ix_outbox_sent_at", "sent_at"),
)
