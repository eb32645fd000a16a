"""One tenant's ten thousand dead letters cost another's operators nothing, whatever they do (R44).

Counted are rows and instructions of the database, never seconds.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import insert, select, text

from contracts.envelope import LARGEST_BODY
from service.operations import DeadLetters, LetterFilter, LetterReader
from service.operations.history import History
from service.store.engine.ids import new_id
from service.store.engine.store import Store
from service.store.messages import dead_letters as letter_rows
from service.store.messages.burying import bury
from service.store.messages.ownership import owner_of
from service.store.tables import dead_letter_acts, dead_letters, outbox
from tests.support.clock import START
from tests.support.counted_steps import counting
from tests.support.letters import a_body, a_letter

OWN = 40
FLOOD = 10_000
MOST = 2.0
"""Times the work that the same takes without the flood."""
ALL = LetterFilter()
OPEN = LetterFilter(state="open")


def desk_of(store: Store, tenant: str = "acme") -> DeadLetters:
    return DeadLetters(store, who="olga", reader=LetterReader(tenant_id=tenant, user_id="olga"))


async def buried(store: Store, tenant: str, first: int, number: int) -> None:
    letters = [
        a_letter(each, body=a_body(each, tenant_id=tenant), tenant_id=tenant, message_id=f"{tenant}-{each}")
        for each in range(first, first + number)
    ]
    async with store.begin() as connection:
        await bury(connection, letters, now=START)


async def flooded(store: Store, *, state: str = "open") -> None:
    """Letters of another tenant's, the newest there are: each with an act, and in the outbox if replayed."""
    async with store.begin() as connection:
        model = (await connection.execute(select(dead_letters).limit(1))).mappings().one()
        body = a_body(1, tenant_id="mallory")
        rows = [
            dict(model) | {"id": new_id(), "message_id": f"f-{n}", "tenant_id": "mallory"}
            | {"state": state, "body": body, "group": f"g-{n % 300}", "reason": f"no good {n}"}
            for n in range(FLOOD)
        ]  # fmt: skip
        await connection.execute(insert(dead_letters), rows)
        act = {"at": START, "who": "mo", "tenant_id": "mallory", "act": "replay", "note": None}
        acts = [{"id": new_id(), "letter_id": row["id"], **act} for row in rows]
        await connection.execute(insert(dead_letter_acts), acts)
        if state == "replaying":
            await connection.execute(insert(outbox), [_waiting(row) for row in rows])
    await _examined(store)


def _waiting(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": new_id(), "exchange": "", "routing_key": row["queue"], "body": row["body"], "headers": {},
        "message_id": row["message_id"], "mandatory": True, "created_at": 0.0, "due_at": 4e9,
        "letter_id": row["id"], "tenant_id": "mallory",
    }  # fmt: skip


async def _examined(store: Store) -> None:
    """As the server does by itself."""
    if not store.sqlite:
        async with store.begin() as connection:
            await connection.execute(text("ANALYZE"))


async def newest_own(store: Store) -> list[str]:
    return [one["id"] for one in (await desk_of(store).page(OPEN, limit=OWN))["items"]]


Act = Callable[[Store], Awaitable[object]]


async def _bury_ten(store: Store) -> None:
    await buried(store, "acme", 1000 + (await desk_of(store).count(ALL)), 10)


async def _replay_some(store: Store) -> None:
    await desk_of(store).replay_matching(OPEN)
    await desk_of(store).stop()


async def _discard_some(store: Store) -> None:
    ids = await desk_of(store).oldest(OPEN, limit=10)
    await desk_of(store).discard(ids, reason="no use")
    await desk_of(store).undo(ids)


async def _discard_matching(store: Store) -> None:
    done = await desk_of(store).discard_matching(
        replace(OPEN, reason="version"), expect=None, reason="no use"
    )
    await desk_of(store).batch_left(done.batch)
    await desk_of(store).undo_batch(done.batch)


async def _contexts(store: Store) -> None:
    for letter_id in (await newest_own(store))[:5]:
        await desk_of(store).context(letter_id)


ACTS: Mapping[str, Act] = {
    "the page": lambda store: desk_of(store).page(OPEN),
    "the page of every state": lambda store: desk_of(store).page(ALL),
    "a page of one reason": lambda store: desk_of(store).page(replace(OPEN, reason="version")),
    "a page of one code": lambda store: desk_of(store).page(LetterFilter(code="malformed", state="open")),
    "a page of lately": lambda store: desk_of(store).page(replace(OPEN, since=START)),
    "a page of a person": lambda store: desk_of(store).page(replace(OPEN, who="sam")),
    "a page of nothing": lambda store: desk_of(store).page(replace(OPEN, reason="never said")),
    "the causes": lambda store: desk_of(store).groups(OPEN),
    "the tabs": lambda store: desk_of(store).by_state(ALL),
    "the count": lambda store: desk_of(store).count(OPEN),
    "the first to go": lambda store: desk_of(store).oldest(OPEN, limit=10),
    "the progress": lambda store: desk_of(store).progress("0"),
    "forecasts": _contexts,
    "a replay of all": _replay_some,
    "discarding": _discard_some,
    "discarding what matches": _discard_matching,
    "letters of messages": lambda store: desk_of(store).of_messages([f"acme-{n}" for n in range(10)]),
    "the history": lambda store: History(store).of("acme"),
    "burying": _bury_ten,
}


