"""What administrators and operators find of a tenant's integrations, and do with them (R47)."""

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import update

from contracts.errors import Unavailable
from service.integrations.activate import IntegrationSwitch
from service.integrations.delete import IntegrationDeletion
from service.integrations.refusals import Conflict
from service.integrations.tenants.acts import TenantActor, TenantActs
from service.store.integrations import tenants
from service.store.integrations.listing import IntegrationView, Owner
from service.store.tables import integrations, log_entries
from tests.support.office import Office

API = "/api/v1/integrations"
BOSS = {"user": "boss", "role": "administrator"}


async def _found(office: Office, query: str = "", *, user: str = "boss", **claims: Any) -> list[str]:
    claims.setdefault("role", "administrator")
    answer = await office.get(f"{API}?{query}", user, **claims)
    assert answer.status_code == 200, answer.text
    return [one["user_id"] for one in answer.json()["items"]]


async def _people(office: Office) -> dict[str, str]:
    """The integrations of three people, one paused, one not connected, one of another provider."""
    made = {who: await office.finished(who) for who in ("u-17", "u-22", "u-33")}
    await office.post(f"{API}/{made['u-22']}/deactivate", "u-22")
    async with office.store.begin() as connection:
        other = {"status": "not_connected", "reason": "calendar_missing", "provider_service": "apple"}
        mine = integrations.c.id == made["u-33"]
        await connection.execute(update(integrations).where(mine).values(**other, account_name="Zoe@x"))
    return made


async def test_r47_the_tenants_integrations_are_found_by_all_that_names_them(office: Office) -> None:
    office.count_no_changes()
    made = await _people(office)
    everybody = ["u-17", "u-22", "u-33"]
    wanted = {
        "": everybody,
        "status=connected": ["u-17", "u-22"],
        "status=not_connected": ["u-33"],
        "status=paused": ["u-22"],
        "status=held": [],
        "status=setup": [],
        "provider=icloud": ["u-33"],
        "person=u-22": ["u-22"],
        "person=u-2": [],
        "q=zoE": ["u-33"],
        f"q={made['u-17']}": ["u-17"],
        "q=U-2": ["u-22"],
        "q=%25": [],
        "status=connected&q=u-2": ["u-22"],
    }
    assert {query: await _found(office, query) for query in wanted} == wanted
    assert await _found(office, "person=u-22", user="olga", role="operator") == ["u-22"]
    assert await _found(office, user="boss", tenant="globex") == []
    assert await _found(office, user="u-22", role="user") == ["u-22"]
    assert await _found(office, "person=u-17", user="u-22", role="user") == []


@pytest.mark.parametrize("query", ["status=broken", "provider=fax", "status=", f"q={'x' * 201}"])
async def test_r47_words_that_are_none_are_refused(office: Office, query: str) -> None:
    answer = await office.get(f"{API}?{query}", **BOSS)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == query.partition("=")[0]


async def test_r47_an_administrator_pauses_resumes_and_deletes_and_the_person_reads_who(
    office: Office,
) -> None:
    mine = await office.finished()
    for verb, active in (("deactivate", False), ("deactivate", False), ("activate", True)):
        answer = await office.post(f"{API}/{mine}/{verb}", **BOSS)
        assert (answer.status_code, answer.json()["active"]) == (200, active)
    told = (await office.get(f"{API}/{mine}/logs?trigger=real_time")).json()["items"]
    assert [one["reason"] for one in told] == [
        "Resumed by administrator boss.", "Paused by administrator boss.",
    ]  # fmt: skip
    assert {one["trigger"] for one in told} == {"operator"}
    gone = await office.client.delete(f"{API}/{mine}", headers=office.bearer(**BOSS))
    assert gone.status_code == 202
    assert (await office.get(f"{API}/{mine}")).status_code == 404
    last = (await office.rows(log_entries))[-1]
    assert last["reason"] == "Deleted by administrator boss."


async def test_r47_nobody_acts_on_another_tenants_integration(office: Office) -> None:
    mine = await office.finished()
    for who in ({"user": "boss", "tenant": "globex", "role": "administrator"}, {"user": "u-22"}):
        answer = await office.client.post(f"{API}/{mine}/deactivate", headers=office.bearer(**who))
        assert answer.status_code == 404
    assert (await office.get(f"{API}/{mine}")).json()["active"] is True
    answer = await office.post(f"{API}/{uuid4()}/deactivate", **BOSS)
    assert answer.status_code == 404


