"""The steps to a connected person begin again, end with whoever leaves, and hinder nobody else (R44, R54)."""

from contextlib import suppress

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import delete, insert, update

from contracts.errors import SyncError
from service.demo.simulator.api import grants
from service.integrations.companies.standing import MOST_TRIES
from service.store.integrations.sealed_tokens import SealedTokens
from service.store.people.companies import add_company, company_of
from service.store.people.company_people import add_people, due_people
from service.store.tables import (
    company_calendars,
    company_people,
    credentials,
    integrations,
)
from service.store.tables.company_stages import STEPS_A_ROUND, PersonStage
from tests.support.company import COMPANY, EVENTS, ITEMS, Company

ANN, BOB = "ann, ann@fabrikam.example", "bob, bob@fabrikam.example"
EXCHANGE, REVOCATION = "POST /oauth/token", "POST /oauth/token/revoke"


async def end_grants_of_people(company: Company) -> None:
    """As the deletion of an integration ends the authorisation of its account (R41)."""
    office = company.office
    for account in office.world.accounts.values():
        if account.kind != "service_account":
            grants.revoke_account(office.world, account)
    async with office.store.begin() as connection:
        await connection.execute(delete(credentials).where(~credentials.c.sub.startswith("ser_")))


def living_kinds(company: Company) -> set[str]:
    return {one.kind for one in company.office.world.accounts.values() if not one.revoked}


@pytest.mark.parametrize("by", ["retry", "choosing anew"])
async def test_company_person_without_a_calendar_is_connected_once_the_mailbox_has_one(
    small: Company, by: str
) -> None:
    """What was made the first time is gone, and so is its grant: a new one is linked."""
    office = small.office
    holidays = {"name": "Holidays", "read_only": True}
    office.world.add_mailbox(email="zoe@fabrikam.example", provider="office365", calendars=(holidays,))
    await small.connect()
    await small.choose("zoe, zoe@fabrikam.example")
    await small.steps(4)
    assert await small.stages() == {"zoe": ("failed", "no_calendar")}
    await end_grants_of_people(small)

    office.world.add_calendar("zoe@fabrikam.example", "Calendar")
    await (small.send(f"{COMPANY}/retry") if by == "retry" else small.choose("zoe, zoe@fabrikam.example"))
    await small.steps(4)

    assert await small.stages() == {"zoe": ("connected", None)}
    (living,) = [row for row in await office.rows(integrations) if row["deleted_at"] is None]
    assert living["id"] == (await small.person("zoe"))["integration_id"]
    assert living["status"] == "connected"


@pytest.mark.parametrize("by", ["retry", "choosing anew"])
async def test_company_person_whose_permission_ended_half_way_gets_the_next_grant(
    small: Company, by: str
) -> None:
    """The integration that was noted is the one that is finished, and nothing is left over."""
    office = small.office
    await small.connect()
    await small.choose(ANN)

    async def end_permission() -> None:
        await end_grants_of_people(small)

    office.wire.meanwhile["POST /v1/permissions"] = end_permission
    await small.steps(3)
    assert await small.stages() == {"ann": ("failed", "access_ended")}
    noted = (await small.person("ann"))["integration_id"]
    assert noted is not None

    await (small.send(f"{COMPANY}/retry") if by == "retry" else small.choose(ANN))
    assert (await small.person("ann"))["integration_id"] == noted
    await small.steps(4)
    assert await small.stages() == {"ann": ("connected", None)}
    assert [row["id"] for row in await office.rows(integrations)] == [noted]


async def test_company_grant_that_comes_too_late_is_given_back(small: Company) -> None:
    """Whoever was erased, or ended, while their code was exchanged leaves no grant behind."""
    office = small.office
    await small.connect()
    await small.choose(ANN)
    await office.parts.company_steps.round()
    await office.world.rest()

    async def erase() -> None:
        async with office.store.begin() as connection:
            await connection.execute(delete(company_people))

    office.wire.meanwhile[EXCHANGE] = erase
    await small.steps(2)
    assert living_kinds(small) == {"service_account"}


async def test_r44_a_bug_with_one_person_hinders_no_other(small: Company) -> None:
    """Whatever it is, it is tried again later, at growing distances."""
    office = small.office
    await small.connect()
    await small.choose(ANN, BOB)
    async with office.store.begin() as connection:
        for stage, user, ahead in (("granted", "ann", 0), ("failed", "eve", 0)):
            broken = {
                "stage": stage, "answer": office.tokens.seal_text("no grant"), "sub": "acc_9",
                "due_at": await office.store.now(connection) + ahead,
            }  # fmt: skip
            row = {
                "id": f"id-{user}", "tenant_id": "acme", "user_id": user, "email": f"{user}@x.example",
                "time_zone": "UTC", "since": office.clock.now(),
            }  # fmt: skip
            if user == "ann":
                mine = company_people.c.user_id == user
                await connection.execute(update(company_people).where(mine).values(**broken))
            else:
                await connection.execute(insert(company_people).values(**row, **broken))
    now = office.clock.now().timestamp()
    await small.steps(3)
    assert (await small.stages())["bob"] == ("connected", None)
    for user in ("ann", "eve"):
        assert (await small.person(user))["due_at"] > now


