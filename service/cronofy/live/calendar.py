"""The application calendar on which assumptions are tried; nobody's own calendar is within its reach."""

import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

from contracts.cronofy_accounts import TokenGrant
from contracts.errors import GrantRefused, Transient
from contracts.ports import Clock, Turn, Urgency
from contracts.times import wire_time
from contracts.writes import Answer, events_path
from service.cronofy.gateway import EVENT_PAGES, LARGEST_BATCH
from service.cronofy.oauth import OAuth
from service.cronofy.transport import CronofyRequest, CronofyTransport, json_content

CALENDAR_NAME = "vorex-calendar-sync-doctor"
"""Of the application calendar: the same at every visit, so that no second one is ever made."""
EVENT_PREFIX = "vcs-live-"
ARRIVAL_PATIENCE_SECONDS = 60.0
"""Seconds within which an accepted write should show."""
FIRST_LOOK_SECONDS, LONGEST_LOOK_SECONDS = 0.25, 5.0
MOST_TRIAL_PAGES = 50
_EVERY_STATUS = range(100, 600)
_TURN = Turn(urgency=Urgency.PERSON)

Row = Mapping[str, Any]


class HeldGrant:
    """The tokens of the application calendar, in memory alone; nothing renews them."""

    def __init__(self, grant: TokenGrant) -> None:
        self.grant = grant

    async def current(self, sub: str) -> str:  # noqa: ARG002 -- there is one account only
        return self.grant.access_token

    async def renew(self, sub: str, stale: str) -> str:  # noqa: ARG002
        """A refused token is what was to be found out. Raises GrantRefused."""
        raise GrantRefused("the access token is refused", status=401)

    async def refresh_token(self, sub: str) -> str | None:  # noqa: ARG002
        return self.grant.refresh_token


