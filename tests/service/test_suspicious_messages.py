"""Two broken connections make all that waits suspicious: nobody waits for that, or pays for another (R44)."""

from collections.abc import Sequence

from sqlalchemy import insert

from contracts.messages import QUEUE_OUTBOUND
from contracts.ports import Outgoing
from service.store.engine.store import Store
from service.store.messages.suspects import name_of
from service.store.tables import suspects
from tests.support.calendars import Outbound, changed, raw
from tests.support.counted_steps import counting
from tests.support.message_loop import loop_under_test
from tests.support.waiting import until

MANY = 60
STATEMENTS_A_MESSAGE = 3
"""So many are too many: taken in alone, each costs a dozen."""


def many() -> Sequence[Outgoing]:
    return [changed(f"i-{number}", id=f"m-{number}") for number in range(MANY)]


async def crashed(world: Outbound, message: Outgoing, times: int) -> None:
    """So many processes died over it."""
    named = {"consumer": QUEUE_OUTBOUND, "message_id": name_of(message.body)}
    async with world.store.begin() as connection:
        row = {**named, "crashes": times, "at": world.clock.now()}
        await connection.execute(insert(suspects), [row])


async def taken_after_two_returns(world: Outbound, *messages: Outgoing) -> None:
    await world.publish(*messages)
    await world.return_all(2)
    await world.start()
    await world.at_rest()


async def test_r44_what_came_back_twice_is_taken_in_together(world: Outbound) -> None:
    """A broker that was restarted twice gives back the whole window: one by one, everybody would wait."""
    await world.integration()
    with counting(world.store) as counted:
        await taken_after_two_returns(world, *many())

    assert counted.statements < STATEMENTS_A_MESSAGE * MANY
    assert len(world.calendars.titles) == MANY
    assert await world.rows(suspects) == []


async def test_r30_only_what_a_process_died_over_is_taken_alone(world: Outbound) -> None:
    """It may be the one; its neighbours come together, and all are done."""
    await world.integration()
    messages = many()
    await crashed(world, messages[3], 2)
    await taken_after_two_returns(world, *messages)

    assert len(world.calendars.titles) == MANY
    assert await world.rows(suspects) == []
    assert await world.letters() == []


async def test_r30_a_set_among_which_one_is_refused_leaves_no_suspect(world: Outbound) -> None:
    """Whether it was read, was malformed, or was found by halving."""
    await world.integration()
    messages = [*many(), raw(b"no message", "odd")]
    await taken_after_two_returns(world, *messages)

    assert len(world.calendars.titles) == MANY
    assert [letter["code"] for letter in await world.letters()] == ["malformed"]
    assert await world.rows(suspects) == []


async def test_r44_crashes_over_one_message_condemn_no_other_of_its_id(world: Outbound) -> None:
    """Whoever publishes under one id, or under somebody else's, answers for their own bytes alone."""
    await world.integration()
    guilty, other = (raw(changed(name, id=name).body, "same") for name in ("guilty", "other"))
    await crashed(world, guilty, 3)
    await taken_after_two_returns(world, guilty, other)

    assert [letter["message_id"] for letter in await world.letters()] == ["guilty"]
    assert world.calendars.titles == ["other v1"]


async def test_r44_what_came_back_twice_is_handled_side_by_side(store: Store) -> None:
    """As many as there are slots, each noted while it is in hand."""
    async with loop_under_test(store) as ground:
        await ground.consumer.stop(grace=0)
        ground.work.gate.clear()
        for number in range(3):
            await ground.publish(f"m-{number}")
        await ground.come_back_twice()
        await until(lambda: len(ground.work.seen) == 3, what="all three in hand")
        ground.work.gate.set()
        await ground.settle("m-2")
