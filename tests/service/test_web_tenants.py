"""Every route and verb of the API with the ids of somebody else."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.office import Office, form

API = "/api/v1"
ITEM = {"title": "Visit", "start": "2026-12-03T09:00:00Z"}
BODIES: Mapping[str, dict[str, Any]] = {
    "/held-deletions": {"answer": "keep"},
    "/my-calendar/items/{key}": ITEM,
    "/replay": {"ids": ["0192e4c1-7a00-7000-8000-0000000000aa"]},
    "/discard": {"reason": "noise"},
    "/edit": {"data": {}},
}


async def _ids(office: Office) -> dict[str, str]:
    """An integration, a run and an item of one user."""
    headers = office.bearer("u-17", "acme")
    mine = await office.finished(retrieve={"enabled": True, "past": "today", "future": "today"})
    runs = await office.client.get(f"{API}/integrations/{mine}/runs", headers=headers)
    item = await office.client.post(f"{API}/my-calendar/items", json=ITEM, headers=headers)
    return {
        "{integration_id}": mine,
        "{run}": runs.json()["items"][0]["id"],
        "{key}": f"appointment:{item.json()['id']}",
        "{letter_id}": mine,
    }


def _body(path: str, calendar_id: str) -> dict[str, Any] | None:
    if path.endswith("/settings"):
        return form(calendar_id)
    return next((body for end, body in BODIES.items() if path.endswith(end)), None)


@pytest.mark.parametrize(("user", "tenant"), [("u-17", "globex"), ("u-22", "acme")])
async def test_what_is_not_yours_is_404_on_every_route_and_verb(
    office: Office, user: str, tenant: str
) -> None:
    """The same user id in another tenant, and another user of the same one."""
    ids = await _ids(office)
    described = (await office.client.get(f"{API}/openapi.json")).json()["paths"]
    answers: dict[str, int] = {}
    for path, verbs in described.items():
        address = path
        for name, known in ids.items():
            address = address.replace(name, known)
        for verb in verbs:
            answer = await office.client.request(
                verb.upper(), address, json=_body(path, "cal_x"), headers=office.bearer(user, tenant)
            )
            answers[f"{verb} {path}"] = answer.status_code

    own = {f"get {API}/integrations", f"get {API}/my-calendar/items", f"post {API}/my-calendar/items"}
    assert {what: status for what, status in answers.items() if status != 404} == dict.fromkeys(own, 200) | {
        f"post {API}/my-calendar/items": 422
    }
