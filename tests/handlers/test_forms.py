"""What a calendar makes of what is written to it is learned, remembered, and no edit (R37)."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from contracts.calendar import (
    NO_FORMS,
    CalendarForms,
    Code,
    EventTypes,
    Fingerprints,
    Link,
    Origin,
    ShownText,
)
from contracts.cronofy import CronofyEvent
from handlers.fingerprints import fingerprints_of_event, text_print, title_print
from handlers.forms import (
    FORMED_WITHIN_SECONDS,
    as_there,
    inherited_forms,
    kept_shade,
    recognised,
    seen_forms,
    with_marks,
)
from handlers.judgement import LinkedRow
from handlers.texts.compose import description
from tests.builders import (
    HOUR,
    MINUTE,
    NINE,
    NOW,
    a_content,
    a_link,
    a_reading,
    a_row_of,
    a_write,
    an_event,
    an_external_link,
    an_integration,
    an_item,
    at,
    fields_of_item,
    prints_of,
)
from tests.support.judging import is_echo, judged

SECOND = timedelta(seconds=1)
TITLE = " ".join(f"word{number}" for number in range(60))
CUT = f"{TITLE[:252]}..."
TEXT = "Bring fruit and wine and whatever else you like to eat"
LONG = an_item(title=TITLE, description=TEXT)
JOINED = f"{TEXT}\n\nJoin: https://calls.example/7"


def a_written_link(item: Any = LONG, *, accepted: timedelta = -MINUTE, **changes: Any) -> Link:
    """Written and accepted and not read back; before that, an event without texts was agreed."""
    old = prints_of(an_item(title="Old", description="", location=""))
    usual: dict[str, Any] = {"agreed": old, "last_read": old, "writes": (a_write(item, accepted=accepted),)}
    return a_link(item, **(usual | changes))


def seen(link: Link, event: CronofyEvent, item: Any = LONG) -> tuple[Fingerprints, Link]:
    row = LinkedRow(event=event, link=link, item=item, integration=an_integration(), reading=a_reading())
    return recognised(row, fingerprints_of_event(event, item.content), prints_of(item))


@pytest.mark.parametrize(
    ("shown", "kept", "added"),
    [
        ({"summary": CUT}, len(TITLE[:252].replace(" ", "")), ""),
        ({"summary": TITLE[:60]}, len(TITLE[:60].replace(" ", "")), ""),
        ({"description": JOINED}, None, "\n\nJoin: https://calls.example/7"),
        ({"location": "Park, 1 Park Lane"}, None, ", 1 Park Lane"),
    ],
)
def test_r37_the_first_reading_after_a_write_teaches_the_calendars_form(
    shown: dict[str, str], kept: int | None, added: str
) -> None:
    """Its prints are then those of what was written, and the link knows the form."""
    row = a_row_of(LONG, updated=NOW - MINUTE, **shown)

    read, link = seen(a_written_link(), row)

    assert read == prints_of(LONG)
    (name,) = link.forms.texts
    written, raw = prints_of(LONG)[name], fingerprints_of_event(row, a_content())[name]
    assert link.forms.texts == {name: ShownText(written=str(written), shown=str(raw), kept=kept, added=added)}


@pytest.mark.parametrize(
    "shown",
    [
        {"summary": TITLE[:40]},
        {"summary": f"{TITLE} and more"},
        {"summary": f"{TITLE} https://calls.example"},
        {"description": f"{TEXT} and cake"},
        {"description": f"Join: https://calls.example/7 {TEXT}"},
        {"location": "Bar"},
        {"location": "Pa"},
    ],
)
def test_r37_what_a_provider_would_not_make_of_a_text_is_an_edit(shown: dict[str, str]) -> None:
    """Cut far too short, or with words of somebody's own."""
    row = a_row_of(LONG, updated=NOW - MINUTE, **shown)
    read, link = seen(a_written_link(), row)
    assert (read, link.forms) == (fingerprints_of_event(row, a_content()), NO_FORMS)


@pytest.mark.parametrize(
    ("updated", "learns"),
    [
        (NOW - MINUTE - SECOND, False),
        (NOW - MINUTE, True),
        (NOW - MINUTE + timedelta(seconds=FORMED_WITHIN_SECONDS), True),
        (NOW - MINUTE + timedelta(seconds=FORMED_WITHIN_SECONDS + 1), False),
        (None, True),
    ],
)
def test_r37_a_form_is_learned_only_from_what_the_write_has_just_left(updated: Any, learns: bool) -> None:
    """Before it is not of this write, and later a person may have been there."""
    row = a_row_of(LONG, updated=updated, description=JOINED)
    assert bool(seen(a_written_link(), row)[1].forms.texts) is learns


