"""Which events of a complete reading are known under other ids (R36)."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.calendar import Code, Item, LinkId, LinkState, LogAction, Origin, Outcome, Trigger
from contracts.cronofy import CronofyEvent
from contracts.vorex import ItemType
from handlers.arrivals.floods import is_doubtful, too_many_imports
from handlers.edits import ERASED_TITLE, erased_content
from handlers.inbound_page import KnownRows, judge_page, settle_doubtful
from handlers.judgement import days_to_read
from handlers.pairing.identities import (
    STRAY_TITLE,
    KnownIdentity,
    RecognisedEvents,
    linked_stray,
    recognise,
    stray_entry,
    stray_key,
)
from tests.builders import (
    HOUR,
    NINE,
    NOW,
    a_content,
    a_link,
    a_reading,
    a_row_of,
    an_event,
    an_external_link,
    an_imported_item,
    an_integration,
    an_item,
)
from tests.support.processor_time import seconds_of

SINCE = NOW - 2 * HOUR
OLD = {"created": NOW - timedelta(days=3)}
LUNCH = an_imported_item(title="Lunch", description="Bring fruit", location="Park")


def _known(item: Item = LUNCH, **changes: Any) -> KnownIdentity:
    return KnownIdentity.of_link(an_external_link(item, event_uid="old", **changes), item)


def _recognised(
    *events: CronofyEvent,
    known: Sequence[KnownIdentity] = (),
    prior: Collection[str] = (),
    since: datetime | None = SINCE,
    had_prior: bool = True,
    asked: Collection[str] = (),
) -> RecognisedEvents:
    return recognise(events, known, prior=prior, known_since=since, had_prior=had_prior, asked=asked)


def test_r36_an_event_under_a_new_uid_is_the_one_that_fits() -> None:
    """By title, start and end as they were agreed."""
    event = an_event(event_uid="new", **OLD)

    result = _recognised(event, known=[_known()])

    assert result.found == [("link", event)]
    assert (result.prior, result.strays) == ([], [])


BEYOND = days_to_read(SINCE)[1]
OUTSIDE = [
    {"start": BEYOND, "end": BEYOND + timedelta(days=1)},
    {
        "start": datetime(BEYOND.year, BEYOND.month, BEYOND.day, 9, tzinfo=UTC),
        "end": datetime(BEYOND.year, BEYOND.month, BEYOND.day, 10, tzinfo=UTC),
    },
]


@pytest.mark.parametrize("times", OUTSIDE)
@pytest.mark.parametrize("series", [None, "s"])
def test_r9_what_the_last_complete_reading_could_not_see_was_not_there_before(
    times: dict[str, Any], series: str | None
) -> None:
    """The next occurrence of a series, made long ago: else none of it would ever come again."""
    event = an_event(event_uid="new", series_identifier=series, **times, **OLD)
    assert _recognised(event).prior == []
    before = {name: at - timedelta(days=1) for name, at in times.items()}
    seen = an_event(event_uid="seen", series_identifier=series, **before, **OLD)
    assert _recognised(seen).prior[0] == "uid:seen"


@pytest.mark.parametrize("title", ["Team lunch", "TEAM LUNCH", "Team  lunch "])
@pytest.mark.parametrize("series", [None, "s"])
def test_r36_what_may_be_something_known_is_doubted_no_more(title: str, series: str | None) -> None:
    """Two that fit, or one that looks like it and is not it; new ones are put away for good by none of it."""
    new = {"created": NOW, "series_identifier": series}
    events = [an_event(event_uid=f"new-{at}", summary=title, **new) for at in range(2)]
    other = an_event(event_uid="other", summary="Dinner", **new)
    known = [_known(replace(LUNCH, content=a_content(title="Team lunch")))]

    result = _recognised(*events, other, known=known)

    assert (result.undecided, result.prior) == (["undecided:new-0", "undecided:new-1"], [])
    assert _recognised(*events, other, known=known, since=None).undecided == []


@pytest.mark.parametrize("given", [{"asked": ["old"]}, {"prior": ["alike:old"]}])
def test_r36_what_a_person_is_asked_about_or_is_alike_for_now_is_not_put_away_for_good(
    given: dict[str, Any],
) -> None:
    assert _recognised(an_event(event_uid="old", **OLD), **given).prior == []
    assert _recognised(an_event(event_uid="old", **OLD)).prior == ["uid:old"]


def test_r43_thousands_that_look_alike_are_looked_at_a_few_times_each() -> None:
    """Nothing tells them apart, and nobody is kept waiting while that is found out."""
    few, many = (_work_on_twins(number) for number in (200, 800))
    assert many < 8 * few


def _work_on_twins(number: int) -> float:
    """Processor time for so many on either side; the least of several tries."""
    twins = [an_event(event_uid=f"new-{at}", **OLD) for at in range(number)]
    known = [replace(_known(), key=f"{at}") for at in range(number)]
    assert _recognised(*twins, known=known).found == []
    return seconds_of(lambda: _recognised(*twins, known=known))


def test_r36_it_is_known_as_it_was_agreed_also_where_vorex_changed_it_since() -> None:
    """And as it is wished, where that is what stands there."""
    changed = an_imported_item(title="Dinner", description="Bring fruit", location="Park", revision=2)
    link = an_external_link(LUNCH, event_uid="old")
    lunch, dinner = (an_event(event_uid=title, summary=title, **OLD) for title in ("Lunch", "Dinner"))

    known = KnownIdentity.of_link(link, changed)

    assert _recognised(lunch, known=[known]).found == [("link", lunch)]
    assert _recognised(dinner, known=[known]).found == [("link", dinner)]
    assert _recognised(lunch, dinner, known=[known]).found == []


@pytest.mark.parametrize(
    "seen",
    [
        an_event(event_uid="old"),
        an_event(event_uid="new-2", **OLD),
        an_event(event_uid="new-2", summary="Lunch ", **OLD),
    ],
)
def test_r36_where_two_fit_or_the_known_one_was_seen_nothing_is_paired(seen: CronofyEvent) -> None:
    """What is left was there before."""
    event = an_event(event_uid="new", **OLD)

    result = _recognised(event, seen, known=[_known()])

    assert result.found == []
    assert "uid:new" in result.prior


@pytest.mark.parametrize("stand", [True, False])
def test_r36_an_unknown_event_without_a_stamp_is_new_where_ids_stand(stand: bool) -> None:
    """One that is known by its id proves it, or a calendar on which nothing was."""
    event = an_event(event_uid="new", created=None)
    known = an_event(event_uid="old" if stand else "newer", **OLD)

    for result in (_recognised(event, known, known=[_known()]), _recognised(event, had_prior=not stand)):
        assert ("uid:new" in result.prior) is not stand
    dated = an_event(event_uid="new", **OLD)
    assert _recognised(dated, had_prior=False).prior == ["uid:new"]


def test_r36_two_links_that_one_event_fits_are_not_guessed_at() -> None:
    """Nor where they agree in one form of their titles alone."""
    other = an_external_link(an_imported_item(id="2", title="Lunch"), id=LinkId("2"), event_uid="old-2")
    two = [_known(), KnownIdentity.of_link(other, LUNCH)]

    assert _recognised(an_event(event_uid="new", **OLD), known=two).found == []


@pytest.mark.parametrize(
    "changes",
    [
        {"summary": "Another"},
        {"start": NINE + HOUR},
        {"end": NINE + 3 * HOUR},
        {"start": NINE.date(), "end": NINE.date() + timedelta(days=1)},
    ],
)
def test_r36_every_part_must_fit(changes: dict[str, object]) -> None:
    """Title, start, end, and whether it lasts all day."""
    assert _recognised(an_event(event_uid="new", **OLD, **changes), known=[_known()]).found == []


@pytest.mark.parametrize(
    "lost",
    [
        {"exists_there": False},
        {"ended_at": NOW},
    ],
)
def test_r36_what_should_not_be_there_is_not_looked_for(lost: dict[str, Any]) -> None:
    """Gone, or no pair any more; and so where its item is deleted or missing."""
    event = an_event(event_uid="new", **OLD)
    assert _recognised(event, known=[_known(**lost)]).found == []
    deleted = replace(LUNCH, deleted=True)
    gone = KnownIdentity.of_link(an_external_link(LUNCH, event_uid="old"), deleted)
    nothing = KnownIdentity.of_link(an_external_link(LUNCH, event_uid="old"), None)
    assert _recognised(event, known=[gone, nothing]).found == []


def test_r36_a_copy_of_ours_that_looks_foreign_is_found_by_what_was_written() -> None:
    """With its account's name in the title (R13)."""
    item = an_item(type=ItemType.SERVICE_CALL, title="Survey", account_name="Contoso")
    row = replace(a_row_of(item), event_id=None, event_uid="new", created=NOW - timedelta(days=3))

    result = _recognised(row, known=[KnownIdentity.of_link(a_link(item, event_uid="old"), item)])

    assert result.found == [("link", row)]


