"""*Operations*: what needs a person, worst first, above the figures of all processes."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, update

from contracts.errors import Unavailable
from service.monitoring.heartbeat import Heartbeat
from service.monitoring.vitals import Vitals
from service.operations import Dashboard
from service.operations.sources import Sources
from service.store.engine.ids import new_id
from service.store.messages.burying import bury
from service.store.operations import processes
from service.store.tables import budget, integration_state, integrations, items, links, log_entries
from service.telemetry.metrics import BRAKE_ON, BREAKER_OPEN, MESSAGES_SETTLED
from tests.support.letters import a_letter
from tests.support.office import Office, open_office
from tests.support.pages import BROWSER, Browser

OUTBOUND = "calendar-sync.outbound"


@pytest.fixture
async def browser(office: Office) -> Browser:
    await office.sign_in("olga", role="operator", tz="UTC")
    return Browser(client=office.client)


class Depths:
    """The broker, as far as the page asks it."""

    def __init__(self, **waiting: int) -> None:
        self._waiting = waiting

    async def depth(self, queue: str) -> int:
        if "gone" in self._waiting:
            raise Unavailable("RabbitMQ is away")
        return self._waiting.get(queue.rpartition(".")[2], 0)


def seen_by(office: Office, depths: Depths) -> None:
    services = office.app.state.services
    office.app.state.services = replace(
        services,
        dashboard=Dashboard(
            office.store, Vitals(office.store, depths), Sources(office.store), services.weather
        ),
    )


async def told(office: Office, does: str = "consume outbound", **said: Any) -> None:
    """Another process speaks."""
    whole = {"does": does, "takes": [OUTBOUND], "host": "far", "pid": 7, "queues": {}, "down_since": None}
    async with office.store.begin() as connection:
        now = office.clock.now().timestamp()
        await processes.tell(connection, new_id(), {**whole, **said}, now=now)


async def late(office: Office, integration_id: str, kinds: Mapping[str, float], **link: Any) -> None:
    """Items of these kinds, so many hours from now, that are not on the linked calendar."""
    now = office.clock.now()
    async with office.store.begin() as connection:
        for place, (kind, hours) in enumerate(kinds.items()):
            ref = f"{integration_id[-6:]}-{place}-{kind}"
            starts = now + timedelta(hours=hours)
            await connection.execute(
                insert(items).values(
                    ref=ref, tenant_id="acme", item_type=kind.rstrip("0123456789"), item_id=ref, version=1,
                    vorex_version=1, sync_version=0, revision=1, deleted=False, changed_at=now, stored_at=now,
                    starts_at=starts, ends_at=starts, content={"all_day": False, "title": "Surgeon"},
                )
            )  # fmt: skip
            values = {
                "id": new_id(), "integration_id": integration_id, "item_ref": ref, "calendar_id": "c",
                "origin": "ours", "state": "held", "created_at": now,
                "desired": {"summary": "Surgeon", "start": "2026-12-03", "end": "2026-12-04"},
                "touched_at": now.timestamp() - 600,
            }  # fmt: skip
            await connection.execute(insert(links).values(values | link))


async def test_what_harms_soonest_comes_first_each_with_its_way_on(browser: Browser, office: Office) -> None:
    """Items before noon before those of tomorrow, both before what harms nobody yet (08:00 UTC here)."""
    calm, soon, later = (
        await office.finished(calendar="Calendar"),
        await office.finished(calendar="Second"),
        await office.finished("u-22"),
    )
    async with office.store.begin() as connection:
        lost = {"status": "not_connected", "reason": "permission_withdrawn"}
        await connection.execute(update(integrations).where(integrations.c.id == calm).values(lost))
    await late(office, soon, {"service_call1": 1, "service_call2": 2, "task": 50})
    await late(office, later, {"appointment": 24}, exists_there=True, state="behind")
    async with office.store.begin() as connection:
        await bury(connection, [a_letter(1)], now=office.clock.now())
    page = await browser.open("/operations")
    sentences = [
        "2 service calls before noon are not on the technician's calendar",
        "1 appointment tomorrow is out of date on the user's calendar",
        "1 message could not be processed",
        "A linked calendar is not connected",
    ]
    places = [page.words.index(one) for one in sentences]
    assert places == sorted(places)
    assert "Surgeon" not in page.text
    page = await browser.follow(
        "See what waits: 2 service calls before noon are not on the technician's calendar"
        " (u-17 · sam@contoso.example)"
    )
    assert page.path == f"/operations/integrations/{soon}"
    assert "3 changes wait" in page.words
    page = await browser.open("/operations")
    page = await browser.follow("Open dead letters: 1 message could not be processed")
    assert page.path == "/operations/dead-letters"


async def test_what_harms_is_found_on_both_engines(database_url: str) -> None:
    """Missing, outdated and left over, by the index of the items' days."""
    async with open_office(database_url) as office:
        integration_id = await office.finished()
        await late(office, integration_id, {"service_call": 30})
        await late(office, integration_id, {"task": 30}, exists_there=True, state="failed")
        await late(office, integration_id, {"todo": 30}, exists_there=True, desired=None)
        watch = office.app.state.services.dashboard
        (case,) = await watch.cases("acme")
        assert sorted(one.lack for one in case.concerns) == ["left over", "missing", "outdated"]
        assert case.said == "1 service call tomorrow is not on the technician's calendar"
        assert case.detail == "1 change could not be written; 2 changes wait. 2 more in the next 7 days."
        assert await watch.cases("other") == []