def test_r37_nothing_is_learned_without_a_write_that_was_accepted_or_where_its_text_is_not_known() -> None:
    row = a_row_of(LONG, updated=NOW - MINUTE, description=JOINED)
    for link in (
        a_link(LONG),
        a_written_link(writes=(a_write(LONG, accepted=None),)),
        a_written_link(writes=(a_write(an_item(title=TITLE, description="Other")),)),
    ):
        assert seen(link, row)[1].forms == NO_FORMS
    elsewhere = an_item(title=TITLE, description=f"{TEXT}, newer")
    read, known = seen(a_written_link(), row, elsewhere)
    assert read["description"] == prints_of(LONG)["description"]  # the link knows what it had written
    assert known.forms.texts


def test_r37_what_was_agreed_before_is_no_form_of_what_was_written_since() -> None:
    """A line was added here, and has not arrived."""
    before = an_item(title=TITLE, description=TEXT[:45])
    link = a_written_link(agreed=prints_of(before), last_read=prints_of(before))
    row = a_row_of(before, updated=NOW - MINUTE)
    assert seen(link, row) == (fingerprints_of_event(row, a_content()), link)


def test_r37_a_long_title_that_is_cut_is_a_form_whenever_it_shows() -> None:
    """A description only with dots at its end."""
    link = a_link(LONG)
    cut, link = seen(link, a_row_of(LONG, summary=TITLE[:300]))
    assert cut == prints_of(LONG)
    wordy = an_item(description=TEXT * 10)
    for text, same in (
        (f"{(TEXT * 10)[:320]}...", True),
        ((TEXT * 10)[:320], False),
        ((TEXT * 9)[:60], False),
    ):
        read, _ = seen(a_link(wordy), a_row_of(wordy, description=text), wordy)
        assert (read == prints_of(wordy)) is same
    assert seen(a_link(LONG), a_row_of(LONG, summary=TITLE[:250]))[0] != prints_of(LONG)


def test_r37_a_form_that_is_known_is_what_was_written_of_whichever_write() -> None:
    """Also where it shows the text before the newest: not arrived yet."""
    _, link = seen(a_written_link(), a_row_of(LONG, updated=NOW - MINUTE, summary=CUT))
    link = replace(link, agreed=prints_of(LONG), last_read=prints_of(LONG))
    newer = an_item(title="Dinner", description=TEXT)
    row = a_row_of(newer, updated=NOW - 2 * HOUR, summary=CUT)

    read, same = seen(replace(link, writes=(a_write(newer),)), row, newer)

    assert read == prints_of(LONG)
    assert same.forms == link.forms
    stranger = a_row_of(newer, updated=NOW - 2 * HOUR, summary=f"Urgent: {CUT}")
    assert seen(link, stranger, newer)[0]["title"] == title_print(f"Urgent: {CUT}")
    unknown = replace(link, agreed=None, last_read=None, writes=(a_write(newer),))
    assert seen(unknown, row, newer)[0]["title"] == title_print(CUT)


@pytest.mark.parametrize(
    ("known", "code", "shown", "lost"),
    [
        (NO_FORMS, None, False, True),
        (CalendarForms(keeps_private=True), None, False, False),
        (NO_FORMS, Code.PRIVATE, False, False),
        (NO_FORMS, None, None, False),
    ],
)
def test_r37_private_is_switched_off_only_where_it_was_read_as_on(
    known: CalendarForms, code: Code | None, shown: bool | None, lost: bool
) -> None:
    secret = an_item(private=True)
    row = a_row_of(secret, event_private=shown)
    read, _ = seen(a_link(secret, forms=known, code=code), row, secret)
    assert read.get("private") is (True if lost else shown if shown is not None else None)
    public = an_item()
    assert seen(a_link(public), a_row_of(public), public)[0]["private"] is False


