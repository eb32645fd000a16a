"""What every route works with, and who stands at it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlsplit

import structlog
from fastapi import Depends, Request
from starlette.exceptions import HTTPException

from contracts.ports import Clock
from service.consumers.inbound.held_deletions import HeldDeletions
from service.consumers.inbound.held_imports import HeldImports
from service.consumers.inbound.questions.answers import DispatcherQuestions, Respondent
from service.consumers.runs.dry_run import DryRun
from service.integrations import Integrations
from service.integrations.accounts.own_events import OwnEvents
from service.integrations.activate import IntegrationSwitch
from service.integrations.companies.domain import CompanyCalendar
from service.integrations.delete import IntegrationDeletion
from service.integrations.leavers.leaving import Leaving
from service.integrations.leavers.records import LeaverRecords
from service.integrations.linking.consents import Consents
from service.integrations.my_calendar import MyCalendar
from service.integrations.ownership import Person
from service.integrations.refusals import Unknown
from service.integrations.runs import IntegrationRuns
from service.integrations.telling.clock_forecast import ClockForecast
from service.integrations.telling.item_story import ItemStories
from service.integrations.tenants.acts import TenantActor, TenantActs
from service.integrations.undoing.whole_runs import RunUndo
from service.monitoring.weather import WeatherNotices
from service.operations import Dashboard, DeadLetters, LetterReader
from service.operations.history import History
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations.changes_made import CHANGES_A_MINUTE, CHANGES_AN_HOUR, ChangesMade
from service.store.people.revocations import revoked_at
from service.store.people.spent_tokens import is_spent
from service.telemetry.logs import EventName
from service.web.catalogue import gettext
from service.web.cookies import cookie_of
from service.web.locales import preferences_of
from service.web.pace.peoples_requests import PeoplesRequests
from service.web.pace.rehearsal_pace import RehearsalPace
from service.web.problems import NoEntry
from service.web.rendering import format_seconds
from service.web.sessions import Sessions, meet
from service.web.tokens import SESSION_COOKIE, BadToken, Role, TokenMaker, Visitor, VouchedToken

FORM_TOKEN_HEADER = "X-CSRF-Token"  # noqa: S105 -- a header's name
WEB_REFUSED: EventName = "web.refused"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class WebServices:
    """Everything a route may use."""

    store: Store
    integrations: Integrations
    consents: Consents
    company: CompanyCalendar
    switching: IntegrationSwitch
    my_calendar: MyCalendar
    clock_forecast: ClockForecast
    syncing: IntegrationRuns
    deletion: IntegrationDeletion
    held: HeldDeletions
    held_imports: HeldImports
    questions: DispatcherQuestions
    own_events: OwnEvents
    tenant_acts: TenantActs
    leaving: Leaving
    leaver_records: LeaverRecords
    undoing: RunUndo
    undo_pace: RehearsalPace
    rehearsal: DryRun
    stories: ItemStories
    dashboard: Dashboard
    history: History
    weather: WeatherNotices
    changes: ChangesMade
    tokens: TokenMaker
    sessions: Sessions
    requests: PeoplesRequests
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


Services = Annotated[WebServices, Depends(services_of)]


def require_operator(visitor: Visitor, *, lacking: str = "There is no such page.") -> Visitor:
    """To whoever is no operator there is nothing here: 404 for what is not yours."""
    if visitor.role is not Role.OPERATOR:
        raise Unknown(lacking)
    return visitor


def require_administrator(visitor: Visitor) -> Visitor:
    """To whoever sees only the own integrations there is nothing here: 404 for what is not yours (R47)."""
    if not visitor.sees_tenant:
        raise Unknown("There is no such page.")
    return visitor


def person_shown(visitor: Visitor, user_id: str | None) -> Person:
    """Whose items are asked for: one's own, or to whoever sees the tenant another's. Raises Unknown."""
    if user_id is None or user_id == visitor.user_id:
        return visitor.person
    if not visitor.sees_tenant:
        raise Unknown("There is no such user.")
    return replace(visitor.person, user_id=user_id)


def require_company_administrator(visitor: Visitor) -> Visitor:
    """A company's domain is its own administrators' alone: to operators it is not there either."""
    if visitor.role is not Role.ADMINISTRATOR:
        raise Unknown("There is no such page.")
    return visitor


def actor_of(visitor: Visitor) -> TenantActor:
    """Under which name what this person does is told to those whom it concerns."""
    return TenantActor(tenant_id=visitor.tenant_id, user_id=visitor.user_id, role=visitor.role.value)


async def is_beyond(services: WebServices, visitor: Visitor, user_id: str) -> bool:
    """Whether that person is an operator, whom only an operator signs out (R47)."""
    if visitor.role is Role.OPERATOR:
        return False
    return await services.sessions.is_operator(visitor.tenant_id, user_id)


def dispatcher_of(visitor: Visitor) -> Respondent:
    """Under which name an answer is told to the technician (R52)."""
    return Respondent(tenant_id=visitor.tenant_id, named=actor_of(visitor).named)


def letters_of(services: WebServices, operator: Visitor) -> DeadLetters:
    """The dead letters that this operator reads and acts on, under the own name (R30)."""
    reader = LetterReader(tenant_id=operator.tenant_id, user_id=operator.user_id)
    return DeadLetters(services.store, who=operator.user_id, reader=reader)


def unauthorized(error: BadToken) -> NoEntry:
    """The 401 for a token that opens nothing; the log learns the rule."""
    log.info(WEB_REFUSED, reason=str(error))
    return NoEntry(f"The token {error}.")


async def check_revoked(connection: AsyncConnection, token: VouchedToken) -> None:
    """Raises BadToken where the token may be older than its person's last revocation (R45)."""
    visitor = token.visitor
    revoked = await revoked_at(connection, visitor.tenant_id, visitor.user_id)
    if revoked is None:
        return
    if token.issued_at is not None and token.issued_at <= revoked:
        raise BadToken("iat: lies before the person was signed out everywhere")
    if token.issued_at is None and token.usable_since <= revoked:
        raise BadToken("iat: must tell that it was made after the person was signed out everywhere")


