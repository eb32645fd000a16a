"""What this sync adds to texts is taken off however it comes back (R13)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.edits import edited_item
from handlers.texts.compose import description, summary
from handlers.texts.own_marks import OwnMarks, bare_description, bare_title
from handlers.texts.skeleton import skeleton
from service.demo.simulator.calendars.texts import kept_title, normalised
from service.demo.simulator.faults import ALL_HABITS
from tests.builders import a_content, a_row_of, an_item

TICKET = {"label": "T7", "url": "https://vorex.example/t/7"}


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("Bring fruit\n\nT7: https://vorex.example/t/7", "Bring fruit"),
        ("Bring fruit\r\n\r\nT7: https://vorex.example/t/7\r\n", "Bring fruit"),
        ("T7: https://vorex.example/t/7", ""),
        ("Bring fruit\n\nT7: https://vorex.example/t/7\nand wine", "Bring fruit\n\nand wine"),
        ("Bring fruit", "Bring fruit"),
        ("see T7: https://vorex.example/t/7", "see T7: https://vorex.example/t/7"),
    ],
)
def test_r13_the_reference_line_is_removed_wherever_it_stands(text: str, bare: str) -> None:
    """People type below it."""
    assert bare_description(text, a_content(reference=TICKET)) == bare


def test_r13_of_several_reference_lines_all_go_but_for_those_that_the_item_has_itself() -> None:
    """However many a calendar has put there, none grows."""
    line = "T7: https://vorex.example/t/7"
    text = f"{line}\nwine\n{line}"
    assert bare_description(text, a_content(reference=TICKET)) == "wine"
    assert bare_description(text, a_content(reference=TICKET, description=line)) == f"{line}\nwine"


def test_r13_without_a_reference_a_text_stays_as_it_is() -> None:
    assert bare_description("Bring fruit\n\nand wine", a_content()) == "Bring fruit\n\nand wine"


@pytest.mark.parametrize(
    ("title", "bare"),
    [
        ("Contoso – Lunch", "Lunch"),
        ("Lunch", "Lunch"),
        ("Contoso – Contoso – Lunch", "Lunch"),
        ("Contoso - Lunch", "Lunch"),
    ],
)
def test_r13_the_accounts_name_is_removed_once(title: str, bare: str) -> None:
    """With its en dash."""
    assert bare_title(title, a_content(account_name="Contoso")) == bare


@pytest.mark.parametrize(
    "prefix",
    [
        "Contoso Ltd – ",
        "Contoso Ltd - ",
        "Contoso Ltd — ",
        "Contoso Ltd \u2212 ",
        "Contoso Ltd -- ",
        "Contoso Ltd–",
        "Contoso\u00a0Ltd\u00a0–\u00a0",
        "Contoso  Ltd –\u200b",
        "contoso ltd: ",
        "  CONTOSO LTD -",
        "Contoso Ltd \u2e3a ",
        "Contoso Ltd\u2e3b",
        "Contoso Ltd \u2043 ",
        "Contoso Ltd \u30fc ",
        "Contoso Ltd ~ ",
        "Contoso Ltd | ",
        "Contoso Ltd \u00b7 ",
        "Contoso Ltd \u00ad– ",
        "Contoso\u3164Ltd\u200e –\u2062 ",
        "Old name – ",
        "Contoso Ltd – Old name - ",
    ],
)
def test_r13_the_prefix_is_known_in_whatever_spelling(prefix: str) -> None:
    """Another dash, other blanks, typed by hand, or of the account's former name."""
    item = a_content(title="Lunch", account_name="Contoso Ltd")
    earlier = OwnMarks(accounts=("Old name",))

    assert bare_title(f"{prefix}Lunch with Bob", item, earlier) == "Lunch with Bob"


