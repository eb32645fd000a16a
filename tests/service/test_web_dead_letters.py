"""Dead letters over the API: operators alone, every verb, and what is refused (R30)."""

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from contracts.envelope import ItemChanged, decode
from contracts.messages import QUEUE_INBOUND, QUEUE_OUTBOUND, REPLAY_EXCHANGE
from contracts.ports import REPLAY_HEADER
from contracts.tracing import trace_id_of
from service.operations import PRIVATE_MASK, DeadLetters, LetterConflict
from service.store.messages.burying import NewDeadLetter, bury, resolve
from service.store.messages.inbox import known
from service.store.tables import outbox
from tests.support.letters import DATA, ITEM, a_body, a_letter
from tests.support.office import Office

API = "/api/v1/dead-letters"
NOBODY = "0192e4c1-7a00-7000-8000-0000000000aa"
FIELDS = {
    "id", "queue", "message_id", "trace_id", "source", "code", "field", "reason", "exception", "attempts",
    "first_failed_at", "last_failed_at", "tenant_id", "integration_id", "item_key", "group", "state",
    "body", "body_encoding", "acts",
}  # fmt: skip


async def buried(office: Office, *letters: NewDeadLetter, later: float = 0) -> list[str]:
    """Their ids, newest first."""
    async with office.store.begin() as connection:
        await bury(connection, letters, now=office.clock.now() + timedelta(seconds=later))
    return [one["id"] for one in (await listed(office))["items"]]


async def listed(office: Office, query: str = "", user: str = "olga") -> Any:
    answer = await office.get(f"{API}{query}", user, role="operator")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def act(office: Office, path: str, form: Any = None, user: str = "olga") -> httpx.Response:
    headers = office.bearer(user, role="operator")
    return await office.client.post(f"{API}{path}", json=form, headers=headers)


async def shown(office: Office, letter_id: str, user: str = "olga") -> Any:
    answer = await office.get(f"{API}/{letter_id}", user, role="operator")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def outgoing(office: Office) -> list[dict[str, Any]]:
    rows = await office.rows(outbox)
    return sorted((row for row in rows if row["exchange"] == REPLAY_EXCHANGE), key=lambda row: row["id"])


class TestWhoSeesWhat:
    """R30: operators alone; 404 for what is not yours."""

    @pytest.mark.parametrize("role", ["user", "administrator"])
    async def test_dead_letters_are_404_to_whoever_is_no_operator(self, role: str, office: Office) -> None:
        (letter_id,) = await buried(office, a_letter())
        headers = office.bearer("boss", role=role)
        for method, rest, form in (
            ("GET", "", None),
            ("GET", "/groups", None),
            ("GET", f"/{letter_id}", None),
            ("POST", "/replay", {"ids": [letter_id]}),
            ("POST", "/replay/stop", None),
            ("POST", f"/{letter_id}/discard", {"reason": "x"}),
            ("POST", f"/{letter_id}/undo", None),
            ("POST", f"/{letter_id}/edit", {"data": DATA}),
        ):
            answer = await office.client.request(method, f"{API}{rest}", json=form, headers=headers)
            assert answer.status_code == 404, (method, rest, answer.text)
        assert (await shown(office, letter_id))["state"] == "open"

    async def test_nobody_is_401(self, office: Office) -> None:
        assert (await office.client.get(API)).status_code == 401

    async def test_an_operator_sees_the_tenants_letters_and_those_of_nobody(self, office: Office) -> None:
        """A letter that nobody sees would be lost."""
        await buried(office, a_letter(1), a_letter(2, tenant_id="other"), a_letter(3, tenant_id=None))

        seen = {one["message_id"]: one["id"] for one in (await listed(office))["items"]}
        assert set(seen) == {"e-1", "e-3"}
        elsewhere = await office.get(API, "omar", role="operator", tenant="other")
        theirs = {one["message_id"]: one["id"] for one in elsewhere.json()["items"]}
        assert set(theirs) == {"e-2", "e-3"}
        for path, form in (
            ("/replay", {"ids": [theirs["e-2"]]}),
            (f"/{theirs['e-2']}/discard", {"reason": "x"}),
            (f"/{theirs['e-2']}/undo", None),
            (f"/{theirs['e-2']}/edit", {"data": DATA | {"version": 1}}),
        ):
            assert (await act(office, path, form)).status_code == 404
        assert (await act(office, "/replay", {"filter": {}, "expect": 9})).json() == {"count": 2}

    @pytest.mark.parametrize(
        "body",
        [
            a_body(item=ITEM | {"private": True, "title": "Dentist", "description": "root canal"}),
            a_body(item=ITEM | {"private": True, "title": "Dentist"}).replace(b'"e-1"', b'"e-1'),
            a_body(item=ITEM | {"private": True, "title": "Dentist \xff"}).replace(b"\\u00ff", b"\xff"),
        ],
    )
    async def test_texts_of_private_items_are_masked(self, body: bytes, office: Office) -> None:
        """R27, however broken the message is."""
        (letter_id,) = await buried(office, a_letter(body=body))
        letter = await shown(office, letter_id)
        assert "Dentist" not in json.dumps(letter)
        assert letter["body_encoding"] == ("base64" if b"\xff" in body else "utf-8")

    async def test_an_item_is_not_hidden_from_its_owner(self, office: Office) -> None:
        (letter_id,) = await buried(office, a_letter(body=a_body(item=ITEM | {"private": True})))
        assert "Call" not in (await shown(office, letter_id))["body"]
        assert "Call" in (await shown(office, letter_id, user="u-17"))["body"]


