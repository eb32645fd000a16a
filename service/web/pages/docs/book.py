"""The handbook's pages in the order in which they are read, and for whom each is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from service.web.pages.docs.markdown import Section, render_text
from service.web.rendering import WEB_FOLDER

HANDBOOK_FOLDER = WEB_FOLDER / "handbook"
PICTURES_FOLDER = HANDBOOK_FOLDER / "pictures"
READING_ORDER = (
    "user-guide", "publishing", "operating", "deploying", "sizing", "upgrading", "keys", "security",
    "erasing",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class HandbookPage:
    """One page, rendered."""

    name: str
    title: str
    html: str
    sections: Sequence[Section]

    @property
    def address(self) -> str:
        return f"/docs/{self.name}"

    @property
    def contents(self) -> Sequence[Section]:
        """The headings below the title that a list of contents names."""
        return [section for section in self.sections if section.level == 2]  # noqa: PLR2004 -- h2


@cache
def handbook() -> Mapping[str, HandbookPage]:
    """Every page by its name, in reading order; rendered once in a process."""
    found = sorted(HANDBOOK_FOLDER.glob("*.md"), key=lambda path: _place(path.stem))
    return {path.stem: _page(path.stem, path.read_text(encoding="utf-8")) for path in found}


@cache
def pictures() -> frozenset[str]:
    """The names of the pictures on its pages."""
    return frozenset(path.name for path in PICTURES_FOLDER.iterdir())


def _place(name: str) -> tuple[int, str]:
    return (READING_ORDER.index(name) if name in READING_ORDER else len(READING_ORDER), name)


def _page(name: str, text: str) -> HandbookPage:
    rendered = render_text(text)
    title = rendered.sections[0].title
    return HandbookPage(name=name, title=title, html=rendered.html, sections=rendered.sections)


def neighbours(name: str) -> tuple[HandbookPage | None, HandbookPage | None]:
    """The page before and the page after this one."""
    pages = list(handbook().values())
    place = [page.name for page in pages].index(name)
    return pages[place - 1] if place else None, pages[place + 1] if place + 1 < len(pages) else None
