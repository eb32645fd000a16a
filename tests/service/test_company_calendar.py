"""An administrator connects all people of a company with one consent (R45, R34, R21)."""

import pytest
from sqlalchemy import delete, update

from contracts.cronofy import Calendar
from service.integrations.finish import ChosenSetup, finish
from service.integrations.refusals import Invalid
from service.integrations.settings_form import Choices
from service.store.integrations.integrations import load
from service.store.people.companies import add_company, ending
from service.store.people.company_people import forget_person
from service.store.runs.runs import end
from service.store.tables import company_calendars, company_people, credentials, integrations, runs, sessions
from service.store.tables.company_stages import STEPS_A_ROUND
from tests.support.company import ADMINISTRATOR, COMPANY, EVENTS, ITEMS, Company
from tests.support.office import form
from tests.support.pages import ShownPage

ANN, BOB, EVE = "ann, ann@fabrikam.example", "bob, bob@fabrikam.example", "eve; eve@fabrikam.example"


async def test_company_consent_connects_each_person_whom_the_administrator_chose(company: Company) -> None:
    """Nobody else; with the tenant's settings, and permission to change own events without a page (R34)."""
    answer = await company.connect()
    assert answer.headers["Location"].endswith("company-calendar?notice=company_connected")
    assert (await company.choose(ANN, EVE)).status_code == 303

    await company.steps()

    assert await company.stages() == {"ann": ("connected", None), "eve": ("connected", None)}
    rows = {row["user_id"]: row for row in await company.office.rows(integrations)}
    assert set(rows) == {"ann", "eve"}
    assert {row["status"] for row in rows.values()} == {"connected"}
    assert {row["permission_level"] for row in rows.values()} == {"unrestricted"}
    assert rows["ann"]["account_name"] == "ann@fabrikam.example"
    assert rows["ann"]["channel_id"] is not None
    assert all(row["answer"] is None for row in await company.office.rows(company_people))


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"unlicensed": ["bob@fabrikam.example"]}, "not_licensed"),
        ({"refusing": ["bob@fabrikam.example"]}, "refused"),
    ],
)
async def test_company_failure_of_one_person_is_told_and_hinders_no_other(
    small: Company, fault: dict[str, list[str]], reason: str
) -> None:
    """With why, and one press asks for them once more."""
    await small.connect()
    small.office.world.faults.change(**fault)
    await small.choose(ANN, BOB, "zoe, zoe@fabrikam.example", "sam, sam@contoso.example")
    await small.steps()

    assert await small.stages() == {
        "ann": ("connected", None),
        "bob": ("failed", reason),
        "zoe": ("failed", "unknown_mailbox"),
        "sam": ("failed", "unknown_mailbox"),
    }
    page = await small.page()
    assert "There is no such mailbox in the domain." in page
    assert "zoe@fabrikam.example" in page
    small.office.world.faults.clear()
    await small.send(f"{COMPANY}/retry")
    await small.steps()
    assert (await small.stages())["bob"] == ("connected", None)
    assert (await small.stages())["zoe"] == ("failed", "unknown_mailbox")


async def test_company_person_who_linked_the_same_calendar_is_left_alone(small: Company) -> None:
    """Their settings and their grant stay theirs, also when the company is disconnected."""
    office = small.office
    mine = await office.connect("ann", email="ann@fabrikam.example")
    calendar_id = (await office.calendars(mine, "ann"))["Calendar"]
    await office.put(mine, form(calendar_id), "ann")
    before = [row for row in await office.rows(integrations) if row["id"] == mine]
    tokens = await office.rows(credentials)

    await small.connect()
    await small.choose("ann, ANN@fabrikam.example", BOB)
    await small.steps()
    assert await small.stages() == {"ann": ("already", None), "bob": ("connected", None)}
    assert [row for row in await office.rows(integrations) if row["id"] == mine] == before
    assert [row for row in tokens if row not in await office.rows(credentials)] == []


async def test_company_person_whose_mailbox_turns_out_to_be_linked_is_left_alone(small: Company) -> None:
    """Who links it by themselves while Cronofy is asked keeps what they did."""
    office = small.office
    await small.connect()
    await small.choose(ANN)
    await office.parts.company_steps.round()
    mine = await office.connect("ann", email="ann@fabrikam.example")
    calendar_id = (await office.calendars(mine, "ann"))["Calendar"]
    await office.put(mine, form(calendar_id), "ann")

    await small.steps()

    assert await small.stages() == {"ann": ("already", None)}
    assert [row["id"] for row in await office.rows(integrations)] == [mine]