class TrialCalendar:
    """Asks Cronofy for what the gateway never would, and takes every answer for one."""

    def __init__(
        self,
        *,
        transport: CronofyTransport,
        oauth: OAuth,
        clock: Clock,
        callback_address: Callable[[str], str],
        patience: float = ARRIVAL_PATIENCE_SECONDS,
    ) -> None:
        self.oauth, self.clock, self.patience = oauth, clock, patience
        self._transport = transport
        self._callback_address = callback_address
        self._run = uuid.uuid4().hex[:8]
        self._held: HeldGrant | None = None
        self._channels: set[str] = set()
        self.calendar_id = ""

    async def open(self) -> None:
        """Sign in to the calendar, which is made at the first time, and take away what was left there."""
        self._held = HeldGrant(await self.grant_again())
        listed = (await self.get("/v1/calendars")).get("calendars")
        ids = [row.get("calendar_id") for row in listed or [] if isinstance(row, dict)]
        if not ids or not isinstance(ids[0], str):
            raise Transient("the application calendar has no calendar")
        self.calendar_id = ids[0]
        await self.sweep()

    async def grant_again(self) -> TokenGrant:
        """Another grant of the same calendar."""
        return await self.oauth.application_calendar(CALENDAR_NAME)

    @property
    def held(self) -> HeldGrant:
        if self._held is None:
            raise Transient("the application calendar was not opened")
        return self._held

    # -- what is asked --------------------------------------------------------------------------

    async def ask(
        self,
        method: str,
        path: str,
        *,
        query: Iterable[tuple[str, str]] = (),
        body: Mapping[str, Any] | None = None,
    ) -> tuple[int, Any]:
        """The status, and the body where it is JSON."""
        request = CronofyRequest(
            method=method,
            path=path,
            account=self.held.grant.sub or CALENDAR_NAME,
            turn=_TURN,
            query=tuple(query),
            body=body,
            answers=_EVERY_STATUS,
        )
        response = await self._transport.authorised(self.held, request)
        return response.status_code, json_content(response) if response.content else None

    async def ask_without_token(self, path: str) -> int:
        request = CronofyRequest(method="GET", path=path, account=CALENDAR_NAME, turn=_TURN)
        return (await self._transport.plain(request)).status_code

    async def get(self, path: str, *query: tuple[str, str]) -> dict[str, Any]:
        """The answer's object. Raises Transient for every status but 200."""
        status, said = await self.ask("GET", path, query=query)
        if status != HTTPStatus.OK or not isinstance(said, dict):
            raise Transient(f"{path} was answered {status}")
        return said

    # -- events ---------------------------------------------------------------------------------

    def id_of(self, name: str) -> str:
        return f"{EVENT_PREFIX}{self._run}-{name}"

    def day(self, ahead: int = 1) -> date:
        return self.clock.now().date() + timedelta(days=ahead)

    def moment(self, hour: int) -> str:
        return f"{self.day().isoformat()}T{hour:02d}:00:00Z"

    def event(self, name: str, **changes: Any) -> dict[str, Any]:
        """What is written of an event of ours, tomorrow from nine to ten, with these changes."""
        return {
            "event_id": self.id_of(name),
            "summary": "Trial of Vorex Calendar Sync",
            "description": "Written by the doctor, and removed again.",
            "start": {"time": self.moment(9), "tzid": "Etc/UTC"},
            "end": {"time": self.moment(10), "tzid": "Etc/UTC"},
            "tzid": "Etc/UTC",
            "location": {"description": "Nowhere"},
            "transparency": "opaque",
            "event_private": False,
            **changes,
        }

    async def put(self, name: str, *, calendar_id: str | None = None, **changes: Any) -> Answer:
        path = events_path(calendar_id or self.calendar_id)
        return Answer.parse(*await self.ask("POST", path, body=self.event(name, **changes)))

    async def delete(self, name: str) -> Answer:
        body = {"event_id": self.id_of(name)}
        return Answer.parse(*await self.ask("DELETE", events_path(self.calendar_id), body=body))

    async def batch(self, events: Sequence[Mapping[str, Any]], method: str = "POST") -> tuple[int, Any]:
        address = events_path(self.calendar_id)
        entries = [{"method": method, "relative_url": address, "data": event} for event in events]
        return await self.ask("POST", "/v1/batch", body={"batch": entries})

    async def first_page(self, **flags: str) -> dict[str, Any]:
        pairs = {"tzid": "Etc/UTC", "include_managed": "true", **flags}
        return await self.get("/v1/events", *pairs.items(), ("calendar_ids[]", self.calendar_id))

    async def rows(self, **flags: str) -> list[Row]:
        """Every row of the calendar, as it was sent; how pages end is a trial of its own."""
        page = await self.first_page(**flags)
        rows = _rows_of(page)
        for _ in range(MOST_TRIAL_PAGES):
            following = next_path(page)
            if following is None:
                break
            status, page = await self.ask("GET", following)
            if status != HTTPStatus.OK or not isinstance(page, dict):
                break
            rows += _rows_of(page)
        return rows

    async def shown(
        self, name: str, fits: Callable[[Row], bool] = lambda row: not row.get("deleted"), **flags: str
    ) -> Row | None:
        """The event's row as soon as it fits; None where patience ends first."""
        async for _ in self._attempts():
            for row in await self.rows(**flags):
                if row.get("event_id") == self.id_of(name) and fits(row):
                    return row
        return None

    async def gone(self, name: str) -> bool:
        """Whether the event is shown no more, as soon as it is not."""
        async for _ in self._attempts():
            if all(row.get("event_id") != self.id_of(name) for row in await self.rows()):
                return True
        return False

    async def _attempts(self) -> AsyncIterator[None]:
        """Patience is for waiting: requests that take their time leave a second look all the same."""
        waited, wait = 0.0, FIRST_LOOK_SECONDS
        yield
        while waited + wait <= self.patience:
            await self.clock.sleep(wait)
            yield
            waited, wait = waited + wait, min(2 * wait, LONGEST_LOOK_SECONDS)

    # -- channels -------------------------------------------------------------------------------

    def callback_url(self, length: int) -> str:
        """An address of ours that stands for no integration, as long as it may be."""
        address = self._callback_address(str(uuid.uuid4())) + "?"
        return address + "x" * (length - len(address))

    async def open_channel(self, callback_url: str) -> tuple[Answer, str]:
        """The answer, and the channel's id where there is one."""
        status, said = await self.ask("POST", "/v1/channels", body={"callback_url": callback_url})
        made = said.get("channel") if isinstance(said, dict) else None
        channel_id = str(made.get("channel_id") or "") if isinstance(made, dict) else ""
        self._channels |= {channel_id} - {""}
        return Answer.parse(status, said), channel_id

    async def channel_ids(self) -> set[str]:
        listed = (await self.get("/v1/channels")).get("channels")
        return {str(row.get("channel_id")) for row in listed or [] if isinstance(row, dict)}

    async def close_channel(self, channel_id: str) -> Answer:
        status, said = await self.ask("DELETE", f"/v1/channels/{quote(channel_id, safe='')}")
        self._channels.discard(channel_id)
        return Answer.parse(status, said)

    # -- leaving --------------------------------------------------------------------------------

    async def sweep(self) -> int:
        """Close the channels and delete every event of a trial; how many are still shown afterwards."""
        for channel_id in tuple(self._channels):
            await self.close_channel(channel_id)
        left: list[str] = []
        async for _ in self._attempts():
            left = [row["event_id"] for row in await self.rows() if _is_ours(row)]
            if not left:
                break
            for at in range(0, len(left), LARGEST_BATCH):
                part = left[at : at + LARGEST_BATCH]
                await self.batch([{"event_id": each} for each in part], "DELETE")
        return len(left)

    def whole_second(self, at: datetime) -> str:
        return wire_time(at.replace(microsecond=0))


def next_path(page: Mapping[str, Any]) -> str | None:
    """Where the next page is asked for: at our own address, whichever host it names; None after the last."""
    pages = page.get("pages")
    following = pages.get("next_page") if isinstance(pages, Mapping) else None
    if not isinstance(following, str) or not following:
        return None
    path = urlsplit(following).path
    return path if path.startswith(EVENT_PAGES) else None


def _rows_of(page: Mapping[str, Any]) -> list[Row]:
    listed = page.get("events")
    return [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []


def _is_ours(row: Row) -> bool:
    return str(row.get("event_id") or "").startswith(EVENT_PREFIX)
