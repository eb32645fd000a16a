"""Keeper, pages, inbound and outbox keep to their indexes however large the tables are (DESIGN 10)."""

from datetime import UTC, datetime

import pytest

from contracts.calendar import Trigger
from handlers.runs import span_of
from service.store import (
    Store,
    accounts,
    items,
    journal,
    letters,
    links,
    logs,
    outbox,
    outgoing,
    parting,
    purge,
    replays,
    runs,
    standstill,
    stories,
    tombstones,
)
from tests.builders import an_integration
from tests.support.plans import Query, plans_of

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
SPAN = span_of({"past": "today", "future": "1_week"}, now=LONG_AGO, time_zone="UTC")
WHO, MOVE = an_integration(), parting.Wish(copies="move", calendars=("c",))
LARGE = (
    "inbox",
    "log_entries",
    "links",
    "items",
    "item_assignees",
    "outbox",
    "attempts",
    "dead_letters",
    "runs",
)
QUERIES: dict[str, tuple[Query, str]] = {
    "purge: inbox": (
        lambda connection: purge.forget_inbox(connection, before=1.0, limit=10),
        "ix_inbox_processed_at",
    ),
    "purge: log": (
        lambda connection: purge.forget_log_entries(connection, before=LONG_AGO, limit=10),
        "ix_log_entries_at",
    ),
    "purge: attempts": (
        lambda connection: purge.forget_attempts(connection, before=LONG_AGO, limit=10),
        "ix_attempts_at",
    ),
    "purge: tombstones": (
        lambda connection: tombstones.forget(connection, before=LONG_AGO, limit=10),
        "ix_links_ended_at",
    ),
    "purge: outbox": (
        lambda connection: outbox.forget_sent(connection, before=1.0, limit=10),
        "ix_outbox_sent_at",
    ),
    "keeper: outbox leftovers": (
        lambda connection: outbox.unsent(connection, now=1.0, limit=10),
        "ix_outbox_",
    ),
    "keeper: due runs": (lambda connection: runs.take_due(connection, now=1.0), "ix_runs_due_at"),
    "keeper: runs at a standstill": (
        lambda connection: standstill.rouse(connection, now=LONG_AGO),
        "ix_runs_ended_at",
    ),
    "purge: runs": (
        lambda connection: purge.forget_runs(connection, before=LONG_AGO, limit=10),
        "ix_runs_ended_at",
    ),
    "page: logs, and their export": (
        lambda connection: logs.page(connection, "i", triggers=list(Trigger), before="l", limit=10),
        "ix_log_entries_page",
    ),
    "page: an item's story": (
        lambda connection: stories.entries(connection, ["i", "j"], "r", limit=10),
        "ix_log_entries_page",
    ),
    "page: runs": (
        lambda connection: runs.page(connection, "i", before="r", limit=10),
        "ix_runs_integration",
    ),
    "page: dead letters": (
        lambda connection: letters.page(connection, letters.Matching(state="open"), after="l"),
        "dead_letters",
    ),
    "page: replays under way": (
        lambda connection: replays.progress(connection, tenant="acme", since="a"),
        "ix_outbox_",
    ),
    "pace: replays that wait": (outbox.paced, "ix_outbox_"),
    "inbound: events by their ids": (
        lambda connection: links.of_events(connection, "i", event_ids=["e"], event_uids=["u"]),
        "_links_",
    ),
    "runs: items that begin with an event": (
        lambda connection: items.unlinked(connection, WHO, [LONG_AGO]),
        "_items_",
    ),
    "runs: the next items to send": (
        lambda connection: outgoing.next_items(connection, WHO, SPAN, after="a", limit=10),
        "ix_item_assignees_user",
    ),
    "runs: copies elsewhere": (
        lambda connection: parting.let_go(connection, WHO, MOVE, calendar_id="c", after="", limit=10),
        "uq_links_pair",
    ),
    "runs: copies that follow": (
        lambda connection: parting.unmark(connection, WHO, MOVE, after="", limit=10),
        "_links_",
    ),
    "runs: what was held": (
        lambda connection: accounts.release(connection, "i", limit=10),
        "_links_",
    ),
    "inbox: known messages": (
        lambda connection: journal.known(connection, "c", [("s", "m")]),
        "inbox",
    ),
}


@pytest.mark.parametrize("name", QUERIES)
async def test_what_runs_beside_the_traffic_uses_its_index(store: Store, name: str) -> None:
    """The plan names it, and no large table is read from end to end."""
    query, index = QUERIES[name]
    async with store.begin() as connection:
        plans = await plans_of(connection, query)

    told = "\n".join(plans)
    assert index in told
    whole = {f"SCAN {table}" for table in LARGE}
    assert not [line for line in plans if line.strip() in whole]
    assert not [line for line in plans for table in LARGE if f"Seq Scan on {table} " in line]
