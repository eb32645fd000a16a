"""The gateway, the tokens and the budget against the simulator: nothing is scripted here."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

import httpx
import pytest
from cryptography.fernet import Fernet

from contracts.cronofy import EventsQuery
from contracts.cronofy_accounts import TokenGrant
from contracts.errors import GrantRefused, Throttled, Unavailable
from contracts.event_fields import EventFields
from contracts.ports import Turn
from contracts.writes import Delete, ForeignEdit, Upsert
from service.app.cronofy import CronofyParts, open_budget
from service.cronofy.allowance import SECOND_SPAN, Allowance
from service.demo.simulator.app import create_app
from service.demo.simulator.clock import SteppedClock as SimulatedClock
from service.demo.simulator.world import SimulatedWorld
from service.store.engine.store import Store
from service.store.operations.budget import BudgetRow, read_budget
from tests.support.clock import ManualClock
from tests.support.scripted import all_pages
from tests.support.wiring import access_to, simulated_cronofy

OLIVIA = "olivia@example.test"
CALLBACK = "https://sync.example.test/calendar-sync/callback"
ACCESS = access_to("http://cronofy.test")
OURS = EventsQuery(include_managed=True, include_deleted=True)


class RealClock:
    """The computer's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@dataclass(kw_only=True)
class Connected:
    """A person who has just allowed access to their calendars."""

    world: SimulatedWorld
    cronofy: CronofyParts
    clock: ManualClock
    sub: str
    calendar_id: str

    def upsert(self, event_id: str = "vcs-1", summary: str = "Replace firewall") -> Upsert:
        return Upsert(
            calendar_id=self.calendar_id,
            event_id=event_id,
            fields=EventFields(
                summary=summary,
                description="",
                start=datetime(2026, 12, 3, 9, tzinfo=UTC),
                end=datetime(2026, 12, 3, 11, tzinfo=UTC),
                tzid="Europe/London",
                location="Contoso HQ",
                transparency="opaque",
                event_private=False,
            ),
        )

    async def pass_time(self, seconds: float) -> None:
        await self.clock.pass_time(seconds)
        await self.world.advance(seconds)


@pytest.fixture
async def connected(sqlite_url: str) -> AsyncIterator[Connected]:
    """Through the authorize address, the consent and the code exchange (G5)."""
    world, clock = SimulatedWorld(clock=SimulatedClock(), post=_nobody), ManualClock()
    world.add_mailbox(email=OLIVIA, provider="office365")
    world.faults.change(auto_approve=OLIVIA)
    store = Store(sqlite_url, clock=clock)
    await store.upgrade()
    budget = open_budget(BudgetRow(store), clock, per_second=50, per_minute=500)
    cronofy = simulated_cronofy(store, clock, world, access=ACCESS, budget=budget)
    sub = await _connect(cronofy)
    calendars = await cronofy.gateway.calendars(sub)
    yield Connected(world=world, cronofy=cronofy, clock=clock, sub=sub, calendar_id=calendars[0].calendar_id)
    await cronofy.close()
    await store.close()


async def _nobody(_url: str, _body: bytes, _headers: dict[str, str]) -> int:
    return 202


async def _connect(cronofy: CronofyParts) -> str:
    address = cronofy.gateway.authorize_url(state="state", redirect_uri=CALLBACK, verifier="v")
    answer = await cronofy.http.get(address)
    back = httpx.URL(answer.headers["location"])
    assert back.params["state"] == "state"
    grant = await cronofy.gateway.exchange_code(back.params["code"], CALLBACK, verifier="v")
    assert grant.sub is not None
    assert grant.profile is not None
    assert grant.profile.provider_service == "office365"
    await cronofy.tokens.adopt(grant.sub, grant)
    return grant.sub


async def test_g5_the_account_its_profile_and_its_calendars_are_known_after_connecting(
    connected: Connected,
) -> None:
    """Userinfo and the calendar list agree."""
    info = await connected.cronofy.gateway.userinfo(connected.sub)

    assert info.sub == connected.sub
    assert info.profiles[0].connected
    assert [one.calendar_id for one in info.profiles[0].calendars] == [connected.calendar_id]


