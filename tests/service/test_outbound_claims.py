"""Several consumers on one store: no two write one link at once, and every message is settled (R31)."""

import zlib
from collections.abc import Awaitable, Callable, Sequence

from sqlalchemy import insert, select, update

from contracts.calendar import event_id
from contracts.ports import Permit, Turn
from contracts.writes import EventWrite, Upsert
from service.consumers.outbound.claims import LINKS_A_SWEEP
from service.store.engine.ids import new_id
from service.store.links.claims import neglected
from service.store.tables import links as links_table
from tests.support.calendars import FreeBudget, MemoryCalendars, Outbound, changed
from tests.support.waiting import until

OURS = event_id("acme", "u-17", "appointment", "5512")
NEGLECTED = 2_000


async def test_r31_a_link_that_another_process_holds_is_left_to_it(world: Outbound) -> None:
    """The newer wish is stored; its holder writes it, and the other process's message is done."""
    await world.integration()
    slow = MemoryCalendars()
    slow.gate.clear()
    await world.start(cronofy=slow, prefetch=1)
    await world.publish(changed(id="m-1"))
    await until(lambda: slow.requests)
    await world.start(prefetch=1)
    await world.publish(changed(version=2, id="m-2"))

    async def wished() -> bool:
        return [link.desired_revision for link in await world.links()] == [2]

    await until(wished)
    assert world.calendars.requests == []
    slow.gate.set()
    await world.at_rest()

    assert slow.history(OURS) == ["5512 v1", "5512 v2"]
    assert await world.finished() == {"m-1": "done", "m-2": "done"}


async def test_r31_an_expired_claim_is_taken_over_and_the_write_verified(world: Outbound) -> None:
    """Its holder may still have a request in the air: the state is written once more 20 s later."""
    await world.integration()
    await world.start()
    await world.send(changed())
    async with world.store.begin() as connection:
        until_ = world.clock.now().timestamp() + 30
        await connection.execute(update(links_table).values(claimed_by="another", claimed_until=until_))
    await world.publish(changed(version=2, id="m-2"))

    async def wished() -> bool:
        return [link.desired_revision for link in await world.links()] == [2]

    await until(wished)
    assert world.calendars.history(OURS) == ["5512 v1"]
    await world.clock.pass_time(31)
    await world.at_rest()
    assert world.calendars.history(OURS) == ["5512 v1", "5512 v2"]

    await world.clock.pass_time(20)
    await world.consumers[0].sweep()  # its own loop may have done so already
    await world.at_rest()
    assert world.calendars.history(OURS) == ["5512 v1", "5512 v2", "5512 v2"]


async def test_r31_an_answer_without_the_claim_changes_nothing_but_asks_for_a_verification(
    world: Outbound,
) -> None:
    """The process slept past its claim; another has the link now."""
    await world.integration()
    await world.start()
    world.calendars.gate.clear()
    await world.publish(changed(id="m-1"))
    await until(lambda: world.calendars.requests)
    async with world.store.begin() as connection:
        stolen = {"claimed_by": "another", "claim_epoch": 9, "claimed_until": world.clock.now().timestamp()}
        await connection.execute(update(links_table).values(**stolen))
    world.calendars.gate.set()
    await world.at_rest()

    assert world.calendars.history(OURS) == ["5512 v1", "5512 v1"]
    assert ("create", "skipped", "claim_lost") in await world.logged()
    (row,) = await world.rows(links_table)
    assert row["verify_at"] is not None
    assert await world.finished() == {"m-1": "done"}


async def test_r31_after_another_process_wrote_the_next_write_waits_two_seconds(world: Outbound) -> None:
    """Cronofy promises no order between two accepted writes to one event."""
    await world.integration()
    first = await world.start()
    await world.send(changed())
    await first.stop()
    await world.start()
    await world.publish(changed(version=2))

    async def claimed() -> bool:
        return [link.desired_revision for link in await world.links()] == [2]

    await until(claimed)
    await world.clock.pass_time(1.9)
    assert world.calendars.history(OURS) == ["5512 v1"]
    await world.clock.pass_time(0.2)
    await world.at_rest()
    assert world.calendars.history(OURS) == ["5512 v1", "5512 v2"]


