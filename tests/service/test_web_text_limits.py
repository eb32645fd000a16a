"""R43 for a person: what is too long is told beside its field, and what was stored before is still shown."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.calendar import Item, item_ref
from contracts.envelope import ItemChanged, decode
from contracts.vorex import ItemContent, ItemType
from service.store.items import items as items_store
from service.store.tables import items as items_table
from tests.support.office import Office, open_office
from tests.support.pages import Browser

API = "/api/v1/my-calendar/items"
TEXTS = [("title", 1024), ("location", 1024), ("description", 32_768), ("account_name", 255)]
VISIT = {"title": "Call", "start": "2026-12-03T09:00:00Z", "end": "2026-12-03T10:00:00Z"}


@pytest.fixture(params=["sqlite_url", pytest.param("postgresql_url", marks=pytest.mark.postgresql)])
def url(request: pytest.FixtureRequest) -> str:
    """Both engines."""
    return str(request.getfixturevalue(request.param))


@pytest.fixture
async def office(url: str) -> AsyncIterator[Office]:
    async with open_office(url) as opened:
        yield opened


async def add(office: Office, **changes: Any) -> Any:
    return await office.client.post(API, json=VISIT | changes, headers=office.bearer())


@pytest.mark.parametrize("letter", ["x", "é"])
@pytest.mark.parametrize(("field", "longest"), TEXTS)
async def test_r43_a_text_one_character_too_long_is_422_with_field_and_rule(
    field: str, longest: int, letter: str, office: Office
) -> None:
    """At its limit it passes; OpenAPI states the same limit."""
    assert (await add(office, **{field: letter * longest})).status_code == 201
    answer = await add(office, **{field: letter * (longest + 1)})

    assert answer.status_code == 422
    rule = f"must have at most {longest} characters"
    assert answer.json()["errors"] == [{"field": field, "rule": rule, "message": f"{field}: {rule}"}]
    whole = (await office.client.get("/api/v1/openapi.json")).json()
    form = whole["paths"][API]["post"]["requestBody"]["content"]["application/json"]["schema"]
    schema = form["properties"][field]
    assert [one["maxLength"] for one in (schema, *schema.get("anyOf", [])) if "maxLength" in one] == [longest]


async def test_r43_a_reference_that_leads_nowhere_is_422(office: Office) -> None:
    answer = await add(office, reference={"label": "T7", "url": "javascript:alert(1)"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "reference.url")


@pytest.mark.parametrize(("field", "longest"), TEXTS[:3])
async def test_r43_a_form_tells_what_is_too_long_beside_its_field_and_keeps_what_was_typed(
    field: str, longest: int, office: Office
) -> None:
    await office.sign_in()
    browser = Browser(client=office.client)
    await browser.open("/my-calendar/new?day=2026-12-03")
    page = await browser.press("Add", changes={"title": "Call", field: "x" * (longest + 1)})

    assert page.status == 422
    assert f"At most {longest:,} characters." in page.words
    assert page.forms[0].fields[field] == "x" * (longest + 1)
    assert await office.sent("vorex.items") == []


@pytest.mark.parametrize("number", ["&#" + "9" * 10_000 + ";", "&#" + "0" * 30_000, "&#x" + "f" * 30_000])
async def test_r43_an_endless_number_in_somebodys_html_is_a_letter_that_cannot_be_shown(
    number: str, office: Office
) -> None:
    """Nor does it hinder the page on which it is edited."""
    answer = await add(office, description=number, description_format="html")
    assert answer.status_code == 201
    await office.sign_in()
    shown = await office.client.get("/my-calendar/item", params={"key": f"appointment:{answer.json()['id']}"})
    assert shown.status_code == 200
    assert "\ufffd" in shown.text


@pytest.mark.parametrize("charset", ["punycode", "idna", "utf-7", "unicode_escape", "latin-1", "no such"])
async def test_r43_a_form_in_another_charset_is_not_read(charset: str, office: Office) -> None:
    """Python knows charsets that take quadratic time, and some that make half characters."""
    await office.sign_in()
    content_type = f'multipart/form-data; boundary=x; charset="{charset}"'
    body = b'--x\r\nContent-Disposition: form-data; name="title"\r\n\r\n\\ud800\r\n--x--\r\n'
    answer = await office.client.post(
        "/my-calendar/new", content=body, headers={"Content-Type": content_type, "Accept": "text/html"}
    )
    assert answer.status_code == 415
    assert "A form must be sent as UTF-8." in answer.text


@pytest.mark.parametrize(
    "origin", ["http://[", "http://[::1", "http://a]b", "null", "://", "http://" + "[" * 9999]
)
async def test_r43_an_odd_origin_is_another_site(origin: str, office: Office) -> None:
    await office.sign_in()
    answer = await office.client.post(API, json=VISIT, headers={"Origin": origin})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "body", [b'{"title":' + b"9" * 5000 + b"}", b'{"title":"x","all_day":' + b"9" * 100_000]
)
async def test_r43_a_number_of_thousands_of_digits_is_422(body: bytes, office: Office) -> None:
    headers = office.bearer() | {"Content-Type": "application/json"}
    answer = await office.client.post(API, content=body, headers=headers)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body")


async def test_r43_a_version_of_thousands_of_digits_is_none(office: Office) -> None:
    made = (await add(office)).json()
    await office.sign_in()
    browser = Browser(client=office.client)
    await browser.open(f"/my-calendar/item?key=appointment:{made['id']}")
    page = await browser.press("Save", changes={"title": "Dinner", "version": "9" * 5000})
    assert page.status == 200
    assert "Dinner" in (await office.client.get(API, headers=office.bearer())).text


async def test_r43_a_persons_name_is_cut_and_lets_them_in(office: Office) -> None:
    await office.sign_in(name="N" * 999, email="e" * 999)
    assert (await office.client.get("/my-calendar")).status_code == 200
    token = office.token(name="N" * 999, email="e" * 999)
    visitor = office.app.state.services.tokens.bearer(token).visitor
    assert visitor.name == "N" * 254 + "…"


OLDER = {
    "id": "i" * 255, "type": "appointment", "title": "t" * 5000, "description": "d" * 90_000,
    "location": "l" * 5000, "account_name": "a" * 999, "reference": {"label": "r" * 999, "url": "/t/7"},
    "start": "2026-12-03T09:00:00Z", "end": "2026-12-03T10:00:00Z",
    "assignees": ["u-17", *(f"u-{number}" for number in range(300, 600))],
}  # fmt: skip


async def store_older(office: Office, **changes: Any) -> str:
    """An item as the version before stored it; its key."""
    form = OLDER | changes
    content = ItemContent.from_json_dict(form)
    item = Item(
        ref=item_ref("acme", "appointment", content.id), tenant_id="acme", type=ItemType.APPOINTMENT,
        id=content.id, version=4, vorex_version=4, sync_version=0, revision=3, deleted=False, content=content,
        changed_at=datetime(2026, 12, 1, tzinfo=UTC),
    )  # fmt: skip
    async with office.store.begin() as connection:
        await items_store.save(connection, [(item, None)], now=office.clock.now())
        await connection.execute(items_table.update().values(content=form))
    return f"appointment:{content.id}"


async def test_r43_what_was_stored_before_the_limits_is_listed_and_shown_cut(office: Office) -> None:
    key = await store_older(office)

    (listed,) = (await office.client.get(API, headers=office.bearer())).json()["items"]
    assert (len(listed["title"]), len(listed["description"]), len(listed["location"])) == (1024, 32_768, 1024)
    assert (len(listed["id"]), len(listed["assignees"]), listed["reference"]) == (255, 301, None)
    await office.sign_in()
    for address in ("/my-calendar?month=2026-12", "/my-calendar?month=2026-12&day=2026-12-03"):
        assert (await office.client.get(address)).status_code == 200
    shown = await office.client.get("/my-calendar/item", params={"key": key})
    assert shown.status_code == 200
    assert "t" * 1023 + "…" in shown.text


async def test_r43_what_was_stored_before_the_limits_is_changed_and_deleted_by_its_owner(
    office: Office,
) -> None:
    """Its texts cut; what is published then is a message that its readers take."""
    key = await store_older(office, id="5512", assignees=["u-17"])
    answer = await office.client.put(f"{API}/{key}", json=VISIT, headers=office.bearer())
    assert answer.status_code == 200, answer.text
    key = await store_older(office, id="5513", assignees=["u-17"])
    answer = await office.client.delete(f"{API}/{key}", headers=office.bearer())
    assert answer.status_code == 204, answer.text
    sent = [decode(one.body, expected=ItemChanged) for one in await office.sent("vorex.items")]
    assert [one.data.action for one in sent] == ["updated", "deleted"]