async def test_an_upsert_and_a_delete_arrive_and_are_read_back(connected: Connected) -> None:
    """Alone and in a batch, by our own event id."""
    gateway = connected.cronofy.gateway
    await gateway.write(connected.sub, [connected.upsert()])
    await connected.pass_time(5)
    read = await gateway.first_page(connected.sub, OURS)

    assert [(event.event_id, event.summary, event.location) for event in read.events] == [
        ("vcs-1", "Replace firewall", "Contoso HQ")
    ]
    assert read.events[0].start == datetime(2026, 12, 3, 9, tzinfo=UTC)

    deletion = Delete(calendar_id=connected.calendar_id, event_id="vcs-1")
    answers = await gateway.write(connected.sub, [deletion, connected.upsert("vcs-2")])
    await connected.pass_time(5)
    read = await gateway.first_page(connected.sub, OURS)

    assert [answer.status for answer in answers] == [202, 202]
    assert {event.event_id: event.deleted for event in read.events} == {"vcs-1": True, "vcs-2": False}


async def test_one_refused_entry_leaves_its_neighbours_alone(connected: Connected) -> None:
    """422 is for that entry alone."""
    wrong = connected.upsert("vcs-2", summary="x" * 1_025)

    answers = await connected.cronofy.gateway.write(connected.sub, [connected.upsert(), wrong])

    assert [answer.status for answer in answers] == [202, 422]
    assert "summary" in answers[1].errors


async def test_all_pages_of_a_sparse_and_odd_calendar_are_read(connected: Connected) -> None:
    """Left-out fields, the year 0, an empty next_page."""
    for number in range(7):
        connected.world.add_event(
            connected.calendar_id,
            summary=f"Event {number}",
            start="2026-12-04T09:00:00Z",
            end="2026-12-04T10:00:00Z",
        )
    connected.world.faults.change(page_size=3, sparse_events=True, empty_next_page=True)
    await connected.pass_time(5)

    query = EventsQuery(calendar_ids=[connected.calendar_id], from_=date(2026, 12, 1), to=date(2026, 12, 31))
    pages = await all_pages(connected.cronofy.gateway, connected.sub, query)

    assert [len(page.events) for page in pages] == [3, 3, 1]
    assert all(not page.unreadable for page in pages)


async def test_a_read_beyond_the_window_is_of_what_is_within_reach(connected: Connected) -> None:
    """422, not an empty list: it is asked once more, without bounds (CRONOFY.md C29)."""
    page = await connected.cronofy.gateway.first_page(connected.sub, EventsQuery(from_=date(2026, 1, 1)))

    assert page.events == ()
    assert connected.world.stats()["statuses"]["422"] == 1


async def test_an_expired_token_is_renewed_on_the_way(connected: Connected) -> None:
    """Whether the time said so or a 401, with refresh tokens that die at once."""
    connected.world.faults.change(refresh_grace_seconds=0.0)
    connected.world.expire_access_tokens()
    assert len(await connected.cronofy.gateway.calendars(connected.sub)) == 1

    await connected.pass_time(4_000)
    assert len(await connected.cronofy.gateway.calendars(connected.sub)) == 1

    statuses = connected.world.stats()["statuses"]
    assert statuses["401"] == 1


async def test_r22_withdrawn_access_is_a_refused_grant(connected: Connected) -> None:
    """invalid_grant."""
    connected.world.revoke(OLIVIA)

    with pytest.raises(GrantRefused):
        await connected.cronofy.gateway.calendars(connected.sub)


async def test_r23_faults_of_cronofy_are_not_refusals(connected: Connected) -> None:
    """429 and 5xx are transient."""
    gateway = connected.cronofy.gateway
    connected.world.faults.change(next_429=1, retry_after=9)
    with pytest.raises(Throttled) as throttled:
        await gateway.calendars(connected.sub, turn=Turn(integration_id="i-1"))
    assert throttled.value.retry_after == 9

    connected.world.faults.change(next_errors=1, error_status=503)
    with pytest.raises(Unavailable):
        await gateway.calendars(connected.sub)


