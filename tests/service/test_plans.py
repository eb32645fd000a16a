"""However large the tables are, nobody reads one from end to end: the planners' own choices."""

import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, insert, make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import item_ref
from contracts.vorex import Action, ItemContent
from service.keeper import (
    CHUNKS_A_ROUND,
    ROWS_A_CHUNK,
    bulk_replays,
    daily_reads,
    delays,
    due_runs,
    forgetting,
    lost_calendars,
    old_account_names,
    old_tombstones,
    runs_at_a_standstill,
    unread_notices,
)
from service.store.engine.store import Store
from service.store.integrations import channels, listing, reads
from service.store.integrations import delays as delays_of
from service.store.tables import item_assignees, items
from tests.benchmarks.pages import addresses
from tests.support.clock import ManualClock
from tests.support.grown import ITEM, fill
from tests.support.hot_queries import QUERIES
from tests.support.office import Office, open_office
from tests.support.one_person import NINE, TEN
from tests.support.pages import BROWSER
from tests.support.plans import watching
from tests.support.postgresql import PostgreSQL
from tests.support.two_people_with_runs import two_people_with_runs
from tests.support.waiting import elsewhere

WHO = "u-20"
"""One of the people of the grown tables, at the tenant of the tests."""
LUNCH = {
    "id": "lunch", "type": "appointment", "title": "Lunch", "start": NINE, "end": TEN, "assignees": ["ann"],
}  # fmt: skip
A_WEEK = {"past": "1_week", "future": "1_week"}
COUNTED = "SELECT dead_letters.state, count(*)"
"""The tabs above the dead letters say how many there are, and nobody has so many of them as of messages."""
AT_REST = (
    "UPDATE links SET state = 'agreed', code = NULL, verify_at = NULL, moving = false",
    "UPDATE runs SET state = 'done', ended_at = requested_at, due_at = NULL WHERE ended_at IS NULL",
    "DELETE FROM outbox WHERE sent_at IS NULL",
)


async def _filled(url: str) -> None:
    store = Store(url)
    await fill(store)
    await store.close()


