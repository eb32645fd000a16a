"""The notice of a slow provider on pages and in the API, and what is held back meanwhile (R53)."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from service.store.engine.ids import new_id
from service.store.integrations import integrations as integration_rows
from service.store.operations import weather
from service.store.operations.weather import WeatherRow
from service.store.runs.runs import add_run, end
from service.store.tables import integrations
from tests.support.office import Office
from tests.support.pages import Browser

SAID = "Google is slow: 37 people wait up to 6 minutes, nothing is lost."


async def storm(
    office: Office,
    provider: str = "google",
    *,
    over: bool = False,
    data_centre: str = "us",
    judged: timedelta = timedelta(seconds=15),
) -> None:
    """That provider is slow since half an hour ago, or no longer; ``judged`` so long ago."""
    since = (office.clock.now() - timedelta(minutes=30)).timestamp()
    told = {
        "calm_since": None, "kind": "slow", "people": 37, "tenants": 4, "delay": 341.0, "usual": {"5": 900.0},
        "usual_delay": 5.0, "judged_at": (office.clock.now() - judged).timestamp(),
    }  # fmt: skip
    async with office.store.begin() as connection:
        row = WeatherRow(provider=provider, since=None if over else since, told=told)
        await weather.put(connection, data_centre, row)


async def delayed(office: Office, integration_id: str) -> None:
    async with office.store.begin() as connection:
        await integration_rows.change_state(connection, integration_id, delayed_since=office.clock.now())


async def failed(office: Office, integration_id: str, *, ago: timedelta) -> None:
    """A sync that failed so long ago."""
    async with office.store.begin() as connection:
        run_id, at = new_id(), office.clock.now() - ago
        await add_run(
            connection,
            id=run_id,
            integration_id=integration_id,
            started_by="calendar-sync",
            kind="catch_up",
            state="waiting",
            step="baseline",
            requested_at=at,
            listed=True,
        )
        await end(connection, run_id, state="failed", reason=None, at=at)


@pytest.fixture
async def browser(office: Office) -> Browser:
    await office.sign_in(tz="Europe/London", locale="en-GB")
    return Browser(client=office.client)


@pytest.fixture
async def mine(office: Office) -> str:
    """A finished integration with Google."""
    made = await office.finished()
    async with office.store.begin() as connection:
        await connection.execute(update(integrations).values(provider_service="gsuite"))
    return made


@pytest.mark.parametrize("page", ["/my-calendar", "/my-calendar?view=agenda", "/calendar-sync"])
async def test_r53_who_uses_the_provider_reads_one_notice_until_it_is_over(
    page: str, mine: str, browser: Browser, office: Office
) -> None:
    before = (await browser.open(page)).words
    await storm(office)
    during = (await browser.open(page)).words
    await storm(office, over=True)
    after = (await browser.open(page)).words

    assert [during.count(SAID), before.count(SAID), after.count(SAID)] == [1, 0, 0]
    assert "since 1 Dec 2026, 07:30" in " ".join(during.split())
    assert "Usually half of all changes come within 5 seconds." in " ".join(during.split())


@pytest.mark.parametrize(("provider", "told"), [("google", True), ("icloud", False), ("everywhere", True)])
async def test_r53_it_is_told_to_those_whom_it_concerns(
    provider: str, told: bool, mine: str, office: Office
) -> None:
    await storm(office, provider)

    async def asked(**who: Any) -> Sequence[dict[str, Any]]:
        answer = await office.client.get("/api/v1/weather", headers=office.bearer(**who))
        assert answer.status_code == 200
        return list(answer.json()["items"])

    assert [one["provider"] for one in await asked()] == ([provider] if told else [])
    assert await asked(user="u-22") == []
    (seen,) = await asked(user="olga", tenant="globex", role="operator")
    assert {name: value for name, value in seen.items() if name != "said"} == {
        "provider": provider, "kind": "slow", "since": "2026-12-01T07:30:00Z", "people": 37,
        "delay_seconds": 341.0, "usual_delay_seconds": 5.0,
    }  # fmt: skip


async def test_r53_a_delay_is_not_told_beside_it_and_is_told_after_it(
    mine: str, browser: Browser, office: Office
) -> None:
    """On the list, and as a finding."""
    await delayed(office, mine)
    shown = []
    for over in (False, True):
        await storm(office, over=over)
        told = await office.app.state.services.dashboard.overview("acme")
        about = [finding.about for finding in told.findings]
        shown.append(("delayed since" in (await browser.open("/calendar-sync")).words, about))

    assert shown == [(False, ["provider"]), (True, ["integration"])]


@pytest.mark.parametrize(
    "nobodys", [{"data_centre": "de"}, {"judged": timedelta(seconds=301)}], ids=["elsewhere", "long ago"]
)
async def test_r53_what_nobody_judges_any_more_is_not_told_and_hides_no_delay(
    nobodys: dict[str, Any], mine: str, browser: Browser, office: Office
) -> None:
    """Of another data centre, or by a keeper that is gone."""
    await storm(office, **nobodys)
    await failed(office, mine, ago=timedelta(minutes=5))

    page = await browser.open("/my-calendar")

    assert SAID not in page.words
    assert "failed on" in page.words


@pytest.mark.parametrize(("minutes", "marked"), [(10, False), (40, True)])
async def test_r53_a_sync_that_failed_meanwhile_is_no_mark_and_one_from_before_is(
    minutes: int, marked: bool, mine: str, browser: Browser, office: Office
) -> None:
    await failed(office, mine, ago=timedelta(minutes=minutes))
    await storm(office)
    during = "failed on" in (await browser.open("/my-calendar")).words
    await storm(office, over=True)
    after = "failed on" in (await browser.open("/my-calendar")).words

    assert (during, after) == (marked, True)


async def test_r53_a_broken_connection_and_a_question_are_told_all_the_same(
    mine: str, browser: Browser, office: Office
) -> None:
    async with office.store.begin() as connection:
        await integration_rows.change(connection, mine, status="not_connected", reason="permission_withdrawn")
    await storm(office)
    told = await office.app.state.services.dashboard.overview("acme")

    assert "is not connected" in (await browser.open("/my-calendar")).words
    assert {finding.about for finding in told.findings} == {"provider", "integration"}


async def test_r53_operations_shows_it_with_its_figures_and_the_alert(
    mine: str, browser: Browser, office: Office
) -> None:
    await storm(office)
    await office.sign_in("olga", role="operator")
    page = await browser.open("/operations")

    assert page.words.count(SAID) == 1
    assert page.link(f"See the weather: {SAID}") == "#weather"
    for word in ("Provider weather", "37", "6 minutes", "5 seconds", "Slow"):
        assert word in page.words
    told = await office.app.state.services.dashboard.overview("acme")
    assert "provider_weather" in told.alerts