async def test_r31_a_claim_that_came_back_while_an_answer_was_awaited_is_used_at_once(
    world: Outbound,
) -> None:
    """Another process took it and gave it back; the newer state must not wait for the next sweep."""
    await world.integration()
    await world.start()
    world.calendars.gate.clear()
    await world.publish(changed(id="m-1"))
    await until(lambda: world.calendars.requests)
    async with world.store.begin() as connection:
        given_back = {"claimed_by": None, "claim_epoch": 9, "claimed_until": None}
        await connection.execute(update(links_table).values(**given_back))
    await world.publish(changed(version=2, id="m-2"))

    async def claimed() -> bool:
        return [link.claim_epoch for link in await world.links()] == [10]

    await until(claimed)
    world.calendars.gate.set()
    await world.at_rest()
    assert world.calendars.history(OURS) == ["5512 v1", "5512 v2"]
    assert set(await world.finished()) == {"m-1", "m-2"}


async def test_r31_what_cannot_be_verified_does_not_stand_in_the_way_of_what_can(world: Outbound) -> None:
    """A link that was held or frozen keeps its moment of verification; nobody ever reaches it."""
    await world.integration()
    await world.start()
    await world.send(changed("first"), changed("second"))
    first, second = sorted(await world.links(), key=lambda link: link.id)
    due = world.clock.now().timestamp() - 1
    async with world.store.begin() as connection:
        await connection.execute(update(links_table).values(verify_at=due))
        await connection.execute(update(links_table).where(links_table.c.id == first.id).values(state="held"))

    async with world.store.read() as connection:
        assert await neglected(connection, now=due + 1, limit=1) == [second.id]


async def test_r44_neglected_links_are_taken_up_by_turns_of_tenants(world: Outbound) -> None:
    """Thousands of one tenant's, untouched for longer: another's is in the first sweep, and theirs go on."""
    await world.integration(tenant_id="mallory")
    await world.integration("u-18")
    await world.start()
    await world.send(changed(tenant_id="mallory"), changed(assignees=["u-18"]))
    theirs, mine = sorted(await world.links(), key=lambda link: link.integration_id)
    late = world.clock.now().timestamp() - 1000
    async with world.store.begin() as connection:
        model = dict((await connection.execute(select(links_table).limit(1))).mappings().one())
        crowd = [
            model | {"id": new_id(), "integration_id": theirs.integration_id, "event_uid": f"x-{number}"}
            | {"calendar_id": f"c-{number}", "event_id": f"x-{number}"}
            for number in range(NEGLECTED)
        ]  # fmt: skip
        await connection.execute(insert(links_table), crowd)
        behind = {"state": "behind", "verify_at": None, "claimed_by": None, "claimed_until": None}
        await connection.execute(update(links_table).values(**behind, touched_at=late - 1000))
        later = update(links_table).where(links_table.c.id == mine.id)
        await connection.execute(later.values(touched_at=late))

    async with world.store.read() as connection:
        now = world.clock.now().timestamp()
        found = await neglected(connection, now=now, limit=LINKS_A_SWEEP)
    assert found.index(mine.id) <= 1
    assert len(found) == LINKS_A_SWEEP


async def test_r31_what_nobody_looks_after_is_swept_up(world: Outbound) -> None:
    """Links behind and untouched for two minutes are written, and the sweep of an idle keeper suffices."""
    await world.integration()
    keeper = await world.start(takes_messages=False)
    busy = world.consumer(shutdown_grace=0.1)
    world.calendars.gate.clear()
    await world.start(busy)
    await world.publish(changed())
    await until(lambda: world.calendars.requests)
    await busy.stop()
    world.consumers.remove(busy)
    world.calendars.gate.set()
    world.calendars.requests.clear()
    await world.clock.pass_time(31)
    assert await keeper.sweep() == 0

    await world.clock.pass_time(90)
    assert await keeper.sweep() == 1
    await world.at_rest()
    assert world.calendars.titles == ["5512 v1"]