class TestReading:
    """R30: list, filter, group by cause, show."""

    async def test_a_letter_has_exactly_its_fields(self, office: Office) -> None:
        (letter_id,) = await buried(office, a_letter())
        letter = await shown(office, letter_id)
        assert set(letter) == FIELDS
        assert letter == (await listed(office))["items"][0]
        assert letter["body"] == a_body().decode()
        assert letter["attempts"] == [{"at": letter["first_failed_at"], "error": letter["reason"]}]

    @pytest.mark.parametrize("whole", [True, False])
    async def test_a_letter_names_the_publishers_trace_or_the_one_it_always_has(
        self, whole: bool, office: Office
    ) -> None:
        """The same that log lines and log entries name, also of bytes that are no message."""
        trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        traced = json.dumps(
            json.loads(a_body()) | {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
        ).encode()
        (letter_id,) = await buried(office, a_letter(body=traced if whole else traced[:-1]))
        expected = trace if whole else trace_id_of("/vorex/acme", "e-1")
        assert (await shown(office, letter_id))["trace_id"] == expected

    async def test_what_stands_around_a_letter_is_told_beside_it(self, office: Office) -> None:
        """R30: headers, the integration as it stands, and what a replay would do now."""
        integration_id = await office.finished()
        body = a_body(version=1)
        (letter_id,) = await buried(office, a_letter(body=body, integration_id=integration_id))

        answer = await office.get(f"{API}/{letter_id}/context", "olga", role="operator")

        told = answer.json()
        assert set(told) == {"headers", "routing_key", "integration", "forecast"}
        assert told["integration"]["account_name"] == "sam@contoso.example"
        assert told["integration"]["status"] == "connected"
        (one,) = told["forecast"]
        assert (one["outcome"], one["integration_id"]) == ("held", integration_id)
        assert "has not been read for the first time yet" in one["said"]
        for path, role in ((f"/{NOBODY}/context", "operator"), (f"/{letter_id}/context", "administrator")):
            assert (await office.get(f"{API}{path}", "olga", role=role)).status_code == 404

    async def test_letters_are_found_by_every_filter(self, office: Office) -> None:
        await buried(office, a_letter(1))
        await buried(office, a_letter(2, queue=QUEUE_INBOUND, code="bug", integration_id=NOBODY), later=60)
        new = (await listed(office))["items"][0]
        since = new["last_failed_at"].replace("Z", "+00:00").replace("+", "%2B")
        for query in (
            "?queue=calendar-sync.inbound",
            "?queue=inbound",
            "?code=bug",
            f"?since={since}",
            f"?integration={NOBODY}",
            f"?group={new['group']}",
            "?code=bug&state=open",
        ):
            assert [one["message_id"] for one in (await listed(office, query))["items"]] == ["e-2"], query
        assert (await listed(office, "?state=discarded"))["items"] == []

    async def test_letters_are_paged_newest_first(self, office: Office) -> None:
        ids = await buried(office, *(a_letter(number) for number in range(5)))
        first = await listed(office, "?limit=3")
        second = await listed(office, f"?limit=3&after={first['next']}")
        assert [one["id"] for one in first["items"] + second["items"]] == ids
        assert second["next"] is None

    @pytest.mark.parametrize("query", ["?limit=0", "?after=x", "?since=yesterday", "?code=odd", "?state=odd"])
    async def test_what_is_asked_wrongly_is_422(self, query: str, office: Office) -> None:
        answer = await office.get(f"{API}{query}", "olga", role="operator")
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == query[1:].partition("=")[0]

    async def test_letters_with_one_cause_are_one_group(self, office: Office) -> None:
        await buried(office, a_letter(1), a_letter(2), a_letter(3, code="bug", reason="KeyError"))
        answer = await listed(office, "/groups?state=open")
        assert [(one["count"], one["code"]) for one in answer["items"]] == [(2, "malformed"), (1, "bug")]


class TestReplay:
    """R30: one, many, by filter, at a rate; one outstanding replay each."""

    async def test_a_replay_is_accepted_once(self, office: Office) -> None:
        """T19: the second click, and the second operator, are told 409."""
        (letter_id,) = await buried(office, a_letter())
        assert (await act(office, "/replay", {"ids": [letter_id]})).json() == {"count": 1}
        for user in ("olga", "omar"):
            again = await act(office, "/replay", {"ids": [letter_id]}, user)
            assert (again.status_code, again.json()["code"]) == (409, "replaying")
        (row,) = await outgoing(office)
        assert (row["message_id"], row["body"]) == ("e-1", a_body())
        assert row["headers"] == {REPLAY_HEADER: letter_id}
        letter = await shown(office, letter_id)
        assert letter["state"] == "replaying"
        assert [(one["who"], one["act"]) for one in letter["acts"]] == [("olga", "replay")]

    async def test_replays_go_out_at_their_rate(self, office: Office) -> None:
        """Five a second unless another rate is asked for."""
        ids = await buried(office, *(a_letter(number) for number in range(4)))
        assert (await act(office, "/replay", {"ids": ids[:2]})).status_code == 202
        slow = await act(office, "/replay", {"filter": {}, "expect": 2, "rate": 0.5})
        assert slow.json() == {"count": 2}
        moments = [row["due_at"] - office.clock.now().timestamp() for row in await outgoing(office)]
        assert moments == pytest.approx([0, 0.2, 0, 2])

    async def test_a_filter_is_held_to_the_number_that_was_seen(self, office: Office) -> None:
        await buried(office, a_letter(1), a_letter(2), a_letter(3, code="bug"))
        form = {"filter": {"code": "malformed"}, "expect": 1}
        grown = await act(office, "/replay", form)
        assert (grown.status_code, grown.json()["code"]) == (409, "more_than_expected")
        assert await outgoing(office) == []
        dry = await act(office, "/replay", {"filter": {"code": "malformed"}, "dry_run": True})
        assert (dry.status_code, dry.json()) == (202, {"count": 2})
        assert await outgoing(office) == []
        assert (await act(office, "/replay", form | {"expect": 2})).json() == {"count": 2}

    @pytest.mark.parametrize(
        ("form", "field"),
        [
            ({}, "ids"),
            ({"ids": []}, "ids"),
            ({"ids": [NOBODY], "filter": {}, "expect": 1}, "ids"),
            ({"filter": {}}, "expect"),
            ({"filter": {"kind": "bug"}, "expect": 1}, "filter.kind"),
            ({"filter": {"since": "2h"}, "expect": 1}, "filter.since"),
            ({"ids": [NOBODY], "rate": 0}, "rate"),
        ],
    )
    async def test_a_replay_that_is_asked_wrongly_is_422(
        self, form: dict[str, Any], field: str, office: Office
    ) -> None:
        answer = await act(office, "/replay", form)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field), answer.text

    async def test_of_many_one_that_is_not_there_leaves_all_untouched(self, office: Office) -> None:
        (letter_id,) = await buried(office, a_letter())
        answer = await act(office, "/replay", {"ids": [letter_id, NOBODY]})
        assert answer.status_code == 404
        assert (await shown(office, letter_id))["state"] == "open"

    async def test_replays_that_wait_can_be_stopped(self, office: Office) -> None:
        """They are open again and the inbox knows them; what has gone out has gone out."""
        ids = await buried(office, *(a_letter(number) for number in range(6)))
        await act(office, "/replay", {"filter": {}, "expect": 6, "rate": 1})

        assert (await act(office, f"/{ids[0]}/undo")).json()["state"] == "open"
        assert (await act(office, f"/{ids[-1]}/undo")).status_code == 409
        assert (await act(office, "/replay/stop")).json() == {"count": 2}

        states = [one["state"] for one in (await listed(office))["items"]]
        assert states == ["open"] * 3 + ["replaying"] * 3
        assert [one["act"] for one in (await shown(office, ids[1]))["acts"]] == ["replay", "stop"]
        assert len(await outgoing(office)) == 3
        async with office.store.read() as connection:
            keys = [("/vorex/acme", f"e-{number}") for number in range(6)]
            assert set(await known(connection, QUEUE_OUTBOUND, keys)) == set(keys[3:])


