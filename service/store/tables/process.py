"""What all processes share: leases, what each tells of itself, tokens used once, the budget."""

from sqlalchemy import JSON, BigInteger, Column, Double, Index, Table, Text

from service.store.tables.columns import IdColumn, metadata

leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("until", Double, nullable=False),
)

# What each process last told of itself: rates and pauses that no other process could know.
processes = Table(
    "processes",
    metadata,
    Column("id", IdColumn, primary_key=True),
    Column("told_at", Double, nullable=False),
    Column("said", JSON, nullable=False),
    Index("ix_processes_told_at", "told_at"),
)

used_tokens = Table(
    "used_tokens",
    metadata,
    Column("id", Text, primary_key=True),
    Column("expires_at", Double, nullable=False),
    Index("ix_used_tokens_expires_at", "expires_at"),
)

budget = Table(
    "budget",
    metadata,
    Column("name", Text, primary_key=True),
    Column("state", Text, nullable=False),
)
