"""What copies say of themselves is taken off however it comes back, and nothing grows by it (R52, R37)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.event_fields import AdviceWish
from contracts.vorex import ItemContent, ItemType
from handlers.edits import edited_item
from handlers.fingerprints import are_alike, fingerprints_of_event
from handlers.texts.advice import ADVICE, Advice, advice_language, advice_of, with_advice, without_advice
from handlers.texts.compose import LONGEST_DESCRIPTION, compose, description
from handlers.texts.skeleton import skeleton
from service.demo.simulator.calendars.texts import normalised
from service.demo.simulator.faults import ALL_HABITS
from tests.builders import a_content, a_row_of, an_item

TICKET = {"label": "T7", "url": "https://vorex.example/t/7"}
SENTENCES = [each for said in ADVICE.values() for each in said.values()]
WISHES = st.builds(
    AdviceWish, language=st.sampled_from(["en", "de"]), update=st.booleans(), delete=st.booleans()
)
HABITS = st.sets(st.sampled_from(sorted(ALL_HABITS)))
WORDS = st.text(st.sampled_from("abc äö V:.,-\n&<>"), max_size=60)
CONTENTS = st.builds(
    lambda kind, text, ticket, done: a_content(
        type=kind, description=text, reference=TICKET if ticket else None, completed=done
    ),
    st.sampled_from(list(ItemType)),
    WORDS,
    st.booleans(),
    st.booleans(),
)


def _written(content: ItemContent, wish: AdviceWish) -> str:
    return with_advice(description(content), advice_of(content.traits, wish))


@given(content=CONTENTS, wish=WISHES, habits=HABITS)
def test_r52_r37_the_line_is_known_in_any_form_that_a_provider_makes_of_it(
    content: ItemContent, wish: AdviceWish, habits: set[str]
) -> None:
    """What is left is what the text would be had the line never been written."""
    read = normalised(_written(content, wish), habits)

    assert skeleton(without_advice(read, content)) == skeleton(
        without_advice(normalised(description(content), habits), content)
    )
    assert not any(skeleton(each) in skeleton(without_advice(read, content)) for each in SENTENCES)


@given(content=CONTENTS, wish=WISHES, habits=HABITS)
def test_r52_r37_a_copy_with_the_line_is_as_it_was_written_and_no_edit(
    content: ItemContent, wish: AdviceWish, habits: set[str]
) -> None:
    """Read again and again, neither item nor print changes."""
    item = an_item(content=content.model_copy(update={"type": ItemType.APPOINTMENT}))
    assert item.content is not None
    bare = a_row_of(item, description=normalised(description(item.content), habits))
    row = a_row_of(item, description=normalised(_written(item.content, wish), habits))

    ours, plain = (fingerprints_of_event(each, item.content) for each in (row, bare))
    assert are_alike("description", ours["description"], plain["description"])
    assert edited_item(item.content, row, {"description"}) == edited_item(item.content, bare, {"description"})


@given(wish=WISHES, habits=HABITS)
def test_r52_what_a_person_writes_above_or_below_the_line_is_taken_without_it(
    wish: AdviceWish, habits: set[str]
) -> None:
    """And written out again it stands there once."""
    content = a_content(description="Bring fruit", reference=TICKET)
    item, told = an_item(content=content), _written(content, wish)
    for edited in (f"Call first\n{told}", f"{told}\nCall first"):
        row = a_row_of(item, description=normalised(edited, habits))
        taken = edited_item(content, row, {"description"})
        assert "Call first" in taken.description.replace("\u00a0", " ")
        assert not any(skeleton(each) in skeleton(taken.description) for each in SENTENCES)
        assert skeleton(_written(taken, wish)).count(skeleton(advice_of(taken.traits, wish))) == 1


@pytest.mark.parametrize("sentence", SENTENCES)
@pytest.mark.parametrize("dots", ["", "…", "..."])
def test_r52_r37_a_line_that_was_cut_is_known(sentence: str, dots: str) -> None:
    """From sixteen characters on; of fewer it is the person's own word."""
    for end in range(24, len(sentence) + 1):
        assert without_advice(f"Bring fruit\n\n{sentence[:end].rstrip()}{dots}") == "Bring fruit"
    assert without_advice("Bring fruit\n\nVorex: mo") == "Bring fruit\n\nVorex: mo"


def test_r52_what_an_item_s_own_text_says_stays() -> None:
    """However often the calendar repeats it."""
    own = ADVICE["en"][Advice.SAME]
    content = a_content(description=f"Read this.\n{own}")
    wish = AdviceWish(language="en", update=True, delete=True)

    assert without_advice(_written(content, wish), content) == description(content)
    assert without_advice(description(content), content) == description(content)


def test_r52_r12_the_line_is_left_out_where_the_text_needs_the_room() -> None:
    content = a_content(description="x" * LONGEST_DESCRIPTION)
    wish = AdviceWish(language="de", update=True, delete=True)
    assert _written(content, wish) == description(content)


@pytest.mark.parametrize(
    ("kind", "boxes", "said"),
    [
        ("appointment", (True, True), Advice.SAME),
        ("appointment", (True, False), Advice.SAME_BUT_DELETING),
        ("appointment", (False, True), Advice.ONLY_DELETING),
        ("appointment", (False, False), Advice.NOTHING),
        ("task", (True, True), Advice.ONLY_MOVING),
        ("todo", (False, True), Advice.NOTHING),
        ("crm_activity", (True, False), Advice.ONLY_MOVING),
        ("service_call", (True, False), Advice.CALL),
        ("service_call", (False, False), Advice.CALL_ASKED_ONLY),
    ],
)
@pytest.mark.parametrize("language", ["en", "de"])
def test_r52_r6_it_says_what_the_calendar_may_change_of_that_type(
    kind: str, boxes: tuple[bool, bool], said: Advice, language: str
) -> None:
    """By the boxes of the calendar (R5–R7), in the person's language."""
    wish = AdviceWish(language=language, update=boxes[0], delete=boxes[1])
    assert advice_of(a_content(type=kind).traits, wish) == ADVICE[language][said]
    assert (
        advice_of(a_content(type="service_call", completed=True).traits, wish)
        == ADVICE[language][Advice.NOTHING]
    )


@pytest.mark.parametrize(
    ("tag", "language"), [("de-AT", "de"), ("DE", "de"), ("en-GB", "en"), ("fr", "en"), (None, "en")]
)
def test_r52_r49_the_language_is_that_of_the_person_s_locale(tag: str | None, language: str) -> None:
    assert advice_language(tag) == language


def test_r52_no_composed_event_has_the_line() -> None:
    """It is no part of what is compared, so no copy is written for it alone."""
    fields = compose(a_content())
    assert fields is not None
    assert not any(each in (fields.description or "") for each in SENTENCES)
