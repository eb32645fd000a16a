"""Dead letters keep their secrets, however odd the message is in which they come (R46)."""

import base64
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.envelope import ItemChanged, decode
from contracts.errors import Malformed
from contracts.messages import QUEUE_INBOUND, QUEUE_OUTBOUND, REPLAY_EXCHANGE
from contracts.vorex import DAY_FIELDS, ItemContent
from service.consumers.failures import describe_error
from service.operations import PRIVATE_MASK, DeadLetters, LetterReader
from service.operations.masking import masked_document
from service.operations.mending import mend_message
from service.store.messages.burying import NewDeadLetter, bury
from service.store.messages.ownership import owner_of
from service.store.tables import dead_letters, outbox
from tests.support.letters import DATA, ITEM, a_body, a_letter
from tests.support.odd_letters import EVENT, ODD, SECRET, TEXTS, as_bytes, with_item
from tests.support.office import Office

API = "/api/v1/dead-letters"
LETTERS = "/operations/dead-letters"
ODD_BODIES = pytest.mark.parametrize("body", ODD.values(), ids=ODD.keys())


def arrived(body: bytes, **different: Any) -> NewDeadLetter:
    """A letter with the owner that its bytes name, as a consumer buries it."""
    owner = owner_of(body)
    return a_letter(
        **({"body": body, "tenant_id": owner.tenant_id, "integration_id": owner.integration_id} | different)
    )


async def buried(office: Office, *letters: NewDeadLetter) -> list[str]:
    async with office.store.begin() as connection:
        await bury(connection, letters, now=office.clock.now())
    return sorted(row["id"] for row in await office.rows(dead_letters))[-len(letters) :]


def desk_of(office: Office, tenant: str | None = "acme", user: str = "olga") -> DeadLetters:
    reader = None if tenant is None else LetterReader(tenant_id=tenant, user_id=user)
    return DeadLetters(office.store, who=user, reader=reader)


def told(answer: object) -> str:
    """All that is said, also what stands in base64."""
    text = json.dumps(answer)
    if isinstance(answer, dict) and answer.get("body_encoding") == "base64":
        text += base64.b64decode(answer["body"]).decode("latin-1")
    return text


