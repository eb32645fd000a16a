"""The guide's acceptance walk (G17, G18), taken over HTTP alone as a person with a browser would."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

import httpx

ARRIVAL_WAIT_SECONDS = 60.0
ARRIVAL_POLL_SECONDS = 0.2

Announce = Callable[[str], None]
ApiDocument = dict[str, Any]


class WalkFailed(Exception):
    """A step did not end as the guide says; names what came instead."""


@dataclass(kw_only=True, slots=True)
class AcceptanceWalk:
    """One person's way from signing in to an appointment that crossed in both directions."""

    browser: httpx.AsyncClient
    """Keeps cookies and follows no redirect by itself."""
    product: str
    calendar_provider: str
    """The simulator's address, where the person looks at the linked calendar."""
    now: datetime
    mark: str = field(default_factory=lambda: secrets.token_hex(3))
    integration_id: str = ""
    calendar_id: str = ""

    async def sign_in(self, token: str) -> None:
        answer = await self._get(f"{self.product}/sign-in", token=token)
        _expect(answer, 303)

    async def connect(self) -> None:
        """Click to Connect, choose an account at Cronofy, allow access, come back and link it (G5)."""
        await self._part_with_earlier_ones()
        leaving = await self._get(f"{self.product}/calendar-sync/connect")
        _expect(leaving, 303)
        asked = await self._get(leaving.headers["location"])
        _expect(asked, 200)
        allowed = await self._press(asked, lambda _, value: "@" in value)
        _expect(allowed, 302)
        question = await self._get(allowed.headers["location"])
        _expect(question, 200)
        linked = await self._press(question, lambda *button: button == ("answer", "link"))
        _expect(linked, 303)
        self.integration_id = linked.headers["location"].split("/")[2]

    async def _part_with_earlier_ones(self) -> None:
        """In a database that is used again: they lead to a simulator that has forgotten them."""
        for earlier in (await self._api("GET", "/integrations"))["items"]:
            gone = await self.browser.delete(f"{self.product}/api/v1/integrations/{earlier['id']}")
            _expect(gone, 202)

    async def finish(self) -> None:
        """Choose a calendar and finish with all boxes checked (G7, G8, G10)."""
        offered = await self._api("GET", f"/integrations/{self.integration_id}/calendars")
        writable = [calendar for calendar in offered["items"] if not calendar["read_only"]]
        self.calendar_id = writable[0]["calendar_id"]
        types = ("appointment", "crm_activity", "service_call", "task", "todo")
        option = {"enabled": False, "past": "today", "future": "today"}
        choices = {
            "calendar_id": self.calendar_id,
            "event_types": {"create": True, "update": True, "delete": True},
            "item_types": dict.fromkeys(types, True),
            "retrieve": option,
            "send": option,
        }
        finished = await self._api("PUT", f"/integrations/{self.integration_id}/settings", json=choices)
        if not finished["active"]:
            raise WalkFailed("the integration is not active")

    async def send_an_item(self) -> None:
        """G17: added in My Calendar, it appears in the linked calendar."""
        title = f"Site visit {self.mark}"
        await self._api(
            "POST",
            "/my-calendar/items",
            json={
                "title": title,
                "description": "Bring the spare part.",
                "start": _text(self._day(9)),
                "end": _text(self._day(10)),
            },
        )

        async def appeared() -> bool:
            events = await self._json(
                "GET", f"{self._control}/events", params={"calendar_id": self.calendar_id}
            )
            return any(event["summary"] == title for event in events["events"])

        await _until(appeared, "the appointment did not appear in the linked calendar")

    async def bring_an_event(self) -> None:
        """G18: added in the linked calendar, it appears in My Calendar."""
        title = f"Lunch with Contoso {self.mark}"
        start, end = _text(self._day(12)), _text(self._day(13))
        event = {"summary": title, "start": start, "end": end, "tzid": "Europe/London"}
        await self._json("POST", f"{self._control}/calendars/{self.calendar_id}/events", json=event)
        days = {"from": _text(self._day(0)), "to": _text(self._day(23))}

        async def appeared() -> bool:
            items = await self._api("GET", "/my-calendar/items", params=days)
            return any(item["title"] == title for item in items["items"])

        await _until(appeared, "the event did not appear in My Calendar")

    @property
    def _control(self) -> str:
        return f"{self.calendar_provider}/_control"

    def _day(self, hour: int) -> datetime:
        """Tomorrow at that hour."""
        return self.now.replace(hour=hour, minute=0, second=0, microsecond=0) + timedelta(days=1)

    async def _get(self, address: str, **params: str) -> httpx.Response:
        return await self.browser.get(address, params=params or None)

    async def _press(self, page: httpx.Response, fits: Callable[[str, str], bool]) -> httpx.Response:
        action, sent = _PageForms.pressed(page.text, fits)
        return await self.browser.post(urljoin(str(page.url), action), data=sent)

    async def _api(self, method: str, path: str, **asked: Any) -> ApiDocument:
        return await self._json(method, f"{self.product}/api/v1{path}", **asked)

    async def _json(self, method: str, address: str, **asked: Any) -> ApiDocument:
        answer = await self.browser.request(method, address, **asked)
        _expect(answer, 200, 201)
        found: ApiDocument = answer.json()
        return found


