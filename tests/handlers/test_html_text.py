"""Html read as plain text (R12): the same everywhere, whole, and in time that grows as its length."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.texts.html_text import html_to_text, tidy_lines
from tests.support.processor_time import seconds_of

TEXT_AS_IT_IS = ("one", "x < y", "I <3 you", "</", "</ b c d", "</3 y", "</>", "<=", "< b>", "<", "a<")
SEEN = ("textarea", "iframe", "xmp", "noembed", "noframes", "noscript", "plaintext", "svg", "head")
UNSEEN = ("script", "style", "title")


@pytest.mark.parametrize("text", TEXT_AS_IT_IS)
def test_r12_what_begins_no_markup_is_text(text: str) -> None:
    """A person's ``<`` takes nothing with it, whatever comes before or after."""
    assert html_to_text(text) == text
    assert html_to_text(f"<p>0{text} <b>1</b></p>2") == f"0{text} 1\n2"


@pytest.mark.parametrize("name", SEEN)
def test_r12_the_text_of_an_element_that_is_seen_is_html_like_any_other(name: str) -> None:
    """Ended or not, none turns the tags and comments within it into text."""
    assert html_to_text(f"a<{name}>b<br>c&amp;<!-- no --></{name}>d") == "ab\nc&d"
    assert html_to_text(f"a<{name}>b<br>c") == "ab\nc"


@pytest.mark.parametrize("name", UNSEEN)
@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("a<{0}>b<br>c</{0}>d", "ad"),
        ("a<{0} x='>'>b</{0}>c", "ac"),
        ("a<{0}>b</{0} x>c", "ac"),
        ("a<{0}>b</{0}/>c", "ac"),
        ("a<{0}>b</{0}\n>c", "ac"),
        ("a<{0}>b</{0}s>c</{0}>d", "ad"),
        ("a<{0}>b</ {0}>c</{0}>d", "ad"),
        ("a<{0}><!-- b</{0}>c-->d", "ac-->d"),
        ("a<{0}>b<{0}>c</{0}>d", "ad"),
        ("a<{0}/>b", "ab"),
        ("a</{0}>b", "ab"),
        ("a<{0}s>b", "ab"),
        ("a<{0}>b", "a"),
        ("a<{0}>b</{0}", "a"),
        ("a<{0}>b</{0} c", "a"),
        ("a<{0} b", "a"),
    ],
)
def test_r12_what_is_not_seen_ends_at_its_own_end_tag(name: str, html: str, text: str) -> None:
    """Whatever stands within."""
    assert html_to_text(html.format(name)) == text
    assert html_to_text(html.format(name.upper())) == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("a<!--x-->b", "ab"),
        ("a<!-->b-->c", "ab-->c"),
        ("a<!--->b-->c", "ab-->c"),
        ("a<!---->b", "ab"),
        ("a<!--x--!>b-->c", "ab-->c"),
        ("a<!--x-- >b-->c", "ac"),
        ("a<!--x->b-->c", "ac"),
        ("a<!--<!--x-->b-->c", "ab-->c"),
        ("a<!--x\ny-->b", "ab"),
        ("a<!--x--!b", "a"),
        ("a<!x>b", "ab"),
        ("a<!>b", "ab"),
        ("a<![CDATA[x>b]]>c", "ab]]>c"),
        ("a<?x?>b", "ab"),
    ],
)
def test_r12_comments_are_passed_over(html: str, text: str) -> None:
    """They end where browsers let them end."""
    assert html_to_text(html) == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<b title='x>y'>a</b title='x>y'>b", "ab"),
        ('<b title = "x>y">a', "a"),
        ("<b it's>a</b> it's", "a it's"),
        ("<b title=it's>a</b> it's", "a it's"),
        ("<a href=x?y='1>a", "a"),
        ('<a href="x>a</a>', "a"),
        ("<b/c/>a", "a"),
        ("<b a='x'b='>'>a", "a"),
        ("<o:p>a</o:p>", "a"),
        ("<p\xa0x>a", "a"),
        ("a<li", "a"),
        ("a</p", "a"),
        ("a<br x='>", "a"),
        ("<LI>a</LI><bR>b", "- a\n\nb"),
    ],
)
def test_r12_tags_end_outside_their_quoted_values(html: str, text: str) -> None:
    """A quotation mark quotes only where a value begins, and only if another ends it."""
    assert html_to_text(html) == text


