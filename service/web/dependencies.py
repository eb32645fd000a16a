"""What every route works with, and who stands at it (DESIGN 11)."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlsplit

import structlog
from fastapi import Depends, Request
from starlette.exceptions import HTTPException

from contracts.ports import Clock
from service.consumers.inbound.held_deletions import HeldDeletions
from service.consumers.runs.dry_run import Rehearsal
from service.integrations import Accounts
from service.integrations.activate import Switching
from service.integrations.delete import Leaving
from service.integrations.item_story import Stories
from service.integrations.my_calendar import MyCalendar
from service.integrations.refusals import Unknown
from service.integrations.runs import Syncing
from service.operations import DeadLetters, Reader, Watch
from service.store.engine.store import Store
from service.store.integrations.listing import use_token
from service.telemetry.logs import EventName
from service.web.problems import NoEntry
from service.web.tokens import SESSION_COOKIE, BadToken, OneTime, Passes, Role, Visitor

FORM_TOKEN_HEADER = "X-CSRF-Token"  # noqa: S105 -- a header's name
REFUSED: EventName = "web.refused"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Desk:
    """Everything a route may use."""

    store: Store
    accounts: Accounts
    switching: Switching
    my_calendar: MyCalendar
    syncing: Syncing
    leaving: Leaving
    held: HeldDeletions
    rehearsal: Rehearsal
    stories: Stories
    watch: Watch
    passes: Passes
    clock: Clock
    public_url: str

    @property
    def https(self) -> bool:
        return urlsplit(self.public_url).scheme == "https"


def desk_of(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


def operator_alone(visitor: Visitor, *, lacking: str = "There is no such page.") -> Visitor:
    """To whoever is no operator there is nothing here: 404 for what is not yours."""
    if visitor.role is not Role.OPERATOR:
        raise Unknown(lacking)
    return visitor


def letters_of(desk: Desk, operator: Visitor) -> DeadLetters:
    """The dead letters that this operator reads and acts on, under the own name (R30)."""
    reader = Reader(tenant_id=operator.tenant_id, user_id=operator.user_id)
    return DeadLetters(desk.store, who=operator.user_id, reader=reader)


def refused(error: BadToken) -> NoEntry:
    """The 401 for a token that opens nothing; the log learns the rule."""
    _log.info(REFUSED, reason=str(error))
    return NoEntry(f"The token {error}.")


async def spend(desk: Desk, pass_: OneTime) -> None:
    """Raises BadToken where it was spent before, here or in another process."""
    now = desk.clock.now().timestamp()
    async with desk.store.begin() as connection:
        if not await use_token(connection, pass_.name, expires_at=pass_.expires_at, now=now):
            raise BadToken("was used before")


def visitor_of(request: Request) -> Visitor:
    """The person behind the Bearer token or the session cookie; 401 where there is neither."""
    passes = desk_of(request).passes
    try:
        if authorization := request.headers.get("Authorization"):
            return passes.bearer(_bearer(authorization))
        if cookie := request.cookies.get(SESSION_COOKIE):
            visitor = passes.session(cookie)
            _check_origin(request, visitor)
            return visitor
    except BadToken as error:
        raise refused(error) from None
    raise NoEntry


def _bearer(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise BadToken("must come as Bearer")
    return token.strip()


def _check_origin(request: Request, visitor: Visitor) -> None:
    """A browser sends its cookie along with other sites' requests too: those change nothing."""
    if request.method in _SAFE or _own_origin(request):
        return
    given = request.headers.get(FORM_TOKEN_HEADER, "")
    if visitor.session and desk_of(request).passes.is_form_token(visitor.session, given):
        return
    raise HTTPException(HTTPStatus.FORBIDDEN, "This request comes from another site.")


def _own_origin(request: Request) -> bool:
    """Whether a browser says so; what sends neither header is no browser and carries no stolen cookie."""
    headers: Mapping[str, str] = request.headers
    if site := headers.get("Sec-Fetch-Site"):
        return site in {"same-origin", "none"}
    if (origin := headers.get("Origin")) is None:
        return True
    own = urlsplit(desk_of(request).public_url)
    given = urlsplit(origin)
    return (given.scheme, given.netloc) == (own.scheme, own.netloc) or (
        bool(given.netloc) and given.netloc == headers.get("Host")
    )


AtDesk = Annotated[Desk, Depends(desk_of)]
Known = Annotated[Visitor, Depends(visitor_of)]
