"""Who leaves Vorex, or asks to be forgotten, while their company connects them (R41, R54)."""

import asyncio
from collections.abc import Collection
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, update
from structlog.testing import capture_logs

from contracts.cronofy_accounts import TokenGrant
from contracts.errors import Unavailable
from service.integrations.companies.giving_back import GrantsReturned
from service.integrations.companies.standing import PeoplesStanding
from service.integrations.leavers.leaving import BY_MESSAGE, Leaver, Leaving, end_integrations
from service.store.engine.store import Store
from service.store.integrations.integrations import load
from service.store.people import company_people as people
from service.store.tables import company_people, credentials, integrations, leaver_records
from tests.support.company import COMPANY, Company, open_company
from tests.support.locks import until_blocked
from tests.support.servers import free_port

PROFILE = dict.fromkeys(("profile_id", "profile_name", "provider_name", "provider_service"), "some")
HINDERED = "keeper.hindered"
ANN, BOB = "ann, ann@fabrikam.example", "bob, bob@fabrikam.example"
EXCHANGE, REVOCATION = "POST /oauth/token", "POST /oauth/token/revoke"


async def leave(company: Company, user: str, *, seconds_ago: float = 0.0) -> str | None:
    store = company.office.store
    async with store.begin() as connection:
        left_at = await store.moment(connection) - timedelta(seconds=seconds_ago)
        leaver = Leaver(tenant_id="acme", user_id=user, left_at=left_at, said_by=BY_MESSAGE)
        return await end_integrations(store, connection, leaver, "pause")


async def ann_leaves_with_a_grant(company: Company) -> None:
    """Cronofy does not take it back at first: it is cut off until the test mends that."""
    office = company.office
    await company.choose(ANN)
    await company.choose(BOB)
    await office.parts.company_steps.round()
    await office.world.rest()

    async def then() -> None:
        async def leaves() -> None:
            await leave(company, "ann")

        office.wire.meanwhile[EXCHANGE] = leaves

    office.wire.meanwhile[EXCHANGE] = then
    office.wire.broken.add(REVOCATION)
    await office.parts.company_steps.round()


async def ann_leaves_beside_her_own(company: Company) -> str:
    """The same; the integration that she has made herself before."""
    company.office.world.add_mailbox(email="private@fabrikam.example", provider="office365")
    own = await company.office.connect("ann", email="private@fabrikam.example")
    await company.connect()
    await ann_leaves_with_a_grant(company)
    return own


@pytest.mark.parametrize("stage", ["chosen", "asked", "answered", "granted"])
async def test_r54_who_leaves_while_their_company_connects_them_is_not_connected(
    company: Company, stage: str
) -> None:
    """At whatever step; it is recorded, an unused grant is given back, and *Try again* passes them over."""
    office = company.office
    await company.connect()
    await company.choose(ANN)
    await company.choose(BOB)
    if stage != "chosen":
        await office.parts.company_steps.round()
    if stage in {"answered", "granted"}:
        await office.world.rest()
    if stage == "granted":  # while the code of whoever is next is exchanged
        left: list[str | None] = []

        async def then() -> None:
            async def leaves() -> None:
                left.append(await leave(company, "ann"))

            office.wire.meanwhile[EXCHANGE] = leaves

        office.wire.meanwhile[EXCHANGE] = then
        await office.parts.company_steps.round()
        assert left[0] is not None
    else:
        assert (await company.person("ann"))["stage"] == stage
        assert await leave(company, "ann") is not None
    await company.steps(4)

    assert (await company.stages())["ann"] == ("failed", "left")
    assert (await company.stages())["bob"] == ("connected", None)
    assert [row["user_id"] for row in await office.rows(integrations)] == ["bob"]
    assert [row["user_id"] for row in await office.rows(leaver_records)] == ["ann"]
    assert (await company.person("ann"))["answer"] is None
    tokens = {row["sub"] for row in await office.rows(credentials)}
    assert len(tokens) == 2  # the domain's, and bob's
    await company.send(f"{COMPANY}/retry")
    assert (await company.stages())["ann"] == ("failed", "left")
    if stage == "granted":
        assert [one.revoked for one in office.world.accounts.values()].count(True) == 1


async def test_r54_an_erasure_and_a_leaver_do_not_wait_for_each_other(postgresql_url: str) -> None:
    """On the engine where two transactions can write at the same time."""
    async with open_company(postgresql_url) as company:
        office = company.office
        await company.connect()
        await company.choose(ANN)
        await company.steps(4)
        (mine,) = await office.rows(integrations)
        await office.parts.erasure.begin(mine["sub"])
        async with office.store.begin() as leaving:
            await leaving.execute(update(company_people).values(stage="failed"))
            erasing = asyncio.ensure_future(office.parts.erasure.round())
            await until_blocked(office.store, erasing)
            await load(leaving, [mine["id"]], lock=True)
        assert await erasing == 0
        assert await company.stages() == {}