class _Ending(IntegrationSwitch):
    """The process ends in the middle: at the second integration, or right behind it."""

    after = False

    async def deactivate(self, owner: Owner, integration_id: str, **more: Any) -> IntegrationView:
        paused, self.paused = getattr(self, "paused", 0), getattr(self, "paused", 0) + 1
        if paused and not self.after:
            raise Unavailable("the database is gone")
        shown = await super().deactivate(owner, integration_id, **more)
        if paused:
            raise Unavailable("the database is gone")
        return shown


@pytest.mark.parametrize("after", [False, True], ids=["before the second", "behind the second"])
async def test_r50_an_act_that_ends_half_way_is_taken_back_all_the_same(office: Office, after: bool) -> None:
    office.count_no_changes()
    made = [await office.finished(who) for who in ("u-17", "u-22", "u-33")]
    switch = _Ending(office.store)
    switch.after = after
    acts = TenantActs(office.store, switch, IntegrationDeletion(office.store))
    actor = TenantActor(tenant_id="acme", user_id="boss", role="administrator")
    with pytest.raises(Unavailable):
        await acts.act_on_all(actor, "pause", made, expect=3)
    async with office.store.read() as connection:
        (act,) = await tenants.latest_acts(connection, "acme")
    assert act["integration_ids"] == made[:2]

    assert (await acts.undo(actor, act["id"])).changed == (2 if after else 1)

    assert {row["active"] for row in await office.rows(integrations)} == {True}


async def test_r50_an_integration_that_watches_is_paused_too_and_its_undo_does_not_begin(
    office: Office,
) -> None:
    """It is read no longer; taken back, it watches again beside the other, which syncs again."""
    office.count_no_changes()
    watching, active, paused = [await office.finished(who) for who in ("u-17", "u-22", "u-33")]
    switch = IntegrationSwitch(office.store)
    await switch.watch(Owner(tenant_id="acme", user_id="u-17"), watching)
    await switch.deactivate(Owner(tenant_id="acme", user_id="u-33"), paused)
    acts = TenantActs(office.store, switch, IntegrationDeletion(office.store))
    actor = TenantActor(tenant_id="acme", user_id="boss", role="administrator")
    async with office.store.read() as connection:
        due = await tenants.ids_due(connection, "acme", tenants.EVERY_INTEGRATION, "pause", limit=10)
    assert sorted(due) == sorted([watching, active])

    result = await acts.act_on_all(actor, "pause", due, expect=2)
    assert result.changed == 2
    assert {(row["active"], row["watching_since"]) for row in await office.rows(integrations)} == {
        (False, None)
    }
    assert result.id is not None

    taken_back = await acts.undo(actor, result.id)
    assert (taken_back.changed, taken_back.left) == (2, 0)
    rows = {row["id"]: row for row in await office.rows(integrations)}
    stands = {key: (row["active"], row["watching_since"] is not None) for key, row in rows.items()}
    assert stands == {watching: (False, True), active: (True, False), paused: (False, False)}


async def test_r50_a_pause_of_what_watched_alone_is_taken_back(office: Office) -> None:
    """Its person reads who paused it, without an *Undo* that would begin."""
    office.count_no_changes()
    mine = await office.finished("u-17")
    switch = IntegrationSwitch(office.store)
    await switch.watch(Owner(tenant_id="acme", user_id="u-17"), mine)
    acts = TenantActs(office.store, switch, IntegrationDeletion(office.store))
    actor = TenantActor(tenant_id="acme", user_id="boss", role="administrator")
    result = await acts.act_on_all(actor, "pause", [mine], expect=1)
    assert result.id is not None
    (entry,) = [row for row in await office.rows(log_entries) if row["reason"].startswith("Paused by")]
    assert entry["code"] == "ok"

    taken_back = await acts.undo(actor, result.id)

    assert (taken_back.id, taken_back.changed) == (result.id, 1)
    (row,) = await office.rows(integrations)
    assert (row["active"], row["watching_since"] is not None) == (False, True)


async def test_r50_an_act_that_changes_nothing_leaves_nothing_to_take_back(office: Office) -> None:
    office.count_no_changes()
    mine = await office.finished("u-17")

    class Refusing(IntegrationSwitch):
        async def deactivate(self, owner: Owner, integration_id: str, **_more: Any) -> IntegrationView:
            raise Conflict("not_editable", f"{integration_id} of {owner.user_id} went meanwhile.")

    acts = TenantActs(office.store, Refusing(office.store), IntegrationDeletion(office.store))
    actor = TenantActor(tenant_id="acme", user_id="boss", role="administrator")
    result = await acts.act_on_all(actor, "pause", [mine], expect=1)
    assert (result.id, result.changed, result.left) == (None, 0, 1)
    async with office.store.read() as connection:
        assert await tenants.latest_acts(connection, "acme") == []
