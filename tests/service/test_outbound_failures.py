"""What happens when something goes wrong: nothing is lost, and nothing holds up the others (R30)."""

import pytest

from contracts.calendar import event_id
from contracts.errors import GrantRefused, Permanent, Throttled, Transient, Unanswered, Unavailable
from contracts.messages import QUEUE_OUTBOUND
from service.broker.topology import RETRY_DELAYS, retry_exchange
from service.store.engine.store import Store
from service.store.tables import attempts
from service.store.tables import links as links_table
from tests.support.calendars import Outbound, changed, outbound
from tests.support.clock import ManualClock
from tests.support.waiting import until


async def test_r30_a_refused_entry_is_a_dead_letter_and_its_batch_is_done(world: Outbound) -> None:
    """422 is permanent for that entry alone."""
    await world.integration()
    world.calendars.refused["bad v1"] = 422
    await world.publish(changed("a"), changed("bad", id="m-bad"), changed("b"))
    await world.start()
    await world.at_rest()

    (letter,) = await world.letters()
    assert (letter["code"], letter["message_id"]) == ("refused", "m-bad")
    assert world.calendars.titles == ["a v1", "b v1"]
    assert ("create", "failed", "refused_by_calendar") in await world.logged()


async def test_r30_a_transient_failure_goes_through_the_retry_queue(world: Outbound) -> None:
    """The message comes back after the delay as its second attempt and is done."""
    await world.integration()
    await world.start()
    world.calendars.faults.append(Unavailable("down"))
    await world.send(changed(id="m-1"))
    assert world.calendars.events == {}
    assert await world.broker.depth(retry_exchange(RETRY_DELAYS[0])) == 1
    (link,) = await world.links()
    assert link.state == "retrying"

    await world.clock.pass_time(RETRY_DELAYS[0])
    await world.at_rest()
    assert world.calendars.titles == ["5512 v1"]
    assert await world.finished() == {"m-1": "done"}
    assert [(row["attempt"], row["error"]) for row in await world.rows(attempts)] == [(1, "down")]


async def test_r30_after_the_last_attempt_it_is_a_dead_letter_with_all_attempts(world: Outbound) -> None:
    """Five delays, six attempts."""
    await world.integration()
    await world.start()
    world.calendars.faults.extend([Unavailable("down")] * 6)
    await world.send(changed(id="m-1"))
    for delay in RETRY_DELAYS:
        await world.clock.pass_time(delay)
        await world.at_rest()

    (letter,) = await world.letters()
    assert letter["code"] == "exhausted"
    assert [each["error"] for each in letter["attempts"]] == ["down"] * 6
    (link,) = await world.links()
    assert link.state == "failed"


async def test_r30_a_link_is_not_looked_after_before_the_message_that_waits_for_it(world: Outbound) -> None:
    """Cronofy asked for an hour: the message waits for the next longer delay, and the link with it."""
    await world.integration()
    consumer = await world.start()
    world.calendars.faults.append(Transient("later", retry_after=3600))
    await world.send(changed(id="m-1"))
    assert await world.broker.depth(retry_exchange(7200)) == 1
    for seconds in (RETRY_DELAYS[0] + 61, 3600):
        await world.clock.pass_time(seconds)
        assert await consumer.sweep() == 0
    await world.at_rest()
    assert world.calendars.requests == [1]

    await world.clock.pass_time(7200 - 3600)
    await world.at_rest()
    assert world.calendars.titles == ["5512 v1"]
    assert await world.finished() == {"m-1": "done"}


async def test_r30_one_of_several_links_failing_does_not_repeat_the_others(world: Outbound) -> None:
    """Two assignees: the retry writes only what is not done yet."""
    await world.integration("u-17")
    await world.integration("u-22")
    await world.start()
    world.calendars.refused[event_id("acme", "u-22", "appointment", "5512")] = 503
    await world.send(changed(assignees=["u-17", "u-22"]))
    world.calendars.refused.clear()
    await world.clock.pass_time(RETRY_DELAYS[0])
    await world.at_rest()

    assert sorted(write.key[0] for write in world.calendars.writes) == ["cal_1", "cal_2"]


async def test_r30_an_unknown_outcome_is_verified_twenty_seconds_after_the_next_write(
    world: Outbound,
) -> None:
    """No answer came: the newest state is written once more."""
    await world.integration()
    consumer = await world.start()
    world.calendars.faults.append(Unanswered("timeout"))
    await world.send(changed())
    await world.clock.pass_time(RETRY_DELAYS[0])
    await world.at_rest()
    assert len(world.calendars.writes) == 1

    await world.clock.pass_time(20)
    await consumer.sweep()  # its own loop may have done so already
    await world.at_rest()
    assert len(world.calendars.writes) == 2
    assert [row["verify_at"] for row in await world.rows(links_table)] == [None]


async def test_r32_a_throttled_lane_waits_and_counts_no_attempt(world: Outbound) -> None:
    """429 with a Retry-After: the same messages, that much later."""
    await world.integration()
    await world.start()
    world.calendars.faults.append(Throttled("slow down", retry_after=61))
    await world.publish(changed(id="m-1"))
    await until(lambda: world.calendars.requests)
    await world.clock.pass_time(60)
    assert world.calendars.requests == [1]
    await world.clock.pass_time(2)
    await world.at_rest()

    assert world.calendars.titles == ["5512 v1"]
    assert await world.rows(attempts) == []


async def test_r22_a_refused_grant_holds_the_link_and_ends_the_message(world: Outbound) -> None:
    """Not Connected: the wish waits in the store."""
    await world.integration()
    await world.start()
    world.looker.finding = "not_connected"
    world.calendars.faults.append(GrantRefused())
    await world.send(changed(id="m-1"))

    (link,) = await world.links()
    assert (link.state, link.code) == ("held", "not_connected")
    assert await world.finished() == {"m-1": "done"}
    assert await world.letters() == []