class TestNobodyReads:
    """What is private, odd, or another tenant's."""

    @ODD_BODIES
    async def test_a_text_that_is_not_known_to_be_public(self, body: bytes, office: Office) -> None:
        """Own operators, other tenants', the command line: form, list, surroundings, every page."""
        (letter_id,) = await buried(office, arrived(body))
        row = (await office.rows(dead_letters))[0]
        for tenant in {"acme", None} | ({"other"} if row["tenant_id"] is None else set()):
            desk = desk_of(office, tenant)
            assert SECRET not in told(await desk.show(letter_id))
            assert SECRET not in told(await desk.context(letter_id))
        headers = office.bearer("olga", role="operator")
        pages = LETTERS, f"{LETTERS}/{letter_id}", f"{LETTERS}/{letter_id}/edit"
        for path in (*pages, f"{LETTERS}/replay?letter={letter_id}", f"{API}/{letter_id}"):
            answer = await office.client.get(path, headers=headers)
            assert answer.status_code == 200, (path, answer.status_code)
            assert SECRET not in answer.text

    @pytest.mark.parametrize("number", ["4929 1234 5678 9012", "+44 20 7946 0000", "10:00", "17", "12-34-56"])
    async def test_a_number_that_is_no_time(self, number: str, office: Office) -> None:
        """Where a time belongs anything may stand: a card's number, a telephone's."""
        (letter_id,) = await buried(office, arrived(with_item(start=number)))
        assert (
            number not in json.loads((await desk_of(office).show(letter_id))["body"])["data"]["item"].values()
        )

    @pytest.mark.parametrize("time", ["2026-13-45T25:61:00Z", "2026-12-03", "2026-12-03 09:00:00.5+01:00"])
    async def test_but_what_is_only_a_wrong_time_is_shown(self, time: str, office: Office) -> None:
        (letter_id,) = await buried(office, arrived(with_item(start=time)))
        assert json.loads((await desk_of(office).show(letter_id))["body"])["data"]["item"]["start"] == time

    async def test_another_tenants_item(self, office: Office) -> None:
        """Whatever the row knows: public or not, the bytes say whose it is, or nobody is shown them."""
        bodies = [
            *ODD.values(),
            *(one.replace(b'"private": true', b'"private": false') for one in ODD.values()),
        ]
        ids = await buried(
            office,
            *(arrived(one, tenant_id=None, message_id=f"m-{place}") for place, one in enumerate(bodies)),
        )
        for letter_id, body in zip(ids, bodies, strict=True):
            shown = await desk_of(office, "other").show(letter_id)
            assert shown["integration_id"] is shown["item_key"] is None
            text = shown["body"]
            text = base64.b64decode(text).decode() if shown["body_encoding"] == "base64" else text
            assert text == f"[hidden: {len(body)} bytes]"

    async def test_what_another_tenants_operator_said(self, office: Office) -> None:
        """Of a letter that is nobody's, reason and change are for those who made them."""
        first, second = await buried(office, *(a_letter(n, body=b"?", tenant_id=None) for n in (1, 2)))
        mine, theirs = desk_of(office, "acme", "olga"), desk_of(office, "other", "omar")
        await mine.discard([first], reason=SECRET)
        await mine.edit(second, DATA | {"version": 3, "item": ITEM | {"title": SECRET}})
        for letter_id in (first, second):
            assert SECRET in told(await mine.show(letter_id))
            assert SECRET not in told(await theirs.show(letter_id))

    async def test_what_an_operator_of_the_same_id_in_another_tenant_said(self, office: Office) -> None:
        """Ids are a tenant's own; so is the name of this service no word of its own in a person's mouth."""
        (letter_id,) = await buried(office, a_letter(body=b"?", tenant_id=None))
        for user in ("olga", "calendar-sync"):
            await desk_of(office, "acme", user).discard([letter_id], reason=SECRET)
            await desk_of(office, "acme", user).undo([letter_id])
            assert SECRET in told(await desk_of(office, "acme", user).show(letter_id))
            assert SECRET not in told(await desk_of(office, "other", user).show(letter_id))

    async def test_a_mended_copy_of_another_tenant(self, office: Office) -> None:
        """The copy belongs to whom it speaks for, not to whom its original did."""
        (letter_id,) = await buried(office, arrived(a_body()))
        new = await desk_of(office, None).edit(
            letter_id, DATA | {"tenant_id": "other", "version": 3, "item": ITEM | {"title": SECRET}}
        )
        (row,) = [row for row in await office.rows(dead_letters) if row["id"] == new]
        assert row["tenant_id"] == "other"
        listed = await office.get(API, "olga", role="operator")
        assert SECRET not in listed.text
        assert new not in listed.text


class TestWhoReads:
    """What is public, whoever's it is; and everything to the item's own people."""

    async def test_a_public_item_is_shown_as_it_came(self, office: Office) -> None:
        body = a_body(item=ITEM | TEXTS | {"private": False, "start": "soon"})
        (letter_id,) = await buried(office, arrived(body))
        assert (await desk_of(office).show(letter_id))["body"] == body.decode()

    async def test_an_assignee_sees_the_whole_item(self, office: Office) -> None:
        (letter_id,) = await buried(office, arrived(as_bytes(EVENT)))
        assert SECRET in (await desk_of(office, user="u-17").show(letter_id))["body"]

    async def test_what_is_public_of_a_private_item_is_shown(self, office: Office) -> None:
        (letter_id,) = await buried(office, arrived(with_item(note="x", end="then")))
        shown = json.loads((await desk_of(office).show(letter_id))["body"])
        kept = {name: ITEM[name] for name in ("id", "type", "start", "assignees")}
        masked = dict.fromkeys(("title", "description", "location", "account_name", "end"), PRIVATE_MASK)
        reference = {"label": PRIVATE_MASK, "url": PRIVATE_MASK}
        item = kept | masked | {"private": True, "reference": reference, PRIVATE_MASK: PRIVATE_MASK}
        assert shown == EVENT | {"data": DATA | {"item": item}}

    async def test_of_a_notice_cronofys_own_words_are_shown(self, office: Office) -> None:
        integration_id = await office.connect()
        event = {
            "specversion": "1.0", "id": "n-1", "type": "com.cronofy.notice.received.v1", "source": "/relay",
            "time": "2026-12-01T08:00:00Z",
            "data": {
                "integration_id": integration_id, "received_at": "2026-12-01T08:00:00Z",
                "notification": {"type": "change", "changes_since": "2026-12-01T08:00:00Z", "words": SECRET},
                "channel": {"channel_id": "chn_1", "callback_url": f"https://x/{SECRET}"},
            },
        }  # fmt: skip
        (letter_id,) = await buried(office, arrived(as_bytes(event), queue=QUEUE_INBOUND))
        shown = await desk_of(office).show(letter_id)
        assert "changes_since" in shown["body"]
        assert "chn_1" in shown["body"]
        assert SECRET not in told(shown)


