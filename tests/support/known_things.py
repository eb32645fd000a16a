"""One of each thing that a route can be asked for, and what its forms take."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from service.integrations.leavers.signing import RecordSigner
from service.store.integrations.tenants import add_act
from service.store.messages.burying import bury
from service.store.people.leavers import add as add_record
from service.store.tables import consents, dead_letters, runs
from tests.support.company import COMPANY_FORMS, connect_acme
from tests.support.letters import DATA, a_letter
from tests.support.office import Office, form
from tests.support.questioned import asked_of
from tests.support.route_matrix import API, ITEM, LETTERS, KnownThings

KEY = "c2VlZHMtb2YtdGhpcnR5LXR3by1ieXRlcy1mb3ItaXQ="


async def known_things(office: Office) -> KnownThings:
    """An integration, a run, an appointment, a dead letter and a permission without an answer, of u-17."""
    office.count_no_changes()
    mine = await office.finished(retrieve={"enabled": True, "past": "today", "future": "today"})
    added = await office.client.post(f"{API}/my-calendar/items", json=ITEM, headers=office.bearer())
    async with office.store.begin() as connection:
        await bury(connection, [a_letter()], now=office.clock.now())
    act_id, record_id = str(uuid4()), await a_record(office)
    async with office.store.begin() as connection:
        await add_act(
            connection, id=act_id, tenant_id="acme", act="pause", who="boss", at=office.clock.now(),
            integration_ids=[mine],
        )  # fmt: skip
    await connect_acme(office)
    (run,), (letter,) = await office.rows(runs), await office.rows(dead_letters)
    calendar_id = (await office.calendars(mine))["Second"]
    await office.sign_in()
    away = await office.client.get("/calendar-sync/connect")
    await office.client.get(await office.authorise(away.headers["Location"]))
    (consent,) = await office.rows(consents)
    ids = {
        "{integration_id}": mine,
        "{run}": run["id"],
        "{key:path}": f"appointment:{added.json()['id']}",
        "{letter_id}": letter["id"],
        "{tab}": "your-calendar",
        "{verb}": "sync",
        "{act_id}": act_id,
        "{record_id}": record_id,
        "{question_id}": await asked_of(office, mine),
        "{session_id}": str(uuid4()),
        "{consent_id}": consent["id"],
        "{person_id}": str(uuid4()),
        "{page:path}": "user-guide",
        "{picture}": "list.webp",
        "{schema}": "item-changed.json",
    }
    return KnownThings(ids=ids, forms=forms(letter["id"], calendar_id))


async def a_record(office: Office) -> str:
    """Of somebody who has left acme, and of whom nothing was linked; its id."""
    record_id = str(uuid4())
    async with office.store.begin() as connection:
        await add_record(
            connection, id=record_id, tenant_id="acme", user_id="u-98", left_at=office.clock.now(),
            said_by="Vorex", choice="keep", parts=[], document=RecordSigner([KEY]).sign({"integrations": []}),
        )  # fmt: skip
    return record_id


def forms(letter_id: str, calendar_id: str) -> Mapping[str, Any]:
    option = {"past": "today", "future": "today"}
    return {
        "/{letter_id}/edit": {"data": DATA | {"version": 1}},
        "/{letter_id}/discard": {"reason": "noise"},
        f"{API}/dead-letters/replay": {"ids": [letter_id]},
        f"{API}/dead-letters/discard": {"ids": [letter_id], "reason": "x"},
        f"{API}/dead-letters/undo": {"batch": letter_id},
        f"{LETTERS}/replay": {"letter": letter_id, "rate": "5"},
        f"{LETTERS}/discard": {"letter": letter_id, "reason": "noise"},
        f"{LETTERS}/undo": {"letter": letter_id},
        "/{integration_id}/settings": form(calendar_id),
        "/{integration_id}/sync": {"retrieve": option, "send": option},
        "/administration/act": {"verb": "pause", "ids": "", "expect": "0"},
        "/person/sign-out": {"who": "u-99"},
        f"{API}/leavers": {"user_id": "u-99", "copies": "keep"},
        "/leavers/choice": {"choice": "pause"},
        "/administration/leaver-choice": {"choice": "pause"},
        "/administration/leaver": {"who": "u-99", "copies": "keep"},
        **COMPANY_FORMS,
        "/held-deletions": {"answer": "keep"},
        "/held-imports": {"answer": "leave"},
        "/{question_id}": {"answer": "leave"},
        "/settings/{tab}": {"task": "on", "to": "sync-options"},
        "/items": ITEM,
        "/items/{key:path}": ITEM,
    }