@pytest.fixture(scope="module")
def grown_sqlite(_prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with years of traffic in it."""
    path = tmp_path_factory.mktemp("grown") / "calendar-sync.db"
    shutil.copyfile(_prepared, path)
    elsewhere(_filled(f"sqlite+aiosqlite:///{path}"))
    return path


@pytest.fixture(scope="module")
def grown_postgresql(_postgresql: PostgreSQL, _template: str) -> str:
    """A database with the same in it."""
    name = elsewhere(_postgresql.fresh(template=_template))
    elsewhere(_filled(_postgresql.url(name)))
    return name


@pytest.fixture
def copied_sqlite(grown_sqlite: Path, new_sqlite_url: str) -> str:
    shutil.copyfile(grown_sqlite, make_url(new_sqlite_url).database or "")
    return new_sqlite_url


@pytest.fixture
async def copied_postgresql(postgresql: PostgreSQL, grown_postgresql: str) -> AsyncIterator[str]:
    name = await postgresql.fresh(template=grown_postgresql)
    yield postgresql.url(name)
    await postgresql.drop(name)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def grown(request: pytest.FixtureRequest) -> str:
    """The address of a database of its own, grown, once of each engine."""
    return str(request.getfixturevalue(f"copied_{request.param}"))


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Store]:
    store = Store(url, clock=ManualClock())
    yield store
    await store.close()


@pytest.mark.parametrize(
    "careless",
    [
        "SELECT id FROM links WHERE code = 'refused'",
        "SELECT count(*) FROM inbox",
        "DELETE FROM log_entries WHERE title = 'x'",
    ],
)
async def test_a_statement_without_an_index_is_noticed(grown: str, careless: str) -> None:
    """What the other tests look for can be found."""
    async with opened(grown) as store:
        with watching(store) as watch:
            async with store.begin() as connection:
                await connection.execute(text(careless))

    assert list(watch.bad) == [careless]


async def test_what_is_asked_beside_the_traffic_is_answered_from_an_index(grown: str) -> None:
    """Each from one that is meant for it."""
    wrong = {}
    async with opened(grown) as store:
        for name, (query, indexes) in QUERIES.items():
            with watching(store) as watch:
                async with store.begin() as connection:
                    await query(connection)
            if watch.bad or not any(index in watch.told() for index in indexes):
                wrong[name] = f"{watch.complaints()}\n{watch.told()}"

    assert not wrong, "\n\n".join(f"{name}:\n{why}" for name, why in wrong.items())


async def test_no_page_and_no_export_reads_a_table_from_end_to_end(grown: str) -> None:
    """Those of somebody who is an operator as well, one after the other."""
    wrong = {}
    async with open_office(grown) as office:
        known = await _known(office)
        await office.sign_in(WHO, role="operator", name="Sam")
        at = f"/calendar-sync/{known['integration']}/logs.csv?trigger="
        exports = {f"{word}, exported": f"{at}{word}" for word in ("run", "real_time", "all")}
        for name, path in {**addresses(known), **exports}.items():
            with watching(office.store) as watch:
                answer = await office.client.get(path, headers=BROWSER)
            assert answer.status_code == 200, f"{path}: {answer.status_code}"
            watch.bad = {one: why for one, why in watch.bad.items() if not one.startswith(COUNTED)}
            if watch.bad:
                wrong[name] = watch.complaints()

    assert not wrong, "\n\n".join(f"{name}:\n{why}" for name, why in wrong.items())


async def _known(office: Office) -> dict[str, str]:
    """What the addresses of the pages name: a linked calendar, an item, a run, a letter."""
    integration_id = await office.finished(WHO)
    async with office.store.begin() as connection:
        theirs = await connection.scalar(
            text("SELECT id FROM integrations WHERE user_id = :who AND sub LIKE 'sub-%'"), {"who": WHO}
        )
        for table in ("log_entries", "runs"):
            took = text(f"UPDATE {table} SET integration_id = :ours WHERE integration_id = :theirs")
            await connection.execute(took, {"ours": integration_id, "theirs": theirs})
        moment = office.clock.now()
        await _add_item(connection, moment)
        first, ours = "SELECT min(id) FROM {} WHERE {}".format, f"integration_id = '{integration_id}'"
        return {
            "integration": integration_id, "day": moment.isoformat(), "item": "mine",
            "run": await connection.scalar(text(first("runs", f"{ours} AND kind = 'sync_now'"))),
            "far": await connection.scalar(text(first("log_entries", ours))),
            "letter": await connection.scalar(text(first("dead_letters", "tenant_id = 'acme'"))),
        }  # fmt: skip


async def _add_item(connection: AsyncConnection, moment: datetime) -> None:
    """One that its page can show."""
    row: dict[str, Any] = {
        "ref": item_ref("acme", "task", "mine"), "tenant_id": "acme", "item_type": "task", "item_id": "mine",
        "version": 1, "vorex_version": 1, "sync_version": 0, "revision": 1, "deleted": False,
        "content": json.loads(ITEM) | {"assignees": [WHO]},
        **dict.fromkeys(("starts_at", "ends_at", "changed_at", "stored_at"), moment),
    }  # fmt: skip
    await connection.execute(insert(items), [row])
    owned = {"item_ref": row["ref"], "tenant_id": "acme", "user_id": WHO}
    await connection.execute(insert(item_assignees), [owned])


async def test_no_change_notice_or_run_reads_a_table_from_end_to_end(grown: str) -> None:
    """Both ways, with a run over everything, another calendar's copies and a deletion at the end."""
    async with opened(grown) as store, store.begin() as connection:
        for statement in AT_REST:
            await connection.execute(text(statement))
    async with two_people_with_runs(grown) as place:
        with watching(place.home.store) as watch:
            await place.people.say(ItemContent.from_json_dict(LUNCH), action=Action.CREATED)
            place.add_event("Theirs")
            await place.rest()
            await place.start("sync_now", retrieve=A_WEEK, send=A_WEEK)
            await place.rest()
            await place.people.say(
                ItemContent.from_json_dict(LUNCH | {"title": "A late lunch"}), action=Action.UPDATED
            )
            await place.rest()
            await place.delete("remove")
            await place.rest()

    assert not watch.bad, watch.complaints()


async def test_no_chore_of_the_keeper_reads_a_table_from_end_to_end(grown: str) -> None:
    """And none changes more than its share in a round, a thousand rows a statement at most."""
    wrong, most = {}, 0
    async with opened(grown) as store:
        for chore in (
            unread_notices(Nobody()),
            due_runs(store),
            bulk_replays(store),
            runs_at_a_standstill(store),
            daily_reads(store),
            delays(store),
            lost_calendars(store, Nobody().catch_up),
            old_tombstones(store),
            old_account_names(store),
            *forgetting(store, inbox_days=30, log_days=90),
        ):
            with watching(store) as watch, counting(store) as changed:
                await chore.work()
            if watch.bad:
                wrong[chore.name] = watch.complaints()
            most = max(most, max(changed, default=0))
            assert sum(changed) <= ROWS_A_CHUNK * CHUNKS_A_ROUND, chore.name

    assert not wrong, "\n\n".join(f"{name}:\n{why}" for name, why in wrong.items())
    assert most == ROWS_A_CHUNK


@contextmanager
def counting(store: Store) -> Iterator[list[int]]:
    """How many rows each statement changes."""
    changed: list[int] = []

    def after(_connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.lstrip().startswith(("UPDATE", "DELETE")):
            changed.append(cursor.rowcount)

    engine = store.engine.sync_engine
    event.listen(engine, "after_cursor_execute", after)
    try:
        yield changed
    finally:
        event.remove(engine, "after_cursor_execute", after)


KEEPERS_LOOKS: Mapping[str, Callable[[AsyncConnection], Awaitable[Any]]] = {
    "unread notices": lambda c: reads.unread(c, now=1.0),
    "channels that are missing": channels.without_channel,
    "calendars that are lost": lambda c: listing.take_lost(c, before=1.0, now=1.0, limit=10),
    "delays": delays_of.marked,
}


async def test_the_keeper_finds_what_it_looks_after_without_a_look_at_every_integration(grown: str) -> None:
    """However many people there are, those for whom nothing is to be done cost nothing."""
    wrong = {}
    async with opened(grown) as store:
        for name, look in KEEPERS_LOOKS.items():
            with watching(store, large={"integrations", "integration_state"}) as watch:
                async with store.begin() as connection:
                    await look(connection)
            watch.bad = {one: why for one, why in watch.bad.items() if one.startswith("SELECT")}
            if watch.bad:
                wrong[name] = watch.complaints()

    assert not wrong, "\n\n".join(f"{name}:\n{why}" for name, why in wrong.items())


class Nobody:
    """Reads nothing."""

    async def pending(self) -> list[tuple[str, str]]:
        return []

    async def catch_up(self, integration_id: str) -> None: ...
