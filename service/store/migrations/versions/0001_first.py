"""The first schema.

Revision ID: 0001
"""

import sqlalchemy as sa
from alembic import op

from service.store.tables import Moment

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "attempts",
        sa.Column("consumer", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("consumer", "source", "message_id", "attempt", name=op.f("pk_attempts")),
    )
    op.create_index("ix_attempts_at", "attempts", ["at"], unique=False)
    op.create_table(
        "budget",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_budget")),
    )
    op.create_table(
        "credentials",
        sa.Column("sub", sa.Text(), nullable=False),
        sa.Column("access_token", sa.Text(), nullable=False),
        sa.Column("refresh_token", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.Column("scope", sa.Text(), server_default="", nullable=False),
        sa.Column("refresh_epoch", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("refreshing_by", sa.Text(), nullable=True),
        sa.Column("refreshing_until", sa.Double(), nullable=True),
        sa.Column("saved_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("sub", name=op.f("pk_credentials")),
    )
    op.create_table(
        "dead_letters",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("exception", sa.Text(), nullable=True),
        sa.Column("attempts", sa.JSON(), nullable=False),
        sa.Column("first_failed_at", Moment(), nullable=False),
        sa.Column("last_failed_at", Moment(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=True),
        sa.Column("integration_id", sa.Text(), nullable=True),
        sa.Column("item_ref", sa.Text(), nullable=True),
        sa.Column("item_key", sa.Text(), nullable=True),
        sa.Column("group", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("routing_key", sa.Text(), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("edited_from", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dead_letters")),
    )
    op.create_index("ix_dead_letters_group", "dead_letters", ["group"], unique=False)
    op.create_index(
        "ix_dead_letters_message", "dead_letters", ["queue", "source", "message_id"], unique=False
    )
    op.create_index("ix_dead_letters_state", "dead_letters", ["state", "id"], unique=False)
    op.create_index(
        "uq_dead_letters_replaying",
        "dead_letters",
        ["queue", "source", "message_id"],
        unique=True,
        sqlite_where=sa.text("state = 'replaying'"),
        postgresql_where=sa.text("state = 'replaying'"),
    )
    op.create_table(
        "inbox",
        sa.Column("consumer", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("processed_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("consumer", "source", "message_id", name=op.f("pk_inbox")),
    )
    op.create_index("ix_inbox_processed_at", "inbox", ["processed_at"], unique=False)
    op.create_table(
        "integrations",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("sub", sa.Text(), nullable=False),
        sa.Column("profile_id", sa.Text(), nullable=False),
        sa.Column("profile_name", sa.Text(), nullable=False),
        sa.Column("provider_name", sa.Text(), nullable=False),
        sa.Column("provider_service", sa.Text(), nullable=False),
        sa.Column("account_name", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), server_default="UTC", nullable=False),
        sa.Column("calendar_id", sa.Text(), nullable=True),
        sa.Column("calendar_name", sa.Text(), nullable=True),
        sa.Column("permission_level", sa.Text(), server_default="sandbox", nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("status", sa.Text(), server_default="setup", nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("event_types", sa.JSON(), nullable=False),
        sa.Column("item_types", sa.JSON(), nullable=False),
        sa.Column("retrieve", sa.JSON(), nullable=False),
        sa.Column("send", sa.JSON(), nullable=False),
        sa.Column("channel_id", sa.Text(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("finished_at", Moment(), nullable=True),
        sa.Column("baseline_at", Moment(), nullable=True),
        sa.Column("deleted_at", Moment(), nullable=True),
        sa.Column("removing", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("erased_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_integrations")),
    )
    op.create_index("ix_integrations_owner", "integrations", ["tenant_id", "user_id"], unique=False)
    op.create_index("ix_integrations_sub", "integrations", ["sub"], unique=False)
    op.create_index(
        "uq_integrations_calendar",
        "integrations",
        ["tenant_id", "user_id", "provider_name", "profile_name", "calendar_name"],
        unique=True,
        sqlite_where=sa.text("deleted_at IS NULL AND calendar_name IS NOT NULL"),
        postgresql_where=sa.text("deleted_at IS NULL AND calendar_name IS NOT NULL"),
    )
    op.create_table(
        "items",
        sa.Column("ref", sa.String(length=36), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("item_type", sa.Text(), nullable=False),
        sa.Column("item_id", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("vorex_version", sa.BigInteger(), nullable=False),
        sa.Column("sync_version", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=True),
        sa.Column("starts_at", Moment(), nullable=True),
        sa.Column("ends_at", Moment(), nullable=True),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=True),
        sa.Column("imported_by", sa.Text(), nullable=True),
        sa.Column("read_only_reason", sa.Text(), nullable=True),
        sa.Column("message_source", sa.Text(), nullable=True),
        sa.Column("message_id", sa.Text(), nullable=True),
        sa.Column("message_body", sa.LargeBinary(), nullable=True),
        sa.Column("stored_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("ref", name=op.f("pk_items")),
    )
    op.create_index("ix_items_starts_at", "items", ["tenant_id", "starts_at"], unique=False)
    op.create_index("uq_items_identity", "items", ["tenant_id", "item_type", "item_id"], unique=True)
    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "log_entries",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("item_ref", sa.Text(), nullable=True),
        sa.Column("item_id", sa.Text(), nullable=True),
        sa.Column("item_type", sa.Text(), nullable=True),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=True),
        sa.Column("run_id", sa.String(length=36), nullable=True),
        sa.Column("detail", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_log_entries")),
    )
    op.create_index("ix_log_entries_at", "log_entries", ["at"], unique=False)
    op.create_index("ix_log_entries_page", "log_entries", ["integration_id", "trigger", "id"], unique=False)
    op.create_index("ix_log_entries_run_id", "log_entries", ["run_id", "id"], unique=False)
    op.create_table(
        "outbox",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("exchange", sa.Text(), nullable=False),
        sa.Column("routing_key", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("mandatory", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("sent_at", sa.Double(), nullable=True),
        sa.Column("due_at", sa.Double(), nullable=True),
        sa.Column("letter_id", sa.String(length=36), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
    )
    op.create_index(
        "ix_outbox_due_at",
        "outbox",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("sent_at IS NULL AND due_at IS NOT NULL"),
        postgresql_where=sa.text("sent_at IS NULL AND due_at IS NOT NULL"),
    )
    op.create_index("ix_outbox_sent_at", "outbox", ["sent_at"], unique=False)
    op.create_index(
        "ix_outbox_unsent",
        "outbox",
        ["id"],
        unique=False,
        sqlite_where=sa.text("sent_at IS NULL AND due_at IS NULL"),
        postgresql_where=sa.text("sent_at IS NULL AND due_at IS NULL"),
    )
    op.create_table(
        "suspects",
        sa.Column("consumer", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("crashes", sa.Integer(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("consumer", "message_id", name=op.f("pk_suspects")),
    )
    op.create_table(
        "used_tokens",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_used_tokens")),
    )
    op.create_index("ix_used_tokens_expires_at", "used_tokens", ["expires_at"], unique=False)
    op.create_table(
        "dead_letter_acts",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("letter_id", sa.String(length=36), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["letter_id"], ["dead_letters.id"], name=op.f("fk_dead_letter_acts_letter_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dead_letter_acts")),
    )
    op.create_index("ix_dead_letter_acts_letter_id", "dead_letter_acts", ["letter_id", "id"], unique=False)
    op.create_table(
        "integration_state",
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("last_sync_at", Moment(), nullable=True),
        sa.Column("last_checked_at", Moment(), nullable=True),
        sa.Column("noticed_since", Moment(), nullable=True),
        sa.Column("noticed_at", sa.Double(), nullable=True),
        sa.Column("reading_since", Moment(), nullable=True),
        sa.Column("read_epoch", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("read_until", sa.Double(), nullable=True),
        sa.Column("read_began_at", sa.Double(), nullable=True),
        sa.Column("full_read_at", Moment(), nullable=True),
        sa.Column("delayed_since", Moment(), nullable=True),
        sa.Column("looked_at", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(
            ["integration_id"], ["integrations.id"], name=op.f("fk_integration_state_integration_id")
        ),
        sa.PrimaryKeyConstraint("integration_id", name=op.f("pk_integration_state")),
    )
    op.create_index("ix_integration_state_noticed_at", "integration_state", ["noticed_at"], unique=False)
    op.create_table(
        "item_assignees",
        sa.Column("item_ref", sa.String(length=36), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["item_ref"], ["items.ref"], name=op.f("fk_item_assignees_item_ref")),
        sa.PrimaryKeyConstraint("item_ref", "user_id", name=op.f("pk_item_assignees")),
    )
    op.create_index(
        "ix_item_assignees_user", "item_assignees", ["tenant_id", "user_id", "item_ref"], unique=False
    )
    op.create_table(
        "links",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("item_ref", sa.String(length=36), nullable=False),
        sa.Column("calendar_id", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=True),
        sa.Column("event_uid", sa.Text(), nullable=True),
        sa.Column("series_identifier", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("differs", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("desired_revision", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("desired", sa.JSON(), nullable=True),
        sa.Column("applied_revision", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("applied_hash", sa.Text(), nullable=True),
        sa.Column("exists_there", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("agreed", sa.JSON(), nullable=True),
        sa.Column("last_read", sa.JSON(), nullable=True),
        sa.Column("writes", sa.JSON(), nullable=True),
        sa.Column("read_at", sa.Double(), nullable=True),
        sa.Column("accepted_at", sa.Double(), nullable=True),
        sa.Column("confirmed_at", Moment(), nullable=True),
        sa.Column("event_updated", Moment(), nullable=True),
        sa.Column("may_update", sa.Boolean(), server_default=sa.text("(true)"), nullable=False),
        sa.Column("may_delete", sa.Boolean(), server_default=sa.text("(true)"), nullable=False),
        sa.Column("let_go_print", sa.Text(), nullable=True),
        sa.Column("writer", sa.Text(), nullable=True),
        sa.Column("claimed_by", sa.Text(), nullable=True),
        sa.Column("claim_epoch", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("claimed_until", sa.Double(), nullable=True),
        sa.Column("retry_at", sa.Double(), nullable=True),
        sa.Column("verify_at", sa.Double(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("rewrites", sa.JSON(), nullable=True),
        sa.Column("run_id", sa.String(length=36), nullable=True),
        sa.Column("touched_at", sa.Double(), server_default="0", nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(
            ["integration_id"], ["integrations.id"], name=op.f("fk_links_integration_id")
        ),
        sa.ForeignKeyConstraint(["item_ref"], ["items.ref"], name=op.f("fk_links_item_ref")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_links")),
    )
    op.create_index(
        "ix_links_ended_at",
        "links",
        ["ended_at"],
        unique=False,
        sqlite_where=sa.text("ended_at IS NOT NULL"),
        postgresql_where=sa.text("ended_at IS NOT NULL"),
    )
    op.create_index("ix_links_event_id", "links", ["integration_id", "event_id"], unique=False)
    op.create_index("ix_links_event_uid", "links", ["integration_id", "event_uid"], unique=False)
    op.create_index("ix_links_item_ref", "links", ["item_ref"], unique=False)
    op.create_index(
        "ix_links_unfinished",
        "links",
        ["integration_id", "touched_at"],
        unique=False,
        sqlite_where=sa.text("state IN ('behind', 'retrying')"),
        postgresql_where=sa.text("state IN ('behind', 'retrying')"),
    )
    op.create_index(
        "ix_links_verify_at",
        "links",
        ["verify_at"],
        unique=False,
        sqlite_where=sa.text("verify_at IS NOT NULL"),
        postgresql_where=sa.text("verify_at IS NOT NULL"),
    )
    op.create_index("uq_links_pair", "links", ["integration_id", "calendar_id", "item_ref"], unique=True)
    op.create_table(
        "prior_events",
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("calendar_id", sa.Text(), nullable=False),
        sa.Column("event_key", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["integration_id"], ["integrations.id"], name=op.f("fk_prior_events_integration_id")
        ),
        sa.PrimaryKeyConstraint("integration_id", "calendar_id", "event_key", name=op.f("pk_prior_events")),
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("started_by", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("retrieve", sa.JSON(), nullable=True),
        sa.Column("send", sa.JSON(), nullable=True),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("cursor", sa.JSON(), nullable=True),
        sa.Column("done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("now", sa.Text(), nullable=True),
        sa.Column("found", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created", sa.Integer(), server_default="0", nullable=False),
        sa.Column("updated", sa.Integer(), server_default="0", nullable=False),
        sa.Column("skipped", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failed", sa.Integer(), server_default="0", nullable=False),
        sa.Column("requested_at", Moment(), nullable=False),
        sa.Column("due_at", sa.Double(), nullable=True),
        sa.Column("started_at", Moment(), nullable=True),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("listed", sa.Boolean(), server_default=sa.text("(true)"), nullable=False),
        sa.ForeignKeyConstraint(["integration_id"], ["integrations.id"], name=op.f("fk_runs_integration_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
    )
    op.create_index(
        "ix_runs_due_at",
        "runs",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_index("ix_runs_integration", "runs", ["integration_id", "id"], unique=False)
    op.create_table(
        "deletions",
        sa.Column("link_id", sa.String(length=36), nullable=False),
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("noticed_at", Moment(), nullable=False),
        sa.Column("event_updated", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["link_id"], ["links.id"], name=op.f("fk_deletions_link_id")),
        sa.PrimaryKeyConstraint("link_id", name=op.f("pk_deletions")),
    )
    op.create_index("ix_deletions_integration", "deletions", ["integration_id", "noticed_at"], unique=False)
