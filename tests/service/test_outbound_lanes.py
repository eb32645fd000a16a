"""When a lane sends, and what it holds."""

from dataclasses import replace
from typing import Any

import pytest

from contracts.calendar import IntegrationId, ItemRef, LinkId
from contracts.messages import QUEUE_OUTBOUND
from contracts.ports import Delivery
from contracts.vorex import ItemType
from contracts.writes import Delete
from handlers.landing import SentWrite
from service.consumers.outbound.lanes import FULL_LANE_LINKS, Lane, LanePressure, Lanes, LinkTask
from tests.support.calendars import Outbound

BUSY = LanePressure(at_rest=False, window_full=False, quiet=False)
REST = LanePressure(at_rest=True, window_full=False, quiet=True)
CROWD = LanePressure(at_rest=False, window_full=False, crowded=True, quiet=False)
FULL_WINDOW = LanePressure(at_rest=False, window_full=True, quiet=True)


def task(name: str = "a", lane: str = "i", *, revision: int = 1, **changes: Any) -> LinkTask:
    usual: dict[str, Any] = {
        "link_id": LinkId(name),
        "integration_id": IntegrationId(lane),
        "calendar_id": "cal",
        "write": Delete(calendar_id="cal", event_id=name),
        "sent": SentWrite(revision=revision, epoch=1, applied_hash="", gone=True),
        "item_ref": ItemRef(name),
        "item_id": name,
        "item_type": ItemType.TASK,
        "title": None,
        "tenant_id": "acme",
    }
    return LinkTask(**usual | changes)


def lanes(**sizes: int) -> Lanes:
    made = Lanes()
    for name, size in sizes.items():
        for number in range(size):
            made[IntegrationId(name)].put(task(f"{name}{number}", name, since=0.0))
    return made


def sending(made: Lanes, now: float, pressure: LanePressure) -> list[str]:
    return [lane.integration_id for lane in made.ready(now, pressure)]


@pytest.mark.parametrize(
    ("now", "pressure", "expected"),
    [
        (0.5, BUSY, ["full"]),
        (1.0, BUSY, ["small", "full", "middle"]),
        (0.0, REST, ["small", "full", "middle"]),
        (4.9, CROWD, ["full"]),
        (5.0, CROWD, ["small", "full", "middle"]),
    ],
)
def test_a_lane_sends_when_it_is_full_old_or_the_intake_rests(
    now: float, pressure: LanePressure, expected: list[str]
) -> None:
    """At 50 links, after a second (five where a crowd is coming), or at rest."""
    assert sending(lanes(small=1, full=FULL_LANE_LINKS, middle=20), now, pressure) == expected


def test_with_a_full_window_and_nothing_going_on_the_fullest_lane_sends() -> None:
    """That one only, so that requests stay large."""
    assert sending(lanes(small=1, middle=20), 0.0, FULL_WINDOW) == ["middle"]


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
    for each in (task("a", since=1.0), task("b", since=2.0), task("a", revision=2, since=3.0)):
        lane.put(each)

    assert [(one.link_id, one.sent.revision, one.since) for one in lane.due(9.0)] == [
        ("a", 2, 1.0), ("b", 1, 2.0),
    ]  # fmt: skip


def test_a_newer_state_of_a_link_in_flight_waits_until_it_has_landed() -> None:
    """Never two writes of one link at once."""
    lane = Lane(integration_id=IntegrationId("i"))
    lane.put(task("a"))
    lane.take(50, 0.0)
    lane.put(task("a", revision=2))
    assert list(lane.due(0.0)) == []

    lane.land(LinkId("a"))
    assert [one.sent.revision for one in lane.due(0.0)] == [2]


def test_what_was_not_sent_goes_back_to_the_head_in_its_newest_state() -> None:
    """Order and newest wish survive a refusal of the whole request."""
    lane = Lane(integration_id=IntegrationId("i"))
    lane.put(task("a"))
    taken = lane.take(50, 0.0)
    lane.put(task("b"))
    lane.put(task("a", revision=2))
    lane.give_back(taken)

    assert [(one.link_id, one.sent.revision) for one in lane.due(0.0)] == [("a", 2), ("b", 1)]
    assert lane.flying == {}


def test_one_event_is_never_twice_in_a_request_and_a_lone_one_never_with_others() -> None:
    """The second waits for the next request."""
    lane = Lane(integration_id=IntegrationId("i"))
    same = Delete(calendar_id="cal", event_id="same")
    lane.put(task("a", write=same))
    lane.put(task("b", write=same))
    lane.put(task("c", alone=True))

    assert [one.link_id for one in lane.take(50, 0.0)] == ["a"]
    assert [one.link_id for one in lane.take(50, 0.0)] == ["b"]
    assert [one.link_id for one in lane.take(50, 0.0)] == ["c"]


@pytest.mark.parametrize("when", ["waiting", "in flight", "given back"])
def test_r31_a_newer_state_is_verified_where_the_older_one_was_to_be(when: str) -> None:
    """An expired claim was taken over: what its old holder sent may land after the newer state as well."""
    lane = Lane(integration_id=IntegrationId("i"))
    lane.put(task("a", sent=replace(task().sent, verify=True)))
    taken = lane.take(50, 0.0) if when != "waiting" else []
    lane.put(task("a", revision=2))
    if when == "given back":
        lane.give_back(taken)
    if when == "in flight":
        lane.land(LinkId("a"))

    assert [(one.sent.revision, one.sent.verify) for one in lane.due(9.0)] == [(2, True)]


async def test_the_end_of_a_burst_is_a_crowd_as_long_as_a_hundred_are_still_to_be_taken_in(
    world: Outbound,
) -> None:
    """Though most of the window is free by then: their lanes would be sent twice, half full."""
    consumer = world.consumer(prefetch=2000)
    crowded = []
    for number in range(100):
        consumer.deliver(arrived(f"m-{number}"))
        crowded.append(consumer.crowded)

    assert crowded == [False] * 99 + [True]


def arrived(message_id: str) -> Delivery:
    return Delivery(
        queue=QUEUE_OUTBOUND,
        body=b"",
        message_id=message_id,
        routing_key="",
        headers={},
        attempt=1,
        returns=0,
        generation=1,
        handle=None,
    )