def test_r36_deleted_rows_stand_for_nothing() -> None:
    """They are neither paired nor remembered."""
    result = _recognised(an_event(event_uid="new", deleted=True, **OLD), known=[_known()])

    assert (result.found, result.prior) == ([], [])


def test_r36_what_was_there_before_stays_so_and_is_no_rival() -> None:
    """By its uid, or its series' identifier; it is not paired either (R33)."""
    event = an_event(event_uid="new", series_identifier="s", **OLD)
    for key in ("uid:new", "series:s"):
        result = _recognised(event, known=[_known()], prior={key})
        assert (result.found, result.prior) == ([], [])
    assert _recognised(event).prior == ["uid:new", "series:s"]


@pytest.mark.parametrize(
    ("created", "prior"),
    [
        (SINCE - timedelta(seconds=1), True),
        (None, True),
        (SINCE, False),
        (SINCE + HOUR, False),
    ],
)
def test_r36_what_was_made_since_the_last_complete_reading_is_new(created: object, *, prior: bool) -> None:
    """To the second, as Cronofy tells it; what does not say when is old."""
    since = SINCE.replace(microsecond=900)
    result = _recognised(an_event(event_uid="new", created=created), since=since)

    assert bool(result.prior) is prior


def test_r36_at_a_first_reading_only_copies_of_ours_are_looked_at() -> None:
    """What else is there was there before, whatever it equals."""
    item = an_item(title="Visit")
    stray = replace(a_row_of(item), event_id="old-1", event_uid="new")
    free = KnownIdentity.of_item(item)

    result = _recognised(an_event(**OLD), stray, known=[free], since=None)

    assert result.found == [(item.ref, stray)]
    assert (result.prior, result.strays) == ([], [])
    assert KnownIdentity.of_item(an_item(start=None, end=None)).signs == frozenset()