async def test_r10_a_foreign_event_is_edited_once_permission_was_given(connected: Connected) -> None:
    """By its event_uid, on an unrestricted calendar."""
    gateway = connected.cronofy.gateway
    connected.world.set_permission(connected.calendar_id, "unrestricted")
    connected.world.add_event(
        connected.calendar_id, summary="Theirs", start="2026-12-04T09:00:00Z", end="2026-12-04T10:00:00Z"
    )
    await connected.pass_time(5)
    theirs = (await gateway.first_page(connected.sub, EventsQuery())).events[0]

    edit = ForeignEdit(
        calendar_id=connected.calendar_id,
        event_uid=theirs.event_uid,
        fields=EventFields(
            summary="Moved",
            start=datetime(2026, 12, 5, 9, tzinfo=UTC),
            end=datetime(2026, 12, 5, 10, tzinfo=UTC),
            tzid="Europe/London",
        ),
    )
    assert theirs.options.update
    assert [answer.accepted for answer in await gateway.write(connected.sub, [edit])] == [True]
    await connected.pass_time(5)

    moved = (await gateway.first_page(connected.sub, EventsQuery())).events[0]
    assert (moved.summary, moved.start) == ("Moved", datetime(2026, 12, 5, 9, tzinfo=UTC))


async def test_channels_are_opened_listed_and_closed(connected: Connected) -> None:
    """The same request opens no second one."""
    gateway, url = connected.cronofy.gateway, "https://sync.example.test/cronofy/notices/1"
    opened = await gateway.create_channel(connected.sub, url)
    again = await gateway.create_channel(connected.sub, url)

    assert again.channel_id == opened.channel_id
    assert [one.callback_url for one in await gateway.channels(connected.sub)] == [url]
    await gateway.close_channel(connected.sub, opened.channel_id)
    await gateway.close_channel(connected.sub, opened.channel_id)
    assert await gateway.channels(connected.sub) == ()


async def test_r21_a_profile_is_revoked(connected: Connected) -> None:
    """And the second time does no harm."""
    gateway = connected.cronofy.gateway
    (profile,) = (await gateway.userinfo(connected.sub)).profiles
    assert profile.connected

    for _ in range(2):
        await gateway.revoke_profile(connected.sub, profile.profile_id)

    left = (await gateway.userinfo(connected.sub)).profile(profile.profile_id)
    assert left is None or not left.connected


async def test_r32_three_processes_at_full_speed_keep_below_cronofys_limits_together(sqlite_url: str) -> None:
    """What they grant each other is what counts, and every request was granted.

    The simulator would count at arrival, where a busy machine makes heaps of what was granted in time.
    """
    world, clock = SimulatedWorld(), RealClock()
    world.add_mailbox(email=OLIVIA)
    linked = world.link(OLIVIA)
    world.faults.change(per_second=0, per_minute=0)
    app = create_app(world)
    stores = [Store(sqlite_url) for _ in range(3)]
    await stores[0].upgrade()
    key = Fernet.generate_key().decode()
    processes = [
        simulated_cronofy(
            store,
            clock,
            world,
            access=ACCESS,
            key=key,
            budget=open_budget(BudgetRow(store), clock, per_second=50, per_minute=500),
            wire=httpx.ASGITransport(app),
        )
        for store in stores
    ]
    sub = linked.account.account_id
    grant = TokenGrant(access_token=linked.access_token, refresh_token=linked.refresh_token, expires_in=3600)
    await processes[0].tokens.adopt(sub, grant)

    calls = [
        one.gateway.calendars(sub, turn=Turn(integration_id=f"i-{n}")) for one in processes for n in range(30)
    ]
    async with asyncio.timeout(300):
        await asyncio.gather(*calls)

    stats = world.stats()
    assert stats["statuses"] == {"200": 90}
    text, _ = await read_budget(stores[0])
    granted = Allowance.parse(text).sent
    assert sum(cost for _, cost, _ in granted) >= 90
    assert (
        max(sum(cost for at, cost, _ in granted if 0 <= at - start < SECOND_SPAN) for start, _, _ in granted)
        <= 45
    )
    for one, store in zip(processes, stores, strict=True):
        await one.close()
        await store.close()