async def test_what_is_not_amiss_is_not_told(browser: Browser, office: Office) -> None:
    """A change of a moment ago, a paused integration, a held deletion, the past and other tenants."""
    integration_id = await office.finished()
    await late(office, integration_id, {"task": 3}, state="behind", touched_at=office.clock.now().timestamp())
    await late(office, integration_id, {"todo": -30})
    other = await office.finished(calendar="Second")
    await late(office, other, {"task": 3})
    async with office.store.begin() as connection:
        await connection.execute(update(integrations).where(integrations.c.id == other).values(active=False))
    page = await browser.open("/operations")
    assert "Nothing. Messages flow" in page.words


async def test_pauses_and_rates_of_other_processes_are_seen(browser: Browser, office: Office) -> None:
    """What only they know they tell the store; who is silent counts as gone."""
    paused = office.clock.now().timestamp() - 90
    seen_by(office, Depths(outbound=1240))
    queues = {OUTBOUND: {"a_minute": {"done": 600.0}, "age": 75.0, "braked_since": None}}
    await told(office, queues=queues)
    await told(office, queues={OUTBOUND: {"a_minute": {"done": 30.5}, "age": 2.0, "braked_since": paused}})
    page = await browser.open("/operations")
    for words in ("1,240", "630", "75 s", "Pauses since 07:58", "consume outbound", "far, process 7"):
        assert words in page.words, words
    assert f"The consumer of {OUTBOUND} pauses" in page.words
    page = await browser.follow(
        f"See the bugs: The consumer of {OUTBOUND} pauses, for message after message met a fault of ours"
    )
    assert page.address.endswith("?code=bug&queue=calendar-sync.outbound")
    await office.clock.pass_time(31)
    page = await browser.open("/operations")
    assert f"Nobody takes the 1,240 messages of {OUTBOUND}" in page.words
    assert "No consumer and no keeper was heard" in page.words


async def test_cronofys_outage_and_the_budget_are_told(browser: Browser, office: Office) -> None:
    now = office.clock.now().timestamp()
    await told(office, down_since=now - 60)
    granted = [int(now * 1000) - 30_000, 260, 0, 29_900, 12, 0]
    async with office.store.begin() as connection:
        state = json.dumps({"granted": granted, "names": ["acme"], "level": 0.5, "level_at": int(now * 1000)})
        await connection.execute(insert(budget).values(name="cronofy", state=state))
    page = await browser.open("/operations")
    for words in (
        "Cronofy does not answer", "Down since 07:59", "12 of 45", "272 of 475", "50% of the budget",
    ):  # fmt: skip
        assert words in page.words, words


