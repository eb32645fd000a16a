"""Runs over HTTP: *Sync now*, the list, progress, cancelling (G12, R24, R25, R27)."""

from typing import Any

import httpx
import pytest

from contracts.envelope import RunRequested, decode
from service.store.integrations.integrations import change
from service.store.tables import integrations, runs
from tests.support.office import Office, form

API = "/api/v1/integrations"
NOBODY = "0192e4c1-7a00-7000-8000-0000000000aa"
WEEK = {"past": "1_week", "future": "1_week"}
ON = {"enabled": True, "past": "1_week", "future": "3_months"}


async def _sync(office: Office, integration_id: str, ranges: Any = None, **who: Any) -> httpx.Response:
    address = f"{API}/{integration_id}/sync"
    headers = office.bearer(**who)
    if ranges is None:
        return await office.client.post(address, headers=headers)
    return await office.client.post(address, json=ranges, headers=headers)


async def _set(office: Office, integration_id: str, **values: Any) -> None:
    async with office.store.begin() as connection:
        await change(connection, integration_id, **values)


class TestSync:
    """POST …/sync (G12)."""

    async def test_r24_a_run_starts_in_the_ranges_asked_for(self, office: Office) -> None:
        """Its first step is asked for in the same transaction."""
        integration_id = await office.finished()
        answer = await _sync(office, integration_id, {"retrieve": WEEK, "send": None})
        assert answer.status_code == 202
        run_id = answer.json()["run_id"]
        (run,) = [row for row in await office.rows(runs) if row["id"] == run_id]
        assert (run["kind"], run["state"], run["started_by"]) == ("sync_now", "waiting", "u-17")
        assert (run["retrieve"], run["send"]) == (WEEK, None)
        data = decode((await office.sent("calendar-sync.commands"))[-1].body, expected=RunRequested).data
        assert (data.run_id, data.integration_id, data.step) == (run_id, integration_id, 0)

    async def test_r25_without_a_body_both_directions_run_in_the_last_ranges(self, office: Office) -> None:
        """The last range is remembered, whatever started that run."""
        integration_id = await office.finished()
        first = await _sync(office, integration_id, {"retrieve": WEEK, "send": None})
        await office.post(f"/api/v1/runs/{first.json()['run_id']}/cancel")

        run_id = (await _sync(office, integration_id)).json()["run_id"]

        run = (await office.get(f"/api/v1/runs/{run_id}")).json()
        assert (run["retrieve"], run["send"]) == (WEEK, {"past": "today", "future": "today"})
        (row,) = await office.rows(integrations)
        assert row["retrieve"] == {"enabled": False, **WEEK}

    async def test_r25_a_second_run_is_refused_with_a_sentence(self, office: Office) -> None:
        """409 run_in_progress; a bare reading at Finish is none."""
        integration_id = await office.finished()
        assert (await _sync(office, integration_id)).status_code == 202
        refused = await _sync(office, integration_id)
        assert (refused.status_code, refused.json()["code"]) == (409, "run_in_progress")
        assert refused.json()["detail"]

    async def test_g11_a_deactivated_integration_does_not_sync(self, office: Office) -> None:
        """409 inactive."""
        integration_id = await office.finished()
        await office.post(f"{API}/{integration_id}/deactivate")
        refused = await _sync(office, integration_id)
        assert (refused.status_code, refused.json()["code"]) == (409, "inactive")

    async def test_r22_one_that_is_not_connected_does_not_sync(self, office: Office) -> None:
        """409 not_connected."""
        integration_id = await office.finished()
        await _set(office, integration_id, status="not_connected", reason="calendar_missing")
        refused = await _sync(office, integration_id)
        assert (refused.status_code, refused.json()["code"]) == (409, "not_connected")

    async def test_one_that_is_not_set_up_does_not_sync(self, office: Office) -> None:
        """409 setup_unfinished."""
        refused = await _sync(office, await office.connect())
        assert (refused.status_code, refused.json()["code"]) == (409, "setup_unfinished")

    async def test_at_least_one_direction_is_asked_for(self, office: Office) -> None:
        """409 nothing_selected."""
        refused = await _sync(office, await office.finished(), {"retrieve": None, "send": None})
        assert (refused.status_code, refused.json()["code"]) == (409, "nothing_selected")

    @pytest.mark.parametrize(
        ("ranges", "field"),
        [
            ({"retrieve": {"past": "today", "future": "12_months"}}, "retrieve.future"),
            ({"send": {"past": "3_months", "future": "today"}}, "send.past"),
            ({"send": {"past": "today"}}, "send.future"),
            ({"receive": WEEK}, "receive"),
        ],
    )
    async def test_r24_the_words_of_each_direction(self, ranges: Any, field: str, office: Office) -> None:
        """422 naming the field."""
        answer = await _sync(office, await office.finished(), ranges)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)

    async def test_an_administrator_does_not_sync_for_others(self, office: Office) -> None:
        """They see, and do not touch."""
        answer = await _sync(office, await office.finished(), user="boss", role="administrator")
        assert answer.status_code == 404


