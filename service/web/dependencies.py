"""What every route works with, and who stands at it."""

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
from service.consumers.runs.dry_run import DryRun
from service.integrations import Integrations
from service.integrations.activate import IntegrationSwitch
from service.integrations.delete import IntegrationDeletion
from service.integrations.item_story import ItemStories
from service.integrations.my_calendar import MyCalendar
from service.integrations.refusals import Unknown
from service.integrations.runs import IntegrationRuns
from service.operations import Dashboard, DeadLetters, LetterReader
from service.store.engine.store import Store
from service.store.integrations.listing import use_token
from service.telemetry.logs import EventName
from service.web.cookies import cookie_of
from service.web.problems import NoEntry
from service.web.tokens import SESSION_COOKIE, BadToken, OneTimeToken, Role, TokenMaker, Visitor

FORM_TOKEN_HEADER = "X-CSRF-Token"  # noqa: S105 -- a header's name
WEB_REFUSED: EventName = "web.refused"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class WebServices:
    """Everything a route may use."""

    store: Store
    integrations: Integrations
    switching: IntegrationSwitch
    my_calendar: MyCalendar
    syncing: IntegrationRuns
    deletion: IntegrationDeletion
    held: HeldDeletions
    rehearsal: DryRun
    stories: ItemStories
    dashboard: Dashboard
    tokens: TokenMaker
    clock: Clock
    public_url: str
    vorex_url: str | None = None
    """Where people come from, and sign in."""

    @property
    def https(self) -> bool:
        return urlsplit(self.public_url).scheme == "https"


def services_of(request: Request) -> WebServices:
    services: WebServices = request.app.state.services
    return services


def require_operator(visitor: Visitor, *, lacking: str = "There is no such page.") -> Visitor:
    """To whoever is no operator there is nothing here: 404 for what is not yours."""
    if visitor.role is not Role.OPERATOR:
        raise Unknown(lacking)
    return visitor


def letters_of(services: WebServices, operator: Visitor) -> DeadLetters:
    """The dead letters that this operator reads and acts on, under the own name (R30)."""
    reader = LetterReader(tenant_id=operator.tenant_id, user_id=operator.user_id)
    return DeadLetters(services.store, who=operator.user_id, reader=reader)


def unauthorized(error: BadToken) -> NoEntry:
    """The 401 for a token that opens nothing; the log learns the rule."""
    log.info(WEB_REFUSED, reason=str(error))
    return NoEntry(f"The token {error}.")


async def spend_token(services: WebServices, pass_: OneTimeToken) -> None:
    """Raises BadToken where it was spent before, here or in another process."""
    now = services.clock.now().timestamp()
    async with services.store.begin() as connection:
        if not await use_token(connection, pass_.name, expires_at=pass_.expires_at, now=now):
            raise BadToken("was used before")


def visitor_of(request: Request) -> Visitor:
    """The person behind the Bearer token or the session cookie; 401 where there is neither."""
    tokens = services_of(request).tokens
    try:
        if authorization := request.headers.get("Authorization"):
            return tokens.bearer(_bearer(authorization))
        if cookie := session_cookie(request):
            visitor = tokens.session(cookie)
            _check_origin(request, visitor)
            return visitor
    except BadToken as error:
        raise unauthorized(error) from None
    raise NoEntry


def session_cookie(request: Request) -> str | None:
    """The session that the browser brings along, good or not."""
    return cookie_of(request, SESSION_COOKIE, https=services_of(request).https)


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
    if visitor.session and services_of(request).tokens.is_form_token(visitor.session, given):
        return
    raise HTTPException(HTTPStatus.FORBIDDEN, "This request comes from another site.")


def _own_origin(request: Request) -> bool:
    """Whether a browser says so; what sends neither header is no browser and carries no stolen cookie."""
    headers: Mapping[str, str] = request.headers
    if site := headers.get("Sec-Fetch-Site"):
        return site in {"same-origin", "none"}
    if (origin := headers.get("Origin")) is None:
        return True
    own = urlsplit(services_of(request).public_url)
    given = urlsplit(origin)
    return (given.scheme, given.netloc) == (own.scheme, own.netloc) or (
        bool(given.netloc) and given.netloc == headers.get("Host")
    )


Services = Annotated[WebServices, Depends(services_of)]
SignedInVisitor = Annotated[Visitor, Depends(visitor_of)]