async def walk_all(*, product: str, calendar_provider: str, token: str, say: Announce) -> bool:
    """Take all steps, telling each as it ends; whether all went well."""
    async with _browser() as browser:
        person = AcceptanceWalk(
            browser=browser,
            product=product,
            calendar_provider=calendar_provider,
            now=datetime.now(UTC),
        )
        steps: Mapping[str, Callable[[], Awaitable[None]]] = {
            "Sign in through Vorex": lambda: person.sign_in(token),
            "G5 Connect a calendar account through Cronofy": person.connect,
            "G10 Choose a calendar and finish": person.finish,
            "G17 An appointment added in My Calendar appears in the linked calendar": person.send_an_item,
            "G18 An event added in the linked calendar appears in My Calendar": person.bring_an_event,
        }
        for words, step in steps.items():
            if not await _went_well(words, step, say):
                return False
    return True


async def _went_well(words: str, step: Callable[[], Awaitable[None]], say: Announce) -> bool:
    try:
        await step()
    except (WalkFailed, httpx.HTTPError, LookupError) as error:
        say(f"[failed] {words}: {error or type(error).__name__}")
        return False
    say(f"[ok] {words}")
    return True


@asynccontextmanager
async def _browser() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
        yield client


async def _until(condition: Callable[[], Awaitable[bool]], otherwise: str) -> None:
    try:
        async with asyncio.timeout(ARRIVAL_WAIT_SECONDS):
            while not await condition():  # noqa: ASYNC110 -- over HTTP one can only ask again
                await asyncio.sleep(ARRIVAL_POLL_SECONDS)
    except TimeoutError:
        raise WalkFailed(f"{otherwise} within {ARRIVAL_WAIT_SECONDS:.0f} seconds") from None


def _expect(answer: httpx.Response, *statuses: int) -> None:
    if answer.status_code not in statuses:
        where = f"{answer.request.method} {answer.request.url.path}"
        raise WalkFailed(f"{where} answered {answer.status_code}: {answer.text[:300]}")


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(kw_only=True, slots=True)
class _PageForm:
    """A form: where it goes, what it sends along, and its buttons that say something."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class _PageForms(HTMLParser):
    """The forms of a page, Cronofy's or ours."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[_PageForm] = []

    @classmethod
    def pressed(cls, page: str, fits: Callable[[str, str], bool]) -> tuple[str, dict[str, str]]:
        """Where the first fitting button leads, and what a browser sends when it is pressed."""
        reader = cls()
        reader.feed(page)
        for form in reader.found:
            for name, value in form.buttons:
                if fits(name, value):
                    return form.action, {**form.fields, name: value}
        raise WalkFailed("the page does not offer what the guide says")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.found.append(_PageForm(action=given.get("action", "")))
        elif tag == "input" and given.get("type") == "hidden":
            self.found[-1].fields[given["name"]] = given["value"]
        elif tag == "button" and "name" in given:
            self.found[-1].buttons.append((given["name"], given["value"]))
