"""Settings over HTTP: PUT is Finish (G7–G10, R1, R5, R24, R25, R33)."""

from typing import Any

import pytest

from contracts.envelope import RunRequested, decode
from service.store.tables import integrations, runs
from tests.support.office import ALL_TYPES, EMAIL, HERE, OFF, Office, form

API = "/api/v1/integrations"
NOBODY = "0192e4c1-7a00-7000-8000-0000000000aa"
ON = {"enabled": True, "past": "1_week", "future": "3_months"}


class TestSettings:
    """PUT …/settings is Finish (G10)."""

    async def test_the_calendars_of_the_account_are_listed_without_deleted_ones(self, office: Office) -> None:
        """G7."""
        integration_id = await office.connect()
        calendars = await office.calendars(integration_id)
        office.world.set_missing(calendars["Second"])
        await office.clock.pass_time(60)
        answer = await office.get(f"{API}/{integration_id}/calendars")
        assert answer.json() == {
            "items": [
                {
                    "calendar_id": calendars["Calendar"],
                    "name": "Calendar",
                    "read_only": False,
                    "primary": True,
                },
                {
                    "calendar_id": calendars["Holidays"],
                    "name": "Holidays",
                    "read_only": True,
                    "primary": False,
                },
            ],
            "next": None,
        }

    async def test_finish_saves_everything_and_activates(self, office: Office) -> None:
        """G10: the user sees the integration, which is now active."""
        integration_id = await office.connect()
        calendar_id = (await office.calendars(integration_id))["Calendar"]
        wanted = form(calendar_id, event_types={"create": False, "update": True, "delete": True})
        answer = await office.put(integration_id, wanted)
        shown = answer.json()
        assert answer.status_code == 200
        assert shown.pop("run_id") is None
        assert shown == (await office.get(f"{API}/{integration_id}")).json()
        assert shown["settings"] == wanted | {"event_details": {"url": False, "color": False}}
        assert (shown["active"], shown["status"], shown["calendar_name"]) == (True, "connected", "Calendar")
        (row,) = await office.rows(integrations)
        assert row["finished_at"] == office.clock.now()
        assert await office.facts() == [("connected", None), ("activated", None)]
        assert office.woken

    async def test_finish_asks_for_the_calendars_notices(self, office: Office) -> None:
        """The callback address, filtered to the calendar."""
        integration_id = await office.finished()
        (profile,) = office.world.profiles(EMAIL)
        (channel,) = profile.account.channels.values()
        (row,) = await office.rows(integrations)
        assert channel.channel_id == row["channel_id"]
        assert channel.callback_url == f"{HERE}/cronofy/notices/{integration_id}"
        assert channel.as_json()["filters"] == {"calendar_ids": [row["calendar_id"]]}

    async def test_finish_has_the_calendar_read_once(self, office: Office) -> None:
        """R33: the reading is a run that nobody sees, asked for in the same transaction."""
        integration_id = await office.finished()
        (run,) = await office.rows(runs)
        (message,) = await office.sent("calendar-sync.commands")
        assert (run["kind"], run["step"], run["state"]) == ("finish", "baseline", "waiting")
        assert (run["retrieve"], run["send"], run["started_by"]) == (None, None, "u-17")
        data = decode(message.body, expected=RunRequested).data
        assert (data.run_id, data.integration_id, data.step) == (run["id"], integration_id, 0)
        assert message.routing_key == "run.requested"

    async def test_an_enabled_option_is_a_run_that_the_answer_names(self, office: Office) -> None:
        """G10, R24."""
        integration_id = await office.connect()
        calendar_id = (await office.calendars(integration_id))["Calendar"]
        send = {"enabled": True, "past": "today", "future": "12_months"}
        answer = await office.put(integration_id, form(calendar_id, retrieve=ON, send=send))
        (run,) = await office.rows(runs)
        assert answer.json()["run_id"] == run["id"]
        assert run["retrieve"] == {"past": "1_week", "future": "3_months"}
        assert run["send"] == {"past": "today", "future": "12_months"}

    async def test_one_run_at_a_time(self, office: Office) -> None:
        """R25: a second request is refused with a sentence; without an option the settings are saved."""
        integration_id = await office.finished(retrieve=ON)
        (row,) = await office.rows(integrations)
        refused = await office.put(integration_id, form(row["calendar_id"], send=ON))
        assert (refused.status_code, refused.json()["code"]) == (409, "run_in_progress")
        assert (await office.put(integration_id, form(row["calendar_id"]))).status_code == 200
        assert len(await office.rows(runs)) == 1

    async def test_finish_again_changes_nothing_more(self, office: Office) -> None:
        """The same settings twice: one reading, one channel, one fact each."""
        integration_id = await office.finished()
        (row,) = await office.rows(integrations)
        assert (await office.put(integration_id, form(row["calendar_id"]))).status_code == 200
        assert await office.rows(integrations) == [row]
        assert len(await office.rows(runs)) == 1
        assert len(await office.facts()) == 2
        assert office.wire.asked.count("POST /v1/channels") == 1

    async def test_another_calendar_needs_another_reading_and_another_channel(self, office: Office) -> None:
        """R33."""
        integration_id = await office.finished()
        (before,) = await office.rows(integrations)
        second = (await office.calendars(integration_id))["Second"]
        assert (await office.put(integration_id, form(second))).status_code == 200
        (after,) = await office.rows(integrations)
        assert (after["calendar_id"], after["baseline_at"]) == (second, None)
        (profile,) = office.world.profiles(EMAIL)
        assert list(profile.account.channels) == [after["channel_id"]]
        assert after["channel_id"] != before["channel_id"]
        assert {run["state"] for run in await office.rows(runs)} == {"waiting", "cancelled"}

    async def test_a_channel_that_cannot_be_made_now_is_made_by_the_keeper(self, office: Office) -> None:
        """The settings are safe first; the keeper tries again."""
        office.wire.broken.add("POST /v1/channels")
        await office.finished()
        assert (await office.rows(integrations))[0]["channel_id"] is None
        assert await office.accounts.ensure_channels() == 1
        office.wire.broken.clear()
        assert await office.accounts.ensure_channels() == 0
        assert (await office.rows(integrations))[0]["channel_id"]

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"calendar_id": "cal_unknown"}, "calendar_id"),
            ({"calendar_id": None}, "calendar_id"),
            ({"calendar_id": "cal\x00"}, "calendar_id"),
            ({"event_types": {"create": True, "update": False}}, "event_types.delete"),
            ({"event_types": {"create": "yes", "update": False, "delete": False}}, "event_types.create"),
            ({"item_types": dict.fromkeys((*ALL_TYPES, "meeting"), True)}, "item_types.meeting"),
            ({"retrieve": OFF | {"past": "forever"}}, "retrieve.past"),
            ({"retrieve": OFF | {"past": "3_months"}}, "retrieve.past"),
            ({"retrieve": OFF | {"future": "12_months"}}, "retrieve.future"),
            ({"retrieve": OFF | {"enabled": 1}}, "retrieve.enabled"),
            ({"send": OFF | {"past": "12_months"}}, "send.past"),
            ({"send": OFF | {"future": "soon"}}, "send.future"),
            ({"send": []}, "send"),
        ],
    )
    async def test_a_wrong_setting_is_422_naming_the_field(
        self, changes: dict[str, Any], field: str, office: Office
    ) -> None:
        """Nothing is saved; the words of each direction are R24's."""
        integration_id = await office.connect()
        calendar_id = (await office.calendars(integration_id))["Calendar"]
        answer = await office.put(integration_id, form(calendar_id) | changes)
        assert answer.status_code == 422
        assert answer.headers["Content-Type"] == "application/problem+json"
        (error,) = answer.json()["errors"]
        assert error["field"] == field
        assert error["rule"]
        assert error["message"]
        assert (await office.get(f"{API}/{integration_id}")).json()["status"] == "setup"

    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"'])
    async def test_a_body_that_is_no_form_is_422(self, body: bytes, office: Office) -> None:
        integration_id = await office.connect()
        headers = office.bearer() | {"Content-Type": "application/json"}
        answer = await office.client.put(f"{API}/{integration_id}/settings", content=body, headers=headers)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "body"

    async def test_a_read_only_calendar_takes_no_items(self, office: Office) -> None:
        """422 with types selected; send-nothing is allowed."""
        integration_id = await office.connect()
        holidays = (await office.calendars(integration_id))["Holidays"]
        answer = await office.put(integration_id, form(holidays))
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "calendar_id")
        nothing = dict.fromkeys(ALL_TYPES, False)
        assert (await office.put(integration_id, form(holidays, item_types=nothing))).status_code == 200

    async def test_something_must_be_selected(self, office: Office) -> None:
        """R5: all boxes off is send-only; all boxes and all types off is refused."""
        integration_id = await office.connect()
        calendar_id = (await office.calendars(integration_id))["Calendar"]
        boxes = {"create": False, "update": False, "delete": False}
        types = dict.fromkeys(ALL_TYPES, False)
        refused = await office.put(integration_id, form(calendar_id, event_types=boxes, item_types=types))
        assert (refused.status_code, refused.json()["code"]) == (409, "nothing_selected")
        assert (await office.put(integration_id, form(calendar_id, event_types=boxes))).status_code == 200

    async def test_the_same_calendar_cannot_be_linked_twice_by_one_user(self, office: Office) -> None:
        """R1; another user may."""
        await office.finished()
        second = await office.connect()
        calendar_id = (await office.calendars(second))["Calendar"]
        refused = await office.put(second, form(calendar_id))
        assert (refused.status_code, refused.json()["code"]) == (409, "already_linked")
        await office.finished("u-22")

    async def test_a_withdrawn_permission_refuses_the_settings(self, office: Office) -> None:
        """R22: and the integration says so."""
        integration_id = await office.finished()
        (row,) = await office.rows(integrations)
        office.world.revoke(EMAIL)
        refused = await office.put(integration_id, form(row["calendar_id"]))
        assert (refused.status_code, refused.json()["code"]) == (409, "not_connected")
        shown = (await office.get(f"{API}/{integration_id}")).json()
        assert (shown["status"], shown["reason"]) == ("not_connected", "permission_withdrawn")

    async def test_choosing_another_calendar_connects_again(self, office: Office) -> None:
        """R22: the button that fixes a missing calendar."""
        integration_id = await office.finished()
        calendars = await office.calendars(integration_id)
        office.world.set_missing(calendars["Calendar"])
        assert await office.accounts.look(integration_id) == "not_connected"
        shown = (await office.put(integration_id, form(calendars["Second"]))).json()
        assert (shown["status"], shown["reason"]) == ("connected", None)


