"""A person with a browser that has no script: opens pages, fills their forms in, presses their buttons."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import httpx


@dataclass(kw_only=True)
class PageControl:
    """A button or a link, and what it says to a person."""

    tag: str
    attributes: Mapping[str, str]
    words: str = ""

    @property
    def label(self) -> str:
        return self.attributes.get("aria-label") or " ".join(self.words.split())


@dataclass(kw_only=True)
class FilledForm:
    """A form as the page shows it."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    boxes: dict[str, list[tuple[str, bool]]] = field(default_factory=dict)
    options: dict[str, list[str]] = field(default_factory=dict)
    buttons: list[PageControl] = field(default_factory=list)


class ShownPage(HTMLParser):
    """What the answer shows."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__()
        self.status = answer.status_code
        self.address = str(answer.url)
        self.text = answer.text
        self.forms: list[FilledForm] = []
        self.links: list[PageControl] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words = ""
        self._open: list[PageControl] = []
        self._form: FilledForm | None = None
        self._select = ""
        self._area = ""
        self._named: dict[str, FilledForm] = {}
        self._elsewhere: list[PageControl] = []
        self.feed(answer.text)
        for button in self._elsewhere:
            self._named[button.attributes["form"]].buttons.append(button)

    @property
    def path(self) -> str:
        return urlsplit(self.address).path

    @property
    def own_forms(self) -> list[FilledForm]:
        """Without the one to sign out, which every page has."""
        return [form for form in self.forms if form.action != "/sign-out"]

    def form(self, button: str) -> tuple[FilledForm, PageControl]:
        """The form with the button of that label."""
        found = [(form, one) for form in self.forms for one in form.buttons if one.label == button]
        shown = [pair for pair in found if "aria-hidden" not in pair[1].attributes]
        assert shown, (
            f"no button {button!r} on {self.address}: {[b.label for f in self.forms for b in f.buttons]}"
        )
        return shown[-1]

    def link(self, label: str) -> str:
        found = [one for one in self.links if one.label == label]
        assert found, f"no link {label!r} on {self.address}: {[one.label for one in self.links]}"
        return found[0].attributes["href"]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.append((tag, given))
        if tag == "form":
            self._form = FilledForm(action=given.get("action", ""), method=given.get("method", "get"))
            self.forms.append(self._form)
            self._named[given.get("id", "")] = self._form
        elif tag in {"a", "button"}:
            self._open.append(PageControl(tag=tag, attributes=given))
            if tag == "button" and "form" in given:
                self._elsewhere.append(self._open[-1])
            elif tag == "button" and self._form:
                self._form.buttons.append(self._open[-1])
            elif tag == "a":
                self.links.append(self._open[-1])
        elif self._form is not None:
            self._field(tag, given)

    def _field(self, tag: str, given: dict[str, str]) -> None:
        assert self._form is not None
        name = given.get("name", "")
        if tag == "input" and given.get("type") in {"checkbox", "radio"}:
            choice = (given.get("value", "on"), "checked" in given)
            self._form.boxes.setdefault(name, []).append(choice)
        elif tag == "input":
            self._form.fields[name] = given.get("value", "")
        elif tag == "select":
            self._select = name
        elif tag == "textarea":
            self._area = name
            self._form.fields[name] = ""
        elif tag == "option":
            self._form.options.setdefault(self._select, []).append(given["value"])
            if "selected" in given or self._select not in self._form.fields:
                self._form.fields[self._select] = given["value"]

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "textarea":
            self._area = ""
        elif tag in {"a", "button"} and self._open:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        self.words += data
        if self._open:
            self._open[-1].words += data
        if self._area and self._form:
            self._form.fields[self._area] += data.removeprefix("\n")


@dataclass(kw_only=True)
class Browser:
    """Follows every redirect, and remembers the page that it ended on."""

    client: httpx.AsyncClient
    page: ShownPage = field(init=False)

    async def open(self, address: str) -> ShownPage:
        return await self._ended(await self.client.get(address, headers=BROWSER, follow_redirects=True))

    async def follow(self, label: str) -> ShownPage:
        return await self.open(urljoin(self.page.address, self.page.link(label)))

    async def press(
        self, button: str, *, changes: Mapping[str, str | bool | None] | None = None
    ) -> ShownPage:
        """Send the form of that button; a change that is False leaves its box unchecked."""
        form, pressed = self.page.form(button)
        sent = dict(form.fields)
        for name, choices in form.boxes.items():
            if (value := _checked(choices)) is not None:
                sent[name] = value
        for name, change in (changes or {}).items():
            sent.pop(name, None)
            if isinstance(change, str) or change:
                sent[name] = "on" if change is True else change
        if "name" in pressed.attributes:
            sent[pressed.attributes["name"]] = pressed.attributes["value"]
        address = urljoin(self.page.address, pressed.attributes.get("formaction") or form.action)
        assert form.method == "post"
        answer = await self.client.post(address, data=sent, headers=BROWSER, follow_redirects=True)
        return await self._ended(answer)

    async def _ended(self, answer: httpx.Response) -> ShownPage:
        self.page = ShownPage(answer)
        return self.page


def _checked(choices: list[tuple[str, bool]]) -> str | None:
    return next((value for value, checked in choices if checked), None)


BROWSER = {"Accept": "text/html"}
