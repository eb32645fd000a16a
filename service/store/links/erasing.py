"""What is kept of a person who asked to be forgotten, found and erased some at a time (R41)."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import Integration, ItemRef
from service.store.engine.sets import among
from service.store.integrations import held_imports
from service.store.integrations.integrations import change
from service.store.links import agreement, watched
from service.store.links import run_changes as run_changes_of
from service.store.questions import absences, questions
from service.store.tables import (
    dead_letter_acts,
    dead_letters,
    deletions,
    integrations,
    items,
    links,
    log_entries,
    prior_events,
    run_changes,
)

ACCOUNTS_A_ROUND = 100


async def due(connection: AsyncConnection) -> Sequence[tuple[str, datetime]]:
    """Integrations that are being erased, those first that were asked for first, each with since when."""
    table = integrations.c
    query = select(table.id, table.erasing_since).where(table.erasing_since.is_not(None))
    rows = await connection.execute(query.order_by(table.erasing_since).limit(ACCOUNTS_A_ROUND))
    return [(row.id, row.erasing_since) for row in rows]


async def lock(connection: AsyncConnection, integration: Integration) -> None:
    mine = integrations.c.id == integration.id
    await connection.execute(select(integrations.c.id).where(mine).with_for_update())


async def items_brought(
    connection: AsyncConnection, integration: Integration, *, limit: int
) -> Sequence[ItemRef]:
    """The next items that the integration brought and whose texts still stand."""
    query = select(items.c.ref).where(items.c.imported_by == integration.id).order_by(items.c.ref)
    return [ItemRef(ref) for ref in await connection.scalars(query.limit(limit))]


async def forget_origin(
    connection: AsyncConnection, integration: Integration, refs: Sequence[ItemRef]
) -> None:
    """Where these items came from is known no more, nor what was logged and buried of them."""
    these = among(connection, items.c.ref, refs)
    await connection.execute(update(items).where(these).values(imported_by=None, read_only_reason=None))
    theirs = select(integrations.c.id).where(
        integrations.c.tenant_id == integration.tenant_id, integrations.c.user_id == integration.user_id
    )
    told = (log_entries.c.integration_id.in_(theirs), among(connection, log_entries.c.item_ref, refs))
    await connection.execute(update(log_entries).where(*told).values(title=None, detail={}))
    # whoever's run changed them: an item is of one tenant, and its texts outlive nobody's request
    await connection.execute(delete(run_changes).where(among(connection, run_changes.c.item_ref, refs)))
    buried = (among(connection, dead_letters.c.item_ref, refs), dead_letters.c.state != "replaying")
    letters = list(await connection.scalars(select(dead_letters.c.id).where(*buried)))
    acts = among(connection, dead_letter_acts.c.letter_id, letters)
    await connection.execute(delete(dead_letter_acts).where(acts))
    await connection.execute(delete(dead_letters).where(among(connection, dead_letters.c.id, letters)))


async def forget_some(connection: AsyncConnection, integration: Integration, *, limit: int) -> int:
    """Pairs, log texts and events that were remembered: at most so many of each; how many."""
    return (
        await _forget_links(connection, integration, limit)
        + await _forget_texts(connection, integration, limit)
        + await _forget_events(connection, integration, limit)
    )


async def _forget_links(connection: AsyncConnection, integration: Integration, limit: int) -> int:
    mine = select(links.c.id).where(links.c.integration_id == integration.id)
    chosen = list(await connection.scalars(mine.order_by(links.c.id).limit(limit).with_for_update()))
    await connection.execute(delete(deletions).where(among(connection, deletions.c.link_id, chosen)))
    await connection.execute(delete(links).where(among(connection, links.c.id, chosen)))
    return len(chosen)


async def _forget_texts(connection: AsyncConnection, integration: Integration, limit: int) -> int:
    mine = (log_entries.c.integration_id == integration.id, log_entries.c.title.is_not(None))
    chosen = list(await connection.scalars(select(log_entries.c.id).where(*mine).limit(limit)))
    these = among(connection, log_entries.c.id, chosen)
    await connection.execute(update(log_entries).where(these).values(title=None, detail={}))
    return len(chosen)


async def _forget_events(connection: AsyncConnection, integration: Integration, limit: int) -> int:
    await run_changes_of.forget_of(connection, integration.id)
    await agreement.forget(connection, integration.id)
    await watched.forget(connection, integration.id)
    await questions.forget_of(connection, integration)
    await absences.forget_of(connection, integration)
    await held_imports.forget_of(connection, integration)
    key = prior_events.c.calendar_id, prior_events.c.event_key
    mine = prior_events.c.integration_id == integration.id
    chosen = (await connection.execute(select(*key).where(mine).limit(limit))).all()
    these = tuple_(*key).in_([tuple(row) for row in chosen])
    await connection.execute(delete(prior_events).where(mine, these))
    return len(chosen)


async def finish(connection: AsyncConnection, integration: Integration) -> None:
    """Nothing of the row names anybody any more; whose list it stands on stays."""
    await change(
        connection,
        integration.id,
        sub=f"erased:{integration.id}",
        profile_id="",
        calendar_id=None,
        channel_id=None,
        listed_calendars=None,
        erasing_since=None,
    )
