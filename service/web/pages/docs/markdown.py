"""A page of the handbook from its Markdown: HTML without a style or script, its headings, its words."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

CONTENTS_LINE = "Contents:"
"""How the list of contents begins that a page has for its readers elsewhere; here stands one beside it."""
DEEPEST_HEADING = 3
_TABLE_ROLES: Mapping[str, str] = {
    "table": "table", "thead": "rowgroup", "tbody": "rowgroup", "tr": "row", "th": "columnheader",
    "td": "cell",
}  # fmt: skip
_NO_SLUG = re.compile(r"[^\w\- ]")
_JOINTS = re.compile(r"(?<=\w)[|_/]")
_PAGE_LINK = re.compile(r"([a-z-]+)\.md(#.*)?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """A heading with what stands below it until the next one."""

    anchor: str
    title: str
    level: int
    text: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class RenderedText:
    """What a page shows."""

    html: str
    sections: Sequence[Section]


def slug(title: str) -> str:
    """What ``#`` calls a heading: as GitHub does, so that a link holds in both places."""
    return _NO_SLUG.sub("", title.strip().lower()).replace(" ", "-")


def render_text(text: str) -> RenderedText:
    """Markdown of ours as HTML, its links to other pages leading to ``/docs``; HTML in it shows as text."""
    tokens = list(_without_empty_heads(list(_without_contents(_MARKDOWN.parse(text)))))
    _name_headings(tokens)
    for token in tokens:
        _explain_table(token)
        for child in token.children or ():
            _lead(child)
    html = _MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {})
    return RenderedText(html=html, sections=tuple(_sections(tokens)))


def _without_contents(tokens: Sequence[Token]) -> Iterator[Token]:
    left_out = 0
    for place, token in enumerate(tokens):
        following = tokens[place + 1].content if place + 1 < len(tokens) else ""
        if token.type == "paragraph_open" and following.startswith(CONTENTS_LINE):
            left_out = 3
        if left_out:
            left_out -= 1
        else:
            yield token


def _without_empty_heads(tokens: Sequence[Token]) -> Iterator[Token]:
    """A table must have a head in Markdown; one without words says nothing to anybody."""
    end = -1
    for place, token in enumerate(tokens):
        if token.type == "thead_open":
            closing = next(at for at in range(place, len(tokens)) if tokens[at].type == "thead_close")
            if not any(one.content for one in tokens[place:closing]):
                end = closing
        if place > end:
            yield token


def _name_headings(tokens: Sequence[Token]) -> None:
    taken: dict[str, int] = {}
    for opening, inline, closing in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if opening.type == "heading_open":
            title = _words(inline)
            name = slug(title)
            number = taken[name] = taken.get(name, -1) + 1
            opening.attrSet("id", f"{name}-{number}" if number else name)
            closing.meta = {"anchor": opening.attrGet("id"), "title": title}


def _words(inline: Token) -> str:
    """A line as it is read, without its marks."""
    kinds = {"softbreak": " ", "hardbreak": " "}
    return "".join(kinds.get(child.type, child.content) for child in inline.children or ())


def _explain_table(token: Token) -> None:
    """Its roles hold where a phone stacks it; the policy allows no style, so numbers have a class."""
    right = "right" in str(token.attrs.pop("style", ""))
    if token.nesting == 1 and (role := _TABLE_ROLES.get(token.tag)):
        token.attrs |= {"role": role, **({"class": "number"} if right else {})}


def _lead(token: Token) -> None:
    if token.type == "link_open" and (found := _PAGE_LINK.fullmatch(str(token.attrGet("href")))):
        token.attrSet("href", f"/docs/{found[1]}{found[2] or ''}")
    elif token.type == "image":
        token.attrSet("src", f"/docs/{token.attrGet('src')}")


def _sections(tokens: Sequence[Token]) -> Iterator[Section]:
    heading: dict[str, Any] = {"anchor": "", "title": "", "level": 1}
    words: list[str] = []
    for place, token in enumerate(tokens):
        if token.type == "heading_open" and int(token.tag[1:]) <= DEEPEST_HEADING:
            if heading["title"]:
                yield Section(**heading, text=" ".join(words))
            title = _words(tokens[place + 1])
            heading = {"anchor": str(token.attrGet("id")), "title": title, "level": int(token.tag[1:])}
            words = []
        elif token.type == "inline" and tokens[place - 1].type != "heading_open":
            words.append(_words(token))
        elif token.type == "fence":
            words.append(token.content)
    yield Section(**heading, text=" ".join(words))


def _close_heading(tokens: Sequence[Token], place: int, *_: Any) -> str:
    token = tokens[place]
    if token.tag == "h1":
        return "</h1>\n"
    label = escape(token.meta["title"])
    return f' <a class="anchor" href="#{token.meta["anchor"]}" aria-label="{label}">#</a></{token.tag}>\n'


def _code(tokens: Sequence[Token], place: int, *_: Any) -> str:
    """Long names may be broken where their parts meet, and nowhere else."""
    content = _JOINTS.sub(r"\g<0><wbr>", escape(tokens[place].content))
    return f"<code>{content}</code>"


def _picture(tokens: Sequence[Token], place: int, *_: Any) -> str:
    """It leads to itself in full size, for whoever has a small screen."""
    address, said = escape(str(tokens[place].attrGet("src"))), escape(tokens[place].content)
    return f'<a class="picture" href="{address}"><img src="{address}" alt="{said}" loading="lazy"></a>'


def _fence(tokens: Sequence[Token], place: int, *_: Any) -> str:
    """Lines that scroll are reached with the keyboard, too."""
    return f'<pre tabindex="0"><code>{escape(tokens[place].content)}</code></pre>\n'


def _markdown() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False}).enable("table")
    rules = {"code_inline": _code, "fence": _fence, "heading_close": _close_heading, "image": _picture}
    getattr(made.renderer, "rules").update(rules)  # noqa: B009 -- its protocol names render alone
    return made


_MARKDOWN = _markdown()
