"""Connecting and the switches over HTTP, with the simulator as Cronofy (G5, G11, R20, R22)."""

import pytest
from sqlalchemy import update

from service.store.tables import credentials, integrations, links
from tests.support.office import ALL_TYPES, EMAIL, OFF, Office

API = "/api/v1/integrations"
NOBODY = "0192e4c1-7a00-7000-8000-0000000000aa"
ON = {"enabled": True, "past": "1_week", "future": "3_months"}


class TestConnecting:
    """G5: to Cronofy and back."""

    async def test_a_permission_becomes_an_integration_with_the_first_values(self, office: Office) -> None:
        """G10a: what a new integration is."""
        integration_id = await office.connect(email=EMAIL)
        shown = (await office.get(f"{API}/{integration_id}")).json()
        assert shown == {
            "id": integration_id,
            "user_id": "u-17",
            "account_name": EMAIL,
            "calendar_id": None,
            "calendar_name": None,
            "active": False,
            "status": "setup",
            "reason": None,
            "last_sync_at": None,
            "last_checked_at": None,
            "held_deletions": 0,
            "held_imports": 0,
            "status_since": shown["status_since"],
            "waiting_changes": 0,
            "edits_own_events": "not_asked",
            "agreement": None,
            "watching_since": None,
            "settings": {
                "calendar_id": None,
                "event_types": {"create": True, "update": False, "delete": False},
                "item_types": dict.fromkeys(ALL_TYPES, True),
                "event_details": {"url": False, "color": False},
                "retrieve": OFF,
                "send": OFF,
            },
        }

    async def test_the_person_lands_in_the_wizard(self, office: Office) -> None:
        """To the first tab of its settings."""
        await office.sign_in()
        away = await office.client.get("/calendar-sync/connect")
        asked = await office.client.get(await office.authorise(away.headers["Location"]))
        answer = await office.answered(asked)
        (row,) = await office.rows(integrations)
        assert answer.status_code == 303
        assert answer.headers["Location"] == f"/calendar-sync/{row['id']}/settings/linked-calendar"

    async def test_tokens_are_kept_encrypted(self, office: Office) -> None:
        await office.connect()
        (row,) = await office.rows(credentials)
        known = {*office.world.access_tokens, *office.world.refresh_tokens}
        assert row["access_token"] not in known
        assert row["refresh_token"] not in known

    async def test_a_refusal_saves_nothing(self, office: Office) -> None:
        await office.sign_in()
        away = await office.client.get("/calendar-sync/connect")
        back = await office.authorise(away.headers["Location"], "refuse")
        answer = await office.client.get(back)
        assert (answer.status_code, answer.headers["Location"]) == (303, "/calendar-sync?complaint=refused")
        assert await office.rows(integrations) == []
        assert "Access was not allowed." in (await office.client.get(answer.headers["Location"])).text
        assert (await office.client.get(back)).status_code == 400

    async def test_r45_a_state_is_good_once_and_only_for_the_session_that_began(self, office: Office) -> None:
        """400 for a wrong state, a stranger, nobody, and the same person elsewhere."""
        await office.sign_in()
        away = await office.client.get("/calendar-sync/connect")
        back = await office.authorise(away.headers["Location"])
        began = dict(office.client.cookies)
        for headers in (office.bearer("u-22"), office.bearer()):
            assert (await office.client.get(back, headers=headers)).status_code == 400
        office.client.cookies.clear()
        assert (await office.client.get(back)).status_code == 400
        await office.sign_in()
        assert (await office.client.get(back)).status_code == 400
        office.client.cookies.clear()
        office.client.cookies.update(began)
        assert (await office.client.get(back.replace("state=", "state=x"))).status_code == 400
        assert (await office.client.get(back)).status_code == 200
        again = await office.client.get(back)
        assert (again.status_code, again.headers["Location"]) == (
            303,
            "/calendar-sync?complaint=consent_over",
        )
        assert await office.rows(integrations) == []

    async def test_the_browser_that_began_with_a_bearer_token_may_return_without(
        self, office: Office
    ) -> None:
        away = await office.client.get("/calendar-sync/connect", headers=office.bearer())
        back = await office.authorise(away.headers["Location"])
        kept = dict(office.client.cookies)
        office.client.cookies.clear()
        assert (await office.client.get(back)).status_code == 400
        office.client.cookies.update(kept)
        assert (await office.answered(await office.client.get(back))).status_code == 303

    @pytest.mark.parametrize("query", ["", "code=x", "code=x&state=", "code=x&state=a.b.c", "error=denied"])
    async def test_no_state_is_400(self, query: str, office: Office) -> None:
        await office.sign_in()
        assert (await office.client.get(f"/calendar-sync/callback?{query}")).status_code == 400

    async def test_a_bad_code_is_400_and_saves_nothing(self, office: Office) -> None:
        await office.sign_in()
        away = await office.client.get("/calendar-sync/connect")
        back = await office.authorise(away.headers["Location"])
        assert (await office.client.get(back.replace("code=", "code=0"))).status_code == 400
        assert await office.rows(integrations) == []

    async def test_cronofy_out_of_reach_is_503(self, office: Office) -> None:
        await office.sign_in()
        away = await office.client.get("/calendar-sync/connect")
        back = await office.authorise(away.headers["Location"])
        office.wire.broken.add("POST /oauth/token")
        answer = await office.client.get(back)
        assert answer.status_code == 503
        assert answer.headers["Retry-After"]

    async def test_connecting_again_goes_on_with_the_unfinished_integration(self, office: Office) -> None:
        assert await office.connect() == await office.connect()

    async def test_an_account_with_a_finished_integration_gets_another_one(self, office: Office) -> None:
        """R1: a user may have several integrations."""
        first = await office.finished()
        second = await office.connect()
        assert first != second

    async def test_another_user_of_the_same_mailbox_gets_an_integration_of_their_own(
        self, office: Office
    ) -> None:
        """R1: two users may link the same mailbox."""
        assert await office.connect() != await office.connect("u-22")

    async def test_reconnecting_gives_the_lost_integration_the_new_grant(self, office: Office) -> None:
        """R22: Reconnect brings it back, with a channel, instead of making a second one."""
        integration_id = await office.finished()
        office.world.revoke(EMAIL)
        office.world.expire_access_tokens()
        await office.clock.pass_time(3600)
        assert await office.accounts.look(integration_id) == "not_connected"
        assert await office.connect() == integration_id
        shown = (await office.get(f"{API}/{integration_id}")).json()
        assert (shown["status"], shown["reason"], shown["active"]) == ("connected", None, True)
        (row,) = await office.rows(integrations)
        (profile,) = office.world.profiles(EMAIL)
        assert row["channel_id"] in profile.account.channels
        assert await office.unfinished("catch_up") == ["waiting"]
        assert await office.facts() == [
            ("connected", None),
            ("activated", None),
            ("not_connected", "permission_withdrawn"),
            ("connected", None),
        ]

    async def test_r21_the_tokens_that_a_new_grant_replaces_are_erased(self, office: Office) -> None:
        """Where Cronofy makes another account of it: nobody would think of them at the deletion."""
        integration_id = await office.finished()
        async with office.store.begin() as connection:
            for table in (integrations, credentials):
                await connection.execute(update(table).values(sub="acc_before"))
            await connection.execute(update(integrations).values(status="not_connected"))

        assert await office.connect() == integration_id

        (row,) = await office.rows(integrations)
        assert row["sub"] != "acc_before"
        assert [one["sub"] for one in await office.rows(credentials)] == [row["sub"]]


