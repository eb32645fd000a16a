"""An item, and the users it is assigned to."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

from service.store.tables.columns import IdColumn, Moment, metadata

_STILL_TELLS = "(content IS NOT NULL OR message_body IS NOT NULL)"

items = Table(
    "items",
    metadata,
    Column("ref", IdColumn, primary_key=True),
    Column("tenant_id", Text, nullable=False),
    Column("item_type", Text, nullable=False),
    Column("item_id", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("vorex_version", BigInteger, nullable=False),
    Column("sync_version", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("content", JSON),
    Column("starts_at", Moment),
    Column("ends_at", Moment),
    Column("changed_at", Moment, nullable=False),
    Column("changed_by", Text),
    Column("imported_by", Text),
    Column("read_only_reason", Text),
    Column("message_source", Text),
    Column("message_id", Text),
    Column("message_body", LargeBinary),
    Column("stored_at", Moment, nullable=False),
    Index("uq_items_identity", "tenant_id", "item_type", "item_id", unique=True),
    Index(
        "ix_items_imported_by",
        "imported_by",
        "ref",
        sqlite_where=text("imported_by IS NOT NULL"),
        postgresql_where=text("imported_by IS NOT NULL"),
    ),
    Index("ix_items_starts_at", "tenant_id", "starts_at"),
    Index(
        "ix_items_deleted_texts",
        "stored_at",
        sqlite_where=text(f"deleted = 1 AND {_STILL_TELLS}"),
        postgresql_where=text(f"deleted AND {_STILL_TELLS}"),
    ),
)

item_assignees = Table(
    "item_assignees",
    metadata,
    Column("item_ref", IdColumn, ForeignKey("items.ref"), nullable=False),
    Column("tenant_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    PrimaryKeyConstraint("item_ref", "user_id"),
    Index("ix_item_assignees_user", "tenant_id", "user_id", "item_ref"),
)
