"""What one person may do and have (R43): so many changes in a time, so many integrations and appointments."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.integrations.my_calendar import MyCalendar
from service.integrations.ownership import Person
from service.integrations.refusals import Conflict
from service.store.engine.purge import forget_changes
from service.store.engine.store import Store
from service.store.integrations.changes_made import (
    APPOINTMENTS_A_PERSON,
    CHANGE_LIMITS,
    INTEGRATIONS_A_PERSON,
    ChangeLimit,
    ChangesMade,
    seconds_to_wait,
)
from service.store.tables import changes_made, integration_state, integrations, item_assignees, items, outbox
from tests.support.clock import ManualClock
from tests.support.office import Office
from tests.support.pages import BROWSER, Browser
from tests.support.routes import addresses

API = "/api/v1/my-calendar/items"
VISIT = {"title": "Visit", "start": "2026-12-03T09:00:00Z"}
UNPACED = {
    "POST /sign-in",
    "POST /sign-out",
    "DELETE /api/v1/sessions",
    "POST /sessions/end-all",
    "POST /sessions/{session_id}/end",
    "POST /calendar-sync/connect/{consent_id}",
    "POST /calendar-sync/company-answers/{person_id}",
}
"""Whoever has made too many changes can still sign in and out, and answer what Cronofy was asked for them.

What Cronofy itself answers is nobody's change."""
TYPED = {"title": "Visit Łódź", "start_day": "2026-12-03", "end_day": "2026-12-03", "all_day": "on"}


async def _exhaust(office: Office, user: str = "u-17") -> None:
    now = office.clock.now().timestamp()
    for _ in range(60):
        assert await office.app.state.services.changes.count("acme", user, now=now) == 0


async def _insert_items(store: Store, number: int, *, now: datetime, deleted: bool = False) -> None:
    known = dict.fromkeys(("version", "vorex_version", "revision"), 1)
    same = {"tenant_id": "acme", "item_type": "appointment", "sync_version": 0, "deleted": deleted}
    moments = {"changed_at": now, "stored_at": now}
    rows = [
        {"ref": str(uuid4()), "item_id": f"{deleted}{each}", **known, **same, **moments}
        for each in range(number)
    ]
    async with store.begin() as connection:
        await connection.execute(items.insert(), rows)
        owned = [{"item_ref": row["ref"], "tenant_id": "acme", "user_id": "u-17"} for row in rows]
        await connection.execute(item_assignees.insert(), owned)


