"""The privacy mirror shows what the code shows that decides it (R8, R27, R46)."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from contracts.calendar import Integration, Item, item_ref
from contracts.envelope import ItemChanged, encode
from contracts.vorex import Action, Actor, ActorKind, ItemChangedData, ItemContent
from handlers.edits import MASKED_TITLE
from handlers.texts.compose import compose
from service.operations.letter_form import letter_form
from service.operations.masking import PRIVATE_MASK, LetterReader
from service.store.integrations import integrations
from service.store.items import items
from service.web.pages.mirror import SeenItem, mirrored
from service.web.tokens import Visitor
from tests.support.office import Office, open_office
from tests.support.pages import Browser

TEXTS = ("title", "location", "description")
ME = Visitor(tenant_id="acme", user_id="u-17")
SHOWN = {"description": "Bring the spare", "location": "Contoso HQ"}
RECORD = {"account_name": "Contoso", "reference": {"label": "T1", "url": "https://vorex.example/t/1"}}
KINDS: Mapping[str, dict[str, Any]] = {
    "public": {"title": "Review", **SHOWN},
    "private": {"title": "Surgery", "private": True, **SHOWN},
    "imported": {"title": "Lunch", "imported": True, **SHOWN},
    "imported and private": {"title": MASKED_TITLE, "private": True, "imported": True},
    "record": {"title": "Firewall", "type": "service_call", **SHOWN, **RECORD},
    "private record": {"title": "Firewall", "type": "service_call", "private": True, **SHOWN, **RECORD},
    "record with a window": {
        "title": "Firewall",
        "type": "service_call",
        "not_before": "2026-12-03T08:00:00Z",
        "not_after": "2026-12-03T18:00:00Z",
        **SHOWN,
    },
}


@pytest.fixture
async def office(new_sqlite_url: str) -> AsyncIterator[Office]:
    async with open_office(new_sqlite_url) as opened:
        yield opened


async def kept(office: Office, mine: str, **form: Any) -> tuple[Item, Integration]:
    """An item of the person's, on an integration of theirs."""
    imported = form.pop("imported", False)
    whole = {"id": "1", "type": "appointment", "assignees": ["u-17"], **form}
    whole |= {"start": "2026-12-03T09:00:00Z", "end": "2026-12-03T10:00:00Z"}
    content = ItemContent.from_json_dict(whole)
    async with office.store.begin() as connection:
        known = (await integrations.load(connection, [mine])).popitem()[1]
        now = office.clock.now()
        item = Item(
            ref=item_ref("acme", content.type.value, "1"),
            tenant_id="acme",
            type=content.type,
            id="1",
            version=1,
            vorex_version=0 if imported else 1,
            sync_version=1 if imported else 0,
            revision=1,
            deleted=False,
            content=content,
            changed_at=now,
            imported_by=known.id if imported else None,
        )
        await items.save(connection, [(item, None)], now=now)
    return item, known


def texts(seen: SeenItem | None) -> dict[str, str] | None:
    return None if seen is None else {name: getattr(seen, name) for name in TEXTS}


@pytest.mark.parametrize("kind", KINDS)
async def test_the_mirror_shows_what_each_reader_is_shown(office: Office, kind: str) -> None:
    """Beside the API's answers, a dead letter of the item's message, and the event that is written."""
    mine = await office.finished()
    item, integration = await kept(office, mine, **KINDS[kind])
    external = item.imported_by is not None
    mirror = mirrored(ME, item, integration, external=external)
    assert item.content is not None

    address = "/api/v1/my-calendar/items?user_id=u-17"
    assert (await office.get(address, "u-22")).status_code == 404
    assert mirror.colleague is None

    (listed,) = (await office.get(address, "boss", role="administrator")).json()["items"]
    assert texts(mirror.administrator) == {name: listed[name] for name in TEXTS}

    letter = await letter_form(_letter(item), [], reader=LetterReader(tenant_id="acme", user_id="olga"))
    told = json.loads(letter["body"])["data"]["item"]
    assert texts(mirror.operator) == {name: told.get(name) or "" for name in TEXTS}

    fields = compose(item.content)
    assert fields is not None
    assert mirror.readers is not None
    assert mirror.readers.busy_alone is fields.event_private
    written = {"title": fields.summary, "location": fields.location, "description": fields.description}
    assert texts(mirror.readers) == (dict.fromkeys(TEXTS, "") if fields.event_private else written)
    assert (mirror.readers.start, mirror.readers.end) == (fields.start, fields.end)


def _letter(item: Item) -> dict[str, Any]:
    """The row of a dead letter of the item's message."""
    assert item.content is not None
    data = ItemChangedData(
        tenant_id="acme",
        action=Action.UPDATED,
        version=1,
        actor=Actor(kind=ActorKind.USER, id="u-17"),
        item=item.content,
    )
    body = encode(ItemChanged.of(data, id="m-1", time=item.changed_at, source="/vorex/acme"))
    plain = dict.fromkeys(
        (
            "id",
            "queue",
            "message_id",
            "source",
            "code",
            "field",
            "reason",
            "exception",
            "integration_id",
            "item_key",
            "group",
            "state",
            "size",
            "first_failed_at",
            "last_failed_at",
        )
    )
    return plain | {"tenant_id": "acme", "attempts": [], "body": body}


async def test_the_mirror_of_an_item_that_is_not_sent_shows_nothing_to_the_calendars_readers(
    office: Office,
) -> None:
    mine = await office.finished(item_types=_all_but("service_call"))
    item, integration = await kept(office, mine, **KINDS["record"])

    assert mirrored(ME, item, integration, external=False).readers is None


def _all_but(kind: str) -> dict[str, bool]:
    names = ("appointment", "crm_activity", "service_call", "task", "todo")
    return {name: name != kind for name in names}


async def test_the_mirror_is_a_page_of_the_wizard_and_of_an_item(office: Office) -> None:
    """Tables, and no script; of three next items of one's own."""
    mine = await office.finished()
    item, _ = await kept(office, mine, **KINDS["private"])
    await office.sign_in()
    browser = Browser(client=office.client)

    await browser.open(f"/calendar-sync/{mine}/settings/confirmation")
    page = await browser.follow("Who sees what of your next events")
    assert page.path == f"/calendar-sync/{mine}/mirror"
    assert "Only that you are busy" in page.words
    assert PRIVATE_MASK in page.words

    await browser.open(f"/my-calendar/item?key={item.type.value}:{item.id}")
    page = await browser.follow("Who sees what of it")
    assert page.path == "/my-calendar/item/mirror"
    assert "Only that you are busy" in page.words
    assert "Surgery" in page.words
