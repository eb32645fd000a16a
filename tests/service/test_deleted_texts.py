"""What deleted items said is kept while a deletion can be undone, and no longer (R50)."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts.calendar import IntegrationId, Item, item_ref
from contracts.envelope import encode
from contracts.vorex import Action, Actor, ActorKind, ItemType
from handlers.versions import VersionVerdict, judge_version
from service.keeper import forgetting
from service.store.items import items as items_store
from service.store.items.items import ItemCarrier
from service.store.runs.runs import UNDO_LIMIT
from service.store.tables import item_assignees
from service.store.tables import items as items_table
from tests.builders import a_message, an_item
from tests.support.office import Office, open_office
from tests.support.processes import SECRETS, run

DELETED = "/my-calendar/deleted"
TEXTS = {"title": "Surgery", "description": "Knee", "location": "Ward 7"}


@pytest.fixture(params=["sqlite_url", pytest.param("postgresql_url", marks=pytest.mark.postgresql)])
def url(request: pytest.FixtureRequest) -> str:
    """Both engines."""
    return str(request.getfixturevalue(request.param))


@pytest.fixture
async def office(url: str) -> AsyncIterator[Office]:
    async with open_office(url) as opened:
        yield opened


async def _keep(office: Office, item_id: str, *, days: float = 0, actor: Any = None, **changes: Any) -> Item:
    """An item that was stored so many days ago, brought by a message of that actor where one is named."""
    given = {"assignees": ["u-17"], **TEXTS, "deleted": True, **changes}
    ref = item_ref("acme", "appointment", item_id)
    item = an_item(ref=ref, id=item_id, type=ItemType.APPOINTMENT, **given)
    at = office.clock.now() - timedelta(days=days)
    carrier = None
    if actor is not None:
        message = a_message(content=item.content, actor=actor, action=Action.DELETED)
        carrier = ItemCarrier(source=message.source, message_id=message.id, body=encode(message))
    async with office.store.begin() as connection:
        await items_store.save(connection, [(item, carrier)], now=at)
    return item


async def _blanked(office: Office) -> set[str]:
    """Ids of the items that say nothing, by any column or assignee."""
    rows = await office.rows(items_table)
    assigned = {row["item_ref"] for row in await office.rows(item_assignees)}
    silent = set()
    for row in rows:
        kept = (row["content"], row["message_body"], row["starts_at"], row["ends_at"])
        said = any(one is not None for one in kept) or row["ref"] in assigned
        if said:
            assert row["content"]["title"] == "Surgery"
        else:
            silent.add(row["item_id"])
    return silent


async def _keeper_round(office: Office) -> None:
    chores = {chore.name: chore for chore in forgetting(office.store, inbox_days=30, log_days=90)}
    await chores["deleted texts"].work()


async def test_r50_what_deleted_items_said_is_blanked_when_no_undo_is_left(office: Office) -> None:
    """And what lives or was deleted lately stays whole; done twice it does no harm."""
    person = Actor(kind=ActorKind.USER, id="u-17")
    await _keep(office, "old", days=31, actor=person)
    await _keep(office, "late", days=29, actor=person)
    await _keep(office, "alive", days=31, deleted=False)
    for _ in range(2):
        await _keeper_round(office)
        assert await _blanked(office) == {"old"}
    assert timedelta(days=30) == UNDO_LIMIT


async def test_r17_r42_a_blanked_item_is_judged_as_ever(office: Office) -> None:
    item = await _keep(office, "old", days=31, version=7, vorex_version=7)
    await _keeper_round(office)
    async with office.store.read() as connection:
        blank = (await items_store.load(connection, [item.ref]))[item.ref]
    assert blank.content is None
    verdicts = []
    for version, action in (
        (6, Action.UPDATED),
        (7, Action.DELETED),
        (7, Action.UPDATED),
        (8, Action.UPDATED),
    ):
        message = a_message(content=item.content, version=version, action=action)
        judged = judge_version(blank, message.data, time=message.time, source=message.source)
        before = judge_version(item, message.data, time=message.time, source=message.source)
        assert judged.verdict is before.verdict
        verdicts.append(judged.verdict)
    stale, equal = VersionVerdict.STALE, VersionVerdict.EQUAL
    assert verdicts == [stale, equal, VersionVerdict.CONFLICTING, VersionVerdict.NEW]


async def test_r50_only_what_the_person_deleted_lately_is_offered_and_put_back(office: Office) -> None:
    office.count_no_changes()
    person = Actor(kind=ActorKind.USER, id="u-17")
    cases: dict[str, tuple[dict[str, Any], int]] = {
        "mine": ({"actor": person}, 200),
        "unknown": ({}, 200),
        "too-old": ({"actor": person, "days": 30.5}, 404),
        "colleague": ({"actor": Actor(kind=ActorKind.USER, id="u-22"), "assignees": ["u-17", "u-22"]}, 409),
        "vorex": ({"actor": Actor(kind=ActorKind.SYSTEM)}, 409),
        "calendar": ({"changed_by": IntegrationId("one")}, 409),
    }
    for name, (how, _) in cases.items():
        await _keep(office, name, **how)
    await _keeper_round(office)
    await office.sign_in()
    page = (await office.client.get(DELETED)).text
    for name, (_, code) in cases.items():
        assert (f"restore?key=appointment%3A{name}" in page) is (code == 200), name
        story = await office.client.get(f"/my-calendar/item?key=appointment:{name}")
        assert ("item/restore" in story.text) is (code == 200), name
        answer = await office.post(f"/api/v1/my-calendar/items/appointment:{name}/restore")
        assert answer.status_code == code, (name, answer.text)


async def test_r50_an_operator_blanks_a_persons_deleted_items_at_once_after_counting(
    database_url: str, tmp_path: Path
) -> None:
    async with open_office(database_url) as office:
        others: dict[str, dict[str, Any]] = {"3": {"assignees": ["u-22"]}, "4": {"deleted": False}}
        for name in ("1", "2", *others):
            await _keep(office, name, **others.get(name, {}))
        settings = {**SECRETS, "DATABASE_URL": office.store.url}
        words = ("integrations", "forget-deleted", "--tenant", "acme", "--user", "u-17", "--json")
        for more, dry, blanked in (((), True, set[str]()), (("--yes",), False, {"1", "2"})):
            ended = await asyncio.to_thread(run, *words, *more, settings=settings, folder=tmp_path)
            assert ended.returncode == 0, ended.stderr
            assert json.loads(ended.stdout) == {"items": 2, "dry_run": dry}
            assert await _blanked(office) == blanked