def test_r36_a_stray_copy_is_told_once_and_without_its_text() -> None:
    """It is told under its own id."""
    stray = replace(a_row_of(an_item(title="Secret")), event_id="old-1", event_uid="new")

    assert _recognised(stray).strays == [stray]
    assert _recognised(stray, prior={stray_key(stray)}).strays == []
    assert stray_key(stray) == "id:old-1"
    entry = stray_entry(stray, an_integration(), a_reading(trigger=Trigger.RUN, run_id="r"))
    assert (entry.action, entry.outcome, entry.code) == (LogAction.NONE, Outcome.SKIPPED, Code.DIFFERS)
    assert (entry.title, entry.trigger, entry.run_id) == (STRAY_TITLE, Trigger.RUN, "r")
    assert (entry.integration_id, entry.direction) == ("one", "to_my_calendar")
    assert "Secret" not in repr(entry)
    assert "2026-12" in entry.reason


def test_r36_an_adopted_copy_is_in_agreement_under_its_own_id() -> None:
    """Nothing is written for it until the item changes."""
    item = an_item(title="Visit")
    stray = replace(a_row_of(item), event_id="old-1", event_uid="new")

    link, entry = linked_stray(item, stray, an_integration(), a_reading(), LinkId("l"))

    assert (link.id, link.event_id, link.event_uid, link.origin) == ("l", "old-1", "new", Origin.OURS)
    assert (link.state, link.applied_revision, link.exists_there) == (LinkState.AGREED, item.revision, True)
    assert link.agreed == link.last_read
    assert link.agreed is not None
    assert (entry.action, entry.outcome, entry.code) == (LogAction.LINK, Outcome.DONE, Code.OK)
    assert "before" in entry.reason