async def test_company_grant_that_no_key_opens_keeps_nothing_waiting(small: Company) -> None:
    """Nobody can give it back, and it was tried often; the company can be disconnected all the same."""
    office = small.office
    await small.connect()
    await small.choose(ANN)
    names = ("profile_id", "profile_name", "provider_name", "provider_service")
    profile = dict.fromkeys(names, "some")
    lost = {
        "stage": "failed", "answer": "sealed", "sub": "acc_9", "due_at": 1.0, "profile": profile,
        "attempts": MOST_TRIES,
    }  # fmt: skip
    async with office.store.begin() as connection:
        await connection.execute(update(company_people).values(**lost))
    await small.steps(1)
    row = await small.person("ann")
    assert (row["stage"], row["answer"], row["due_at"]) == ("failed", None, None)


async def test_r44_companies_take_turns(small: Company) -> None:
    """However many people one of them connects, the others' are in every round."""
    store = small.office.store
    async with store.begin() as connection:
        now = await store.now(connection)
        for tenant_id, many in (("large", STEPS_A_ROUND * 2), ("tiny", 1)):
            await add_company(
                connection, tenant_id=tenant_id, stage="connected", sub="ser", event_types=EVENTS,
                item_types=ITEMS, locked=[],
            )  # fmt: skip
            rows = [
                {
                    "id": f"{tenant_id}-{number:03}", "tenant_id": tenant_id, "user_id": f"u-{number}",
                    "email": f"u{number}@x.example", "time_zone": "UTC", "stage": PersonStage.CHOSEN,
                    "since": small.office.clock.now(), "due_at": now - (1000 if tenant_id == "large" else 0),
                }
                for number in range(many)
            ]  # fmt: skip
            await add_people(connection, rows)
        due = await due_people(connection, PersonStage.CHOSEN, now=now)
    assert len(due) == STEPS_A_ROUND
    assert [one.tenant_id for one in due[:2]].count("tiny") == 1


async def test_company_answers_that_no_key_opens_are_asked_for_again(small: Company) -> None:
    """They are counted whenever they are due, and nobody's row goes with them."""
    office = small.office
    await small.connect()
    await small.choose(ANN)
    await office.parts.company_steps.round()
    await office.world.rest()
    assert (await small.person("ann"))["stage"] == "answered"
    lost = SealedTokens(office.store, [Fernet.generate_key().decode()])
    assert (await lost.counted()).unopened == 2  # the domain's, and the answer
    assert (await SealedTokens(office.store, [office.key]).counted()).newest == 2
    async with office.store.begin() as connection:
        await connection.execute(delete(credentials))
    assert await lost.first_unopened() is not None
    assert await lost.give_up() == 1
    row = await small.person("ann")
    assert (row["stage"], row["answer"], row["due_at"] is None) == ("chosen", None, False)


@pytest.mark.parametrize("status", [403, 400, 500])
async def test_company_grant_of_a_domain_that_cannot_be_kept_is_given_back(
    small: Company, status: int
) -> None:
    """Whatever hinders it: nobody's tokens lie here without an owner."""
    office = small.office

    async def refuse() -> None:
        office.world.faults.change(next_errors=1, error_status=status)

    office.wire.meanwhile[EXCHANGE] = refuse
    with suppress(SyncError):
        await small.connect()
    (row,) = await office.rows(company_calendars)
    tokens = [one["sub"] for one in await office.rows(credentials)]
    assert tokens == ([] if row["sub"] is None else [row["sub"]])
    async with office.store.read() as connection:
        assert await company_of(connection, "acme") is not None


async def test_r45_what_was_made_half_way_goes_with_the_address_that_vorex_names(small: Company) -> None:
    """Whoever turns out to have another mailbox keeps nothing that would open somebody else's."""
    office = small.office
    await small.connect()
    await small.choose("mallory, eve@fabrikam.example")

    async def refuse() -> None:
        office.world.faults.change(next_errors=1, error_status=503)

    office.wire.meanwhile["POST /v1/permissions"] = refuse
    await small.steps(3)
    half_way = await small.person("mallory")
    assert (half_way["stage"], half_way["answer"]) == ("granted", None)

    await office.sign_in("mallory", email="mallory@fabrikam.example")
    await office.clock.pass_time(3600)
    await small.steps(3)
    assert await small.stages() == {"mallory": ("failed", "other_address")}
    assert [row["id"] for row in await office.rows(integrations) if row["deleted_at"] is None] == []
    assert "eve@fabrikam.example" not in (await office.client.get("/calendar-sync")).text


@pytest.mark.parametrize("asked", ["POST /v1/permissions", "GET /v1/calendars"])
async def test_r45_an_address_that_vorex_names_while_people_are_connected_counts(
    small: Company, asked: str
) -> None:
    """For whoever is next in the same round, and for whom it is named between two requests of their own."""
    office = small.office
    await small.connect()
    others = [BOB] if asked == "POST /v1/permissions" else []
    await small.choose(*others, "mallory, eve@fabrikam.example")
    await small.steps(1)

    async def sign_in() -> None:
        await office.sign_in("mallory", email="mallory@fabrikam.example")

    office.wire.meanwhile[asked] = sign_in
    await small.steps(2)
    assert asked not in office.wire.meanwhile
    assert (await small.stages())["mallory"] == ("failed", "other_address")
    living = [row["user_id"] for row in await office.rows(integrations) if row["deleted_at"] is None]
    assert living == ["bob"] * len(others)