@pytest.mark.parametrize("status", [403, 404, 423])
async def test_r23_a_missing_or_locked_calendar_makes_us_look(world: Outbound, status: int) -> None:
    """What the look finds decides; found gone, the link is held."""
    integration = await world.integration()
    await world.start()
    world.looker.finding = "not_connected"
    world.calendars.faults.append(status)
    await world.send(changed(id="m-1"))

    assert world.looker.looked == [integration]
    assert [link.state for link in await world.links()] == ["held"]


async def test_r23_a_refusal_though_nothing_is_wrong_is_permanent_and_a_deletion_done(
    world: Outbound,
) -> None:
    """404 with a good calendar: an upsert is refused, a delete has nothing left to do."""
    await world.integration()
    await world.start()
    await world.send(changed("gone"))
    world.calendars.faults.append(404)
    await world.send(changed("gone", 2, action="deleted", id="m-delete"))
    assert (await world.finished())["m-delete"] == "done"

    world.calendars.faults.append(404)
    await world.send(changed("new", id="m-new"))
    assert (await world.finished())["m-new"] == "dead"
    (letter,) = await world.letters()
    assert letter["code"] == "not_allowed"
    assert letter["reason"] == "The calendar does not allow this (404); account and calendar are in order."
    assert ("create", "failed", "refused_by_calendar") in await world.logged()


async def test_r30_a_request_refused_as_a_whole_is_tried_link_by_link(world: Outbound) -> None:
    """One bad entry must not bury its neighbours."""
    await world.integration()
    world.calendars.faults.append(Permanent("not readable", status=400))
    await world.publish(changed("a"), changed("b"), changed("c"))
    await world.start()
    await world.at_rest()

    assert world.calendars.titles == ["a v1", "b v1", "c v1"]
    assert world.calendars.requests == [3, 1, 1, 1]


async def test_r30_a_request_refused_as_a_whole_proves_no_deletion(world: Outbound) -> None:
    """404 for the batch, and the calendar stands: nothing was deleted, so each is tried by itself."""
    await world.integration()
    consumer = await world.start()
    await world.send(changed("a"), changed("b"))
    await consumer.stop()
    world.calendars.faults.append(Permanent("no such address", status=404))
    await world.publish(changed("a", 2, action="deleted"), changed("b", 2, action="deleted"))
    await world.start()
    await world.settled()

    assert world.calendars.events == {}


async def test_r30_while_the_store_is_gone_nothing_is_acknowledged(world: Outbound) -> None:
    """The consumer is not ready, tries again with back-off, and goes on where it was."""
    await world.integration()
    consumer = await world.start()
    good = world.store.engine
    world.store.engine = Store("sqlite+aiosqlite:////nowhere/at/all.db").engine
    await world.publish(changed(id="m-1"))
    await until(lambda: not consumer.ready)
    world.store.engine = good
    await world.at_rest()

    assert await world.finished() == {"m-1": "done"}


async def test_r30_what_a_lost_channel_takes_with_it_comes_again(world: Outbound) -> None:
    """Settling by the old channel means nothing; the second delivery is done."""
    await world.integration()
    await world.start()
    world.calendars.gate.clear()
    await world.publish(changed(id="m-1"))
    await until(lambda: world.calendars.requests)
    world.interrupt()
    world.calendars.gate.set()
    await world.at_rest()

    assert await world.finished() == {"m-1": "done"}
    assert await world.broker.depth(QUEUE_OUTBOUND) == 0
    assert len(world.calendars.events) == 1


async def test_r31_stopping_gives_back_what_is_not_done(world: Outbound) -> None:
    """After the grace the claims are released and the messages are in the queue again."""
    await world.integration()
    consumer = await world.start(shutdown_grace=0.2)
    world.calendars.faults.append(Throttled("slow", retry_after=100))
    await world.publish(changed(id="m-1"))
    await until(lambda: world.calendars.requests)
    await consumer.stop()
    await world.ended()

    assert [row["claimed_by"] for row in await world.rows(links_table)] == [None]
    assert await world.broker.depth(QUEUE_OUTBOUND) == 1


STUMBLING = (
    "CREATE SEQUENCE tries",
    (
        "CREATE FUNCTION stumble() RETURNS trigger AS $$ DECLARE n int := nextval('tries'); BEGIN "
        "IF n = 1 THEN RAISE EXCEPTION 'no'; END IF; "
        "IF n = 2 THEN RAISE EXCEPTION 'busy' USING ERRCODE = '40001'; END IF; "
        "RETURN NEW; END $$ LANGUAGE plpgsql"
    ),
    "CREATE TRIGGER stumbling BEFORE INSERT ON log_entries FOR EACH ROW EXECUTE FUNCTION stumble()",
)


@pytest.mark.postgresql
async def test_r30_a_store_that_goes_away_while_answers_are_taken_one_by_one_costs_no_attempt(
    postgresql_url: str,
) -> None:
    """They are kept, and stored when it is back: what was written is not written again."""
    clock = ManualClock()
    store = Store(postgresql_url, clock=clock)
    await store.upgrade()
    async with store.begin() as connection:
        for statement in STUMBLING:
            await connection.exec_driver_sql(statement)
    async with outbound(store, clock) as world:
        await world.integration()
        await world.start()
        await world.send(changed(id="m-1"))

        assert len(world.calendars.writes) == 1
        assert await world.finished() == {"m-1": "done"}
        assert await world.rows(attempts) == []
    await store.close()
