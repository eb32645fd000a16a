"""My Calendar, read and edited in Vorex's place: what changes is published as Vorex would (G17)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from contracts.calendar import Item, item_ref
from contracts.envelope import ItemChanged, decode, encode, malformed_message
from contracts.errors import Malformed
from contracts.messages import ITEMS_EXCHANGE
from contracts.ports import Outgoing
from contracts.vorex import Action, ActorKind, ItemType
from handlers.versions import judge_version
from service.integrations.ownership import Person
from service.integrations.refusals import ChangedMeanwhile, Conflict, Invalid, Unknown
from service.store.engine.ids import new_id
from service.store.engine.store import AsyncConnection, Store
from service.store.items import items, my_calendar
from service.store.items.items import ItemCarrier
from service.store.items.my_calendar import MonthItem, PagePosition, RangeBound
from service.store.messages.outbox import enqueue

NOT_OURS = "This kind of item is edited in Vorex itself."
ItemForm = Mapping[str, Any]


class MyCalendar:
    """A person's items. What is not theirs is Unknown; only their own appointments can be edited."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def items(
        self,
        person: Person,
        *,
        since: RangeBound | None,
        until: RangeBound | None,
        after: PagePosition | None = None,
        limit: int,
    ) -> Sequence[tuple[Item, PagePosition]]:
        """The items that touch the range, by start, each with the place behind it."""
        async with self._store.read() as connection:
            return await my_calendar.page(
                connection,
                person.tenant_id,
                person.user_id,
                since=since,
                until=until,
                after=after,
                limit=limit,
            )

    async def glances(
        self, person: Person, *, since: RangeBound, until: RangeBound, limit: int
    ) -> Sequence[MonthItem]:
        """As much of the items around the range as a month shows."""
        async with self._store.read() as connection:
            return await my_calendar.glances(
                connection, person.tenant_id, person.user_id, since=since, until=until, limit=limit
            )

    async def add(self, person: Person, form: ItemForm) -> Item:
        """A new appointment of this person's; Invalid names the field at fault."""
        async with self._store.begin() as connection:
            whole = {**form, "id": new_id(), "type": ItemType.APPOINTMENT, "assignees": [person.user_id]}
            return await self._publish(connection, person, Action.CREATED, whole, known=None)

    async def change(self, person: Person, key: str, form: ItemForm, *, seen: int | None = None) -> Item:
        """The whole appointment anew; its id and assignees stay.

        ``seen`` is the version that the person had before them; Overtaken where it is another by now.
        """
        async with self._store.begin() as connection:
            known = await self._editable(connection, person, key)
            if seen is not None and known.version != seen:
                raise ChangedMeanwhile("The appointment was changed meanwhile.")
            whole = {**form, "id": known.id, "type": known.type, "assignees": list(known.assignees)}
            return await self._publish(connection, person, Action.UPDATED, whole, known=known)

    async def remove(self, person: Person, key: str) -> None:
        async with self._store.begin() as connection:
            known = await self._editable(connection, person, key)
            whole = known.content.to_json_dict() if known.content else {"id": known.id, "type": known.type}
            await self._publish(connection, person, Action.DELETED, whole, known=known)

    async def item(self, person: Person, key: str) -> Item:
        """One of the person's items, whether it can be edited here or not."""
        async with self._store.read() as connection:
            return await _known(connection, person, key)

    async def _editable(self, connection: AsyncConnection, person: Person, key: str) -> Item:
        known = await _known(connection, person, key, lock=True)
        if reason := read_only_reason(known):
            raise Conflict("not_editable", reason)
        return known

    async def _publish(
        self,
        connection: AsyncConnection,
        person: Person,
        action: Action,
        form: ItemForm,
        *,
        known: Item | None,
    ) -> Item:
        """Store the change as it would be judged on its arrival, and put its message into the outbox.

        The message that comes back is then equal to what is stored, and goes on to its links.
        """
        now = await self._store.moment(connection)
        message = _message(person, action, form, known=known, now=now)
        body = _encoded(message)
        judged = judge_version(known, message.data, time=message.time, source=message.source)
        carrier = ItemCarrier(source=message.source, message_id=message.id, body=body)
        await items.save(connection, [(judged.item, carrier)], now=now)
        outgoing = Outgoing(
            exchange=ITEMS_EXCHANGE, routing_key=message.routing_key, body=body, message_id=message.id
        )
        await enqueue(connection, [outgoing], now=await self._store.now(connection))
        return judged.item


async def _known(connection: AsyncConnection, person: Person, key: str, *, lock: bool = False) -> Item:
    item_type, _, item_id = key.partition(":")
    ref = item_ref(person.tenant_id, item_type, item_id)
    known = (await items.load(connection, [ref], lock=lock)).get(ref)
    if known is None or person.user_id not in known.assignees:
        raise Unknown("There is no such item.")
    return known


def read_only_reason(item: Item | MonthItem) -> str | None:
    """Why the item cannot be edited on My Calendar; None where it can (R8, R9)."""
    return item.read_only_reason if item.type is ItemType.APPOINTMENT else NOT_OURS


def _message(
    person: Person, action: Action, form: ItemForm, *, known: Item | None, now: datetime
) -> ItemChanged:
    data = {
        "tenant_id": person.tenant_id,
        "action": action,
        "version": known.version + 1 if known else 1,
        "seen_version": known.sync_version if known else 0,
        "actor": {"kind": ActorKind.USER, "id": person.user_id},
        "item": dict(form),
    }
    try:
        return ItemChanged.model_validate(
            {
                "specversion": "1.0",
                "type": ItemChanged.type_word(),
                "id": new_id(),
                "source": f"/vorex/{person.tenant_id}",
                "subject": f"{form['type']}/{form['id']}",
                "time": now,
                "data": data,
            }
        )
    except ValidationError as error:
        raise _invalid(malformed_message(error)) from None


def _encoded(message: ItemChanged) -> bytes:
    """The body, read back once: what is published here is never what a consumer must refuse."""
    try:
        body = encode(message)
        decode(body, expected=ItemChanged)
    except Malformed as error:
        raise _invalid(error) from None
    except ValueError:
        raise Invalid.one("body", "must be text that can be written as UTF-8") from None
    return body


def _invalid(error: Malformed) -> Invalid:
    return Invalid.one(error.field.removeprefix("data.").removeprefix("item."), error.rule)
