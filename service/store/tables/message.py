"""A message on its way in and out: what was done with it, how often it failed, what is still to be sent."""

from sqlalchemy import (
    JSON,
    BigInteger,
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

# R42: messages whose versions contradict what is known, the newest of each item, and who is trusted again.
version_doubts = Table(
    "version_doubts",
    metadata,
    Column("key", IdColumn, primary_key=True),
    Column("source", Text, nullable=False),
    Column("item_ref", IdColumn, nullable=False),
    Column("kind", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("said_at", Moment, nullable=False),
    Column("noted_at", Double, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("ix_version_doubts_noted_at", "noted_at"),
)

trusted_sources = Table(
    "trusted_sources",
    metadata,
    Column("source", Text, primary_key=True),
    Column("since", Moment, nullable=False),
    Column("trusted_at", Moment, nullable=False),
    Column("trusted_by", Text, nullable=False),
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
    # Whose it is; empty where nobody can tell.
    Column("tenant_id", Text, nullable=False, server_default=""),
    Index(
        "ix_outbox_tenant",
        "tenant_id",
        "id",
        sqlite_where=text("sent_at IS NULL AND due_at IS NULL"),
        postgresql_where=text("sent_at IS NULL AND due_at IS NULL"),
    ),
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
    Index(
        "ix_outbox_paced",
        "tenant_id",
        "due_at",
        sqlite_where=text("sent_at IS NULL AND due_at IS NOT NULL"),
        postgresql_where=text("sent_at IS NULL AND due_at IS NOT NULL"),
    ),
    Index("ix_outbox_message_id", "message_id"),
    Index(
        "ix_outbox_sent_at",
        "sent_at",
        sqlite_where=text("sent_at IS NOT NULL"),
        postgresql_where=text("sent_at IS NOT NULL"),
    ),
)
