"""The schema on one page (DESIGN 10).

Ids are UUID text, new ones time-ordered; moments are UTC; claims, leases and the budget are
seconds since 1970 by the database's clock, so that they can be compared inside one statement.
"""

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy.types import TypeDecorator

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    },
)


class Moment(TypeDecorator[datetime]):
    """An aware UTC datetime on every engine; SQLite keeps it without its zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Id = String(36)

integrations = Table(
    "integrations",
    metadata,
    Column("id", Id, primary_key=True),
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
    Column("integration_id", Id, ForeignKey("integrations.id"), primary_key=True),
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

items = Table(
    "items",
    metadata,
    Column("ref", Id, primary_key=True),
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
    Index("ix_items_starts_at", "tenant_id", "starts_at"),
)

item_assignees = Table(
    "item_assignees",
    metadata,
    Column("item_ref", Id, ForeignKey("items.ref"), nullable=False),
    Column("tenant_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    PrimaryKeyConstraint("item_ref", "user_id"),
    Index("ix_item_assignees_user", "tenant_id", "user_id", "item_ref"),
)

links = Table(
    "links",
    metadata,
    Column("id", Id, primary_key=True),
    Column("integration_id", Id, ForeignKey("integrations.id"), nullable=False),
    Column("item_ref", Id, ForeignKey("items.ref"), nullable=False),
    Column("calendar_id", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("event_id", Text),
    Column("event_uid", Text),
    Column("series_identifier", Text),
    Column("state", Text, nullable=False),
    Column("code", Text),
    Column("differs", Boolean, nullable=False, server_default=text("false")),
    Column("desired_revision", BigInteger, nullable=False, server_default="0"),
    Column("desired", JSON),
    Column("applied_revision", BigInteger, nullable=False, server_default="0"),
    Column("applied_hash", Text),
    Column("exists_there", Boolean, nullable=False, server_default=text("false")),
    Column("agreed", JSON),
    Column("last_read", JSON),
    Column("writes", JSON),
    Column("read_at", Double),
    Column("accepted_at", Double),
    Column("confirmed_at", Moment),
    Column("event_updated", Moment),
    Column("may_update", Boolean, nullable=False, server_default=text("true")),
    Column("may_delete", Boolean, nullable=False, server_default=text("true")),
    Column("let_go_print", Text),
    Column("writer", Text),
    Column("claimed_by", Text),
    Column("claim_epoch", BigInteger, nullable=False, server_default="0"),
    Column("claimed_until", Double),
    Column("retry_at", Double),
    Column("verify_at", Double),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("rewrites", JSON),
    Column("run_id", Id),
    # R16: a copy on a calendar that is linked no longer, which is to follow to the one that is.
    Column("moving", Boolean, nullable=False, server_default=text("false")),
    Column("touched_at", Double, nullable=False, server_default="0"),
    Column("created_at", Moment, nullable=False),
    Column("ended_at", Moment),
    Index("uq_links_pair", "integration_id", "calendar_id", "item_ref", unique=True),
    Index("ix_links_item_ref", "item_ref"),
    Index("ix_links_event_uid", "integration_id", "event_uid"),
    Index("ix_links_event_id", "integration_id", "event_id"),
    Index(
        "ix_links_unfinished",
        "integration_id",
        "touched_at",
        sqlite_where=text("state IN ('behind', 'retrying')"),
        postgresql_where=text("state IN ('behind', 'retrying')"),
    ),
    Index(
        "ix_links_standing",
        "integration_id",
        sqlite_where=text("state IN ('held', 'failed')"),
        postgresql_where=text("state IN ('held', 'failed')"),
    ),
    Index(
        "ix_links_moving",
        "integration_id",
        "id",
        sqlite_where=text("moving"),
        postgresql_where=text("moving"),
    ),
    Index(
        "ix_links_ended_at",
        "ended_at",
        sqlite_where=text("ended_at IS NOT NULL"),
        postgresql_where=text("ended_at IS NOT NULL"),
    ),
    Index(
        "ix_links_verify_at",
        "verify_at",
        sqlite_where=text("verify_at IS NOT NULL"),
        postgresql_where=text("verify_at IS NOT NULL"),
    ),
)

prior_events = Table(
    "prior_events",
    metadata,
    Column("integration_id", Id, ForeignKey("integrations.id"), nullable=False),
    Column("calendar_id", Text, nullable=False),
    Column("event_key", Text, nullable=False),
    PrimaryKeyConstraint("integration_id", "calendar_id", "event_key"),
)

deletions = Table(
    "deletions",
    metadata,
    Column("link_id", Id, ForeignKey("links.id"), primary_key=True),
    Column("integration_id", Id, nullable=False),
    Column("state", Text, nullable=False),
    Column("noticed_at", Moment, nullable=False),
    Column("event_updated", Moment),
    Index("ix_deletions_integration", "integration_id", "noticed_at"),
)

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

log_entries = Table(
    "log_entries",
    metadata,
    Column("id", Id, primary_key=True),
    Column("integration_id", Id, nullable=False),
    Column("at", Moment, nullable=False),
    Column("trigger", Text, nullable=False),
    Column("direction", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("item_ref", Text),
    Column("item_id", Text),
    Column("item_type", Text),
    Column("title", Text),
    Column("reason", Text, nullable=False),
    Column("message_id", Text),
    Column("attempt", Integer),
    Column("run_id", Id),
    Column("detail", JSON),
    # The filters of the log's page stand behind its order, so that no row is read to be passed over.
    Index("ix_log_entries_page", "integration_id", "trigger", "id", "direction", "outcome", "item_type"),
    Index(
        "ix_log_entries_not_done",
        "integration_id",
        "trigger",
        "outcome",
        "id",
        sqlite_where=text("outcome != 'done'"),
        postgresql_where=text("outcome != 'done'"),
    ),
    Index("ix_log_entries_run_id", "run_id", "id"),
    Index("ix_log_entries_at", "at"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Id, primary_key=True),
    Column("integration_id", Id, ForeignKey("integrations.id"), nullable=False),
    Column("started_by", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("retrieve", JSON),
    Column("send", JSON),
    Column("step", Text, nullable=False),
    Column("cursor", JSON),
    Column("done", Integer, nullable=False, server_default="0"),
    Column("total", Integer),
    Column("now", Text),
    Column("found", Integer, nullable=False, server_default="0"),
    Column("created", Integer, nullable=False, server_default="0"),
    Column("updated", Integer, nullable=False, server_default="0"),
    Column("skipped", Integer, nullable=False, server_default="0"),
    Column("failed", Integer, nullable=False, server_default="0"),
    Column("requested_at", Moment, nullable=False),
    Column("due_at", Double),
    Column("started_at", Moment),
    Column("ended_at", Moment),
    Column("reason", Text),
    Column("listed", Boolean, nullable=False, server_default=text("true")),
    Column("moved_at", Moment),
    Index("ix_runs_integration", "integration_id", "id"),
    Index(
        "ix_runs_due_at",
        "due_at",
        sqlite_where=text("due_at IS NOT NULL"),
        postgresql_where=text("due_at IS NOT NULL"),
    ),
    Index("ix_runs_ended_at", "ended_at"),
)

run_equals = Table(
    "run_equals",
    metadata,
    Column("run_id", Id, nullable=False),
    Column("event_uid", Text, nullable=False),
    Column("twin", String(64), nullable=False),
    PrimaryKeyConstraint("run_id", "event_uid"),
    Index("ix_run_equals_twin", "run_id", "twin"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Id, primary_key=True),
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
    Column("letter_id", Id),
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

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", Id, primary_key=True),
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
    Index("ix_dead_letters_group", "group"),
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
    Column("id", Id, primary_key=True),
    Column("letter_id", Id, ForeignKey("dead_letters.id"), nullable=False),
    Column("at", Moment, nullable=False),
    Column("who", Text, nullable=False),
    Column("act", Text, nullable=False),
    Column("note", Text),
    Index("ix_dead_letter_acts_letter_id", "letter_id", "id"),
)

# Replays of very many letters, until the last of them has its place in the outbox.
bulk_replays = Table(
    "bulk_replays",
    metadata,
    Column("id", Id, primary_key=True),
    Column("tenant_id", Text),
    Column("who", Text, nullable=False),
    Column("note", Text),
    Column("matching", JSON, nullable=False),
    Column("rate", Double, nullable=False),
    Column("after", Text, nullable=False),
    Column("upto", Text, nullable=False),
    Column("reached", Double, nullable=False),
)

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
    Column("id", Id, primary_key=True),
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
