"""The session behind a cookie: a random key, of which the store keeps only a print (R45)."""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from fastapi import Request

from contracts.errors import SyncError
from handlers.texts.advice import advice_language
from service.integrations.companies.addresses import hear_address
from service.integrations.sign_outs import SignOutOrder, sign_out
from service.monitoring.weather import WeatherNotice, is_held_back
from service.store.engine.ids import new_id
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations import listing
from service.store.people import sessions as rows
from service.store.people.company_mailboxes import address_print
from service.store.people.keys import new_key, print_of
from service.store.people.sessions import SEEN_EVERY_SECONDS, SessionRow
from service.store.runs.troubles import TroubledIntegration, troubled
from service.web.catalogue import gettext, speak
from service.web.cookies import cookie_of
from service.web.locales import language_of
from service.web.paths import API_ROOT
from service.web.tokens import SESSION_COOKIE, SESSION_LIFE, BadToken, Role, Visitor

MOST_SESSIONS_SHOWN = 100
ANOTHER_BROWSER = "Another browser"
_KEY = re.compile(r"[A-Za-z0-9_-]{43}")
_SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "Windows": "Windows",
    "Mac OS X": "Mac",
    "CrOS": "ChromeOS",
    "Linux": "Linux",
}
_BROWSERS = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "Firefox/": "Firefox",
    "FxiOS/": "Firefox",
    "Chrome/": "Chrome",
    "CriOS/": "Chrome",
    "Safari/": "Safari",
}
"""What stands in a browser's own description, the more telling word first."""


def device_of(user_agent: str) -> str:
    """The device in words of ours, never in those of whoever asks."""
    browser = next((word for sign, word in _BROWSERS.items() if sign in user_agent), ANOTHER_BROWSER)
    system = next((word for sign, word in _SYSTEMS.items() if sign in user_agent), "")
    return f"{browser} on {system}" if system else browser


def device_words(device: str) -> str:
    """The device, as ``device_of`` names it, in the words of whoever reads it (R49)."""
    browser, of_system, system = device.partition(" on ")
    named = gettext("Another browser") if browser == ANOTHER_BROWSER else browser
    return gettext("%(browser)s on %(system)s", browser=named, system=system) if of_system else named


class Sessions:
    """Opens, finds and ends sessions."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def open(
        self, connection: AsyncConnection, visitor: Visitor, *, device: str, issued_at: float | None
    ) -> str:
        """A new session, in the caller's transaction; what its cookie holds."""
        key, now = new_key(), await self._store.now(connection)
        await hear_address(self._store, connection, visitor.tenant_id, visitor.user_id, visitor.email)
        await listing.speak(
            connection,
            visitor.tenant_id,
            visitor.user_id,
            language=advice_language(visitor.locale),
            certain=visitor.locale is not None,
        )
        await rows.add(
            connection,
            id=new_id(),
            key_hash=print_of(key),
            tenant_id=visitor.tenant_id,
            user_id=visitor.user_id,
            role=visitor.role.value,
            name=visitor.name,
            time_zone=visitor.time_zone,
            locale=visitor.locale,
            hour_cycle=visitor.hour_cycle,
            week_start=visitor.week_start,
            email_hash=address_print(visitor.email),
            device=device,
            issued_at=None if issued_at is None else min(issued_at, now),
            since=now,
            seen_at=now,
            until=now + SESSION_LIFE.total_seconds(),
        )
        return key

    async def find(self, key: str) -> Visitor:
        """Whose session it is. Raises BadToken where it has ended or never was."""
        if not _KEY.fullmatch(key):
            raise BadToken("is no session of ours")
        async with self._store.read() as connection:
            now = await self._store.now(connection)
            found = await rows.find(connection, print_of(key), now=now)
        if found is None:
            raise BadToken("belongs to a session that has ended")
        if found.seen_at <= now - SEEN_EVERY_SECONDS:
            await self._see(found)
        return _visitor(found)

    async def _see(self, found: SessionRow) -> None:
        with suppress(SyncError):  # a page that only reads is shown also where nothing can be written
            async with self._store.begin() as connection:
                await rows.see(connection, found.id, now=await self._store.now(connection))

    async def of(self, visitor: Visitor) -> Sequence[SessionRow]:
        """On which devices this person is signed in, the last used first."""
        return await self.of_person(visitor.tenant_id, visitor.user_id)

    async def of_person(self, tenant_id: str, user_id: str) -> Sequence[SessionRow]:
        """The same of anybody (R47)."""
        async with self._store.read() as connection:
            now = await self._store.now(connection)
            return await rows.living(connection, tenant_id, user_id, now=now, limit=MOST_SESSIONS_SHOWN)

    async def end(self, visitor: Visitor, session_id: str) -> None:
        """End one of this person's sessions; one that has ended already is no error."""
        async with self._store.begin() as connection:
            await rows.end(connection, visitor.tenant_id, visitor.user_id, session_id)

    async def end_all(self, visitor: Visitor) -> None:
        """Sign this person out everywhere: of what Vorex has signed so far nothing opens any more."""
        person = (visitor.tenant_id, visitor.user_id)
        async with self._store.begin() as connection:
            now = await self._store.now(connection)
            await sign_out(self._store, connection, person, SignOutOrder(who=None), at=now)

    async def is_operator(self, tenant_id: str, user_id: str) -> bool:
        """Whether that person is signed in as an operator anywhere."""
        async with self._store.read() as connection:
            now = await self._store.now(connection)
            return await rows.has_role(connection, tenant_id, user_id, role=Role.OPERATOR.value, now=now)