@pytest.mark.parametrize("copies", ["keep", "remove"])
async def test_company_disconnect_ends_what_it_connected_then_the_domain(small: Company, copies: str) -> None:
    """What people linked by themselves stays; Cronofy forgets the domain last, and nothing is kept here."""
    office = small.office
    mine = await office.finished("u-17")
    await small.connect()
    await small.choose(ANN, BOB)
    await small.steps()
    await office.sign_in("vera", **ADMINISTRATOR)
    page = await office.client.get(f"{COMPANY}/disconnect")
    (form_,) = [one for one in ShownPage(page).forms if one.action == f"{COMPANY}/disconnect"]
    await office.client.post(form_.action, data={**form_.fields, "copies": copies})

    await small.steps(1)
    rows = {row["user_id"]: row for row in await office.rows(integrations)}
    assert rows["ann"]["deleted_at"] is not None
    assert rows["u-17"]["deleted_at"] is None
    assert rows["u-17"]["id"] == mine
    asked = [row["cursor"] for row in await office.rows(runs) if row["kind"] == "delete"]
    assert [one["copies"] for one in asked] == [copies, copies]
    assert [row["stage"] for row in await office.rows(company_calendars)] == ["ending"]
    assert any(row["sub"].startswith("ser_") for row in await office.rows(credentials))

    async with office.store.begin() as connection:
        for row in await office.rows(runs):
            await end(connection, row["id"], state="done", reason=None, at=office.clock.now())
    await small.steps(2)
    assert await office.rows(company_calendars) == []
    assert await office.rows(company_people) == []
    assert not [row for row in await office.rows(credentials) if row["sub"].startswith("ser_")]
    assert [one.revoked for one in office.world.accounts.values() if one.kind == "service_account"] == [True]


async def test_company_defaults_are_where_people_begin_and_locks_are_kept(small: Company) -> None:
    """Locked holds at once for all, by page and API; the rest is the person's to change."""
    office = small.office
    await small.connect()
    await small.choose(ANN)
    await small.steps()
    await office.sign_in("vera", **ADMINISTRATOR)
    events = {"create": True, "update": True, "delete": False}
    items = {
        **dict.fromkeys(("crm_activity", "todo", "task"), False),
        "appointment": True,
        "service_call": True,
    }
    form_ = {"event_types": events, "item_types": items, "locked": ["event_types"]}
    administrator = office.bearer("vera", **ADMINISTRATOR)
    answer = await office.client.put("/api/v1/company-calendar/defaults", json=form_, headers=administrator)
    assert (answer.status_code, answer.json()["locked"]) == (200, ["event_types"])
    await small.choose(BOB)
    await small.steps()

    rows = {row["user_id"]: row for row in await office.rows(integrations)}
    assert rows["ann"]["event_types"] == rows["bob"]["event_types"] == events
    assert rows["bob"]["item_types"] == items
    assert rows["ann"]["item_types"]["todo"] is True
    ann, calendar_id = rows["ann"]["id"], rows["ann"]["calendar_id"]
    loose = form(calendar_id, event_types={**events, "delete": True})
    refused = await office.put(ann, loose, "ann")
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "event_types")
    chosen = ChosenSetup(Choices.model_validate(loose), office_calendar(calendar_id), [calendar_id])
    async with office.store.begin() as connection:  # locked behind the look with which a Finish begins
        with pytest.raises(Invalid, match="event_types"):
            await finish(office.store, connection, "ann", ann, chosen)
    own = form(calendar_id, event_types=events, item_types={**items, "todo": True})
    assert (await office.put(ann, own, "ann")).status_code == 200

    await office.sign_in("ann")
    page = await office.client.get(f"/calendar-sync/{ann}/settings/linked-calendar")
    assert "Your administrator decided these." in page.text
    tab, _ = ShownPage(page).form("Save")
    fields = {name: value for name, value in tab.fields.items() if name not in events}
    saved = await office.client.post(tab.action, data={**fields, "delete": "on", "to": "save"})
    assert saved.status_code == 303
    assert (await office.rows(integrations))[0]["event_types"] == events


def office_calendar(calendar_id: str) -> Calendar:
    """As Cronofy lists it."""
    return Calendar(
        calendar_id=calendar_id,
        name="Calendar",
        read_only=False,
        deleted=False,
        primary=True,
        permission_level="unrestricted",
        profile_id="",
    )


