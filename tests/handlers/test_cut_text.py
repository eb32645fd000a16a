"""Of a text that reached the calendar in part, the rest stays when that part is edited (R12, R37)."""

import pytest

from contracts.calendar import CalendarForms, ShownText
from handlers.edits import edited_item
from handlers.fingerprints import text_print, title_print
from handlers.texts.compose import crossing_description, crossing_title, description, summary
from handlers.texts.cut_text import beginning, with_rest, with_rest_behind_dots, without_dots
from handlers.texts.skeleton import skeleton
from tests.builders import a_content, a_row_of, an_item

TICKET = {"label": "T7", "url": "https://vorex.example/t/7"}
WHOLE = "One two three four five six seven eight nine ten eleven twelve"
CROSSED = WHOLE[:40]


@pytest.mark.parametrize(
    ("edited", "then"),
    [
        (f"{CROSSED}…\nCall first", f"{WHOLE}\nCall first"),
        (f"{CROSSED}...\nCall first", f"{WHOLE}\nCall first"),
        (f"Call first\n{CROSSED}…", f"Call first\n{WHOLE}"),
        (f"Zero {CROSSED[4:]}", f"Zero {WHOLE[4:]}"),
        (CROSSED.replace(" ", "\u00a0 ") + "…", CROSSED.replace(" ", "\u00a0 ").rstrip() + WHOLE[39:]),
        (f"{CROSSED}…{CROSSED}…", f"{CROSSED}…{WHOLE}"),
        ("Something else", None),
        (f"{CROSSED}{CROSSED}{CROSSED}…", f"{CROSSED}{CROSSED}{WHOLE}"),
    ],
)
def test_r12_the_rest_stands_where_the_dots_stood(edited: str, then: str | None) -> None:
    assert with_rest(edited, CROSSED, WHOLE) == then


def test_r12_of_a_text_that_crossed_whole_there_is_no_rest() -> None:
    assert with_rest("x", WHOLE, WHOLE) is None
    assert with_rest("x", "", WHOLE) is None
    assert with_rest("x", " ", WHOLE) is None


@pytest.mark.parametrize(
    ("kept", "begins"), [(0, ""), (1, "a"), (2, "a b"), (3, "a b\u00a0 c"), (9, "a b\u00a0 c")]
)
def test_r37_what_is_left_of_a_text_is_counted_by_its_skeleton(kept: int, begins: str) -> None:
    assert beginning("a b\u00a0 c", kept) == begins


UNITS = (
    "word ",
    "long" * 40,
    "<b>",
    "a < b ",
    "&amp;",
    "\u00a0",
    '<a href="https://x.example/y">',
    "\n",
    "x>",
)