def _visitor(found: SessionRow) -> Visitor:
    return Visitor(
        tenant_id=found.tenant_id,
        user_id=found.user_id,
        name=found.name,
        time_zone=found.time_zone,
        role=Role(found.role),
        session=found.id,
        locale=found.locale,
        hour_cycle=found.hour_cycle,
        week_start=found.week_start,
    )


def meet(request: Request, visitor: Visitor | None) -> None:
    """Whom the page is for, and in which language it is from here on (R49)."""
    request.state.visitor = visitor
    if visitor is not None and not request.url.path.startswith(API_ROOT):
        speak(language_of(visitor.locale, request.headers.get("Accept-Language", "")))


async def greet(request: Request, visitor: Visitor | None) -> None:
    """Note whom the page greets, and what this person should hear of on every page (R48)."""
    meet(request, visitor)
    if visitor is not None:
        with suppress(SyncError):  # a mark less is no reason to show no page
            async with request.app.state.services.store.read() as connection:
                mine = (visitor.tenant_id, visitor.user_id)
                troubles = await troubled(connection, *mine)
            notices = await request.app.state.services.weather.of_person(*mine)
            request.state.weather = notices
            request.state.troubles = _beside_weather(troubles, notices)


def _beside_weather(
    troubles: Sequence[TroubledIntegration], notices: Sequence[WeatherNotice]
) -> Sequence[TroubledIntegration]:
    """What is wrong beside what is told of the provider; the rest is told when that is over (R53)."""
    left = []
    for one in troubles:
        told = is_held_back(one.provider_service, notices) and _began_in(notices, one.failed_at)
        known = replace(one, failed_run=None, failed_at=None) if told else one
        if known.broken or known.questions or known.failed_run:
            left.append(known)
    return left


def _began_in(notices: Sequence[WeatherNotice], at: datetime | None) -> bool:
    return at is not None and any(one.since <= at for one in notices)


async def recognise(request: Request) -> None:
    """Note whom an error's page greets, where no route has; whoever is not let in is nobody."""
    if getattr(request.state, "visitor", None) is not None:
        return
    services = request.app.state.services
    if cookie := cookie_of(request, SESSION_COOKIE, https=services.https):
        with suppress(BadToken, SyncError):
            await greet(request, await services.sessions.find(cookie))
