"""What a tenant decided about people who leave, and the records of what was done for each (R54)."""

from sqlalchemy import JSON, Column, Index, Table, Text, text

from service.store.tables.columns import IdColumn, Moment, metadata

leaver_choices = Table(
    "leaver_choices",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("choice", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("at", Moment, nullable=False),
)

# Names nobody but by Vorex's user id, and holds no text of any item: it outlives an erasing (R41).
leaver_records = Table(
    "leaver_records",
    metadata,
    Column("id", IdColumn, primary_key=True),
    Column("tenant_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("left_at", Moment, nullable=False),
    # Whoever said so: Vorex by a message, or an administrator.
    Column("said_by", Text, nullable=False),
    Column("choice", Text, nullable=False),
    # Of each integration its id, provider, the copies that were there, and the run that removes it.
    Column("parts", JSON, nullable=False),
    # The signed record, once all of it is done.
    Column("document", JSON(none_as_null=True)),
    Index("ix_leaver_records_tenant", "tenant_id", "id"),
    Index(
        "ix_leaver_records_open",
        "id",
        sqlite_where=text("document IS NULL"),
        postgresql_where=text("document IS NULL"),
    ),
)
