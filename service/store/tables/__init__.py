"""The schema, a module for each thing that it keeps.

Ids are UUID text, new ones time-ordered; moments are UTC; claims, leases and the budget are
seconds since 1970 by the database's clock, so that they can be compared inside one statement.
"""

from service.store.tables.columns import Moment, metadata
from service.store.tables.company import company_calendars, company_people
from service.store.tables.dead_letter import bulk_replays, dead_letter_acts, dead_letters
from service.store.tables.integration import (
    credentials,
    integration_state,
    integrations,
    permission_requests,
    tenant_acts,
    watched,
)
from service.store.tables.item import item_assignees, items
from service.store.tables.leaver import leaver_choices, leaver_records
from service.store.tables.link import deletions, disagreements, held_imports, links, prior_events
from service.store.tables.message import attempts, inbox, outbox, suspects, trusted_sources, version_doubts
from service.store.tables.person import consents, revocations, sessions
from service.store.tables.process import (
    budget,
    changes_made,
    leases,
    operation_samples,
    processes,
    schema_generation,
    used_tokens,
    weather,
    weather_reports,
)
from service.store.tables.question import absences, questions
from service.store.tables.run import log_entries, run_changes, run_equals, runs

__all__ = [
    "Moment",
    "absences",
    "attempts",
    "budget",
    "bulk_replays",
    "changes_made",
    "company_calendars",
    "company_people",
    "consents",
    "credentials",
    "dead_letter_acts",
    "dead_letters",
    "deletions",
    "disagreements",
    "held_imports",
    "inbox",
    "integration_state",
    "integrations",
    "item_assignees",
    "items",
    "leases",
    "leaver_choices",
    "leaver_records",
    "links",
    "log_entries",
    "metadata",
    "operation_samples",
    "outbox",
    "permission_requests",
    "prior_events",
    "processes",
    "questions",
    "revocations",
    "run_changes",
    "run_equals",
    "runs",
    "schema_generation",
    "sessions",
    "suspects",
    "tenant_acts",
    "trusted_sources",
    "used_tokens",
    "version_doubts",
    "watched",
    "weather",
    "weather_reports",
]