def test_r37_a_row_tells_what_its_calendar_keeps() -> None:
    assert seen_forms(NO_FORMS, an_event()) == NO_FORMS
    assert seen_forms(NO_FORMS, an_event(event_private=True)).keeps_private
    assert seen_forms(CalendarForms(keeps_private=True), an_event()).keeps_private
    assert seen_forms(NO_FORMS, an_event(summary=" \u200b")).untitled
    assert seen_forms(NO_FORMS, an_event(summary=None)).untitled
    assert not seen_forms(CalendarForms(untitled=True), an_event()).untitled
    assert seen_forms(NO_FORMS, an_event(end=NINE)).no_length
    assert not seen_forms(CalendarForms(no_length=True), an_event()).no_length
    days = an_event(start=date(2026, 12, 3), end=date(2026, 12, 3))
    assert not seen_forms(NO_FORMS, days).no_length
    for shade in ("tentative", "out_of_office", "working_elsewhere"):
        assert seen_forms(NO_FORMS, an_event(extended_transparency=shade)).shade == shade
    assert (
        seen_forms(CalendarForms(shade="tentative"), an_event(extended_transparency="opaque")).shade is None
    )


def test_r13_a_link_remembers_the_last_names_and_references() -> None:
    """Four of each, the newest last, none twice."""
    link = a_link()
    for number in (1, 2, 3, 4, 5, 3):
        reference = {"label": f"T{number}", "url": f"https://vorex.example/t/{number}"}
        link = with_marks(link, a_content(account_name=f"Name {number}", reference=reference))
    assert link.forms.accounts == ("Name 2", "Name 4", "Name 5", "Name 3")
    assert [label for label, _ in link.forms.references] == ["T2", "T4", "T5", "T3"]
    assert with_marks(link, a_content()) is link


def test_r21_a_new_link_inherits_what_was_learned_and_tells_what_it_saw() -> None:
    texts = {"title": ShownText(written="a", shown="b")}
    old = CalendarForms(
        texts=texts, keeps_private=True, untitled=True, accounts=("A",), references=(("T", "u"),)
    )
    both = inherited_forms(CalendarForms(no_length=True), old)
    assert both == replace(old, untitled=False, no_length=True)
    assert inherited_forms(CalendarForms(keeps_private=True), NO_FORMS).keeps_private
    assert not inherited_forms(NO_FORMS, NO_FORMS).keeps_private


def test_nothing_is_written_over_an_event_without_title_or_length_that_it_says_already() -> None:
    """R14; a title or an end of Vorex's own is written."""
    forms = CalendarForms(untitled=True, no_length=True)
    link = an_external_link(forms=forms)
    bare = fields_of_item(an_item(title="(No title)", end=None))

    assert as_there(link, bare) == replace(bare, summary="", end=bare.start)
    assert as_there(replace(link, forms=NO_FORMS), bare) == bare
    assert as_there(replace(link, origin=Origin.OURS), bare) == bare
    named = fields_of_item(an_item(title="Lunch"))
    assert as_there(link, named) == named
    day = fields_of_item(an_item(all_day=True, start="2026-12-03", end=None))
    assert as_there(link, day) == day


def test_r37_a_kind_of_busy_is_kept_while_the_event_is_busy() -> None:
    busy, free = fields_of_item(an_item()), fields_of_item(an_item(show_as="free"))
    forms = CalendarForms(shade="out_of_office")
    assert (kept_shade(forms, busy), kept_shade(forms, free)) == ("out_of_office", None)
    assert kept_shade(NO_FORMS, busy) is None


def test_r37_a_form_is_an_echo_and_an_edit_upon_it_is_taken_without_it() -> None:
    """The text that was added for the meeting stays where it is."""
    row = a_row_of(LONG, updated=NOW - MINUTE, description=JOINED)
    first = judged(row, a_written_link(), LONG)
    assert is_echo(first)
    assert first.link is not None
    assert first.link.agreed == prints_of(LONG)
    link = replace(first.link, read_at=at(-SECOND))
    assert is_echo(judged(row, link, LONG))

    edited = judged(replace(row, updated=NOW, description=f"Call first\n{JOINED}"), link, LONG)

    assert edited.item is not None
    assert edited.item.content == a_content(title=TITLE, description=f"Call first\n{TEXT}")
    assert description(a_content(description="x")) == "x"
    assert text_print("a b") != text_print("a c")
    off = EventTypes(create=True, update=False, delete=True)
    assert judged(replace(row, updated=NOW, description=JOINED), link, LONG, event_types=off).entries == ()
