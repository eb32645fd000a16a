"""The numbers of runs add up: each thing that was looked at counts once, by what became of it (R27)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.calendar import Code, Direction, IntegrationId, ItemRef, LogAction, LogEntry, Outcome, Trigger
from handlers.replays.pace import ReplayBound, ReplayPace, time_to_replay
from service.consumers.runs.counting import tally_of
from service.integrations.runs import RUN_COUNTS, WHY_PASSED_OVER, run_counts
from service.store.runs.tally import RunTally

DONE, SKIPPED, FAILED, HELD = Outcome.DONE, Outcome.SKIPPED, Outcome.FAILED, Outcome.HELD
CREATE, UPDATE, DELETE, LINK = LogAction.CREATE, LogAction.UPDATE, LogAction.DELETE, LogAction.LINK


def an_entry(item: str, action: LogAction, outcome: Outcome = DONE, code: Code = Code.OK) -> LogEntry:
    return LogEntry(
        integration_id=IntegrationId("i"), trigger=Trigger.RUN, direction=Direction.TO_MY_CALENDAR,
        action=action, outcome=outcome, code=code, item_ref=ItemRef(item), reason="said",
    )  # fmt: skip


def numbers(tally: RunTally) -> dict[str, int]:
    row = {name: getattr(tally, name) for name in ("skipped", "agreed", *RUN_COUNTS) if name != "passed"}
    return {name: number for name, number in run_counts(row).items() if number}


@pytest.mark.parametrize(
    ("entries", "found", "expected"),
    [
        ((), 670, {"found": 670, "agreed": 670}),
        ((an_entry("a", LINK),), 1, {"found": 1, "agreed": 1}),
        (
            (an_entry("a", CREATE), an_entry("b", DELETE)),
            3,
            {"found": 3, "created": 1, "deleted": 1, "agreed": 1},
        ),
        ((an_entry("a", UPDATE, SKIPPED, Code.UPDATE_OFF),), 1, {"found": 1, "passed": 1}),
        ((an_entry("a", CREATE, HELD, Code.HELD_IMPORT),), 2, {"found": 2, "passed": 1, "agreed": 1}),
        (
            (an_entry("a", UPDATE), an_entry("a", UPDATE, SKIPPED, Code.CONFLICT_LOST)),
            1,
            {"found": 1, "updated": 1},
        ),
        ((an_entry("a", UPDATE), an_entry("a", UPDATE, FAILED)), 1, {"found": 1, "failed": 1}),
    ],
)
def test_r27_each_thing_counts_once(
    entries: tuple[LogEntry, ...], found: int, expected: dict[str, int]
) -> None:
    assert numbers(tally_of(entries, found=found)) == expected


STEPS = st.lists(
    st.builds(
        an_entry,
        st.sampled_from("abcdef"),
        st.sampled_from(list(LogAction)),
        st.sampled_from(list(Outcome)),
        st.sampled_from(list(Code)),
    )
)


@given(entries=STEPS, more=st.integers(0, 20), silent=st.lists(st.sampled_from(list(Code)), max_size=5))
def test_r27_the_numbers_add_up_whatever_a_step_did(
    entries: list[LogEntry], more: int, silent: list[Code]
) -> None:
    known = tally_of(entries, found=0).made + more
    told = run_counts(_row(tally_of(entries, found=known, silent=silent)))
    assert told.pop("found") == sum(told.values())


def _row(tally: RunTally) -> dict[str, int]:
    return {name: getattr(tally, name) for name in RunTally.__dataclass_fields__}


def test_r27_every_reason_has_words() -> None:
    """Those that mean neither that all went well nor that it is only told elsewhere."""
    elsewhere = {"ok", "stale", "superseded", "inactive", "not_connected", "not_arrived"}
    assert {code.value for code in Code} - elsewhere - {"other_content"} == set(WHY_PASSED_OVER)


@pytest.mark.parametrize(
    ("counts", "rate", "bound", "seconds"),
    [
        ({None: 420}, 5, "rate", 84),
        ({"i": 420}, 5, "integration", 420),
        ({"i": 50, "j": 50, None: 900}, 100, "budget", 120),
        ({"i": 600}, 100, "budget", 72),
        ({}, 5, "rate", 0),
    ],
)
def test_r30_a_replay_takes_as_long_as_its_scarcest_thing(
    counts: dict[str | None, int], rate: float, bound: ReplayBound, seconds: float
) -> None:
    told = time_to_replay(counts, rate=rate, requests_a_minute=500)
    assert (told.bound, told.seconds) == (bound, seconds)


@pytest.mark.parametrize(
    ("counts", "waits"),
    [
        *((counts, 0) for counts in ({"i": 60}, {"i": 30, "j": 30}, {None: 60}, {"i": 20, None: 40})),
        *((counts, 300) for counts in ({"i": 60}, {"i": 30, "j": 30}, {"i": 20, None: 40})),
    ],
)
@pytest.mark.parametrize("rate", [1, 5, 20])
def test_r30_what_is_told_is_what_the_pace_does(
    counts: dict[str | None, int], waits: int, rate: float
) -> None:
    """Behind what somebody replays already, too: an integration's messages follow each other."""
    waiting = [(float(second), "i") for second in range(waits)]
    pace = ReplayPace(rate=rate)
    pace.begin(0, waiting)
    last = max(pace.moment(key) for key, number in counts.items() for _ in range(number))
    told = time_to_replay(counts, rate=rate, waiting=waiting, requests_a_minute=0)
    assert 0.8 * last - 3 <= told.seconds <= last + 3