class TestChanges:
    """At most 60 a minute and 600 an hour, through pages and API together."""

    async def test_r43_the_61st_change_within_a_minute_is_429_and_says_when(self, office: Office) -> None:
        for _ in range(60):
            assert (await office.client.post(API, json=VISIT, headers=office.bearer())).status_code == 201
            await office.clock.pass_time(0.5)
        refused = await office.client.post(API, json=VISIT, headers=office.bearer())
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "30")
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert "60 changes a minute" in refused.json()["detail"]
        assert len(await office.rows(items)) == 60
        await office.clock.pass_time(30)
        assert (await office.client.post(API, json=VISIT, headers=office.bearer())).status_code == 201

    async def test_r43_the_601st_change_within_an_hour_is_429(self, office: Office) -> None:
        counting = office.app.state.services.changes
        for _ in range(600):
            assert await counting.count("acme", "u-17", now=office.clock.now().timestamp()) == 0
            await office.clock.pass_time(2)
        refused = await office.client.post(API, json=VISIT, headers=office.bearer())
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "2400")

    async def test_r43_reading_is_no_change_and_nobody_else_is_refused(self, office: Office) -> None:
        await _exhaust(office)
        assert (await office.get(API)).status_code == 200
        for who in (("u-22", "acme"), ("u-17", "other")):
            answer = await office.client.post(API, json=VISIT, headers=office.bearer(*who))
            assert answer.status_code == 201

    async def test_r43_a_browser_is_told_when_and_keeps_what_was_typed(self, office: Office) -> None:
        office.client.headers.update(BROWSER | {"Sec-Fetch-Site": "same-origin"})
        browser = Browser(client=office.client)
        await office.sign_in(tz="America/New_York")
        await _exhaust(office)
        await browser.open("/my-calendar/new")
        page = await browser.press("Add", changes=dict(TYPED))
        assert page.status == 429
        then = office.clock.now().astimezone(ZoneInfo("America/New_York")) + timedelta(seconds=60)
        assert f"go on at {then:%H:%M:%S}" in page.words
        assert await office.rows(outbox) == []
        await office.clock.pass_time(60)
        page = await browser.press("Add the appointment")
        assert (page.status, "The appointment was added." in page.words) == (200, True)

    async def test_r43_every_verb_of_pages_and_api_counts(self, office: Office) -> None:
        """Dead letters' and operations' too: whatever changes something, by any way in."""
        await _exhaust(office, "boss")
        await office.sign_in("boss", role="operator")
        token = office.app.state.services.tokens.form_token(await _session_id(office))
        tried = 0
        for one in addresses(office.app):
            if one.unsafe and f"{one.method} {one.template}" not in UNPACED:
                data = None if one.path.startswith("/api/") else {"csrf_token": token}
                answer = await office.client.request(one.method, one.path, data=data)
                assert answer.status_code == 429, (one, answer.text)
                tried += 1
        assert tried > 25

    @pytest.mark.parametrize("processes", [1, 3])
    async def test_r43_many_at_once_in_many_processes_are_counted_exactly(
        self, processes: int, store: Store
    ) -> None:
        counting = [ChangesMade(store) for _ in range(processes)]
        waits = await asyncio.gather(
            *(counting[each % processes].count("acme", "u-17", now=0.0) for each in range(90))
        )
        assert sum(wait == 0 for wait in waits) == 60

    async def test_r43_who_was_refused_costs_the_database_nothing_until_then(self, office: Office) -> None:
        class _Counting:
            begun = 0

            def __getattr__(self, name: str) -> Any:
                _Counting.begun += name == "begin"
                return getattr(office.store, name)

        counting = ChangesMade(_Counting())  # type: ignore[arg-type]
        await _exhaust(office)
        now = office.clock.now().timestamp()
        assert [await counting.count("acme", "u-17", now=now) > 0 for _ in range(20)] == [True] * 20
        assert _Counting.begun == 1

    async def test_r43_what_was_counted_is_forgotten_in_the_end(self, office: Office) -> None:
        await _exhaust(office)
        now = office.clock.now().timestamp()
        async with office.store.begin() as connection:
            assert await forget_changes(connection, before=now, limit=10) == 0
            assert await forget_changes(connection, before=now + 1, limit=10) == 1
        assert await office.rows(changes_made) == []

    @given(gaps=st.lists(st.integers(0, 40_000), max_size=300))
    def test_r43_no_sliding_span_ever_holds_more(self, gaps: Sequence[int]) -> None:
        limits = (ChangeLimit(changes=5, seconds=60), ChangeLimit(changes=20, seconds=600))
        made: list[int] = []
        now = 0
        for gap in gaps:
            now += gap
            wait = seconds_to_wait(made, now, limits)
            if wait <= 0:
                made.append(now)
            else:
                assert seconds_to_wait(made, now + round(wait * 1000) - 1, limits) > 0
        for limit in limits:
            for first, beyond in zip(made, made[limit.changes :], strict=False):
                assert beyond - first >= limit.seconds * 1000
        assert all(one <= later for one, later in pairwise(made))

    def test_r43_the_numbers(self) -> None:
        assert [(one.changes, one.seconds) for one in CHANGE_LIMITS] == [(60, 60), (600, 3600)]
        assert (INTEGRATIONS_A_PERSON, APPOINTMENTS_A_PERSON) == (20, 20_000)


async def _session_id(office: Office) -> str:
    services = office.app.state.services
    session = (await services.sessions.find(office.client.cookies["calendar_sync_session"])).session
    assert session is not None
    return str(session)