async def test_company_person_is_told_at_the_next_visit_and_may_leave(small: Company) -> None:
    """Who connected it, once as a note and always on the card; deleting it is leaving."""
    office = small.office
    await small.connect()
    await small.choose(ANN)
    await small.steps()

    await office.sign_in("ann")
    page = await office.client.get("/calendar-sync")
    assert "Your administrator vera connected ann@fabrikam.example for you" in page.text
    read, _ = ShownPage(page).form("I have read this")
    await office.client.post(read.action, data=read.fields)
    page = await office.client.get("/calendar-sync")
    assert "connected ann@fabrikam.example for you" not in page.text
    assert "Connected by your administrator vera." in page.text

    (mine,) = await office.rows(integrations)
    left = await office.client.delete(
        f"/api/v1/integrations/{mine['id']}?copies=keep", headers=office.bearer("ann")
    )
    assert left.status_code in {202, 204}
    await office.sign_in("vera", **ADMINISTRATOR)
    assert "The integration is deleted" in await small.page()
    await small.steps()
    assert len(await office.rows(integrations)) == 1


async def test_company_is_nobody_elses(small: Company) -> None:
    """Neither an operator nor another tenant's administrator sees it or its people."""
    office = small.office
    await small.connect()
    await small.choose(ANN)
    await small.steps()
    operator = office.bearer("olga", role="operator")
    elsewhere = office.bearer("vera", "globex", **ADMINISTRATOR)
    for path in ("", "/people"):
        answer = await office.client.get(f"/api/v1/company-calendar{path}", headers=operator)
        assert answer.status_code == 404
    assert (await office.client.get("/api/v1/company-calendar", headers=elsewhere)).status_code == 404
    people = await office.client.get("/api/v1/company-calendar/people", headers=elsewhere)
    assert people.json()["items"] == []
    own = await office.client.get(
        "/api/v1/company-calendar/people", headers=office.bearer("vera", **ADMINISTRATOR)
    )
    (person,) = own.json()["items"]
    assert (person["user_id"], person["stage"], person["left"]) == ("ann", "connected", False)


async def test_company_page_says_which_line_is_wrong_and_keeps_the_list(small: Company) -> None:
    """What was pasted stands there still."""
    await small.connect()
    answer = await small.choose(ANN, "bob nobody")
    assert answer.status_code == 422
    assert "Line 2 must end with an e-mail address." in answer.text
    assert "bob nobody" in answer.text
    assert await small.stages() == {}


async def test_company_disconnect_ends_also_what_was_made_for_somebody_who_then_failed(
    small: Company,
) -> None:
    """An integration that never was finished keeps nobody's domain."""
    office = small.office
    await small.connect()
    await small.choose(ANN)
    await small.steps()
    async with office.store.begin() as connection:
        await connection.execute(update(company_people).values(stage="failed", reason="other"))
        await connection.execute(update(integrations).values(finished_at=None, status="setup"))
    await office.sign_in("vera", **ADMINISTRATOR)
    page = await office.client.get(f"{COMPANY}/disconnect")
    (form_,) = [one for one in ShownPage(page).forms if one.action == f"{COMPANY}/disconnect"]
    await office.client.post(form_.action, data={**form_.fields, "copies": "keep"})
    await small.steps(1)
    async with office.store.begin() as connection:
        for row in await office.rows(runs):
            await end(connection, row["id"], state="done", reason=None, at=office.clock.now())
    await small.steps(2)
    assert await office.rows(company_calendars) == []


async def test_company_that_cannot_end_hinders_no_other(small: Company) -> None:
    """However many: each round begins behind those of the last."""
    async with small.office.store.begin() as connection:
        for number in range(STEPS_A_ROUND + 1):
            await add_company(
                connection, tenant_id=f"t{number:03}", stage="ending", event_types=EVENTS,
                item_types=ITEMS, locked=[],
            )  # fmt: skip
    async with small.office.store.read() as connection:
        first = await ending(connection)
        then = await ending(connection, after=first[-1].tenant_id)
    assert [one.tenant_id for one in then] == [f"t{STEPS_A_ROUND:03}"]
    await small.steps(2)
    assert await small.office.rows(company_calendars) == []


