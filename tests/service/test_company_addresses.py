"""Whose a mailbox may be that an administrator names, and what cannot be held for all (R45, G10)."""

from dataclasses import replace

import httpx
import pytest
from sqlalchemy import insert, update

from service.store.integrations.integrations import load
from service.store.people.companies import add_company, bring_into_line
from service.store.people.company_mailboxes import known_users
from service.store.people.company_people import forget_person
from service.store.tables import (
    company_calendars,
    company_people,
    integrations,
    item_assignees,
    items,
    log_entries,
)
from tests.support.company import ADMINISTRATOR, COMPANY, EVENTS, ITEMS, Company
from tests.support.office import HERE

ANN, BOB = "ann, ann@fabrikam.example", "bob, bob@fabrikam.example"


async def test_r45_nobody_is_given_a_mailbox_of_another_address_than_vorex_names(small: Company) -> None:
    """An accomplice who is signed in, or signs in before it is connected, sees nobody else's calendar."""
    office = small.office
    await small.connect()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(office.app), base_url=HERE) as elsewhere:
        token = office.token("carl", email="CARL@fabrikam.example")
        assert (await elsewhere.get("/sign-in", params={"token": token})).status_code == 303
    answer = await small.choose("carl, eve@fabrikam.example", BOB)
    assert answer.status_code == 422
    assert "Line 1 names a mailbox for somebody of whom Vorex names another address." in answer.text
    assert await small.stages() == {}

    await small.choose("late, eve@fabrikam.example", ANN)
    await office.parts.company_steps.round()
    await office.sign_in("late", email="late@fabrikam.example")
    await office.sign_in("ann", email="Ann@fabrikam.example")
    await small.steps(4)
    assert await small.stages() == {"late": ("failed", "other_address"), "ann": ("connected", None)}
    assert [row["user_id"] for row in await office.rows(integrations)] == ["ann"]
    reasons = [row["reason"] for row in await office.rows(log_entries)]
    assert any("administrator vera. Vorex, too, says" in one for one in reasons)


async def test_r45_log_and_table_say_on_whose_word_somebody_has_a_mailbox(small: Company) -> None:
    """And that Vorex names another address, as soon as it does."""
    office = small.office
    await small.connect()
    await office.sign_in("zack", **ADMINISTRATOR)
    await small.choose("mallory, eve@fabrikam.example")
    await small.steps(4)
    row = await small.person("mallory")
    assert (row["stage"], row["chosen_by"], row["vouched"]) == ("connected", "zack", None)
    told = [one["reason"] for one in await office.rows(log_entries)]
    assert any("administrator zack, who alone says that the mailbox is theirs" in one for one in told)
    assert "Vorex has named no address." in await small.page()

    await office.sign_in("mallory", email="mallory@fabrikam.example")
    assert "Your administrator zack connected" in (await office.client.get("/calendar-sync")).text
    await office.sign_in("mallory", email="mallory@fabrikam.example")
    told = [one["reason"] for one in await office.rows(log_entries)]
    assert len([one for one in told if "Vorex names another address for this person" in one]) == 1
    await office.sign_in("vera", **ADMINISTRATOR)
    assert "Vorex names another address for this person." in await small.page()
    people = await office.client.get(
        "/api/v1/company-calendar/people", headers=office.bearer("vera", **ADMINISTRATOR)
    )
    (one,) = people.json()["items"]
    assert (one["chosen_by"], one["vouched"]) == ("zack", False)