class Lapsing(FreeBudget):
    """Its first permit has lapsed by the time it is used; the second is long in coming."""

    def __init__(self, meanwhile: Callable[[], Awaitable[None]]) -> None:
        super().__init__()
        self._meanwhile = meanwhile

    async def take(self, turn: Turn, cost: int = 1) -> Permit:
        await super().take(turn, cost)
        if sum(self.taken.values()) == 1:
            return Permit(until=float("-inf"))
        await self._meanwhile()
        return Permit(until=float("inf"))


async def test_r20_what_was_checked_before_a_second_wait_for_the_budget_is_checked_again(
    world: Outbound,
) -> None:
    """The owner deactivated the integration during that wait: nothing is written any more."""
    integration = await world.integration()
    world.budget = Lapsing(lambda: world.change_integration(integration, active=False))
    await world.start()
    await world.send(changed(id="m-1"))

    assert world.calendars.requests == []
    assert [(link.state, link.code) for link in await world.links()] == [("held", "inactive")]
    assert await world.finished() == {"m-1": "done"}


async def test_r32_one_integration_with_many_changes_does_not_fill_the_window(world: Outbound) -> None:
    """A lane keeps 200 messages; those beyond are stored, acknowledged, and sent all the same."""
    await world.integration("busy")
    await world.integration("calm")
    world.calendars.gate.clear()
    many = [changed(f"i-{number}", assignees=["busy"]) for number in range(400)]
    await world.publish(*many, changed("calm", assignees=["calm"]))
    consumer = await world.start()

    async def stored() -> bool:
        return len(await world.rows(links_table)) == 401

    await until(stored)
    await until(lambda: not consumer.taking_in)
    assert consumer.unsettled <= 201
    world.calendars.gate.set()
    await world.at_rest()

    assert len(world.calendars.events) == 401
    assert sorted(set((await world.finished()).values())) == ["done", "stored"]
    assert len(world.calendars.requests) <= 12


async def test_r30_a_stored_message_whose_link_fails_is_a_dead_letter_all_the_same(world: Outbound) -> None:
    """The item keeps the newest message's bytes for it."""
    await world.integration("busy")
    world.calendars.gate.clear()
    world.calendars.refused["late v1"] = 422
    late = changed("late", assignees=["busy"], id="m-late")
    many = [changed(f"i-{number}", assignees=["busy"]) for number in range(220)]
    await world.publish(*many, late)
    await world.start()
    await until(lambda: world.calendars.requests)
    world.calendars.gate.set()
    await world.settled()

    (letter,) = await world.letters()
    assert (letter["message_id"], letter["body"], letter["code"]) == ("m-late", late.body, "refused")


async def test_r17_shuffled_and_repeated_into_three_consumers(world: Outbound) -> None:
    """Thirty items, five versions each, each twice: the newest versions, and never an older after a newer."""
    for user in ("u-1", "u-2", "u-3"):
        await world.integration(user)
    messages = [
        changed(f"i-{item}", version, assignees=[f"u-{item % 3 + 1}"], id=f"m-{item}-{version}")
        for item in range(30)
        for version in range(1, 6)
    ] * 2
    messages.sort(key=lambda message: hash_of(message.message_id + str(id(message) % 7)))
    for _ in range(3):
        await world.start(prefetch=30, intake_size=10)
    await world.publish(*messages)
    await world.settled()

    assert world.calendars.titles == sorted(f"i-{item} v5" for item in range(30))
    assert not backwards(world.calendars.writes)


def hash_of(text: str) -> int:
    return zlib.crc32(text.encode())


def backwards(writes: Sequence[EventWrite]) -> list[str]:
    """Events to which an older version was written after a newer one."""
    seen: dict[tuple[str, str], str] = {}
    wrong = []
    for write in writes:
        assert isinstance(write, Upsert)
        if write.fields.summary < seen.get(write.key, ""):
            wrong.append(write.fields.summary)
        seen[write.key] = write.fields.summary
    return wrong
