"""An integration, what a sync has done for it so far, its account's tokens, and what it is to permit."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    text,
)

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
    # R34: what came of asking for the permission to change events that the person made.
    Column("permission_answer", Text),
    # R35: Cronofy refuses the grant itself, which no mail of Cronofy's own mends.
    Column("grant_refused", Boolean, nullable=False, server_default=text("false")),
    # R36: identities are to be learnt anew; until when all that was on the calendar is known.
    Column("known_since", Moment),
    # R1: the ids of all calendars that the account had when it was last seen to work.
    Column("listed_calendars", JSON(none_as_null=True)),
    # Since when the status is what it is; None where that was before anybody noted it.
    Column("status_since", Moment),
    # R22: where the person leaves a protocol that the provider has given up.
    Column("migration_url", Text),
    # G8: what an event is given beside its fields, where its provider takes that.
    Column("event_details", JSON(none_as_null=True)),
    # Since when it only watches; while it does, it is not active.
    Column("watching_since", Moment),
    # R52: in which language copies say what moving, renaming and deleting them does.
    Column("language", Text),
    # G4: what its owner calls it; None: by its calendar.
    Column("own_name", Text),
    # R41: since when the texts and tokens of a person who asked to be forgotten are being erased.
    Column("erasing_since", Moment),
    Index(
        "ix_integrations_erasing",
        "erasing_since",
        sqlite_where=text("erasing_since IS NOT NULL"),
        postgresql_where=text("erasing_since IS NOT NULL"),
    ),
    Index("ix_integrations_owner", "tenant_id", "user_id"),
    # R47: a tenant's, page by page.
    Index(
        "ix_integrations_tenant",
        "tenant_id",
        "id",
        sqlite_where=text("deleted_at IS NULL"),
        postgresql_where=text("deleted_at IS NULL"),
    ),
    Index("ix_integrations_sub", "sub"),
    # What the keeper looks after, found without a look at all others.
    Index(
        "ix_integrations_no_channel",
        "id",
        sqlite_where=text("channel_id IS NULL AND deleted_at IS NULL AND finished_at IS NOT NULL"),
        postgresql_where=text("channel_id IS NULL AND deleted_at IS NULL AND finished_at IS NOT NULL"),
    ),
    Index(
        "ix_integrations_not_connected",
        "id",
        sqlite_where=text("status = 'not_connected' AND deleted_at IS NULL"),
        postgresql_where=text("status = 'not_connected' AND deleted_at IS NULL"),
    ),
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
    # When Cronofy last sent any notice, and when it was last asked for its channels.
    Column("heard_at", Double),
    Column("audited_at", Double),
    # R51: how many pairs agreed, of how many, when the whole calendar was read last.
    Column("pairs_agree", Integer),
    Column("pairs_of", Integer),
    Column("pairs_checked_at", Moment),
    Index("ix_integration_state_noticed_at", "noticed_at"),
    Index("ix_integration_state_full_read_at", "full_read_at"),
    Index(
        "ix_integration_state_unread",
        "noticed_at",
        sqlite_where=text("noticed_since IS NOT NULL OR reading_since IS NOT NULL"),
        postgresql_where=text("noticed_since IS NOT NULL OR reading_since IS NOT NULL"),
    ),
    Index(
        "ix_integration_state_delayed",
        "integration_id",
        sqlite_where=text("delayed_since IS NOT NULL"),
        postgresql_where=text("delayed_since IS NOT NULL"),
    ),
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

# What a watching integration would have on both sides by now; by a link's id, or *held:* and an event's uid.
watched = Table(
    "watched",
    metadata,
    Column("integration_id", IdColumn, ForeignKey("integrations.id"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("event_id", Text),
    Column("event_uid", Text),
    Column("item_ref", IdColumn),
    Column("stands", Boolean, nullable=False),
    Column("starts_at", Moment),
    Column("link", JSON(none_as_null=True)),
    Column("item", JSON(none_as_null=True)),
    Index("ix_watched_event_uid", "integration_id", "event_uid"),
    Index("ix_watched_event_id", "integration_id", "event_id"),
    Index("ix_watched_starts_at", "integration_id", "starts_at"),
)

# R47: what was done with a tenant's integrations at once, by whom, that it can be taken back.
tenant_acts = Table(
    "tenant_acts",
    metadata,
    Column("id", IdColumn, primary_key=True),
    Column("tenant_id", Text, nullable=False),
    Column("act", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("integration_ids", JSON, nullable=False),
    Column("undone_at", Moment),
    Column("watched_ids", JSON),
    Index("ix_tenant_acts_at", "at"),
    Index("ix_tenant_acts_tenant", "tenant_id", "id"),
)

permission_requests = Table(
    "permission_requests",
    metadata,
    Column("state_hash", String(64), primary_key=True),
    Column("integration_id", IdColumn, nullable=False),
    Column("tenant_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("expires_at", Double, nullable=False),
    Index("ix_permission_requests_expires_at", "expires_at"),
)