@given(many=st.integers(0, 40), pairs=st.integers(0, 200))
def test_r36_a_flood_is_more_than_ten_and_more_than_a_third(many: int, pairs: int) -> None:
    """Both."""
    assert too_many_imports(new=many, pairs=pairs) == (many > 10 and many > pairs / 3)


@pytest.mark.parametrize(
    ("created", "doubtful"),
    [(SINCE - timedelta(seconds=1), True), (SINCE, False), (NOW, False), (None, False)],
)
def test_r36_doubtful_is_what_a_complete_reading_should_have_shown(
    created: object, *, doubtful: bool
) -> None:
    """Made before it; where either moment is not known, nothing is doubted."""
    event = an_event(created=created)

    assert is_doubtful(event, SINCE.replace(microsecond=900)) is doubtful
    assert not is_doubtful(event, None)


def _rows(**changes: Any) -> KnownRows:
    rows = KnownRows(integration=an_integration(), links=[], items={}, prior=frozenset(), known_until=SINCE)
    return replace(rows, **changes)


def test_r36_a_doubtful_event_waits_for_the_last_page() -> None:
    """Then it is brought, or held with an entry."""
    event = an_event(**OLD)
    ids = iter("abcdefgh")

    changes = judge_page([event], _rows(), a_reading(), new_id=lambda: next(ids))
    assert (changes.doubtful, changes.items, changes.entries) == ([event], [], [])
    brought = settle_doubtful([event], _rows(), a_reading(), new_id=lambda: next(ids), hold=False)
    held = settle_doubtful([event], _rows(), a_reading(), new_id=lambda: next(ids), hold=True)

    assert ([len(brought.items), len(brought.new_links)], brought.held) == ([1, 1], [])
    assert [entry.reason for entry in brought.entries] == ["Added to the linked calendar."]
    assert (held.items, held.new_links, held.held) == ([], [], [(event, Code.HELD_IMPORT)])
    (entry,) = held.entries
    assert (entry.action, entry.outcome, entry.code) == (LogAction.CREATE, Outcome.HELD, Code.HELD_IMPORT)
    assert entry.reason == "Many events appeared at once that are not new; this one waits for an answer."
    known = _rows(links=[an_external_link(LUNCH)], items={LUNCH.ref: LUNCH})
    assert settle_doubtful([event], known, a_reading(), new_id=lambda: "x", hold=True).held == []


@pytest.mark.parametrize(("stands", "brought"), [("held", 0), ("wanted", 1)])
def test_r36_an_event_that_is_asked_about_waits_for_the_answer(stands: str, brought: int) -> None:
    """Wanted, it is brought though doubtful; gone, nobody need be asked; by name it is brought (R26)."""
    rows = _rows(held={"uid": stands})

    changes = judge_page([an_event(**OLD)], rows, a_reading(), new_id=lambda: "x")
    gone = judge_page([an_event(deleted=True, **OLD)], rows, a_reading(), new_id=lambda: "x")
    named = judge_page([an_event(**OLD)], rows, a_reading(), new_id=lambda: "x", by_name=True)

    assert (len(changes.items), changes.doubtful) == (brought, [])
    assert changes.answered == ["uid"] * brought
    assert (gone.answered, gone.items) == (["uid"], [])
    assert (named.answered, len(named.items)) == (["uid"], 1)


def test_r41_of_an_erased_appointment_its_time_is_left() -> None:
    """Who is assigned to it is whose calendar it stands on."""
    item = a_content(
        title="Lunch with Eve",
        description="<b>x</b>",
        description_format="html",
        location="Eve's",
        account_name="Contoso",
    )

    left = erased_content(item)

    assert (left.title, left.description, left.location) == (ERASED_TITLE, "", "")
    assert (left.account_name, left.reference, left.description_format) == (None, None, "text")
    assert (left.start, left.end, left.assignees, left.id) == (item.start, item.end, item.assignees, item.id)