async def test_r33_what_stands_on_another_calendar_counts_from_its_own_finish(office: Office) -> None:
    """Choosing another calendar begins anew: what was there before that moment is not brought."""
    integration_id = await office.finished()
    (first,) = await office.rows(integrations)
    await office.clock.pass_time(3600)
    second = (await office.calendars(integration_id))["Second"]

    await office.put(integration_id, form(second))

    (moved,) = await office.rows(integrations)
    assert moved["baseline_at"] is None
    assert moved["finished_at"] > first["finished_at"]


async def test_r16_the_api_says_what_becomes_of_copies_on_the_old_calendar(office: Office) -> None:
    """``copies``: move or leave, and leave where it is not said; nothing else."""
    integration_id = await office.finished()
    calendars = await office.calendars(integration_id)
    await office.add_link(integration_id, calendars["Calendar"], "behind")

    refused = await office.put(integration_id, form(calendars["Second"], copies="burn"))
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "copies")
    moved = await office.put(integration_id, form(calendars["Second"], copies="move"))
    assert moved.json()["run_id"] is not None
    again = await office.put(integration_id, form(calendars["Calendar"], copies="move"))
    assert (again.status_code, again.json()["code"]) == (409, "run_in_progress")
    left = await office.put(integration_id, form(calendars["Calendar"]))
    assert (left.status_code, left.json()["run_id"]) == (200, None)
