"""Three providers, three hundred accounts, two processes: what is measured anyway makes one notice (R53)."""

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from cryptography.fernet import Fernet
from sqlalchemy import func, select

from contracts.errors import SyncError
from contracts.event_fields import EventFields
from contracts.ports import Turn
from contracts.writes import Upsert
from handlers.forecasts.weather import WeatherKind
from service.app.cronofy import CronofyParts
from service.cronofy.sightings import MOST_WATCHED, ProviderWatch
from service.monitoring.weather import (
    JUDGE_EVERY_SECONDS,
    WeatherNotice,
    WeatherNotices,
    WeatherOffice,
    WeatherReporter,
    data_centre_of,
)
from service.operations.weather_words import describe_weather
from service.store.operations import processes
from service.store.tables import weather_reports
from tests.support.clock import ManualClock
from tests.support.one_person import NINE, TEN, OnePerson, one_person
from tests.support.scripted import GatewayUnderTest, an_upsert, answered
from tests.support.wiring import simulated_cronofy

PROVIDERS = {"office365": "exchange", "google": "google", "icloud": "apple"}
ACCOUNTS, TENANTS = 300, 7
ROUNDS_A_MINUTE = 4
TURN = Turn(integration_id="one", tenant_id="acme")


@dataclass(kw_only=True)
class Town:
    """Many people's calendars; each acts about once a minute, by one process or the other."""

    home: OnePerson
    other: CronofyParts
    people: list[tuple[str, str, str, str]] = field(default_factory=list)
    """Integration, tenant, account and calendar."""
    accounts: int = ACCOUNTS
    rounds: int = 0

    def __post_init__(self) -> None:
        watches = (self.home.cronofy.watch, self.other.watch)
        self.reporters = [
            WeatherReporter(
                store=self.home.store, watch=watch, clock=self.home.clock, process_id=f"process-{number}"
            )
            for number, watch in enumerate(watches)
        ]
        self.office = WeatherOffice(self.home.store, data_centre="us")
        self.notices = WeatherNotices(self.home.store, data_centre="us")

    async def settle(self) -> None:
        for number in range(self.accounts):
            service, name = list(PROVIDERS.items())[number % 3]
            email, tenant = f"p{number}@example.com", f"tenant-{number * 5 % TENANTS}"
            self.home.world.add_mailbox(email=email, provider=service)
            mine = await self.home.integration(
                email, tenant_id=tenant, provider_name=name, provider_service=service
            )
            account = self.home.world.profiles(email)[0].account.account_id
            self.people.append((mine, tenant, account, self.home.calendars[mine]))

    async def round(self) -> None:
        """A quarter of the people act; then all is told and judged."""
        await self.home.clock.sleep(JUDGE_EVERY_SECONDS)
        self.rounds += 1
        for number in range(self.rounds % ROUNDS_A_MINUTE, self.accounts, ROUNDS_A_MINUTE):
            await self._write(number)
        for reporter in self.reporters:
            await reporter.tell()
        await self.office.judge()

    async def _write(self, number: int) -> None:
        mine, tenant, account, calendar = self.people[number]
        turn = Turn(integration_id=mine, tenant_id=tenant)
        at = datetime(2026, 12, 3, 9, tzinfo=UTC)
        fields = EventFields(
            summary="Call", description="", location="", start=at, end=at, tzid="Europe/London",
            transparency="opaque", event_private=False,
        )  # fmt: skip
        cronofy = (self.home.cronofy, self.other)[number % 2]
        write = Upsert(calendar_id=calendar, event_id="call", fields=fields)
        with suppress(SyncError):
            await cronofy.gateway.write(account, [write], turn=turn)

    async def until(self, *, told: bool, within: float) -> WeatherNotice | None:
        """The notice when it is as wanted; fails where it is not within so many seconds."""
        began = self.home.clock.monotonic()
        while self.home.clock.monotonic() - began < within:
            await self.round()
            found = await self.notices.all()
            if bool(found) is told:
                return found[0] if found else None
        raise AssertionError(f"not within {within} seconds")


@pytest.fixture(params=[ACCOUNTS])
async def town(request: pytest.FixtureRequest, sqlite_url: str) -> AsyncIterator[Town]:
    key = Fernet.generate_key().decode()
    async with one_person(sqlite_url, key=key) as home:
        other = simulated_cronofy(home.store, home.clock, home.world, key=key)
        made = Town(home=home, other=other, accounts=request.param)
        await made.settle()
        yield made
        await other.close()