class TestSeeing:
    """GET …/runs and /runs/{run} (R25, R27)."""

    async def test_a_run_has_exactly_its_fields(self, office: Office) -> None:
        """Every field, before its first step."""
        integration_id = await office.finished()
        run_id = (await _sync(office, integration_id, {"send": WEEK})).json()["run_id"]
        run = (await office.get(f"/api/v1/runs/{run_id}")).json()
        assert run == {
            "id": run_id,
            "integration_id": integration_id,
            "started_by": "u-17",
            "kind": "sync_now",
            "state": "waiting",
            "retrieve": None,
            "send": WEEK,
            "done": 0,
            "total": None,
            "now": None,
            "found": 0,
            "created": 0,
            "updated": 0,
            "skipped": 0,
            "failed": 0,
            "agreed": 0,
            "deleted": 0,
            "passed_over": {},
            "undoes": None,
            "started_at": None,
            "ended_at": None,
            "reason": None,
        }
        assert (await office.get(f"{API}/{integration_id}/runs/{run_id}")).json() == run
        assert (await office.get(f"{API}/{integration_id}/runs")).json()["items"] == [run]

    async def test_the_reading_at_finish_is_not_listed(self, office: Office) -> None:
        """A run without options is nobody's; one with an option is."""
        integration_id = await office.finished()
        assert (await office.get(f"{API}/{integration_id}/runs")).json() == {"items": [], "next": None}
        (row,) = await office.rows(runs)
        assert (await office.get(f"/api/v1/runs/{row['id']}")).status_code == 404
        calendar_id = (await office.calendars(integration_id))["Calendar"]
        run_id = (await office.put(integration_id, form(calendar_id, retrieve=ON))).json()["run_id"]
        listed = (await office.get(f"{API}/{integration_id}/runs")).json()["items"]
        assert [(run["id"], run["kind"]) for run in listed] == [(run_id, "finish")]

    async def test_the_list_is_paged_newest_first(self, office: Office) -> None:
        """By cursor."""
        integration_id = await office.finished()
        ids = []
        for _ in range(3):
            run_id = (await _sync(office, integration_id)).json()["run_id"]
            await office.post(f"/api/v1/runs/{run_id}/cancel")
            ids.append(run_id)
        first = (await office.get(f"{API}/{integration_id}/runs?limit=2")).json()
        rest = (await office.get(f"{API}/{integration_id}/runs?after={first['next']}")).json()
        assert [run["id"] for run in first["items"] + rest["items"]] == ids[::-1]
        assert rest["next"] is None

    async def test_anothers_run_is_404(self, office: Office) -> None:
        """An administrator of the tenant sees it."""
        run_id = (await _sync(office, await office.finished())).json()["run_id"]
        address = f"/api/v1/runs/{run_id}"
        assert (await office.get(address, "u-22")).status_code == 404
        assert (await office.get(address, "boss", role="administrator")).status_code == 200
        assert (await office.post(f"{address}/cancel", "boss", role="administrator")).status_code == 404
        for one in (NOBODY, "nonsense"):
            assert (await office.get(f"/api/v1/runs/{one}")).status_code == 404

    async def test_a_run_is_found_under_its_own_integration_only(self, office: Office) -> None:
        """404 under another one."""
        run_id = (await _sync(office, await office.finished())).json()["run_id"]
        other = await office.finished("u-22")
        answer = await office.get(f"{API}/{other}/runs/{run_id}", "boss", role="administrator")
        assert answer.status_code == 404


class TestCancel:
    """POST …/runs/{run}/cancel (issue 4)."""

    async def test_a_cancelled_run_says_so_and_another_may_start(self, office: Office) -> None:
        """Cancelling again changes nothing."""
        integration_id = await office.finished()
        await _set(office, integration_id, baseline_at=office.clock.now())
        run_id = (await _sync(office, integration_id)).json()["run_id"]
        first = await office.post(f"/api/v1/runs/{run_id}/cancel")
        again = await office.post(f"{API}/{integration_id}/runs/{run_id}/cancel")
        assert (first.status_code, first.json()["state"]) == (200, "cancelled")
        assert first.json()["reason"]
        assert again.json() == first.json()
        assert (await _sync(office, integration_id)).status_code == 202

    async def test_r33_the_calendar_is_read_although_the_first_run_was_cancelled(
        self, office: Office
    ) -> None:
        """Nothing is sent before the reading at Finish."""
        integration_id = await office.finished(retrieve=ON)
        (run,) = await office.rows(runs)
        assert (await office.post(f"/api/v1/runs/{run['id']}/cancel")).json()["state"] == "cancelled"
        reading = [row for row in await office.rows(runs) if row["ended_at"] is None]
        assert [(row["kind"], row["retrieve"], row["listed"]) for row in reading] == [("finish", None, False)]
        assert (await office.get(f"{API}/{integration_id}")).json()["settings"]["retrieve"] == ON

    async def test_a_comparison_is_not_cancelled(self, office: Office) -> None:
        """What the pause held back would stay there."""
        integration_id = await office.finished()
        await office.post(f"{API}/{integration_id}/deactivate")
        await office.post(f"{API}/{integration_id}/activate")
        (run,) = (await office.get(f"{API}/{integration_id}/runs")).json()["items"]
        assert (run["kind"], run["started_by"]) == ("catch_up", "calendar-sync")
        refused = await office.post(f"/api/v1/runs/{run['id']}/cancel")
        assert (refused.status_code, refused.json()["code"]) == (409, "not_editable")