PIECES = {
    **{text: text for text in ("one", "x < y", "</ b", "</3", "</>", "<5>", "a > b", "'", '"', "=", "--!>")},
    **{
        f"<{end}{name}{rest}>": ""
        for end in ("", "/")
        for name in (*SEEN, "b")
        for rest in ("", " x='>'", "/")
    },
    **{f"<{name}{rest}>a<br><!--'</{name}\t>": "" for name in UNSEEN for rest in ("", ' x=">"')},
    **{f"<{name}/>": "" for name in UNSEEN},
    **{f"</{name}>": "" for name in UNSEEN},
    **dict.fromkeys(("<!-->", "<!--->", "<!--x--!>", "<!--<b>'-->", "<!x'>", "<?x>", "<![x]>"), ""),
    "<br>": "\n",
    "<BR/>": "\n",
    "&lt;b&gt;": "<b>",
    "&#60;": "<",
    "&nosuch;": "&nosuch;",
}
"""Pieces of html that are read alike wherever they stand, and the text of each."""


@given(st.lists(st.sampled_from(sorted(PIECES)), max_size=30))
def test_r12_the_text_of_html_is_the_text_of_its_pieces(pieces: list[str]) -> None:
    """Nothing is lost, and nothing that is markup is shown, whatever stands beside it."""
    assert html_to_text("".join(pieces)) == tidy_lines("".join(PIECES[piece] for piece in pieces))


@given(st.text(alphabet=st.sampled_from("<>!-/?[]&;'\"= \nabpli#x1"), max_size=80))
def test_r12_no_html_is_too_odd(html: str) -> None:
    """Whatever is in it comes out as tidy text."""
    text = html_to_text(html)
    assert text == text.strip("\n")
    assert "\n\n\n" not in text


@pytest.mark.parametrize(
    "unit", ["<", "<!--", "<!", "</", "<a ", "<a b='", "<a '>'", "<?", "&", "&#", "<script>", "<li>", "<br>"]
)
@pytest.mark.timeout(20)
def test_r12_the_longest_html_takes_no_time(unit: str) -> None:
    """A hostile description must not hold the messages of others."""
    longest = 256 * 1024
    html_to_text(unit * (longest // len(unit)))


@pytest.mark.parametrize(
    ("number", "text"),
    [("9" * 10_000, "\ufffd"), ("0" * 10_000 + "65", "A"), ("1114112", "\ufffd"), ("0" * 10_000, "\ufffd")],
)
def test_r12_no_number_of_an_entity_is_too_long(number: str, text: str) -> None:
    """Nor in an attribute; what names no character is shown as one that cannot be shown."""
    assert html_to_text(f"<a title='&#{number};'>&#{number};</a>") == text


HOSTILE = (
    "<",
    "<!--",
    "<!",
    "</",
    "<a ",
    "<a b='",
    "<a '>'",
    "<a b='>' ",
    "<?",
    "&",
    "&#",
    "&#1",
    "<script>",
    "<style></",
    "<title",
    "</title",
    "<title>",
    "<![CDATA[",
    "<li>",
    "<br>",
    "<div>",
    '<a =">"',
    '<a =">=\'">',
    "<script a='",
    "<script/>",
    "<script></script",
    "<!--->",
    "<!--a--!",
)


@pytest.mark.parametrize("unit", HOSTILE)
def test_r12_the_time_of_html_grows_as_its_length(unit: str) -> None:
    """A hostile description must not hold the messages of others: at eight times the length not 64 times."""
    texts = [unit * (length // len(unit)) + '<a b="' for length in (8 * 1024, 64 * 1024)]

    short, long = (seconds_of(partial(html_to_text, text)) for text in texts)

    assert long < 30 * max(short, LEAST_SECONDS)


@pytest.mark.parametrize("unit", ["<div>", "<li>", "<title>"])
def test_r12_html_may_be_nested_as_deep_as_it_likes(unit: str) -> None:
    """No depth is too deep."""
    depth = 256 * 1024 // len(unit)

    assert html_to_text(f"one{unit * depth}two").startswith("one")


LEAST_SECONDS = 0.002
"""Below this a measurement tells more of the machine than of the html."""