async def test_r53_a_provider_that_fails_is_one_notice_within_two_minutes_and_ends_by_itself(
    town: Town,
) -> None:
    """Right about who, since when and how long; the row of a process is replaced, never added to."""
    for _ in range(8):
        await town.round()
    assert await town.notices.all() == []
    onset = town.home.clock.now()
    town.home.world.faults.change(failing_providers={"office365": 1.0}, error_status=503)

    notice = await town.until(told=True, within=120)
    for _ in range(8):
        await town.round()
    (later,) = await town.notices.all()

    assert notice is not None
    assert (notice.provider, notice.kind) == ("office365", WeatherKind.FAILING)
    assert 0 <= (notice.since - onset).total_seconds() <= 60
    assert (later.people, later.since) == (ACCOUNTS // 3, notice.since)
    assert later.delay_seconds <= (town.home.clock.now() - onset).total_seconds()
    assert [len(await town.notices.of_person(tenant, "p0")) for tenant in ("tenant-0", "tenant-1")] == [1, 0]
    assert await town.notices.of_person("tenant-5", "p1") == []  # who uses Google

    town.home.world.faults.change(failing_providers={})
    assert await town.until(told=False, within=300) is None
    async with town.home.store.read() as connection:
        assert await connection.scalar(select(func.count()).select_from(weather_reports)) == 2


@pytest.mark.parametrize("town", [75], indirect=True)
async def test_r53_one_tenants_or_one_accounts_trouble_is_no_weather(town: Town) -> None:
    theirs = [account for _, tenant, account, _ in town.people if tenant == "tenant-2"]
    alone = next(account for _, tenant, account, _ in town.people if tenant == "tenant-3")
    town.home.world.faults.change(only_accounts=[*theirs, alone], error_ratio=1.0, error_status=503)

    for _ in range(20):
        await town.round()
        assert await town.notices.all() == []


@pytest.mark.parametrize("town", [75], indirect=True)
async def test_r53_while_cronofy_itself_is_down_no_provider_is_blamed(town: Town) -> None:
    town.home.world.faults.change(failing_providers={"office365": 1.0}, error_status=503)
    for _ in range(12):
        async with town.home.store.begin() as connection:
            now = await town.home.store.now(connection)
            await processes.tell(connection, "a-process", {"down_since": now}, now=now)
        await town.round()
        assert await town.notices.all() == []


async def test_r53_the_lag_of_a_change_is_from_its_moment_to_cronofys_notice(home: OnePerson) -> None:
    """Whatever waited in our own queues is not the provider's."""
    mine = await home.integration()
    home.world.faults.change(slow_providers={"google": 90.0})
    home.add_event(mine, "Lunch", start=NINE, end=TEN)
    await home.world.advance(91)
    since = datetime.fromtimestamp(home.world.clock.now() - 3600, UTC)
    await home.notice(mine, since=since)

    (seen,) = home.cronofy.watch.told().values()
    assert seen.lag == pytest.approx(91, abs=2)
    assert seen.failures == 0


@pytest.mark.parametrize(
    ("reply", "failures"),
    [
        (answered(202), 0), (answered(422, {"errors": {}}), 0), (answered(404), 0), (answered(403), 0),
        (answered(429), 0), (answered(423), 1), (answered(500), 1), (answered(503), 1),
        (answered(503, **{"Retry-After": "30"}), 1), (httpx.ReadTimeout("late"), 1),
        (httpx.ConnectError("nobody there"), 0),
    ],
)  # fmt: skip
async def test_r53_only_what_may_be_the_providers_fault_counts(reply: Any, failures: int) -> None:
    made = GatewayUnderTest(reply)
    with suppress(SyncError):
        await made.gateway.write("acc_1", [an_upsert()], turn=TURN)

    told = made.watch.told()
    assert (told["one"].failures if "one" in told else 0) == failures


def test_r53_a_process_tells_of_a_bounded_number_of_integrations_the_same_in_each() -> None:
    clock = ManualClock()
    one, other = ProviderWatch(clock), ProviderWatch(clock)
    for number in range(MOST_WATCHED + 500):
        one.answered(Turn(integration_id=str(number)))
        other.answered(Turn(integration_id=str(MOST_WATCHED + 499 - number)))

    assert len(one.told()) == MOST_WATCHED
    assert one.told().keys() == other.told().keys()


async def test_r53_what_is_long_past_is_forgotten_and_a_trouble_later_than_the_longest_wait() -> None:
    clock = ManualClock()
    watch = ProviderWatch(clock)
    watch.answered(Turn(integration_id="well"))
    watch.failed(Turn(integration_id="ill"))
    watch.answered(Turn())
    await clock.pass_time(7300)
    assert watch.told().keys() == {"ill"}
    await clock.pass_time(3600)
    assert watch.told() == {}


async def test_r53_nothing_is_written_while_nothing_is_seen(home: OnePerson) -> None:
    reporter = WeatherReporter(
        store=home.store, watch=home.cronofy.watch, clock=home.clock, process_id="process-1"
    )
    await reporter.tell()
    async with home.store.read() as connection:
        assert await connection.scalar(select(func.count()).select_from(weather_reports)) == 0


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://api.cronofy.com", "us"),
        ("https://api-uk.cronofy.com", "uk"),
        ("https://api-de.cronofy.com/", "de"),
        ("http://127.0.0.1:8402", "127.0.0.1"),
    ],
)
def test_r53_the_data_centre_is_read_from_the_address(address: str, name: str) -> None:
    assert data_centre_of(address) == name


SENTENCES = [
    ("office365", "slow", 37, 341.0, "Office 365 is slow: 37 people wait up to 6 minutes"),
    ("google", "failing", 1, 59.5, "Google does not answer reliably: 1 person waits up to a minute"),
    ("everywhere", "slow", 1200, 7300.0, "All linked calendars are slow: 1,200 people wait up to 3 hours"),
    (
        "everywhere",
        "failing",
        9,
        60.5,
        "No calendar provider answers reliably: 9 people wait up to 2 minutes",
    ),
    ("zoho", "slow", 5, 44.2, "A calendar provider is slow: 5 people wait up to 45 seconds"),
]


@pytest.mark.parametrize(("provider", "kind", "people", "delay", "said"), SENTENCES)
def test_r53_the_notice_is_one_sentence(
    provider: str, kind: str, people: int, delay: float, said: str
) -> None:
    since = datetime(2026, 12, 1, 9, tzinfo=UTC)
    notice = WeatherNotice(
        provider=provider, kind=WeatherKind(kind), since=since, people=people, delay_seconds=delay,
        usual_seconds=5.0,
    )  # fmt: skip

    assert describe_weather(notice).said == f"{said}, nothing is lost."
    assert "half of all changes come within 5 seconds" in describe_weather(notice).detail