@pytest.mark.parametrize(
    "title",
    [
        "Contoso Ltd",
        "Contoso Ltd-branded mugs",
        "Contoso Ltd Lunch",
        "– Lunch",
        "Contoso Ltd|Lunch",
        "Contoso Ltd~1",
    ],
)
def test_r13_what_only_looks_like_the_prefix_stays(title: str) -> None:
    assert bare_title(title, a_content(account_name="Contoso Ltd")) == title


def test_r13_a_title_keeps_the_prefix_that_it_has_itself() -> None:
    """One more was added by us."""
    item = a_content(title="Contoso – Lunch", account_name="Contoso")
    assert bare_title("Contoso – Contoso – Lunch", item) == "Contoso – Lunch"
    assert bare_title("Contoso – Contoso – Contoso – Lunch", item) == "Contoso – Lunch"
    assert bare_title("Contoso – Dinner", item) == "Dinner"


def test_r13_an_account_without_a_visible_name_marks_nothing() -> None:
    assert OwnMarks.of(a_content(account_name=" ")) == OwnMarks()
    assert bare_title("– Lunch", a_content(account_name=" ")) == "– Lunch"


@pytest.mark.parametrize(
    "line",
    [
        "T7: https://vorex.example/t/7",
        "T7:\u00a0https://vorex.example/t/7",
        "T7 – https://vorex.example/t/7",
        "T7: https://vorex.example/t/7<https://vorex.example/t/7>",
        'T7: <a href="https://vorex.example/t/7">https://vorex.example/t/7</a>',
        "[T7](https://vorex.example/t/7): https://vorex.example/t/7",
        "https://vorex.example/t/7/",
        "  T7: (https://vorex.example/t/7)",
    ],
)
def test_r13_the_reference_is_known_in_whatever_spelling(line: str) -> None:
    assert bare_description(f"one\n{line}\ntwo", a_content(reference=TICKET)) == "one\ntwo"


def test_r13_a_reference_whose_address_went_behind_its_label_is_known_by_that() -> None:
    """Unless it is too short to be known by."""
    named = {"label": "T20261201", "url": "https://vorex.example/t/7"}
    assert bare_description("one\nT20261201:", a_content(reference=named)) == "one"
    assert bare_description("one\nT20261201: done", a_content(reference=named)) == "one\nT20261201: done"
    assert bare_description("one\nT7:", a_content(reference=TICKET)) == "one\nT7:"


def test_r13_a_reference_that_was_changed_meanwhile_is_known_too() -> None:
    earlier = OwnMarks(references=(("T6", "https://vorex.example/t/6"),))
    text = "one\nT6: https://vorex.example/t/6\nT7: https://vorex.example/t/7"
    assert bare_description(text, a_content(reference=TICKET), earlier) == "one"
    assert bare_description(text, a_content(), earlier) == "one\nT7: https://vorex.example/t/7"


HABITS = st.lists(st.sampled_from(sorted(ALL_HABITS - {"no_private"})), max_size=4)
TITLES = st.sampled_from(["Lunch", "Contoso – Lunch", "R&D <b>", "a – b - c", "x" * 300])


@given(TITLES, st.sampled_from([None, "Contoso", "R&D  Ltd"]), HABITS, st.booleans())
def test_r13_nothing_grows_however_often_a_copy_is_edited_written_and_read(
    title: str, account: str | None, habits: list[str], reference: bool
) -> None:
    """A line is added there, taken, written, and read in the provider's form: five times."""
    item = a_content(
        title=title, account_name=account, description="One line", reference=TICKET if reference else None
    )
    for number in range(5):
        there = a_row_of(
            an_item(content=item),
            summary=kept_title(summary(item), habits),
            description=normalised(f"{number} more\n{description(item)}", habits),
        )
        item = edited_item(item, there, {"title", "description"})

    assert skeleton(item.title) == skeleton(title) or "cut_titles" in habits
    assert skeleton(item.description) == skeleton("4 more\n3 more\n2 more\n1 more\n0 more\nOne line")
