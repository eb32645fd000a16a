"""What all processes share: leases, what each tells of itself, tokens used once, the budget, limits."""

from sqlalchemy import JSON, BigInteger, Column, Double, Index, Integer, PrimaryKeyConstraint, Table, Text

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

# How everything stood within so many seconds from that second on; the keeper forgets what is older.
operation_samples = Table(
    "operation_samples",
    metadata,
    Column("seconds", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("told", JSON, nullable=False),
    PrimaryKeyConstraint("seconds", "at"),
)

# R53: how integrations fare, as each process saw it lately, and how each provider is by all of that.
weather_reports = Table(
    "weather_reports",
    metadata,
    Column("process_id", IdColumn, primary_key=True),
    Column("told_at", Double, nullable=False),
    Column("said", JSON, nullable=False),
    Index("ix_weather_reports_told_at", "told_at"),
)

weather = Table(
    "weather",
    metadata,
    Column("data_centre", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("since", Double),
    Column("told", JSON, nullable=False),
    PrimaryKeyConstraint("data_centre", "provider"),
)

used_tokens = Table(
    "used_tokens",
    metadata,
    Column("id", Text, primary_key=True),
    Column("expires_at", Double, nullable=False),
    Index("ix_used_tokens_expires_at", "expires_at"),
)

schema_generation = Table(
    "schema_generation",
    metadata,
    Column("generation", Integer, primary_key=True, autoincrement=False),
)

budget = Table(
    "budget",
    metadata,
    Column("name", Text, primary_key=True),
    Column("state", Text, nullable=False),
)

# What each person changed within the last hour; whoever counts a person's things is alone with the row.
changes_made = Table(
    "changes_made",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("changes", Text, nullable=False),
    Column("changed_at", Double, nullable=False),
    PrimaryKeyConstraint("tenant_id", "user_id"),
    Index("ix_changes_made_changed_at", "changed_at"),
)