@pytest.mark.parametrize("stage", ["failed", "granted"])
async def test_r41_a_grant_that_came_for_somebody_ends_with_their_erasure(
    company: Company, stage: str
) -> None:
    """Used by nobody yet, or to be given back; the row that names it goes only when Cronofy was asked."""
    office, own = company.office, await ann_leaves_beside_her_own(company)
    async with office.store.begin() as connection:
        anns = company_people.c.user_id == "ann"
        await connection.execute(update(company_people).where(anns).values(stage=stage))
    assert (await company.person("ann"))["answer"] is not None
    (mine,) = [row for row in await office.rows(integrations) if row["id"] == own]
    await office.parts.erasure.begin(mine["sub"])

    async def cut() -> None:
        office.wire.broken.add(REVOCATION)

    office.wire.broken.clear()
    office.wire.meanwhile[REVOCATION] = cut  # behind that of their own account
    for _ in range(2):
        assert await office.parts.erasure.round() == 1
        assert (await company.stages())["ann"][0] == "failed"
    office.wire.broken.clear()
    assert await office.parts.erasure.round() == 0

    assert [*await company.stages()] == ["bob"]
    assert [one.revoked for one in office.world.accounts.values()].count(True) == 2


async def test_r54_who_was_chosen_after_they_left_is_connected(small: Company) -> None:
    """A message that comes late ends nothing that began after it was said."""
    await small.connect()
    await small.office.clock.pass_time(100)
    await small.choose(ANN)
    assert await leave(small, "ann", seconds_ago=50) is None
    await small.steps(4)
    assert await small.stages() == {"ann": ("connected", None)}


async def test_r54_the_button_ends_what_is_only_on_its_way(small: Company) -> None:
    """It is something that ended."""
    await small.connect()
    await small.choose(ANN)
    assert await Leaving(small.office.store).leave("acme", "ann", "keep", who="administrator vera")
    assert await small.stages() == {"ann": ("failed", "left")}


async def test_company_grant_is_given_back_once_cronofy_answers_again(small: Company) -> None:
    """An outage at that moment leaves no permission behind that nobody holds."""
    office = small.office
    await small.connect()
    await ann_leaves_with_a_grant(small)
    assert REVOCATION in office.wire.asked
    office.wire.broken.clear()
    await small.send(f"{COMPANY}/retry")
    await small.choose("ann, eve@fabrikam.example")
    assert (await small.person("ann"))["answer"] is not None

    for _ in range(4):
        await office.clock.pass_time(60)
        await small.steps(1)
    (ann,) = [one for one in office.world.accounts.values() if "ann@fabrikam.example" in str(one.email)]
    assert ann.revoked
    assert all(row["answer"] is None for row in await office.rows(company_people))


async def erasing_with_a_grant(company: Company, **grant: Any) -> None:
    """Eve's own account is to be forgotten, and then Ann's, who has such a grant beside it."""
    office = company.office
    for name in ("ann", "eve"):
        office.world.add_mailbox(email=f"private-{name}@fabrikam.example", provider="office365")
        own = await office.connect(name, email=f"private-{name}@fabrikam.example")
        async with office.store.begin() as connection:
            now = await office.store.moment(connection)
            if name == "ann":
                usual = {
                    "id": "id-ann", "tenant_id": "acme", "user_id": "ann", "email": "ann@fabrikam.example",
                    "time_zone": "UTC", "stage": "failed", "sub": "acc_9", "since": now,
                }  # fmt: skip
                await connection.execute(insert(company_people).values(**usual | grant))
            (mine,) = (await load(connection, [own])).values()
        await office.parts.erasure.begin(mine.sub)
        await office.clock.pass_time(1)


async def test_r41_a_grant_of_an_account_that_is_being_erased_ends_with_what_cronofy_keeps(
    small: Company,
) -> None:
    """The same account came for the company, too; who erases it still asks with its tokens."""
    office = small.office
    await erasing_with_a_grant(small)
    (sub,) = [row["sub"] for row in await office.rows(integrations) if row["user_id"] == "eve"]
    token = await office.tokens.refresh_token(sub)
    office.wire.broken.add(REVOCATION)
    assert await office.parts.erasure.round() == 2
    office.wire.broken.clear()

    returning = GrantsReturned(store=office.store, gateway=office.gateway, keeper=office.tokens)
    await returning.give_back(TokenGrant(access_token="", refresh_token=token, expires_in=0, sub=sub))

    (eves,) = [one for one in office.world.accounts.values() if "private-eve@" in str(one.email)]
    assert (eves.revoked, eves.erased) == (True, True)
    assert await office.tokens.refresh_token(sub) == token
    assert await office.parts.erasure.round() == 0


