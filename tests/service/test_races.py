"""Changes that come while a read or a run is under way, each met where it hurts most (R19, R21, R25)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, text, update

from contracts.calendar import LinkState
from contracts.cronofy import EventsPage, EventsQuery
from contracts.cronofy_accounts import UserInfo
from contracts.envelope import RunRequested
from contracts.messages import RunData
from contracts.ports import Turn
from handlers.texts.compose import compose
from service.consumers.failures import ReceivedMessage
from service.consumers.inbound.held_deletions import HeldDeletions
from service.consumers.inbound.pages import PageWriter
from service.cronofy.gateway import CronofyGateway
from service.integrations.undoing.answers import AnswerGiven
from service.store.engine.ids import new_id
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations import integrations, listing, reads
from service.store.integrations.listing import Owner
from service.store.items import items
from service.store.links import links
from service.store.runs import runs
from service.store.tables import deletions
from service.store.tables import links as links_table
from tests.support.one_person import ELEVEN, TEN, OnePerson, one_person
from tests.support.waiting import until


@pytest.fixture
async def rows(postgresql_url: str) -> AsyncIterator[OnePerson]:
    """On the engine where two transactions can write at the same time."""
    async with one_person(postgresql_url) as built:
        yield built


class Interrupted:
    """Cronofy, with something happening once between two pages."""

    def __init__(self, gateway: CronofyGateway, between: Callable[[], Awaitable[None]]) -> None:
        self._gateway, self._between = gateway, between

    async def first_page(self, sub: str, query: EventsQuery, *, turn: Turn) -> EventsPage:
        return await self._gateway.first_page(sub, query, turn=turn)

    async def next_page(self, sub: str, url: str, *, turn: Turn) -> EventsPage:
        between, self._between = self._between, _nothing
        await between()
        return await self._gateway.next_page(sub, url, turn=turn)

    async def userinfo(self, sub: str, *, turn: Turn) -> UserInfo:
        return await self._gateway.userinfo(sub, turn=turn)


async def test_r19_a_change_in_vorex_between_two_pages_outlives_a_deletion_there(home: OnePerson) -> None:
    """The deletion was judged with the first page and is carried out with the last one."""
    mine = await home.integration()
    uid = home.add_event(mine, "Visit")
    await home.changed(mine)
    home.world.delete_event(home.calendars[mine], uid)
    home.add_event(mine, "Later", start=TEN, end=ELEVEN)
    home.world.faults.change(page_size=1)

    async def vorex_changes() -> None:
        item = next(one for one in await home.items() if one.content and one.content.title == "Visit")
        (link,) = [one for one in await home.links() if one.item_ref == item.ref]
        assert item.content is not None
        content = item.content.model_copy(update={"title": "Second visit"})
        changed = replace(item, version=2, vorex_version=2, revision=2, content=content, changed_by=None)
        behind = replace(link, state=LinkState.BEHIND, desired_revision=2, desired=compose(content))
        async with home.store.begin() as connection:
            await items.save(connection, [(changed, None)], now=home.clock.now())
            await links.save(connection, [behind], touched_at=0.0)

    between = Interrupted(home.cronofy.gateway, vorex_changes)
    reader = home.reader_over(between)
    await home.world.advance(5)
    async with home.store.begin() as connection:
        now = home.clock.now()
        await reads.notice(connection, mine, now - timedelta(hours=1), now=now.timestamp())
    await reader.catch_up(mine)

    assert [one.content.title for one in await home.items() if one.content] == ["Later", "Second visit"]


async def _nothing() -> None: ...


@asynccontextmanager
async def _holding(store: Store) -> AsyncIterator[AsyncConnection]:
    """A transaction that does not wait for long."""
    async with store.begin() as connection:
        await connection.execute(text("SET LOCAL lock_timeout = '2s'"))
        yield connection


async def _blocked(store: Store, task: "asyncio.Task[Any]") -> None:
    async def waiting() -> bool:
        async with store.read() as connection:
            count = await connection.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted"))
        return task.done() or bool(count)

    await until(waiting, what="the other transaction's wait")


@pytest.mark.postgresql
async def test_r21_a_page_under_way_brings_nothing_to_a_deleted_integration(rows: OnePerson) -> None:
    """Its pairs would belong to nobody, and linking again would double them."""
    mine = await rows.integration()
    rows.add_event(mine, "Visit")
    async with _holding(rows.store) as connection:
        await listing.lock(connection, mine)
        await integrations.change(connection, mine, active=False, deleted_at=rows.clock.now())
        reading = asyncio.create_task(rows.changed(mine))
        await _blocked(rows.store, reading)
    await reading

    assert await rows.items() == []


@pytest.mark.postgresql
async def test_r25_the_last_step_of_a_run_and_its_owner_do_not_lock_each_other_out(rows: OnePerson) -> None:
    """Whoever cancels or deactivates holds the integration first and its runs afterwards."""
    mine = await rows.integration()
    week = {"past": "1_week", "future": "1_week"}
    run_id = await rows.run_steps(mine, retrieve=week, steps=1)
    data = RunData(run_id=run_id, integration_id=mine, step=1)
    message = RunRequested.of(data, id=new_id(), time=rows.clock.now())
    async with _holding(rows.store) as connection:
        await listing.lock(connection, mine)
        step = asyncio.create_task(rows.runs(ReceivedMessage(message=message)))
        await _blocked(rows.store, step)
        run = await runs.find(connection, run_id, lock=True)
    await step

    assert run is not None
    assert not run.ended


@pytest.mark.postgresql
async def test_r11_an_answer_about_deletions_locks_what_everybody_locks_in_the_same_order(
    rows: OnePerson,
) -> None:
    """Items first, then the integration: a page that holds the one can go on to the other."""
    mine = await rows.integration()
    rows.add_event(mine, "Visit")
    await rows.changed(mine)
    (item,) = await rows.items()
    async with rows.store.begin() as connection:
        (link,) = await connection.scalars(select(links_table.c.id))
        await connection.execute(
            update(links_table).values(state="held", code="held_deletion", exists_there=False)
        )
        row = {"link_id": link, "integration_id": mine, "state": "held", "noticed_at": rows.clock.now()}
        await connection.execute(insert(deletions).values(**row))
    owner = Owner(tenant_id=item.tenant_id, user_id=item.assignees[0])
    held = HeldDeletions(rows.store, PageWriter(rows.store))
    async with _holding(rows.store) as connection:
        await items.load(connection, [item.ref], lock=True)
        answering = asyncio.create_task(held.settle(owner, mine, "keep", AnswerGiven(by="u-17")))
        await _blocked(rows.store, answering)
        await integrations.load(connection, [mine], lock=True)
    assert (await answering).count == 1


@pytest.mark.postgresql
async def test_a_notice_is_not_served_by_a_read_that_began_without_it(rows: OnePerson) -> None:
    """It came while that read was beginning, and speaks of changes that the read does not ask for."""
    mine = await rows.integration()
    rows.add_event(mine, "Visit")
    await rows.world.advance(600)
    async with _holding(rows.store) as connection:
        await connection.execute(text("SELECT 1 FROM integration_state FOR UPDATE"))
        noticing = asyncio.create_task(rows.notice(mine, since=rows.clock.now() - timedelta(hours=1)))
        await _blocked(rows.store, noticing)
        await rows.world.advance(5)
        await reads.notice(connection, mine, rows.clock.now(), now=rows.clock.now().timestamp())
        turn = await reads.take_turn(connection, mine, now=rows.clock.now().timestamp())
        assert turn is not None
        await reads.end_turn(connection, turn, at=rows.clock.now())
        await rows.world.advance(1)
    await noticing

    assert [one.content.title for one in await rows.items() if one.content] == ["Visit"]