class TestOtherActs:
    """R30: discard with a reason and undo; edit the malformed."""

    async def test_discarding_takes_a_reason_and_can_be_undone(self, office: Office) -> None:
        (letter_id,) = await buried(office, a_letter())
        for wrong in ({}, {"reason": "  "}, {"reason": "a\0"}):
            assert (await act(office, f"/{letter_id}/discard", wrong)).status_code == 422
        gone = await act(office, f"/{letter_id}/discard", {"reason": "a test"})
        assert gone.json()["state"] == "discarded"
        again = await act(office, f"/{letter_id}/discard", {"reason": "a test"})
        assert (again.status_code, again.json()["code"]) == (409, "not_open")
        back = (await act(office, f"/{letter_id}/undo", user="omar")).json()
        acts = [(one["who"], one["act"], one["note"]) for one in back["acts"]]
        assert acts == [("olga", "discard", "a test"), ("omar", "undo", None)]
        assert (await act(office, f"/{letter_id}/undo")).status_code == 409

    async def test_an_edited_message_goes_out_under_a_new_id(self, office: Office) -> None:
        """The original is kept as it came, with the difference in its act."""
        (letter_id,) = await buried(office, a_letter())
        answer = await act(office, f"/{letter_id}/edit", {"data": DATA | {"version": 3}})
        assert answer.status_code == 201
        new, old = answer.json(), await shown(office, letter_id)
        assert (old["state"], old["body"]) == ("edited", a_body().decode())
        assert (old["acts"][0]["act"], old["acts"][0]["note"]) == ("edit", "version: 0 → 3")
        assert new["id"] != letter_id
        assert new["state"] == "replaying"
        (row,) = await outgoing(office)
        message = decode(row["body"], expected=ItemChanged)
        assert (message.id, message.data.version) == (new["message_id"], 3)
        assert message.id == row["message_id"] != "e-1"

    async def test_what_is_still_wrong_is_named_and_nothing_is_done(self, office: Office) -> None:
        (letter_id,) = await buried(office, a_letter())
        answer = await act(office, f"/{letter_id}/edit", {"data": DATA | {"version": -1}})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "data.version")
        assert (await shown(office, letter_id))["state"] == "open"

    async def test_masked_texts_stay_as_they_were(self, office: Office) -> None:
        """An operator mends a private item without reading it; the diff does not tell it either."""
        item = ITEM | {"private": True, "title": "Dentist", "description": "root canal"}
        (letter_id,) = await buried(office, a_letter(body=a_body(item=item)))
        data = json.loads((await shown(office, letter_id))["body"])["data"]
        assert data["item"]["title"] == PRIVATE_MASK
        data["version"], data["item"]["description"] = 1, "other words"
        assert (await act(office, f"/{letter_id}/edit", {"data": data})).status_code == 201
        (row,) = await outgoing(office)
        sent = decode(row["body"], expected=ItemChanged).data.item
        assert (sent.title, sent.description) == ("Dentist", "other words")
        note = (await shown(office, letter_id))["acts"][0]["note"]
        assert note == f"item.description: {PRIVATE_MASK} → {PRIVATE_MASK}; version: 0 → 1"

    async def test_only_malformed_messages_can_be_edited(self, office: Office) -> None:
        (letter_id,) = await buried(office, a_letter(code="bug"))
        answer = await act(office, f"/{letter_id}/edit", {"data": DATA | {"version": 3}})
        assert (answer.status_code, answer.json()["code"]) == (409, "not_malformed")

    @pytest.mark.parametrize("body", [b"not json", b"[]", a_body().replace(b"2026-12-01T08:00:00Z", b"soon")])
    async def test_whatever_came_can_be_mended(self, body: bytes, office: Office) -> None:
        """Also where nothing of its envelope can be used."""
        (letter_id,) = await buried(office, a_letter(body=body))
        answer = await act(office, f"/{letter_id}/edit", {"data": DATA | {"version": 3}})
        assert answer.status_code == 201, answer.text

    async def test_an_edited_message_that_fails_again_can_be_edited_again(self, office: Office) -> None:
        """Its own letter opens; one that goes well is resolved."""
        (letter_id,) = await buried(office, a_letter())
        new = (await act(office, f"/{letter_id}/edit", {"data": DATA | {"version": 3}})).json()
        (row,) = await outgoing(office)
        failed = a_letter(message_id=new["message_id"], body=row["body"], headers={REPLAY_HEADER: new["id"]})
        await buried(office, failed)
        assert (await shown(office, new["id"]))["state"] == "open"
        newer = await act(office, f"/{new['id']}/edit", {"data": DATA | {"version": 4}})
        assert newer.status_code == 201
        async with office.store.begin() as connection:
            await resolve(connection, [newer.json()["id"]], now=office.clock.now())
        assert (await shown(office, newer.json()["id"]))["state"] == "resolved"

    async def test_an_edit_speaks_for_nobody_elses_tenant(self, office: Office) -> None:
        """An operator mends the own tenant's messages, and whatever nobody can tell whose it is."""
        theirs = await office.connect(tenant="other")
        notice = {"received_at": "2026-12-01T08:00:00Z", "notification": {"type": "change"}}
        forms = (*[DATA | {"tenant_id": "other", "version": 3}] * 2, notice | {"integration_id": theirs})
        letters = (a_letter(), a_letter(2, tenant_id=None), a_letter(3, tenant_id=None, queue=QUEUE_INBOUND))
        ids = reversed(await buried(office, *letters))
        for letter_id, data in zip(ids, forms, strict=True):
            answer = await act(office, f"/{letter_id}/edit", {"data": data})
            assert answer.status_code == 422, answer.text
            assert answer.json()["errors"][0]["rule"].endswith("your tenant")
            assert (await shown(office, letter_id))["state"] == "open"
        assert await outgoing(office) == []

    async def test_undo_takes_back_all_or_none(self, office: Office) -> None:
        """One on its way already leaves the other's replay as it is."""
        ids = await buried(office, *(a_letter(number, code="refused") for number in range(2)))
        assert (await act(office, "/replay", {"ids": ids[:1]})).status_code == 202
        await act(office, "/replay", {"filter": {}, "expect": 1, "rate": 0.001})
        waiting = DeadLetters(office.store, who="olga")
        async with office.store.begin() as connection:
            await connection.execute(
                update(outbox).where(outbox.c.letter_id == ids[1]).values(due_at=outbox.c.due_at + 3600)
            )

        with pytest.raises(LetterConflict):
            await waiting.undo(ids)

        assert [(await shown(office, one))["state"] for one in ids] == ["replaying", "replaying"]
        assert await waiting.undo(ids[1:]) == 1
