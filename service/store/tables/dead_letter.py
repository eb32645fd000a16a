"""A dead letter, what people did with it, and replays of very many."""

from sqlalchemy import JSON, Column, Double, ForeignKey, Index, LargeBinary, Table, Text, text

from service.store.tables.columns import IdColumn, Moment, metadata

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", IdColumn, primary_key=True),
    Column("queue", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("field", Text),
    Column("reason", Text, nullable=False),
    Column("exception", Text),
    Column("attempts", JSON, nullable=False),
    Column("first_failed_at", Moment, nullable=False),
    Column("last_failed_at", Moment, nullable=False),
    Column("tenant_id", Text),
    Column("integration_id", Text),
    Column("item_ref", Text),
    Column("item_key", Text),
    Column("group", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("routing_key", Text, nullable=False),
    Column("headers", JSON, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("edited_from", Text),
    Index("ix_dead_letters_state", "state", "id"),
    Index("ix_dead_letters_message", "queue", "source", "message_id"),
    Index("ix_dead_letters_message_id", "message_id"),
    Index("ix_dead_letters_group", "group"),
    Index("ix_dead_letters_failed", "state", "last_failed_at"),
    Index("ix_dead_letters_tenant", "tenant_id", "id"),
    Index("ix_dead_letters_buried", "tenant_id", "first_failed_at"),
    # One outstanding replay of a letter's message at most.
    Index(
        "uq_dead_letters_replaying",
        "queue",
        "source",
        "message_id",
        unique=True,
        sqlite_where=text("state = 'replaying'"),
        postgresql_where=text("state = 'replaying'"),
    ),
)

dead_letter_acts = Table(
    "dead_letter_acts",
    metadata,
    Column("id", IdColumn, primary_key=True),
    Column("letter_id", IdColumn, ForeignKey("dead_letters.id"), nullable=False),
    Column("at", Moment, nullable=False),
    Column("who", Text, nullable=False),
    # Whose operator it was; where it was no tenant's, whose letter it is, if anybody's.
    Column("tenant_id", Text),
    Column("act", Text, nullable=False),
    Column("note", Text),
    Column("batch", IdColumn),
    Index("ix_dead_letter_acts_letter_id", "letter_id", "id"),
    Index("ix_dead_letter_acts_tenant", "tenant_id", "id"),
    Index(
        "ix_dead_letter_acts_batch",
        "batch",
        sqlite_where=text("batch IS NOT NULL"),
        postgresql_where=text("batch IS NOT NULL"),
    ),
)

# Replays of very many letters, until the last of them has its place in the outbox.
bulk_replays = Table(
    "bulk_replays",
    metadata,
    Column("id", IdColumn, primary_key=True),
    Column("tenant_id", Text),
    Column("who", Text, nullable=False),
    Column("note", Text),
    Column("matching", JSON, nullable=False),
    Column("rate", Double, nullable=False),
    Column("after", Text, nullable=False),
    Column("upto", Text, nullable=False),
    Column("reached", Double, nullable=False),
)
