"""The outbound engine's hot queries use an index on both engines (DESIGN 10)."""

import pytest
from sqlalchemy import literal

from contracts.calendar import IntegrationId
from service.store import Store, dead_letters
from service.store import outbound as rows
from service.store.dead_letters import NewLetter
from tests.support.plans import Query, plans_of

LETTER = NewLetter(
    queue="q", source="s", message_id="m", code="malformed", reason="", routing_key="", headers={}, body=b""
)
QUERIES: dict[str, tuple[Query, set[str]]] = {
    "a lane's backlog": (
        lambda connection: rows.backlog(connection, IntegrationId("i"), now=1.0, limit=10),
        {"ix_links_unfinished"},
    ),
    "neglected links": (
        lambda connection: rows.neglected(connection, now=1.0, limit=10),
        {"ix_links_unfinished", "ix_links_verify_at"},
    ),
    "links of items": (lambda connection: rows.of_items(connection, ["r"]), {"ix_links_item_ref"}),
    "the re-check": (
        lambda connection: rows.check(connection, ["l"], me="me", clock=literal(1.0)),
        {"pk_links", "autoindex_links"},
    ),
    "a message's open letters": (
        lambda connection: dead_letters.unsettled(connection, [LETTER]),
        {"ix_dead_letters_message"},
    ),
    "a message's attempts": (
        lambda connection: dead_letters.attempts_at(connection, [LETTER]),
        {"pk_attempts", "autoindex_attempts"},
    ),
    "links that others hold": (
        lambda connection: rows.standing(connection, ["l"], me="me", now=1.0),
        {"pk_links", "autoindex_links"},
    ),
}


@pytest.mark.parametrize("name", QUERIES)
async def test_hot_queries_use_their_index(store: Store, name: str) -> None:
    """The plan names it, and no large table is read from end to end."""
    query, indexes = QUERIES[name]
    async with store.begin() as connection:
        plans = await plans_of(connection, query)

    told = "\n".join(plans)
    assert any(index in told for index in indexes)
    assert not [line for line in plans if line.strip() == "SCAN links" or "Seq Scan on links" in line]
