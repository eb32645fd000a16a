"""A link; what was there before Finish (R33); deletions (R11), held imports (R36) and differences (R51)."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

from service.store.tables.columns import IdColumn, Moment, metadata

links = Table(
    "links",
    metadata,
    Column("id", IdColumn, primary_key=True),
    Column("integration_id", IdColumn, ForeignKey("integrations.id"), nullable=False),
    Column("item_ref", IdColumn, ForeignKey("items.ref"), nullable=False),
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
    # Written and read by nobody since accepted_at tells it: the version before still selects it by name.
    Column("confirmed_at", Moment),
    Column("event_updated", Moment),
    Column("may_update", Boolean, nullable=False, server_default=text("true")),
    Column("may_delete", Boolean, nullable=False, server_default=text("true")),
    # R40: a meeting of others is not changed from here, and its way in is shown.
    Column("guests", Integer, nullable=False, server_default="0"),
    Column("online", Boolean, nullable=False, server_default=text("false")),
    Column("join_url", Text),
    # The event that stood in this one's place before, which its owner may fetch back.
    Column("former_uid", Text),
    Column("let_go_print", Text),
    Column("writer", Text),
    Column("claimed_by", Text),
    Column("claim_epoch", BigInteger, nullable=False, server_default="0"),
    Column("claimed_until", Double),
    Column("retry_at", Double),
    Column("verify_at", Double),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("rewrites", JSON),
    Column("run_id", IdColumn),
    # R16: a copy on a calendar that is linked no longer, which is to follow to the one that is.
    Column("moving", Boolean, nullable=False, server_default=text("false")),
    Column("touched_at", Double, nullable=False, server_default="0"),
    Column("created_at", Moment, nullable=False),
    Column("ended_at", Moment),
    # R37: what this calendar makes of what is written to it.
    Column("forms", JSON),
    Index("uq_links_pair", "integration_id", "calendar_id", "item_ref", unique=True),
    Index("ix_links_item_ref", "item_ref"),
    Index("ix_links_event_uid", "integration_id", "event_uid"),
    Index("ix_links_event_id", "integration_id", "event_id"),
    Index(
        "ix_links_former_uid",
        "integration_id",
        "former_uid",
        sqlite_where=text("former_uid IS NOT NULL"),
        postgresql_where=text("former_uid IS NOT NULL"),
    ),
    Index(
        "ix_links_series",
        "integration_id",
        "series_identifier",
        sqlite_where=text("series_identifier IS NOT NULL"),
        postgresql_where=text("series_identifier IS NOT NULL"),
    ),
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
        "ix_links_questioned",
        "integration_id",
        sqlite_where=text("code = 'questioned'"),
        postgresql_where=text("code = 'questioned'"),
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
    Column("integration_id", IdColumn, ForeignKey("integrations.id"), nullable=False),
    Column("calendar_id", Text, nullable=False),
    Column("event_key", Text, nullable=False),
    PrimaryKeyConstraint("integration_id", "calendar_id", "event_key"),
)

deletions = Table(
    "deletions",
    metadata,
    Column("link_id", IdColumn, ForeignKey("links.id"), primary_key=True),
    Column("integration_id", IdColumn, nullable=False),
    Column("state", Text, nullable=False),
    Column("noticed_at", Moment, nullable=False),
    Column("event_updated", Moment),
    Index("ix_deletions_integration", "integration_id", "noticed_at"),
)

held_imports = Table(
    "held_imports",
    metadata,
    Column("integration_id", IdColumn, ForeignKey("integrations.id"), nullable=False),
    Column("calendar_id", Text, nullable=False),
    Column("event_uid", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("event_keys", JSON, nullable=False),
    Column("title", Text, nullable=False),
    Column("starts", Text, nullable=False),
    Column("ends", Text, nullable=False),
    Column("held_at", Moment, nullable=False),
    # R39: the occurrences of a series are one question.
    Column("series_identifier", Text),
    # Why: unknown though not new (R36), or one of too many that look alike.
    Column("code", Text, nullable=False, server_default="held_import"),
    PrimaryKeyConstraint("integration_id", "calendar_id", "event_uid"),
)

# R51: pairs that the newest check found to differ, at most some thousands an integration; no texts.
disagreements = Table(
    "disagreements",
    metadata,
    Column("link_id", IdColumn, primary_key=True),
    Column("integration_id", IdColumn, nullable=False),
    Column("item_ref", IdColumn, nullable=False),
    # The run that found it last.
    Column("run_id", IdColumn, nullable=False),
    Column("why", Text, nullable=False),
    # In how many checks in a row it was found without a reason.
    Column("times", Integer, nullable=False, server_default="0"),
    Index("ix_disagreements_integration", "integration_id", "link_id"),
    Index(
        "ix_disagreements_findings",
        "integration_id",
        sqlite_where=text("times > 1"),
        postgresql_where=text("times > 1"),
    ),
)