class TestQuotas:
    """As many as one person may have, and not one more by asking twice at once."""

    async def test_r43_a_person_has_twenty_integrations(self, office: Office) -> None:
        known = await office.connect()
        await _more_integrations(office, INTEGRATIONS_A_PERSON - 1)
        headers = office.bearer() | BROWSER
        asked = await office.client.get(await _back(office), headers=headers)
        refused = await office.answered(asked, headers=headers)
        assert (refused.status_code, "You have 20 integrations" in refused.text) == (409, True)
        assert len(await office.rows(integrations)) == INTEGRATIONS_A_PERSON
        assert (
            await office.client.delete(f"/api/v1/integrations/{known}", headers=headers)
        ).status_code == 202
        asked = await office.client.get(await _back(office), headers=headers)
        assert (await office.answered(asked, headers=headers)).status_code == 303

    async def test_r43_connecting_twice_at_once_exceeds_nothing(self, office: Office) -> None:
        await office.connect()
        await _more_integrations(office, INTEGRATIONS_A_PERSON - 2)
        backs = [await _back(office) for _ in range(4)]
        asked = [await office.client.get(one, headers=office.bearer()) for one in backs]
        answers = await asyncio.gather(*(office.answered(one, headers=office.bearer()) for one in asked))
        assert sorted(one.status_code for one in answers) == [303, 409, 409, 409]

    async def test_r43_a_person_has_twenty_thousand_appointments(self, office: Office) -> None:
        await _insert_items(office.store, APPOINTMENTS_A_PERSON - 1, now=office.clock.now())
        await _insert_items(office.store, 5, now=office.clock.now(), deleted=True)
        answers = await asyncio.gather(
            *(office.client.post(API, json=VISIT, headers=office.bearer()) for _ in range(5))
        )
        assert sorted(one.status_code for one in answers) == [201, 409, 409, 409, 409]
        (problem,) = {one.text for one in answers if one.status_code == 409}
        assert '"code":"limit_reached"' in problem
        assert "You have 20,000 appointments" in problem
        mine = next(one for one in answers if one.status_code == 201).json()
        gone = await office.client.delete(f"{API}/appointment:{mine['id']}", headers=office.bearer())
        assert gone.status_code == 204
        assert (await office.client.post(API, json=VISIT, headers=office.bearer())).status_code == 201

    async def test_r43_a_full_calendar_shows_the_form_again(self, office: Office) -> None:
        await _insert_items(office.store, APPOINTMENTS_A_PERSON, now=office.clock.now())
        await office.sign_in()
        browser = Browser(client=office.client)
        await browser.open("/my-calendar/new")
        page = await browser.press("Add", changes=dict(TYPED))
        assert page.status == 409
        assert "as many as one person may have" in page.words
        assert page.form("Add")[0].fields["title"] == TYPED["title"]

    async def test_r43_in_several_processes_too(self, database_url: str) -> None:
        """Each with a store of its own."""
        stores = [Store(database_url, clock=ManualClock()) for _ in range(3)]
        await _insert_items(stores[0], APPOINTMENTS_A_PERSON - 1, now=ManualClock().now())
        person = Person(tenant_id="acme", user_id="u-17")
        tried = [MyCalendar(store).add(person, dict(VISIT)) for store in stores * 2]
        added = await asyncio.gather(*tried, return_exceptions=True)
        assert sum(isinstance(one, Conflict) for one in added) == len(tried) - 1
        for store in stores:
            await store.close()


async def _more_integrations(office: Office, number: int) -> None:
    """Copies of the only one, each of another account."""
    (row,) = await office.rows(integrations)
    async with office.store.begin() as connection:
        for each in range(number):
            copy = row | {"id": str(uuid4()), "profile_name": f"other {each}", "profile_id": f"p{each}"}
            await connection.execute(integrations.insert().values(copy))
            await connection.execute(integration_state.insert().values(integration_id=copy["id"]))


async def _back(office: Office) -> str:
    """The address to which Cronofy sends whoever allows access to another account."""
    email = f"{uuid4().hex[:8]}@contoso.example"
    office.world.add_mailbox(email=email, calendars=("Calendar",))
    away = await office.client.get("/calendar-sync/connect", headers=office.bearer())
    return await office.authorise(away.headers["Location"], email)