class TestSwitches:
    """Activate and deactivate (G11, R20)."""

    async def test_deactivating_keeps_everything_and_activating_catches_up(self, office: Office) -> None:
        integration_id = await office.finished()
        (row,) = await office.rows(integrations)
        off = (await office.post(f"{API}/{integration_id}/deactivate")).json()
        assert (off["active"], off["status"]) == (False, "connected")
        await office.add_link(integration_id, row["calendar_id"], "held", code="inactive")
        await office.add_link(integration_id, row["calendar_id"], "held", code="held_deletion", item="2")
        shown = (await office.post(f"{API}/{integration_id}/activate")).json()
        assert (shown["active"], shown["held_deletions"]) == (True, 1)
        assert {link["state"] for link in await office.rows(links)} == {"held"}
        assert await office.unfinished("finish") == []
        assert await office.unfinished("catch_up") == ["waiting"]
        assert (await office.facts())[2:] == [("deactivated", None), ("activated", None)]

    async def test_switching_to_where_it_is_changes_nothing(self, office: Office) -> None:
        integration_id = await office.finished()
        for _ in range(2):
            answer = await office.post(f"{API}/{integration_id}/deactivate")
            assert answer.status_code == 200
        assert len(await office.facts()) == 3

    async def test_an_unfinished_integration_cannot_be_switched(self, office: Office) -> None:
        integration_id = await office.connect()
        for verb in ("activate", "deactivate"):
            answer = await office.post(f"{API}/{integration_id}/{verb}")
            assert (answer.status_code, answer.json()["code"]) == (409, "setup_unfinished")

    async def test_an_unconnected_integration_cannot_be_activated(self, office: Office) -> None:
        integration_id = await office.finished()
        office.world.disconnect(EMAIL)
        await office.clock.pass_time(60)
        assert await office.accounts.look(integration_id) == "not_connected"
        assert (await office.post(f"{API}/{integration_id}/deactivate")).status_code == 200
        answer = await office.post(f"{API}/{integration_id}/activate")
        assert (answer.status_code, answer.json()["code"]) == (409, "not_connected")