MASK = {PRIVATE_MASK: PRIVATE_MASK}
PUBLIC = {**MASK, "private": False, "id": "1", "type": "task", "assignees": ["u-17"]}
FORGED: Sequence[dict[str, Any]] = (
    MASK,
    MASK | {"version": 1},
    {**MASK, "version": 1, "item": PUBLIC},
    {"version": 1, "item": PUBLIC, **MASK},
    {**MASK, "version": 1, "item": {**PUBLIC, "title": "x"}},
    DATA | {"version": 1, "item": PUBLIC},
    DATA | {"version": 1, "item": {**PUBLIC, "title": MASK, "reference": MASK}},
    DATA | {"version": 1, "item": {**PUBLIC, "title": "x", "item": MASK, "location": MASK}},
)
"""What an operator may send who would like to see what is masked."""


class TestMending:
    """What an operator did not see stays what it was, or is not sent at all."""

    @staticmethod
    async def mended(
        office: Office, body: bytes, change: Callable[[dict[str, Any]], None], **row: Any
    ) -> Any:
        """The item that goes out after an operator changed what is shown; the tenant is acme."""
        (letter_id,) = await buried(office, arrived(body, **row))
        desk = desk_of(office)
        shown = json.loads((await desk.show(letter_id))["body"])["data"]
        change(shown)
        await desk.edit(letter_id, shown)
        (sent,) = [row for row in await office.rows(outbox) if row["exchange"] == REPLAY_EXCHANGE]
        for one in await office.rows(dead_letters):
            assert SECRET not in told(await desk.show(one["id"]))
        return decode(sent["body"], expected=ItemChanged).data.item

    @pytest.mark.parametrize("odd", ["well-formed", "a text under an unknown name", "a text beside the item"])
    async def test_masked_texts_come_through_a_mended_version(self, odd: str, office: Office) -> None:
        item = await self.mended(office, ODD[odd], lambda data: data.update(version=1))
        was = json.loads(ODD[odd])["data"]["item"]
        assert (item.title, item.private) == (was["title"], True)

    @pytest.mark.parametrize(
        "change",
        [
            lambda data: data["item"].update(assignees=["u-18"]),
            lambda data: data["item"].update(assignees=["u-17", "olga"]),
            lambda data: data["item"].update(assignees=[]),
            lambda data: data["item"].update(id="2"),
            lambda data: data["item"].update(type="todo"),
            lambda data: data["item"].update(private=False),
            lambda data: data["item"].update(private=None),
            lambda data: data["item"].pop("private"),
            lambda data: data.update(tenant_id="other"),
            lambda data: data["item"].update(location=[PRIVATE_MASK]),
            lambda data: data["item"].update(show_as=PRIVATE_MASK),
            lambda data: data.update(item={"item": data["item"]}),
        ],
    )
    @pytest.mark.parametrize("tenant", ["acme", None])
    async def test_masked_texts_go_to_nobody_else(
        self, tenant: str | None, change: Callable[[dict[str, Any]], None], office: Office
    ) -> None:
        """Another tenant, item, assignee or privacy: the texts are written anew."""
        (letter_id,) = await buried(office, arrived(as_bytes(EVENT)))
        desk = desk_of(office, tenant)
        data = json.loads((await desk.show(letter_id))["body"])["data"] | {"version": 1}
        change(data)
        with pytest.raises(Malformed):
            await desk.edit(letter_id, data)
        assert [row["state"] for row in await office.rows(dead_letters)] == ["open"]

    async def test_what_said_private_by_an_unknown_name_stays_private(self, office: Office) -> None:
        (letter_id,) = await buried(office, arrived(ODD["private misspelt"]))
        desk = desk_of(office)
        data = json.loads((await desk.show(letter_id))["body"])["data"] | {"version": 1}
        del data["item"][PRIVATE_MASK]
        with pytest.raises(Malformed):
            await desk.edit(letter_id, data)
        item = data["item"] | dict.fromkeys(TEXTS, "mine") | {"reference": None}
        assert await desk.edit(letter_id, data | {"item": item})

    @pytest.mark.parametrize("odd", ["broken", "too large", "UTF-16", "an array", "another type"])
    async def test_a_mask_is_never_sent_as_a_text(self, odd: str, office: Office) -> None:
        (letter_id,) = await buried(office, arrived(ODD[odd]))
        with pytest.raises(Malformed, match="written anew"):
            await desk_of(office).edit(
                letter_id, DATA | {"version": 1, "item": ITEM | {"title": PRIVATE_MASK}}
            )

    @pytest.mark.parametrize("odd", sorted(ODD))
    @pytest.mark.parametrize("given", FORGED, ids=range(len(FORGED)))
    @pytest.mark.parametrize("tenant", ["acme", None])
    def test_no_mask_brings_back_what_was_not_shown_as_one(
        self, tenant: str | None, given: dict[str, Any], odd: str
    ) -> None:
        """The mask of unknown names, put where none was, brought the whole item back as a public one."""
        reader = None if tenant is None else LetterReader(tenant_id=tenant, user_id="olga")
        with suppress(Malformed):
            mended = mend_message(
                ODD[odd], given, queue=QUEUE_OUTBOUND, message_id="m-2", owner=owner_of(ODD[odd]).tenant_id,
                first_failed_at=datetime(2026, 12, 1, tzinfo=UTC), reader=reader,
            )  # fmt: skip
            assert SECRET not in mended.note
            assert SECRET not in json.dumps(masked_document(json.loads(mended.body), reader=reader))

    async def test_nothing_of_an_unseen_message_goes_out(self, office: Office) -> None:
        """Another tenant's envelope and values are neither copied nor told."""
        body = as_bytes(EVENT | {"subject": SECRET, "data": DATA | {"tenant_id": "other", "version": SECRET}})
        (letter_id,) = await buried(office, arrived(body, tenant_id=None))
        desk = desk_of(office)
        await desk.edit(letter_id, DATA | {"version": 1})
        (sent,) = await office.rows(outbox)
        assert SECRET.encode() not in sent["body"]
        assert SECRET not in told(await desk.show(letter_id))


