"""Who is signed in, whom Vorex has shown out, and which permissions are on their way from Cronofy (R45)."""

from sqlalchemy import JSON, Column, Double, Index, PrimaryKeyConstraint, Table, Text

from service.store.tables.columns import IdColumn, metadata

sessions = Table(
    "sessions",
    metadata,
    Column("id", IdColumn, primary_key=True),
    # SHA-256 of what the cookie holds: whoever reads this table can sign in as nobody.
    Column("key_hash", Text, nullable=False),
    Column("tenant_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("time_zone", Text, nullable=False),
    Column("device", Text, nullable=False),
    # When Vorex made the token that opened it, where the token says so.
    Column("issued_at", Double),
    Column("since", Double, nullable=False),
    Column("seen_at", Double, nullable=False),
    Column("until", Double, nullable=False),
    # R49: how the person writes times, as far as Vorex said so.
    Column("locale", Text),
    Column("hour_cycle", Text),
    Column("week_start", Text),
    # SHA-256 of the address that Vorex named, in small letters.
    Column("email_hash", Text),
    Index("uq_sessions_key_hash", "key_hash", unique=True),
    Index("ix_sessions_person", "tenant_id", "user_id"),
    Index("ix_sessions_until", "until"),
)

revocations = Table(
    "revocations",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("revoked_at", Double, nullable=False),
    PrimaryKeyConstraint("tenant_id", "user_id"),
    Index("ix_revocations_revoked_at", "revoked_at"),
)

consents = Table(
    "consents",
    metadata,
    Column("id", IdColumn, primary_key=True),
    # SHA-256 of the state that travels through Cronofy.
    Column("state_hash", Text, nullable=False),
    Column("tenant_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("time_zone", Text, nullable=False),
    # Who may bring it back: a session, or else the browser with the key of this hash.
    Column("session_id", IdColumn),
    Column("browser_hash", Text),
    # What proves to Cronofy that who began also ends it (PKCE).
    Column("verifier", Text, nullable=False),
    # R22: the integration that the person came to reconnect, whose account is expected.
    Column("reconnects", IdColumn),
    Column("stage", Text, nullable=False),
    Column("expires_at", Double, nullable=False),
    # What Cronofy granted: whose calendar it is, and the tokens, encrypted.
    Column("sub", Text),
    Column("profile", JSON),
    Column("granted", Text),
    Index("uq_consents_state_hash", "state_hash", unique=True),
    Index("ix_consents_person", "tenant_id", "user_id"),
    Index("ix_consents_expires_at", "expires_at"),
    Index("ix_consents_sub", "sub"),
)
