"""What looks like what is there already, and what keeps resembling itself (R1, R18)."""

import sys
from types import FrameType
from typing import Any

import pytest

from handlers.arrivals.look_alikes import (
    LONGEST_LOOK,
    MOST_ALIKE,
    CreationBrake,
    bare_look,
    look_of_event,
    look_of_title,
    looks_of_item,
    looks_of_items,
)
from tests.builders import an_event, an_item

NINE_TO_TEN = ("2026-12-03T09:00:00Z", "2026-12-03T10:00:00Z")


@pytest.mark.parametrize(
    "title",
    [
        "Contoso – Replace firewall",
        "contoso - replace FIREWALL",
        " Contoso\u00a0\u2014  Replace\tfirewall ",
        "Contoso \u2212 Replace\u200b firewall",
        "Ｃontoso － Replace firewall",
    ],
)
def test_a_title_looks_the_same_in_every_spelling(title: str) -> None:
    """Blanks, dashes, capitals, wide letters."""
    assert look_of_title(title) == "contoso - replace firewall"


@pytest.mark.parametrize("title", ["", "  ", "\u200b"])
def test_a_title_that_shows_nothing_looks_like_no_title(title: str) -> None:
    """As the item of such an event is called."""
    assert look_of_title(title) == "(no title)"


@pytest.mark.parametrize(
    "title",
    [
        "Lunch",
        "Copy of Lunch",
        "Copy of copy of Lunch",
        "Copy: Lunch",
        "[Mirror] Lunch",
        "[Mirror] [Mirror] Lunch (copy 3)",
        "Lunch - copy",
        "Lunch copy 12",
        "FW: Re: lunch",
        "Lunch <sync> {1}",
        "((Lunch)) lunch",
        "Re: copy of copy: [x] Lunch - copy copy 2 : copy",
        "Copy - Lunch copy\u00b2",
    ],
)
def test_what_tools_put_on_copies_does_not_make_them_another_event(title: str) -> None:
    """However often they did."""
    assert bare_look(title) == "lunch"


@pytest.mark.parametrize(
    ("title", "look"),
    [
        ("Event 12", "event 12"),
        ("(no title)", "(no title)"),
        ("Copy", "copy"),
        ("Copywriting", "copywriting"),
        ("[x]", "[x]"),
    ],
)
def test_what_a_title_consists_of_is_left(title: str, look: str) -> None:
    """Numbers tell events apart, and a mark alone is a title."""
    assert bare_look(title) == look


@pytest.mark.parametrize("title", ["(" * 5000, "()" * 5000, "copy of " * 5000, " " * 5000, "re:" * 5000])
def test_no_title_takes_long(title: str) -> None:
    """It is read as far as anybody would."""
    assert len(bare_look(title)) <= LONGEST_LOOK
    assert _steps(title) <= _steps(title[:LONGEST_LOOK])


@pytest.mark.parametrize(
    "title",
    [
        "\u2474" * 255,  # (1), once unfolded
        "\u3200" * 255,  # the same in Korean
        "\ufdfa" * 255,  # a whole sentence each
        "()" * 127,
        "(" * 127 + "x" + ")" * 127,
        "([{<" * 31 + ">}])" * 31,
        "copy " * 51,
        "re: " * 63,
        "- copy 1" * 31,
        " -" * 127,
    ],
    ids=lambda title: title[:4],
)
def test_r43_the_oddest_title_takes_no_longer_than_a_few_plain_ones(title: str) -> None:
    """Whoever owns a linked calendar chooses hundreds of them at once."""
    plain = _steps("Replace the firewall of " * 11)
    assert 0 < _steps(title) < 6 * plain
    assert len(bare_look(title)) <= LONGEST_LOOK


def _steps(title: str) -> int:
    """How many lines of the module are run; ``worst_texts`` has what its patterns meet."""
    steps = 0

    def count(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal steps
        if frame.f_code.co_filename != bare_look.__code__.co_filename:
            return None
        steps += event == "line"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        bare_look(title)
    finally:
        sys.settrace(before)
    return steps


@pytest.mark.parametrize(
    ("title", "look"),
    [
        ("a (b [c) d]", "a d]"),
        ("[(] x)", "x)"),
        ("a) b (c", "a) b (c"),
        ("a (b (c) d) e", "a e"),
        ("a {b <c> d} [e] f", "a f"),
        ("(a) b (", "b ("),
        ("a ((b) c", "a ( c"),
    ],
)
def test_brackets_go_with_what_they_hold(title: str, look: str) -> None:
    """Whatever their order; one without its other half stays."""
    assert bare_look(title) == look


def test_an_item_looks_like_itself_and_like_its_copy() -> None:
    """With the account's name and without (R13), at its times."""
    item = an_item(account_name="Contoso")
    assert looks_of_item(item) == {("lunch", *NINE_TO_TEN), ("contoso - lunch", *NINE_TO_TEN)}
    assert looks_of_items([item, an_item(start=None, end=None)]) == looks_of_item(item)
    assert looks_of_item(an_item(start=None, end=None)) == set()
    assert look_of_event(an_event(summary="CONTOSO — Lunch")) in looks_of_item(item)
    assert look_of_event(an_event(summary="Doctor", event_private=True))[0] == "private appointment"
    assert look_of_event(an_event(summary=None)) == ("(no title)", *NINE_TO_TEN)


def test_so_many_that_resemble_each_other_are_let_through() -> None:
    """With those of a moment ago; others are not held for them."""
    recent: list[tuple[str, str | None]] = [("Lunch", None)] * 5
    brake = CreationBrake(recent)
    let = [brake.lets_through(an_event(summary=f"[Mirror] Lunch (copy {at})")) for at in range(20)]
    assert let == [True] * (MOST_ALIKE - 5) + [False] * 5
    assert brake.lets_through(an_event(summary="Dinner"))
    assert not brake.lets_through(an_event(summary="Lunch", series_identifier="s"))
    full = CreationBrake([("Lunch", None)] * MOST_ALIKE)
    assert not full.lets_through(an_event())


def test_r39_a_series_counts_once_and_private_events_not_at_all() -> None:
    """A year of weekly meetings is one thing; private ones all look alike."""
    brake = CreationBrake([("Lunch", "s")] * 30)
    assert all(brake.lets_through(an_event(series_identifier="s")) for _ in range(60))
    assert sum(brake.lets_through(an_event()) for _ in range(60)) == MOST_ALIKE - 1
    assert brake.lets_through(an_event(series_identifier="s"))
    private = CreationBrake([("Private appointment", None)] * 60)
    assert all(private.lets_through(an_event(event_private=True)) for _ in range(60))