async def test_company_locks_outlive_the_erasure_of_another_integration_of_the_person(
    small: Company,
) -> None:
    """What is erased takes its own row with it, and no other."""
    office = small.office
    office.world.add_mailbox(email="private@fabrikam.example", provider="office365")
    mine = await office.connect("ann", email="private@fabrikam.example")
    await small.connect()
    await small.choose(ANN)
    await small.steps()
    async with office.store.begin() as connection:
        loaded = await load(connection, [row["id"] for row in await office.rows(integrations)])
        (own,) = [one for one in loaded.values() if one.id == mine]
        (theirs,) = [one for one in loaded.values() if one.id != mine]
        await forget_person(connection, own)
    assert await small.stages() == {"ann": ("connected", None)}
    async with office.store.begin() as connection:
        await forget_person(connection, theirs)
    assert await small.stages() == {}


async def test_company_mailbox_is_one_persons_alone(small: Company) -> None:
    """Neither of somebody on the way, nor of who is connected, nor of who linked it by themselves."""
    await small.office.connect("eve", email="eve@fabrikam.example")
    await small.connect()
    await small.choose(ANN)
    for _ in ("on the way", "connected"):
        answer = await small.choose("mallory, ANN@fabrikam.example", "eric, eve@fabrikam.example", BOB)
        assert answer.status_code == 422
        assert "Line 1 names a mailbox that is in the list already." in answer.text
        assert "Line 2 names a mailbox that is in the list already." in answer.text
        assert set(await small.stages()) == {"ann"}
        await small.steps()


async def test_company_administrator_gives_themselves_no_mailbox_that_vorex_does_not_say_is_theirs(
    small: Company,
) -> None:
    """By the page as by the API: a session knows the address that opened it, as a print."""
    office = small.office
    await small.connect()
    answer = await small.choose("vera, eve@fabrikam.example")
    assert answer.status_code == 422
    assert "Line 1 names yourself, with a mailbox that Vorex does not say is yours." in answer.text
    await office.sign_in("vera", email="Eve@fabrikam.example", **ADMINISTRATOR)
    assert (await small.choose("vera, bob@fabrikam.example")).status_code == 422
    assert (await small.choose("vera, eve@fabrikam.example")).status_code == 303
    async with office.store.begin() as connection:
        await connection.execute(delete(company_people))
        await connection.execute(delete(sessions))
    form_ = {"people": [{"user_id": "vera", "email": "ann@fabrikam.example"}]}
    for email, status in (("", 422), ("eve@fabrikam.example", 422), ("Ann@fabrikam.example", 202)):
        headers = office.bearer("vera", email=email, **ADMINISTRATOR)
        added = await office.client.post("/api/v1/company-calendar/people", json=form_, headers=headers)
        assert added.status_code == status, added.text


async def test_company_mailbox_that_somebody_else_links_meanwhile_stays_theirs(small: Company) -> None:
    """The one who was chosen with it has failed, and is told so."""
    await small.connect()
    await small.choose("mallory, eve@fabrikam.example")
    await small.office.connect("eve", email="eve@fabrikam.example")
    await small.steps()
    assert await small.stages() == {"mallory": ("failed", "taken")}
    assert {row["user_id"] for row in await small.office.rows(integrations)} == {"eve"}


async def test_company_grant_for_another_mailbox_than_was_named_is_given_back(small: Company) -> None:
    """It connects nobody, and lives on nowhere."""
    await small.connect()
    await small.choose(ANN)
    await small.office.parts.company_steps.round()
    await small.office.world.rest()
    async with small.office.store.begin() as connection:
        await connection.execute(update(company_people).values(email="bob@fabrikam.example"))
    await small.steps()
    assert await small.stages() == {"ann": ("failed", "other")}
    assert await small.office.rows(integrations) == []
    living = {one.kind for one in small.office.world.accounts.values() if not one.revoked}
    assert living == {"service_account"}


async def test_company_that_connects_another_domain_leaves_other_tenants_theirs(small: Company) -> None:
    """The old domain ends at Cronofy with the last tenant that lives on it."""
    office = small.office
    office.world.add_mailbox(email="sam@tailspin.example", provider="office365")
    await small.connect()
    (shared,) = [row["sub"] for row in await office.rows(company_calendars)]
    async with office.store.begin() as connection:
        await add_company(
            connection, tenant_id="globex", stage="connected", sub=shared, event_types=EVENTS,
            item_types=ITEMS, locked=[],
        )  # fmt: skip
    await small.connect(choice="office365/tailspin.example")
    assert shared in {row["sub"] for row in await office.rows(credentials)}
    assert not any(one.revoked for one in office.world.accounts.values())
    await small.connect(user="greg", tenant="globex", choice="office365/tailspin.example")
    assert shared not in {row["sub"] for row in await office.rows(credentials)}
    assert [one.revoked for one in office.world.accounts.values()].count(True) == 1