def test_an_error_is_told_without_what_it_quotes_however_it_does() -> None:
    """R27, R46: quotes in quotes, one quotation mark without its fellow, several lines."""
    for error in (
        KeyError(f'It\'s "x" {SECRET}'),
        ValueError(f"Invalid isoformat string: '{SECRET}"),
        ValueError(f'bad "{SECRET}\n{SECRET}"'),
        ValueError(f"bad `{SECRET}`"),
    ):
        assert SECRET not in describe_error(error)


def test_r46_the_masks_know_every_name_of_the_contract() -> None:
    """One that they do not know would hide all texts of its message from whoever has to mend it."""
    form = json.loads(a_body())
    form["data"]["item"] |= {"not_before": "2026-12-03T08:00:00Z", "not_after": "2026-12-04T17:00:00Z"}
    form["data"]["item"] |= {"start_date": "2026-12-03", "end_date": "2026-12-04"}
    named = dict.fromkeys((*ItemContent.model_fields, *DAY_FIELDS))
    form["data"]["item"] = named | form["data"]["item"]

    assert masked_document(form, reader=None) == form


def test_r46_of_a_private_call_its_window_is_shown_and_its_texts_are_not() -> None:
    """When something may be is no text of it."""
    form = json.loads(a_body())
    window = {"not_before": "2026-12-03T08:00:00Z", "start_date": "2026-12-03", "not_after": SECRET}
    form["data"]["item"] |= {**window, "private": True}
    shown = masked_document(form, reader=None)

    assert shown is not None
    assert shown["data"]["item"] == {**form["data"]["item"], "title": PRIVATE_MASK, "not_after": PRIVATE_MASK}
