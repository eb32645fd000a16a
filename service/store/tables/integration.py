"""An integration, what a sync has done for it so far, and the tokens of its account."""

from sqlalchemy import JSON, BigInteger, Boolean, Column, Double, ForeignKey, Index, Table, Text, text

from service.store.tables.columns import IdColumn, Moment, metadata

integrations = Table(
    "integrations",
    metadata,
    Column("id", IdColumn, primary_key=True),
    Column("tenant_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("sub", Text, nullable=False),
    Column("profile_id", Text, nullable=False),
    Column("profile_name", Text, nullable=False),
    Column("provider_name", Text, nullable=False),
    Column("provider_service", Text, nullable=False),
    Column("account_name", Text, nullable=False),
    Column("time_zone", Text, nullable=False, server_default="UTC"),
    Column("calendar_id", Text),
    Column("calendar_name", Text),
    Column("permission_level", Text, nullable=False, server_default="sandbox"),
    Column("active", Boolean, nullable=False, server_default=text("false")),
    Column("status", Text, nullable=False, server_default="setup"),
    Column("reason", Text),
    Column("event_types", JSON, nullable=False),
    Column("item_types", JSON, nullable=False),
    Column("retrieve", JSON, nullable=False),
    Column("send", JSON, nullable=False),
    Column("channel_id", Text),
    Column("created_at", Moment, nullable=False),
    Column("finished_at", Moment),
    Column("baseline_at", Moment),
    Column("deleted_at", Moment),
    # R21: copies are being removed for a deleted integration, and its account has been let go.
    Column("removing", Boolean, nullable=False, server_default=text("false")),
    Column("erased_at", Moment),
    # R16: what is still to be done with copies on a calendar that is linked no longer.
    Column("parting", JSON(none_as_null=True)),
    Index("ix_integrations_owner", "tenant_id", "user_id"),
    Index("ix_integrations_sub", "sub"),
    # R1: one person links one calendar once; the tombstones of deleted integrations do not count.
    Index(
        "uq_integrations_calendar",
        "tenant_id",
        "user_id",
        "provider_name",
        "profile_name",
        "calendar_name",
        unique=True,
        sqlite_where=text("deleted_at IS NULL AND calendar_name IS NOT NULL"),
        postgresql_where=text("deleted_at IS NULL AND calendar_name IS NOT NULL"),
    ),
)

integration_state = Table(
    "integration_state",
    metadata,
    Column("integration_id", IdColumn, ForeignKey("integrations.id"), primary_key=True),
    Column("last_sync_at", Moment),
    Column("last_checked_at", Moment),
    Column("noticed_since", Moment),
    Column("noticed_at", Double),
    Column("reading_since", Moment),
    Column("read_epoch", BigInteger, nullable=False, server_default="0"),
    Column("read_until", Double),
    Column("read_began_at", Double),
    Column("full_read_at", Moment),
    Column("delayed_since", Moment),
    Column("looked_at", Double),
    Index("ix_integration_state_noticed_at", "noticed_at"),
)

credentials = Table(
    "credentials",
    metadata,
    Column("sub", Text, primary_key=True),
    Column("access_token", Text, nullable=False),
    Column("refresh_token", Text, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("scope", Text, nullable=False, server_default=""),
    Column("refresh_epoch", BigInteger, nullable=False, server_default="0"),
    Column("refreshing_by", Text),
    Column("refreshing_until", Double),
    Column("saved_at", Moment, nullable=False),
)