async def test_a_broker_that_is_away_leaves_the_page_standing(browser: Browser, office: Office) -> None:
    """What waits is then not known, and said to be so."""
    seen_by(office, Depths(gone=1))
    page = await browser.open("/operations")
    assert page.status == 200
    assert "what waits is not known here" in page.words


async def test_a_process_tells_what_it_measures_and_takes_it_back(browser: Browser, office: Office) -> None:
    """Brake, breaker and rates cross from the process that knows them."""
    reports = Heartbeat(
        store=office.store, clock=office.clock, process_id=new_id(), does="consume outbound", takes=[OUTBOUND]
    )
    await reports.tell()
    MESSAGES_SETTLED.labels(OUTBOUND, "done").inc(40)
    BRAKE_ON.labels(OUTBOUND).set(1)
    BREAKER_OPEN.set(1)
    try:
        await office.clock.pass_time(20)
        await reports.tell()
        page = await browser.open("/operations")
        for words in ("120", "Pauses since 08:00", "Down since 08:00"):
            assert words in page.words, words
    finally:
        BRAKE_ON.labels(OUTBOUND).set(0)
        BREAKER_OPEN.set(0)
    await reports.tell()
    page = await browser.open("/operations")
    assert "Pauses since" not in page.words
    await reports.leave()
    page = await browser.open("/operations")
    assert "No consumer and no keeper was heard" in page.words


async def test_an_operator_pauses_resumes_and_syncs(browser: Browser, office: Office) -> None:
    """The command's verbs; what they start carries the operator's name."""
    integration_id = await office.finished()
    address = f"/operations/integrations/{integration_id}"
    await browser.open(address)
    page = await browser.press("Pause")
    assert "Sync is deactivated." in page.words
    page = await browser.press("Resume")
    assert "Sync is active again." in page.words
    page = await browser.press("Sync now")
    assert "A sync was started." in page.words
    page = await browser.press("Sync now")
    assert "A sync is running." in page.words
    said = [row["reason"] for row in await office.rows(log_entries) if row["trigger"] == "operator"]
    assert [one.rpartition(" ")[0] for one in said] == ["Paused by operator", "Resumed by operator"]


async def test_other_tenants_and_everybody_else_find_nothing(office: Office) -> None:
    integration_id = await office.finished()
    address = f"/operations/integrations/{integration_id}"
    for who in ({"tenant": "other", "role": "operator"}, {"role": "user"}, {"role": "administrator"}):
        office.client.cookies.clear()
        await office.sign_in("u-17", **who)
        page = await Browser(client=office.client).open("/my-calendar/new")
        form = {"csrf_token": page.forms[0].fields["csrf_token"]}
        assert (await office.client.get(address, headers=BROWSER)).status_code == 404
        for verb in ("pause", "resume", "sync", "erase"):
            answer = await office.client.post(f"{address}/{verb}", data=form, headers=BROWSER)
            assert answer.status_code == 404, (who, verb)
    (row,) = await office.rows(integrations)
    assert row["active"]


async def test_script_in_names_is_shown_and_never_run(browser: Browser, office: Office) -> None:
    """Accounts, calendars, and what processes call themselves."""
    script = '"><script>alert(1)</script>'
    integration_id = await office.finished()
    async with office.store.begin() as connection:
        given = {"account_name": script, "calendar_name": script, "status": "not_connected"}
        await connection.execute(update(integrations).values(given))
        await connection.execute(update(integration_state).values(delayed_since=office.clock.now()))
    await told(office, script, host=script)
    for address in ("/operations", f"/operations/integrations/{integration_id}"):
        page = await browser.open(address)
        assert page.status == 200
        assert "<script>" not in page.text


async def test_the_same_is_told_as_json(office: Office) -> None:
    seen_by(office, Depths(outbound=3))
    answer = await office.get("/api/v1/operations", "olga", role="operator")
    told_ = answer.json()
    assert answer.status_code == 200
    assert [queue["waiting"] for queue in told_["queues"]] == [3, 0, 0, 0, 0]
    assert told_["findings"][0]["said"] == f"Nobody takes the 3 messages of {OUTBOUND}"
    assert (await office.get("/api/v1/operations")).status_code == 404