@pytest.mark.parametrize(
    ("held", "before", "kept"),
    [
        ("item_types", {"item_types": dict.fromkeys(ITEMS, False)}, True),
        ("item_types", {"item_types": {**ITEMS, "todo": False}}, False),
        ("event_types", {"item_types": dict.fromkeys(ITEMS, False)}, True),
        ("event_types", {}, False),
    ],
)
async def test_g10_what_is_held_gives_nobody_settings_that_finish_would_refuse(
    company: Company, held: str, before: dict[str, dict[str, bool]], kept: bool
) -> None:
    """Of a calendar that may be read-only, or with which nothing would be left; they are counted."""
    office = company.office
    await company.connect()
    await company.choose(ANN)
    await company.steps(4)
    (row,) = await office.rows(integrations)
    async with office.store.begin() as connection:
        if before:
            await connection.execute(update(integrations).values(**before))
    settings = {"item_types": ITEMS, "event_types": dict.fromkeys(EVENTS, False)}
    async with office.store.begin() as connection:
        assert await bring_into_line(connection, "acme", {held: settings[held]}) == int(kept)
    (after,) = await office.rows(integrations)
    assert after[held] == (before.get(held, row[held]) if kept else settings[held])


async def test_g10_page_says_that_some_keep_their_settings(small: Company) -> None:
    """Of whom the administrator would think that they are held."""
    office = small.office
    await small.connect()
    await small.choose(ANN)
    await small.steps(4)
    async with office.store.begin() as connection:
        await connection.execute(update(integrations).values(item_types=dict.fromkeys(ITEMS, False)))
    await office.sign_in("vera", **ADMINISTRATOR)
    answer = await small.send(f"{COMPANY}/defaults", **{"lock-item_types": "on", "task": "on"})
    assert answer.headers["Location"].endswith("notice=company_left_out")


async def test_company_that_two_begin_at_once_is_one(company: Company) -> None:
    """The second finds what the first made."""
    async with company.office.store.begin() as connection:
        for name in ("first", "second"):
            await add_company(
                connection, tenant_id="acme", stage="begun", sub=name, event_types=EVENTS,
                item_types=ITEMS, locked=[],
            )  # fmt: skip
    (row,) = await company.office.rows(company_calendars)
    assert (row["sub"], row["event_types"], row["locked"]) == ("first", EVENTS, [])


async def test_company_knows_whom_items_and_sessions_name(company: Company) -> None:
    """In order and once each, without the administrator and whoever is in the list, as many as are asked."""
    office = company.office
    await company.connect()
    await company.choose("bea, bob@fabrikam.example")
    await office.sign_in("dan")
    await office.connect("eve", email="eve@fabrikam.example")
    async with office.store.begin() as connection:
        for number, names in enumerate((["ann", "bea", "vera"], ["ann", "cid", "eve"])):
            given = {
                "ref": f"r{number}", "tenant_id": "acme", "item_type": "task", "item_id": str(number),
                "version": 1, "vorex_version": 1, "sync_version": 0, "revision": 1, "deleted": False,
                "changed_at": office.clock.now(), "stored_at": office.clock.now(),
            }  # fmt: skip
            await connection.execute(insert(items).values(**given))
            rows = [{"item_ref": f"r{number}", "tenant_id": "acme", "user_id": name} for name in names]
            await connection.execute(insert(item_assignees), rows)
        await connection.execute(insert(items).values(**{**given, "ref": "o", "tenant_id": "globex"}))
        other = {"item_ref": "o", "tenant_id": "globex", "user_id": "aaa"}
        await connection.execute(insert(item_assignees).values(**other))
    async with office.store.read() as connection:
        everybody = await known_users(connection, "acme", but="vera", limit=10)
        some = await known_users(connection, "acme", but="vera", limit=2)
    assert everybody == [("ann", None), ("cid", None), ("dan", None), ("eve", "eve@fabrikam.example")]
    assert some == everybody[:2]


async def test_r41_address_of_an_erased_person_is_kept_by_no_earlier_attempt(small: Company) -> None:
    """Neither where its integration is gone, nor where the mailbox is the erased one."""
    office = small.office
    await small.connect()
    await small.choose(ANN)
    await small.steps(4)
    async with office.store.begin() as connection:
        await connection.execute(update(company_people).values(integration_id="gone", sub=None))
        (row,) = await office.rows(integrations)
        known = (await load(connection, [row["id"]]))[row["id"]]
        await forget_person(connection, replace(known, profile_name="other@x.example"))
    assert await small.stages() == {}