@pytest.mark.parametrize("first", UNITS)
@pytest.mark.parametrize("second", UNITS)
def test_r43_a_beginning_is_found_piece_by_piece_where_halving_the_whole_would_find_it(
    first: str, second: str
) -> None:
    """Of words, tags, entities and addresses in each order, several pieces long."""
    text = "Call " + (first * 7 + second * 5) * 20
    whole = len(skeleton(text))

    for kept in {0, 1, whole // 3, whole // 2, whole - 1, whole}:
        begun = beginning(text, kept)
        assert len(skeleton(begun)) >= kept
        assert not begun or len(skeleton(begun[:-1])) < kept


def test_dots_in_place_of_a_rest_go_with_it() -> None:
    assert [without_dots(text) for text in ("a…", "a...", "a ... ", "a.", "a")] == ["a", "a", "a ", "a.", "a"]


@pytest.mark.parametrize("length", [1013, 1014, 1015, 1024])
def test_r12_what_crosses_of_a_title_is_what_stands_there(length: int) -> None:
    item = a_content(title="x" * length, account_name="Contoso")
    crossed = crossing_title(item)
    assert summary(item) == f"Contoso – {crossed}" + "…" * (len(crossed) < length)


@pytest.mark.parametrize("reference", [None, TICKET])
@pytest.mark.parametrize("length", [4065, 4066, 4067, 4096, 4097, 9000])
def test_r12_what_crosses_of_a_text_is_what_stands_there(
    length: int, reference: dict[str, str] | None
) -> None:
    item = a_content(description="x" * length, reference=reference)
    crossed = crossing_description(item)
    last = f"\n\n{TICKET['label']}: {TICKET['url']}" if reference else ""
    assert description(item) == crossed + "…" * (len(crossed) < length) + last


def test_r37_of_a_text_that_its_calendar_cut_the_rest_stays_too() -> None:
    """By how much of it was left; of another text than the one that was cut nothing is known."""
    item = a_content(title=WHOLE, description=WHOLE, location=WHOLE, reference=TICKET)
    texts = {
        "title": ShownText(written=title_print(summary(item)), shown="", kept=32),
        "description": ShownText(written=text_print(description(item)), shown="", kept=32),
        "location": ShownText(written=text_print(WHOLE), shown="", kept=32),
    }
    there = a_row_of(
        an_item(content=item),
        summary=f"Zero {CROSSED}...",
        description=f"Zero {CROSSED}",
        location=f"{CROSSED} and more",
    )
    fields = {"title", "description", "location"}

    taken = edited_item(item, there, fields, CalendarForms(texts=texts))

    begun = len(beginning(WHOLE, 32))
    assert (taken.title, taken.description) == (f"Zero {WHOLE}", f"Zero {WHOLE}")
    assert taken.location.startswith(WHOLE[:begun])
    assert taken.location.endswith("and more")
    other = {name: ShownText(written=title_print("x"), shown="", kept=32) for name in texts}
    assert edited_item(item, there, fields, CalendarForms(texts=other)).location == f"{CROSSED} and more"


def test_r37_where_the_end_of_what_crossed_is_gone_the_rest_of_a_description_stands_at_its_end() -> None:
    """A title has none then, and an emptied text is empty."""
    item = a_content(title="x" * 1024, account_name="Contoso", description="y" * 5000)
    row = a_row_of(an_item(content=item), summary="Short", description="Short…")
    taken = edited_item(item, row, {"title", "description"})
    assert (taken.title, taken.description) == ("Short", "Short\n" + "y" * (5000 - 4095))
    emptied = edited_item(item, a_row_of(an_item(content=item), description=""), {"description"})
    assert emptied.description == ""


@pytest.mark.parametrize(
    ("edited", "whole", "then"),
    [
        (f"Urgent: {CROSSED}...", WHOLE, f"Urgent: {WHOLE}"),
        (f"Urgent: {CROSSED[:38]}…\nCall", WHOLE, f"Urgent: {CROSSED[:38]}{WHOLE[38:]}\nCall"),
        ("One two...", WHOLE, None),
        (f"{WHOLE}...", WHOLE, None),
        (f"{CROSSED.strip()}... {WHOLE[40:]}", f"{CROSSED.strip()}... {WHOLE[40:]}", None),
        ("Something that is not in there at all...", WHOLE, None),
        (CROSSED, WHOLE, None),
    ],
)
def test_r37_dots_behind_words_of_the_whole_stand_for_what_follows(
    edited: str, whole: str, then: str | None
) -> None:
    """Where a provider cut, and nobody had seen it yet; dots of the text's own stay."""
    assert with_rest_behind_dots(edited, whole) == then
    item = a_content(title=whole, description=whole)
    row = a_row_of(an_item(content=item), summary=edited, description=edited)
    taken = edited_item(item, row, {"title", "description"})
    assert taken.description == (then or edited.rstrip())


def test_r37_of_a_text_that_repeats_itself_the_rest_stands_in_its_place_or_nowhere() -> None:
    """By more of its words; where they are in no place of their own, by nothing."""
    whole = "Item 7" + " of a long list" * 20
    assert with_rest(f"{whole[:252]}...", whole[:252], whole) == whole
    assert with_rest_behind_dots(f"{whole[:252]}...", whole) == whole
    assert with_rest_behind_dots(f"Urgent:{whole[6:252]}...", whole) is None
    assert with_rest_behind_dots(f"{whole[:20]}...", whole) is None
