"""The schema, a module for each thing that it keeps.

Ids are UUID text, new ones time-ordered; moments are UTC; claims, leases and the budget are
seconds since 1970 by the database's clock, so that they can be compared inside one statement.
"""

from service.store.tables.columns import Moment, metadata
from service.store.tables.dead_letter import bulk_replays, dead_letter_acts, dead_letters
from service.store.tables.integration import credentials, integration_state, integrations
from service.store.tables.item import item_assignees, items
from service.store.tables.link import deletions, links, prior_events
from service.store.tables.message import attempts, inbox, outbox, suspects
from service.store.tables.process import budget, leases, processes, used_tokens
from service.store.tables.run import log_entries, run_equals, runs

__all__ = [
    "Moment",
    "attempts",
    "budget",
    "bulk_replays",
    "credentials",
    "dead_letter_acts",
    "dead_letters",
    "deletions",
    "inbox",
    "integration_state",
    "integrations",
    "item_assignees",
    "items",
    "leases",
    "links",
    "log_entries",
    "metadata",
    "outbox",
    "prior_events",
    "processes",
    "run_equals",
    "runs",
    "suspects",
    "used_tokens",
]
