"""Everything this service asks of Cronofy, in the product's words."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Any, Literal, TypeVar
from urllib.parse import quote

import httpx
import structlog

from contracts.calendar import UNRESTRICTED
from contracts.cronofy import (
    Calendar,
    Channel,
    EventsPage,
    EventsQuery,
    parse_calendars,
    parse_channels,
)
from contracts.cronofy_accounts import (
    AccountAsked,
    CompanyAccount,
    TokenGrant,
    UserInfo,
    parse_permission_page,
)
from contracts.errors import Malformed, Permanent, SyncError, Transient, Unanswered
from contracts.ports import LIVE_TURN, TokenSource, Turn, Urgency
from contracts.tolerant import read_object
from contracts.writes import Answer, EventWrite, batch_entry, events_path
from service.cronofy.oauth import CRONOFY_SCOPE, OAuth
from service.cronofy.sightings import ProviderWatch, is_providers_status
from service.cronofy.transport import CronofyRequest, CronofyTransport, json_content
from service.telemetry.logs import EventName

BatchCost = Literal["request", "entry"]
LARGEST_BATCH = 50
WRITE_STATUSES = frozenset({402, 403, 404, 410, 422, 423})
"""Statuses that judge one write and nothing around it, alone as in a batch."""
GONE_COUNTS_AS_DONE = frozenset({404, 410})
EVENT_PAGES = "/v1/events/pages/"
CRONOFY_HOST = re.compile(r"api(-[a-z]{2,4})?\.cronofy\.com")
UNREADABLE_PAGE_STATUSES = frozenset({404, 410, 422})

ROW_UNREADABLE: EventName = "cronofy.row_unreadable"

_Read = TypeVar("_Read")


class CronofyGateway:
    """The Cronofy API. Raises Transient and Permanent errors only; never logs tokens or texts.

    Every call takes its budget first, unless its turn carries a permit that the caller has taken.
    """

    def __init__(
        self,
        *,
        transport: CronofyTransport,
        oauth: OAuth,
        tokens: TokenSource,
        api_url: str,
        watch: ProviderWatch,
        batch_cost: BatchCost = "request",
    ) -> None:
        self._transport = transport
        self._oauth = oauth
        self._tokens = tokens
        self._api = httpx.URL(api_url)
        self._watch = watch
        self._by_entry = batch_cost == "entry"

    def authorize_url(self, *, state: str, redirect_uri: str, verifier: str, provider_name: str = "") -> str:
        return self._oauth.authorize_url(
            state=state, redirect_uri=redirect_uri, verifier=verifier, provider_name=provider_name
        )

    def company_url(self, *, state: str, redirect_uri: str, verifier: str) -> str:
        return self._oauth.company_url(state=state, redirect_uri=redirect_uri, verifier=verifier)

    async def exchange_code(self, code: str, redirect_uri: str, *, verifier: str) -> TokenGrant:
        return await self._oauth.exchange_code(code, redirect_uri, verifier=verifier)

    def is_signed(self, body: bytes, headers: Sequence[str]) -> bool:
        """Whether what came was sent by Cronofy to this application."""
        return self._oauth.is_signed(body, headers)

    async def exchange_answer(self, code: str, callback_url: str) -> TokenGrant:
        """The grant behind a code that Cronofy sent itself, for a person of a company."""
        return await self._oauth.exchange_code(code, callback_url, urgency=Urgency.RUN)

    async def company_account(self, sub: str, *, turn: Turn = LIVE_TURN) -> CompanyAccount:
        """Whose mailboxes that account speaks for."""
        return await self._read(
            CronofyRequest(method="GET", path="/v1/userinfo", account=sub, turn=turn), CompanyAccount.parse
        )

    async def ask_for_accounts(
        self, sub: str, asked: Sequence[AccountAsked], *, turn: Turn = LIVE_TURN
    ) -> None:
        """Ask in a company's name for up to 50 people's accounts; each is answered later (CRONOFY.md C62)."""
        if not 1 <= len(asked) <= LARGEST_BATCH:
            raise ValueError(f"one request asks for 1 to {LARGEST_BATCH} accounts, not {len(asked)}")
        body = {"service_account_authorizations": [one.body(CRONOFY_SCOPE) for one in asked]}
        path = "/v1/service_account_authorizations"
        await self._send(CronofyRequest(method="POST", path=path, account=sub, turn=turn, body=body))

    async def revoke_grant(self, refresh_token: str, *, erase: bool = False) -> None:
        """End an account's whole authorisation; ``erase``: its data are forgotten there, too (R41)."""
        await self._oauth.revoke(refresh_token, erase=erase)

    async def refresh(self, refresh_token: str) -> TokenGrant:
        return await self._oauth.refresh(refresh_token)

    async def revoke_profile(self, sub: str, profile_id: str, *, turn: Turn = LIVE_TURN) -> None:
        """End one profile's authorisation; one that is gone already is no error (R21)."""
        path = f"/v1/profiles/{quote(profile_id, safe='')}/revoke"
        request = CronofyRequest(
            method="POST", path=path, account=sub, turn=turn, body={}, answers=GONE_COUNTS_AS_DONE
        )
        await self._send(request)

    async def revoke_account(self, sub: str, *, erase: bool = False, turn: Turn = LIVE_TURN) -> bool:
        """End the whole authorisation of an account; ``erase``: its data are forgotten there, too (R21, R41).

        One that is gone already is no error; False where no token of it is kept.
        """
        refresh_token = await self._tokens.refresh_token(sub)
        if refresh_token is not None:
            await self._oauth.revoke(refresh_token, erase=erase, turn=turn)
        return refresh_token is not None

    async def request_permission(
        self, sub: str, calendar_id: str, redirect_uri: str, *, turn: Turn = LIVE_TURN
    ) -> str | None:
        """Where the person allows us to change their own events; None where it is granted at once (R34)."""
        asked = [{"calendar_id": calendar_id, "permission_level": UNRESTRICTED}]
        body = {"permissions": asked, "redirect_uri": redirect_uri}
        request = CronofyRequest(method="POST", path="/v1/permissions", account=sub, turn=turn, body=body)
        return await self._read(request, parse_permission_page)

    async def userinfo(self, sub: str, *, turn: Turn = LIVE_TURN) -> UserInfo:
        return await self._read(
            CronofyRequest(method="GET", path="/v1/userinfo", account=sub, turn=turn), UserInfo.parse
        )

    async def calendars(self, sub: str, *, turn: Turn = LIVE_TURN) -> tuple[Calendar, ...]:
        return await self._read(
            CronofyRequest(method="GET", path="/v1/calendars", account=sub, turn=turn), parse_calendars
        )

    # -- events ---------------------------------------------------------------------------------

    @property
    def largest_batch(self) -> int:
        """The most writes that one request may carry and the budget can pay."""
        most = self._transport.most
        return min(LARGEST_BATCH, most) if self._by_entry and most else LARGEST_BATCH

    def cost(self, writes: int) -> int:
        """What the budget asks for a request of so many writes (CRONOFY_BATCH_COST)."""
        return writes if self._by_entry else 1

    async def write(self, sub: str, writes: Sequence[EventWrite], *, turn: Turn = LIVE_TURN) -> list[Answer]:
        """Carry out up to 50 writes to different events of one account; an answer for each, in order.

        What concerns one write is its answer; what concerns the request as a whole is raised.
        """
        if not 1 <= len(writes) <= LARGEST_BATCH:
            raise ValueError(f"one request carries 1 to {LARGEST_BATCH} writes, not {len(writes)}")
        if len({write.key for write in writes}) < len(writes):
            raise ValueError("one request never carries two writes to one event")
        if len(writes) == 1:
            return [await self._write_one(sub, writes[0], turn)]
        return await self._write_many(sub, writes, turn)

    async def first_page(self, sub: str, query: EventsQuery, *, turn: Turn = LIVE_TURN) -> EventsPage:
        """The first page; where Cronofy's window is smaller than the range, of all that is within reach."""
        request = CronofyRequest(method="GET", path="/v1/events", account=sub, turn=turn, query=query.pairs())
        try:
            return replace(await self._page(request), first=query.from_)
        except Permanent as error:
            if error.status != HTTPStatus.UNPROCESSABLE_ENTITY or not (query.from_ or query.to):
                raise
        unbounded = replace(query, from_=None, to=None).pairs()
        return await self._page(replace(request, query=unbounded))

    async def next_page(self, sub: str, url: str, *, turn: Turn = LIVE_TURN) -> EventsPage:
        """The page at that address, which must be Cronofy's own; an expired one is Transient: read anew.

        Whichever of Cronofy's hosts it names, it is asked for where this service was told to ask. One that
        names itself as the next is Transient: the read is ended, and begins anew.
        """
        path = self._own_path(url)
        if path is None:
            raise Permanent("the next page lies outside Cronofy's API: refused")
        try:
            page = await self._page(CronofyRequest(method="GET", path=path, account=sub, turn=turn))
        except Permanent as error:
            if error.status in UNREADABLE_PAGE_STATUSES:
                raise Transient("the next page has expired", status=error.status) from error
            raise
        if page.next_page == url:
            raise Transient("a page names itself as the next one: the read was ended")
        return page

    # -- channels -------------------------------------------------------------------------------

    async def channels(self, sub: str, *, turn: Turn = LIVE_TURN) -> tuple[Channel, ...]:
        return await self._read(
            CronofyRequest(method="GET", path="/v1/channels", account=sub, turn=turn), parse_channels
        )

    async def create_channel(
        self, sub: str, callback_url: str, *, calendar_ids: Sequence[str] = (), turn: Turn = LIVE_TURN
    ) -> Channel:
        """Have notices sent there; asking twice for the same gives the same channel (CRONOFY.md C40)."""
        body: dict[str, Any] = {"callback_url": callback_url}
        if calendar_ids:
            body["filters"] = {"calendar_ids": list(calendar_ids)}
        request = CronofyRequest(method="POST", path="/v1/channels", account=sub, turn=turn, body=body)
        return await self._read(request, lambda raw: Channel.parse(read_object(raw, "channel")))

    async def close_channel(self, sub: str, channel_id: str, *, turn: Turn = LIVE_TURN) -> None:
        """No more notices there; a channel that is gone already is no error."""
        path = f"/v1/channels/{quote(channel_id, safe='')}"
        await self._send(
            CronofyRequest(method="DELETE", path=path, account=sub, turn=turn, answers=GONE_COUNTS_AS_DONE)
        )

    # -- how ------------------------------------------------------------------------------------

    async def _write_one(self, sub: str, write: EventWrite, turn: Turn) -> Answer:
        request = CronofyRequest(
            method=write.method,
            path=events_path(write.calendar_id),
            account=sub,
            turn=turn,
            body=write.body(),
            answers=WRITE_STATUSES,
        )
        response = await self._send(request)
        answer = Answer.parse(response.status_code, _said(response))
        self._watch_answers(turn, [answer])
        return answer

    async def _write_many(self, sub: str, writes: Sequence[EventWrite], turn: Turn) -> list[Answer]:
        request = CronofyRequest(
            method="POST",
            path="/v1/batch",
            account=sub,
            turn=turn,
            body={"batch": [batch_entry(write) for write in writes]},
            cost=self.cost(len(writes)),
        )
        response = await self._send(request)
        answers = _answers(_said(response))
        if len(answers) != len(writes):
            raise Unanswered("the batch's answers do not match its writes", status=response.status_code)
        if any(answer.status == HTTPStatus.TOO_MANY_REQUESTS for answer in answers):
            await self._transport.refused(request)
        self._watch_answers(turn, answers)
        return answers

    def _watch_answers(self, turn: Turn, answers: Sequence[Answer]) -> None:
        """Who had one write carried out is well, whatever became of the others (R53)."""
        if any(not is_providers_status(answer.status) for answer in answers):
            self._watch.answered(turn)
        else:
            self._watch.failed(turn)

    async def _send(self, request: CronofyRequest) -> httpx.Response:
        try:
            return await self._transport.authorised(self._tokens, request)
        except SyncError as error:
            self._watch.raised(request.turn, error)
            raise

    async def _read(self, request: CronofyRequest, parse: Callable[[Any], _Read]) -> _Read:
        response = await self._send(request)
        try:
            found = parse(json_content(response))
        except Malformed as error:
            raise Transient(f"Cronofy's answer cannot be read: {error}") from error
        self._watch.answered(request.turn)
        return found

    async def _page(self, request: CronofyRequest) -> EventsPage:
        page = await self._read(request, EventsPage.parse)
        if page.unreadable:
            structlog.get_logger().warning(
                ROW_UNREADABLE,
                integration_id=request.turn.integration_id,
                rows=len(page.unreadable),
                rules=sorted(set(page.unreadable)),
            )
        return page

    def _own_path(self, url: str) -> str | None:
        """What to ask for at our own base address, which no token leaves; None where it is not Cronofy's."""
        try:
            address = httpx.URL(url)
        except (httpx.InvalidURL, TypeError):
            return None
        if address.userinfo:
            return None
        if _origin(address) == _origin(self._api):
            return url
        elsewhere = address.scheme == "https" and address.port is None and _is_kin(address, self._api)
        path = address.raw_path.decode("ascii")
        return path if elsewhere and path.startswith(EVENT_PAGES) else None


def _is_kin(address: httpx.URL, own: httpx.URL) -> bool:
    """Whether the host is one of Cronofy's, or a sister of the one that we were told to ask."""
    family = own.host.partition(".")[2]
    sister = "." in family and address.host.partition(".")[2] == family
    return CRONOFY_HOST.fullmatch(address.host) is not None or (sister and address.host != own.host)


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return (url.scheme, url.host, url.port)


def _said(response: httpx.Response) -> Any:
    """The body where there is a readable one; most writes are answered without."""
    try:
        return response.json() if response.content else None
    except (ValueError, RecursionError):
        return None


def _answers(said: Any) -> list[Answer]:
    listed = said.get("batch") if isinstance(said, dict) else None
    if not isinstance(listed, list):
        return []
    return [
        Answer.parse(entry["status"], entry.get("data"))
        for entry in listed
        if isinstance(entry, dict) and isinstance(entry.get("status"), int)
    ]