async def test_company_grant_outlives_a_store_that_does_not_answer(small: Company) -> None:
    """At the last of many tries, too: nobody was asked yet whether it is used."""
    office = small.office
    await small.connect()
    await ann_leaves_with_a_grant(small)
    async with office.store.read() as connection:
        ann = await people.find_person(connection, (await small.person("ann"))["id"])
    assert ann is not None
    unreachable = Store(f"postgresql+asyncpg://nobody@127.0.0.1:{free_port()}/none")
    returning = GrantsReturned(store=unreachable, gateway=office.gateway, keeper=office.tokens)
    standing = PeoplesStanding(store=office.store, keeper=office.tokens, returning=returning)

    with pytest.raises(Unavailable):
        await standing.give_back(ann)

    await unreachable.close()
    assert (await small.person("ann"))["answer"] is not None


@pytest.mark.parametrize(
    ("kept", "profile"),
    [
        ("no grant", None),
        ("5", PROFILE),
        ("[]", PROFILE),
        ('["a", "b", "c", "d"]', PROFILE),
        ('["a", "b", 5, null]', PROFILE),
        ('{"a": 1, "b": 2, "c": 3, "d": 4}', PROFILE),
        ('["a", "b", 5.0, "d"]', ["some"]),
        ('["a", "b", 5.0, "d"]', "some"),
        ('["a", "b", 5.0, "d"]', {"profile_id": ["some"]}),
    ],
)
async def test_r44_a_grant_that_is_none_hinders_the_erasure_of_nobody_else(
    small: Company, kept: str, profile: Any
) -> None:
    """It is tried for half an hour, and then what names the person goes."""
    sealed = small.office.tokens.seal_text(kept)
    await erasing_with_a_grant(small, answer=sealed, profile=profile)

    assert await small.office.parts.erasure.round() == 1
    await small.office.clock.pass_time(31 * 60)
    assert await small.office.parts.erasure.round() == 0
    assert await small.stages() == {}


async def test_r41_a_grant_that_no_key_opens_waits_for_its_key_for_half_an_hour(small: Company) -> None:
    """An operator who gives the key back within that time leaves no grant behind."""
    await erasing_with_a_grant(small, answer="sealed", profile=PROFILE)

    with capture_logs() as waiting:
        assert await small.office.parts.erasure.round() == 1
    assert (await small.person("ann"))["answer"] == "sealed"
    await small.office.clock.pass_time(31 * 60)
    with capture_logs() as ending:
        assert await small.office.parts.erasure.round() == 0
    assert await small.stages() == {}
    assert ["ENCRYPTION_KEYS" in line["reason"] for line in waiting if line["event"] == HINDERED] == [True]
    assert [line["person_id"] for line in ending if line["event"] == "grant.abandoned"] == ["id-ann"]


@pytest.mark.parametrize("moved_at", [None, [], [0], [29], [29, 45], range(60)], ids=lambda at: f"moved {at}")
async def test_r41_all_is_erased_within_an_hour_though_cronofy_takes_no_grant_back(
    small: Company, moved_at: Collection[int] | None
) -> None:
    """Nor that which came for them meanwhile; who is told of it last waits no longer."""
    office, own = small.office, await ann_leaves_beside_her_own(small)
    anns = update(company_people).where(company_people.c.user_id == "ann")
    if moved_at is None:
        async with office.store.begin() as connection:
            await connection.execute(anns.values(stage="granted"))
    (mine,) = [row for row in await office.rows(integrations) if row["id"] == own]
    await office.parts.erasure.begin(mine["sub"])
    office.wire.broken.add(REVOCATION)

    for minute in range(60):
        if minute in (moved_at or ()):
            async with office.store.begin() as connection:
                await connection.execute(anns.values(since=await office.store.moment(connection)))
        await office.parts.erasure.round()
        if minute < 29:
            assert (await small.person("ann"))["answer"] is not None
        await office.clock.pass_time(60)

    assert "ann" not in await small.stages()
    (erased,) = [row for row in await office.rows(integrations) if row["id"] == own]
    assert erased["sub"] != mine["sub"]
