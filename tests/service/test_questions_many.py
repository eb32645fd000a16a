"""Questions to dispatchers where there are many: each is asked, and asking costs a bounded number (R52)."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, insert, select, text, update

from contracts.calendar import ItemRef, item_ref
from contracts.vorex import ItemType
from handlers.questions.standing import AbsenceSpan
from service.integrations.questions.due import MOST_OVERLAPS
from service.integrations.questions.rounds import QUESTION_CHUNKS_A_ROUND, QuestionRounds
from service.integrations.questions.tending import QUESTIONS_A_CHUNK, tend_integration
from service.store.engine.store import Store
from service.store.integrations import integrations as integration_rows
from service.store.items import items
from service.store.questions.absences import MOST_ABSENCES, forget_past, note, overlapping
from service.store.questions.questions import IS_OPEN
from service.store.tables import absences, integrations, links, outbox, questions
from service.store.tables import items as items_table
from tests.builders import an_item
from tests.support.locks import until_blocked
from tests.support.questioned import AWAY, NINE, TEN, asked, call, facts, standing, tend
from tests.support.two_people_with_runs import TwoPeopleWithRuns, two_people_with_runs

ONE_MINUTE = timedelta(minutes=1)


@pytest.fixture
async def ann(sqlite_url: str) -> AsyncIterator[TwoPeopleWithRuns]:
    async with two_people_with_runs(sqlite_url) as built:
        yield built


async def theirs(ann: TwoPeopleWithRuns, user: str) -> dict[str, Any]:
    (row,) = await ann.rows(integrations, integrations.c.user_id == user)
    return dict(row)


async def calls(
    ann: TwoPeopleWithRuns, user: str, many: int, *, first: str, state: str = "let_go", **changes: Any
) -> None:
    """So many service calls of that technician, linked and, where they are let go, in question."""
    integration, tenant = await theirs(ann, user), changes.pop("tenant_id", "acme")
    now = ann.home.clock.now()
    assignees = changes.pop("assignees", (user,))
    stored, linked = [], []
    for number in range(many):
        name = f"{first}-{number:04}"
        ref = ItemRef(item_ref(tenant, ItemType.SERVICE_CALL, name))
        item = an_item(
            id=name, type=ItemType.SERVICE_CALL, ref=ref, tenant_id=tenant, start=NINE, end=TEN,
            assignees=assignees, **changes,
        )  # fmt: skip
        link = {
            "id": f"{first}{number:035}", "integration_id": integration["id"], "item_ref": ref,
            "calendar_id": integration["calendar_id"], "origin": "ours", "state": state, "created_at": now,
            "code": "questioned" if state == "let_go" else None,
        }  # fmt: skip
        stored.append((item, None))
        linked.append(link)
    async with ann.home.store.begin() as connection:
        await items.save(connection, stored, now=now)
        await connection.execute(insert(links), linked)


@pytest.mark.parametrize(
    ("before", "also"),
    [
        pytest.param({"completed": True}, 0, id="done"),
        pytest.param({"deleted": True}, 0, id="deleted"),
        pytest.param({"assignees": ("carol",)}, 0, id="somebody else's"),
        pytest.param({}, QUESTIONS_A_CHUNK + 1, id="to be asked, too"),
    ],
)
async def test_r52_however_many_of_one_tenant_are_before_it_another_tenants_is_asked(
    ann: TwoPeopleWithRuns, before: dict[str, Any], also: int
) -> None:
    """In one round of the keeper."""
    async with ann.home.store.begin() as connection:
        other = integrations.c.user_id == "bob"
        await connection.execute(update(integrations).where(other).values(tenant_id="globex"))
    await calls(ann, "ann", QUESTIONS_A_CHUNK + 1, first="0", **before)
    await calls(ann, "bob", 1, first="9", tenant_id="globex")

    await tend(ann)
    await tend(ann)

    tenants = [one.tenant_id for one in await asked(ann)]
    assert (tenants.count("acme"), tenants.count("globex")) == (also, 1)


async def test_r52_a_round_is_short_and_the_next_goes_on_where_it_ended(ann: TwoPeopleWithRuns) -> None:
    """Whoever waits long keeps nobody else waiting."""
    rounds = QuestionRounds(ann.home.store, chunk=2)
    await calls(ann, "ann", 2 * QUESTION_CHUNKS_A_ROUND + 1, first="0")
    await rounds.round()
    assert len(await asked(ann)) == 2 * QUESTION_CHUNKS_A_ROUND
    await rounds.round()

    assert len(await asked(ann)) == 2 * QUESTION_CHUNKS_A_ROUND + 1


async def test_r52_r44_what_cannot_be_judged_holds_up_no_other_question(ann: TwoPeopleWithRuns) -> None:
    """One whose call cannot be read stands for whatever may fail."""
    await calls(ann, "ann", 3, first="0")
    await calls(ann, "bob", 2, first="9")
    async with ann.home.store.begin() as connection:
        broken = items_table.c.item_id == "0-0001"
        await connection.execute(update(items_table).where(broken).values(content={"type": 1}))

    await tend(ann)

    assert sorted(one.user_id for one in await asked(ann)) == ["ann", "ann", "bob", "bob"]


async def test_r52_nobody_waits_for_a_round_that_has_nothing_to_write(ann: TwoPeopleWithRuns) -> None:
    """On SQLite no other may write meanwhile; here another one is at it."""
    await calls(ann, "ann", 2, first="0", state="agreed")
    await keep(ann, {"uid": away(0)})
    await calls(ann, "ann", 2, first="1")
    await tend(ann)
    before = await asked(ann)
    async with ann.home.store.begin(), asyncio.timeout(20):
        await tend(ann)

    assert await asked(ann) == before
    assert [one.state for one in before] == ["open"] * 4


async def test_r52_open_questions_are_found_without_the_settled_ones(ann: TwoPeopleWithRuns) -> None:
    """Those are kept for months."""
    async with ann.home.store.read() as connection:
        query = select(questions.c.id).where(IS_OPEN, questions.c.id > "1").order_by(questions.c.id)
        words = str(query.compile(connection.engine, compile_kwargs={"literal_binds": True}))
        plan = (await connection.execute(text(f"EXPLAIN QUERY PLAN {words}"))).all()

    assert "ix_questions_open" in str(plan)


async def test_r52_however_many_overlaps_were_answered_a_later_call_is_asked_about(
    ann: TwoPeopleWithRuns,
) -> None:
    """Answers are kept for long, and those calls lie before it."""
    await calls(ann, "ann", MOST_OVERLAPS, first="0", state="agreed")
    await keep(ann, {"uid": away(0)})
    mine = (await theirs(ann, "ann"))["id"]
    async with ann.home.store.begin() as connection:
        await tend_integration(connection, mine, now=ann.home.clock.now())
        await connection.execute(update(questions).values(state="answered", answer="leave"))
    await calls(ann, "ann", 1, first="9", state="agreed")

    async with ann.home.store.begin() as connection:
        await tend_integration(connection, mine, now=ann.home.clock.now())

    found = await asked(ann)
    assert (len(found), [one.link_id[0] for one in found if one.state == "open"]) == (
        MOST_OVERLAPS + 1,
        ["9"],
    )


def away(number: int) -> AbsenceSpan:
    """One that overlaps calls from nine to ten; each begins later than the one before."""
    return NINE - timedelta(hours=8) + number * ONE_MINUTE, TEN


async def keep(ann: TwoPeopleWithRuns, absent: dict[str, AbsenceSpan]) -> None:
    row = await theirs(ann, "ann")
    async with ann.home.store.begin() as connection:
        loaded = await integration_rows.load(connection, [row["id"]])
        await note(connection, loaded[row["id"]], absent, ())


async def test_r52_of_one_calendar_a_bounded_number_of_absences_is_kept(ann: TwoPeopleWithRuns) -> None:
    """Those that begin first, however they come."""
    spans = {f"uid-{number:04}": away(number) for number in range(MOST_ABSENCES + 20)}
    later = dict(list(spans.items())[20:])
    await keep(ann, later)
    await keep(ann, dict(list(spans.items())[:20]))

    kept = sorted(row["event_uid"] for row in await ann.rows(absences))

    assert kept == sorted(spans)[:MOST_ABSENCES]


async def test_r52_of_many_absences_and_calls_each_call_is_found_once_with_the_earliest(
    ann: TwoPeopleWithRuns,
) -> None:
    """At most as many as are wanted, the next calls first."""
    await calls(ann, "ann", 30, first="0", state="agreed")
    await keep(ann, {f"uid-{number:04}": away(number) for number in range(40)})

    async with ann.home.store.read() as connection:
        now = ann.home.clock.now()
        all_of_them = await overlapping(connection, now=now, limit=MOST_OVERLAPS)
        some = await overlapping(connection, now=now, limit=7)

    assert len(all_of_them) == 30
    assert {one.absence for one in all_of_them} == {away(0)}
    assert some == all_of_them[:7]


async def test_r52_an_absence_that_is_moved_again_and_again_is_one_question_of_each_call(
    ann: TwoPeopleWithRuns,
) -> None:
    """It says where the absence is by now; nothing is closed, asked or told anew."""
    await calls(ann, "ann", 5, first="0", state="agreed")
    mine = (await theirs(ann, "ann"))["id"]
    for number in range(6):
        await keep(ann, {"uid": away(number)})
        async with ann.home.store.begin() as connection:
            await tend_integration(connection, mine, now=ann.home.clock.now())
        await tend(ann)

    found = await asked(ann)
    assert [(one.state, one.found_starts) for one in found] == [("open", "2026-12-03T01:05:00Z")] * 5
    async with ann.home.store.read() as connection:
        told = select(func.count()).where(outbox.c.routing_key == "assignment.questioned")
        assert await connection.scalar(told) == 5


async def test_r52_an_absence_moved_to_where_it_was_answered_of_asks_nobody(ann: TwoPeopleWithRuns) -> None:
    """What was answered counts for these two times, and one moved off the call closes its question."""
    await call(ann)
    uid = ann.add_event(**AWAY, extended_transparency="out_of_office")
    await ann.people.rest()
    ann.people.world.change_event(ann.calendar, uid, start="2026-12-03T01:00:00Z")
    await ann.people.rest(reads=False)
    await tend(ann)
    (one,) = await asked(ann)
    assert (one.state, one.found_starts) == ("open", "2026-12-03T01:00:00Z")
    ann.people.world.change_event(ann.calendar, uid, start="2026-12-03T12:00:00Z")
    await ann.people.rest(reads=False)
    await tend(ann)

    assert await standing(ann) == [("out_of_office", "closed", "not_out_of_office")]
    assert len(await facts(ann)) == 1


def test_r52_the_absences_of_these_tests_are_in_the_way_of_their_calls() -> None:
    assert away(0)[0] == datetime(2026, 12, 3, 1, tzinfo=UTC)
    assert all(away(number)[0] < away(number)[1] for number in range(MOST_ABSENCES + 20))


@pytest.mark.postgresql
async def test_r52_an_absence_that_is_moved_while_old_ones_are_forgotten_stays(
    postgresql_url: str,
) -> None:
    """It is looked at again behind whoever moves it."""
    store = Store(postgresql_url)
    await store.upgrade()
    here = {"integration_id": "0", "calendar_id": "0", "starts_at": NINE, "ends_at": TEN}
    async with store.begin() as connection:
        await connection.execute(insert(absences), [here | {"event_uid": uid} for uid in ("old", "moved")])

    async def forget() -> int:
        async with store.begin() as connection:
            return await forget_past(connection, before=TEN + ONE_MINUTE, limit=10)

    async with store.begin() as connection:
        later = update(absences).where(absences.c.event_uid == "moved").values(ends_at=TEN + 2 * ONE_MINUTE)
        await connection.execute(later)
        forgetting = asyncio.create_task(forget())
        await until_blocked(store, forgetting)

    assert await forgetting == 1
    async with store.read() as connection:
        assert (await connection.scalars(select(absences.c.event_uid))).all() == ["moved"]
    await store.close()
