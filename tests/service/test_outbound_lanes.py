"""When a lane sends, and what it holds."""

from dataclasses import replace

import pytest

from contracts.calendar import IntegrationId, LinkId
from contracts.messages import QUEUE_OUTBOUND
from contracts.ports import Delivery
from contracts.writes import Delete
from service.consumers.outbound.lanes import FULL_LANE_LINKS, Lane, LanePressure, Lanes
from tests.support.calendars import Outbound
from tests.support.lane_tasks import lane_task

REST = LanePressure()
FORTY_COME = LanePressure(coming=40, quiet=False)


def lanes(**sizes: int) -> Lanes:
    made = Lanes()
    for name, size in sizes.items():
        for number in range(size):
            made[IntegrationId(name)].put(lane_task(f"{name}{number}", name, since=0.0))
    return made


def sending(made: Lanes, now: float, pressure: LanePressure) -> list[str]:
    return [lane.integration_id for lane in made.ready(now, pressure)]


@pytest.mark.parametrize(
    ("coming", "taken_in", "expected"),
    [
        (0, 0, ["small", "full", "middle"]),
        (2, 0, ["small", "full", "middle"]),
        (3, 0, ["full"]),
        (3, 99, ["full"]),
        (3, 100, ["small", "full", "middle"]),
    ],
)
def test_a_lane_waits_while_what_is_coming_would_bring_each_of_them_company(
    coming: int, taken_in: int, expected: list[str]
) -> None:
    """It sends at 50 links, where less comes than lanes wait, or when enough others have passed it by."""
    pressure = LanePressure(coming=coming, taken_in=taken_in, patience=100, quiet=False)
    assert sending(lanes(small=1, full=FULL_LANE_LINKS, middle=20), 0.0, pressure) == expected


def test_no_time_makes_a_lane_send() -> None:
    """What it waits for is company."""
    assert sending(lanes(small=1), 3_600.0, FORTY_COME) == []


def test_who_waits_longest_is_first() -> None:
    """Where slots are short, that makes the others' requests fuller."""
    made = lanes(a=1, b=1)
    for name, since in (("a", 2.0), ("b", 1.0)):
        made[IntegrationId(name)].waiting[LinkId(f"{name}0")].since = since
    assert sending(made, 3.0, REST) == ["b", "a"]


def test_where_nothing_goes_on_the_fullest_lane_sends_whatever_is_coming() -> None:
    """That one only, so that requests stay large; what it settles makes room for what is coming."""
    assert sending(lanes(small=1, middle=20), 0.0, LanePressure(coming=40)) == ["middle"]


def test_a_busy_or_pausing_lane_does_not_send() -> None:
    """One request in flight per lane; a throttled one waits."""
    made = lanes(busy=FULL_LANE_LINKS, paused=FULL_LANE_LINKS)
    made[IntegrationId("busy")].busy = True
    made[IntegrationId("paused")].pause(0.0, 61)

    assert sending(made, 60.9, REST) == []
    assert sending(made, 61.0, REST) == ["paused"]


def test_r32_lanes_take_turns_and_live_changes_come_first() -> None:
    """Who has just sent is last; what nobody waits for comes after what somebody does."""
    made = lanes(a=1, b=1, c=1)
    made.turn(made[IntegrationId("a")])
    made[IntegrationId("b")].waiting[LinkId("b0")].background = True

    assert sending(made, 0.0, REST) == ["c", "a", "b"]


def test_pauses_double_up_to_a_minute() -> None:
    """1, 2, 4 … 60 s where no Retry-After says otherwise."""
    lane = Lane(integration_id=IntegrationId("i"))
    waits = []
    for _ in range(8):
        lane.pause(0.0, None)
        waits.append(lane.not_before)

    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_newer_state_replaces_the_older_one_and_keeps_its_place() -> None:
    """It was never sent."""
    lane = Lane(integration_id=IntegrationId("i"))
    for each in (lane_task("a", since=1.0), lane_task("b", since=2.0), lane_task("a", revision=2, since=3.0)):
        lane.put(each)

    assert [(one.link_id, one.sent.revision, one.since) for one in lane.due(9.0)] == [
        ("a", 2, 1.0), ("b", 1, 2.0),
    ]  # fmt: skip


def test_a_newer_state_of_a_link_in_flight_waits_until_it_has_landed() -> None:
    """Never two writes of one link at once."""
    lane = Lane(integration_id=IntegrationId("i"))
    lane.put(lane_task("a"))
    lane.take(50, 0.0)
    lane.put(lane_task("a", revision=2))
    assert list(lane.due(0.0)) == []

    lane.land(LinkId("a"))
    assert [one.sent.revision for one in lane.due(0.0)] == [2]


def test_what_was_not_sent_goes_back_to_the_head_in_its_newest_state() -> None:
    """Order and newest wish survive a refusal of the whole request."""
    lane = Lane(integration_id=IntegrationId("i"))
    lane.put(lane_task("a"))
    taken = lane.take(50, 0.0)
    lane.put(lane_task("b"))
    lane.put(lane_task("a", revision=2))
    lane.give_back(taken)

    assert [(one.link_id, one.sent.revision) for one in lane.due(0.0)] == [("a", 2), ("b", 1)]
    assert lane.flying == {}


def test_one_event_is_never_twice_in_a_request_and_a_lone_one_never_with_others() -> None:
    """The second waits for the next request."""
    lane = Lane(integration_id=IntegrationId("i"))
    same = Delete(calendar_id="cal", event_id="same")
    lane.put(lane_task("a", write=same))
    lane.put(lane_task("b", write=same))
    lane.put(lane_task("c", alone=True))

    assert [one.link_id for one in lane.take(50, 0.0)] == ["a"]
    assert [one.link_id for one in lane.take(50, 0.0)] == ["b"]
    assert [one.link_id for one in lane.take(50, 0.0)] == ["c"]


@pytest.mark.parametrize("when", ["waiting", "in flight", "given back"])
def test_r31_a_newer_state_is_verified_where_the_older_one_was_to_be(when: str) -> None:
    """An expired claim was taken over: what its old holder sent may land after the newer state as well."""
    lane = Lane(integration_id=IntegrationId("i"))
    lane.put(lane_task("a", sent=replace(lane_task().sent, verify=True)))
    taken = lane.take(50, 0.0) if when != "waiting" else []
    lane.put(lane_task("a", revision=2))
    if when == "given back":
        lane.give_back(taken)
    if when == "in flight":
        lane.land(LinkId("a"))

    assert [(one.sent.revision, one.sent.verify) for one in lane.due(9.0)] == [(2, True)]


async def test_a_window_that_was_full_says_that_the_broker_has_more_until_room_is_not_filled(
    world: Outbound,
) -> None:
    """Between two fillings nothing seems to come, and lanes would be sent half full."""
    consumer = world.consumer(prefetch=10)
    coming = []
    for generation in range(1, 11):
        consumer.deliver(arrived(f"m-{generation}", generation))
        coming.append(consumer.coming)
    consumer.lost(1)
    coming.append(consumer.coming)
    consumer.deliver(arrived("m-11", 11))
    for generation in (2, 3):
        consumer.lost(generation)
        coming.append(consumer.coming)

    assert coming == [*range(1, 11), 10, 10, 8]


def arrived(message_id: str, generation: int) -> Delivery:
    return Delivery(
        queue=QUEUE_OUTBOUND,
        body=b"",
        message_id=message_id,
        routing_key="",
        headers={},
        attempt=1,
        returns=0,
        generation=generation,
        handle=None,
    )