@pytest.mark.parametrize("state", ["open", "replaying"])
async def test_r44_a_flood_of_one_tenants_letters_costs_anothers_operators_nothing(
    store: Store, state: str
) -> None:
    """Each of their acts, before and behind ten thousand letters that are newer than theirs."""
    await buried(store, "acme", 0, OWN)
    await buried(store, "bolt", 0, OWN)
    await _examined(store)
    for act in ACTS.values():
        await act(store)  # what each leaves behind is there from now on
    alone = {name: await _cost(store, act) for name, act in ACTS.items()}
    await flooded(store, state=state)
    beside = {name: await _cost(store, act) for name, act in ACTS.items()}

    dearer = {
        name: (alone[name], cost)
        for name, cost in beside.items()
        if cost[0] >= MOST * max(alone[name][0], OWN) or cost[1] >= MOST * alone[name][1]
    }
    assert dearer == {}


async def _cost(store: Store, act: Act) -> tuple[int, int]:
    with counting(store) as counted:
        await act(store)
    return counted.work, counted.statements


HUGE = 1 << 20
ODD_BODIES: Mapping[str, bytes] = {
    "huge": b'{"data":{"tenant_id":"mallory","x":"' + b"x" * HUGE + b'"}}',
    "huge and nobody's": b"x" * HUGE,
    "as large as may be, and nobody's": b'"tenant_i' * (LARGEST_BODY // 9),
    "no text": b"\xff" * LARGEST_BODY,
    "two tenants": b'{"tenant_id":"acme","data":{"tenant_id":"mallory","tenant_id":"acme"}}' * 3_000,
}


async def _first_letter(store: Store) -> None:
    page = await desk_of(store).page(LetterFilter(state="open", code="malformed"), limit=1)
    await desk_of(store).show(page["items"][0]["id"])
    await desk_of(store).context(page["items"][0]["id"])


LOOKS: Mapping[str, Act] = {
    "the list": lambda store: desk_of(store).page(OPEN),
    "a letter and what stands around it": _first_letter,
}


async def bodies_read(store: Store) -> int:
    """Bytes that the list brings out of the store to be masked."""
    async with store.read() as connection:
        page = await letter_rows.page(connection, LetterFilter(state="open", tenant="acme"))
    return sum(len(row["body"] or b"") for row in page.rows)


async def test_r44_large_and_odd_bodies_of_others_make_no_page_dearer(store: Store) -> None:
    """Nor do those of nobody, of which everybody's list tells the size alone (R46)."""
    await buried(store, "acme", 0, OWN)
    await _examined(store)
    alone, own_bytes = (
        {name: await _cost(store, look) for name, look in LOOKS.items()},
        await bodies_read(store),
    )
    letters = [
        replace(
            a_letter(1),
            code="exhausted",
            body=body,
            tenant_id=owner_of(body).tenant_id,
            message_id=f"{name} {n}",
        )
        for name, body in ODD_BODIES.items()
        for n in range(12)
    ]
    async with store.begin() as connection:
        await bury(connection, letters, now=START)
    await _examined(store)
    beside = {name: await _cost(store, look) for name, look in LOOKS.items()}

    dearer = {
        name: (alone[name], cost)
        for name, cost in beside.items()
        if cost[0] >= MOST * max(alone[name][0], OWN) or cost[1] >= MOST * alone[name][1]
    }
    assert dearer == {}
    assert await bodies_read(store) < MOST * own_bytes
    told = {one["body"] for one in (await desk_of(store).page(OPEN))["items"] if one["tenant_id"] is None}
    assert f"[hidden: {HUGE} bytes]" in told
    assert all(body.startswith("[hidden: ") for body in told)


async def test_r44_an_own_huge_body_is_told_by_its_size_and_not_read(store: Store) -> None:
    """Nothing of it could be shown."""
    body = ODD_BODIES["huge"]
    async with store.begin() as connection:
        await bury(connection, [replace(a_letter(1), body=body, tenant_id="mallory")], now=START)
        page = await letter_rows.page(connection, LetterFilter(tenant="mallory"))

    (row,) = page.rows
    assert (row["body"], row["size"]) == (None, len(body))
    ((shown),) = (await desk_of(store, "mallory").page(ALL))["items"]
    assert (shown["body"], shown["tenant_id"]) == (f"[hidden: {len(body)} bytes]", "mallory")
