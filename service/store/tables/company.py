"""A tenant's company calendar: one consent of its administrator, and each person whom it connects."""

from sqlalchemy import JSON, Boolean, Column, Double, Index, Integer, Table, Text, UniqueConstraint

from service.store.tables.columns import IdColumn, Moment, metadata

company_calendars = Table(
    "company_calendars",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("stage", Text, nullable=False),
    # The account at Cronofy whose tokens lie among the credentials, and whose mailboxes it speaks for.
    Column("sub", Text),
    Column("provider_name", Text),
    Column("domain", Text),
    Column("connected_by", Text),
    Column("connected_at", Moment),
    # SHA-256 of the state that travels through Cronofy, whose it is, and until when it is good.
    Column("state_hash", Text),
    Column("state_by", Text),
    Column("state_session", IdColumn),
    Column("state_until", Double),
    Column("verifier", Text),
    # What people begin with, and which groups of it they may not change.
    Column("event_types", JSON, nullable=False),
    Column("item_types", JSON, nullable=False),
    Column("locked", JSON, nullable=False),
    # While it is being ended: what becomes of the copies, and who ended it.
    Column("copies", Text),
    Column("ended_by", Text),
    UniqueConstraint("state_hash", name="uq_company_calendars_state"),
)

company_people = Table(
    "company_people",
    metadata,
    Column("id", IdColumn, primary_key=True),
    Column("tenant_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("time_zone", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("since", Moment, nullable=False),
    # Why it failed, by a word of a closed set.
    Column("reason", Text),
    Column("attempts", Integer, nullable=False, server_default="0"),
    # When the next step is due; None where none is.
    Column("due_at", Double),
    Column("state_hash", Text),
    # What Cronofy answered, encrypted: first the code, then the grant, of this account and profile.
    Column("answer", Text),
    Column("sub", Text),
    Column("profile", JSON(none_as_null=True)),
    Column("integration_id", IdColumn),
    # When the person saw who connected them.
    Column("told_at", Moment),
    # Which administrator named the mailbox as theirs, and when.
    Column("chosen_by", Text),
    Column("chosen_at", Moment),
    # Whether Vorex, too, says that the mailbox is theirs; None where it has named no address.
    Column("vouched", Boolean),
    UniqueConstraint("tenant_id", "user_id", name="uq_company_people_user"),
    UniqueConstraint("state_hash", name="uq_company_people_state"),
    Index("ix_company_people_due", "due_at"),
    Index("ix_company_people_integration", "integration_id"),
    Index("ix_company_people_tenant", "tenant_id", "id"),
)