async def visitor_of(request: Request) -> Visitor:
    """The person behind the Bearer token or the session cookie; 401 where there is neither."""
    services = services_of(request)
    try:
        if authorization := request.headers.get("Authorization"):
            visitor = await _vouched_for(services, services.tokens.bearer(_bearer(authorization)))
            return await admitted(request, visitor)
    except BadToken as error:
        raise unauthorized(error) from None
    visitor = await session_visitor(request)
    _check_origin(request, visitor)
    return visitor


async def session_visitor(request: Request) -> Visitor:
    """Whoever the session cookie names, when it is their request's turn (R43); 401 where it names nobody."""
    if (cookie := session_cookie(request)) is None:
        raise NoEntry
    try:
        visitor = await services_of(request).sessions.find(cookie)
    except BadToken as error:
        raise unauthorized(error) from None
    return await admitted(request, visitor)


async def admitted(request: Request, visitor: Visitor) -> Visitor:
    """The visitor, when it is their request's turn; 429 where too many wait before it (R43)."""
    try:
        await services_of(request).requests.admit(request, visitor)
    except HTTPException:
        meet(request, visitor)  # whom the error's page greets: nothing more is asked for who asks too much
        raise
    return visitor


async def _vouched_for(services: WebServices, token: VouchedToken) -> Visitor:
    async with services.store.read() as connection:
        if token.name is not None and await is_spent(connection, token.name):
            raise BadToken("jti: was used to sign in")
        await check_revoked(connection, token)
    return token.visitor


async def check_pace(services: WebServices, visitor: Visitor) -> None:
    """Count a change of this person's; 429 with the time of the next one where it is too much (R43)."""
    now = services.clock.now()
    wait = await services.changes.count(visitor.tenant_id, visitor.user_id, now=now.timestamp())
    if wait <= 0:
        return
    seconds = math.ceil(wait)
    ways = preferences_of(visitor.locale, hour_cycle=visitor.hour_cycle, week_start=visitor.week_start)
    then = format_seconds(now + timedelta(seconds=seconds), visitor.time_zone, ways)
    detail = gettext(
        "There are %(minute)s changes a minute and %(hour)s an hour for each person. "
        "Nothing was done; go on at %(time)s.",
        minute=CHANGES_A_MINUTE,
        hour=CHANGES_AN_HOUR,
        time=then,
    )
    raise HTTPException(HTTPStatus.TOO_MANY_REQUESTS, detail, {"Retry-After": str(seconds)})


async def _paced(
    request: Request, services: Services, visitor: Annotated[Visitor, Depends(visitor_of)]
) -> Visitor:
    if request.method not in _SAFE:
        await check_pace(services, visitor)
    return visitor


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
    try:
        given = urlsplit(origin)
    except ValueError:
        return False
    return (given.scheme, given.netloc) == (own.scheme, own.netloc) or (
        bool(given.netloc) and given.netloc == headers.get("Host")
    )


SignedInVisitor = Annotated[Visitor, Depends(_paced)]


def _administrator(visitor: SignedInVisitor) -> Visitor:
    return require_administrator(visitor)


def _company_administrator(visitor: SignedInVisitor) -> Visitor:
    return require_company_administrator(visitor)


AdministratorVisitor = Annotated[Visitor, Depends(_administrator)]
CompanyVisitor = Annotated[Visitor, Depends(_company_administrator)]
