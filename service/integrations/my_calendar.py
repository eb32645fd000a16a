"""My Calendar, read and edited in Vorex's place: what changes is published as Vorex would (G17)."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from pydantic import ValidationError

from contracts.calendar import KEY_SEPARATOR, Item, ItemRef, item_ref
from contracts.envelope import ItemChanged, decode, encode, malformed_message
from contracts.errors import Malformed
from contracts.messages import ITEMS_EXCHANGE
from contracts.ports import Outgoing
from contracts.vorex import Action, ActorKind, ItemType
from handlers.versions import judge_version
from service.integrations.ownership import Person
from service.integrations.refusals import ChangedMeanwhile, Conflict, Invalid, Unknown
from service.store.engine.ids import new_id
from service.store.engine.store import AsyncConnection, IntegrityError, Store
from service.store.integrations import changes_made
from service.store.integrations.changes_made import APPOINTMENTS_A_PERSON
from service.store.items import items, my_calendar
from service.store.items.items import ItemCarrier
from service.store.items.my_calendar import (
    EVERY_ITEM,
    ItemFilter,
    Meeting,
    MonthItem,
    PagePosition,
    RangeBound,
    RowShape,
)
from service.store.links import claims
from service.store.messages.outbox import enqueue
from service.store.runs.runs import UNDO_LIMIT

TOO_MANY_APPOINTMENTS = (
    f"You have {APPOINTMENTS_A_PERSON:,} appointments, as many as one person may have. Delete some first."
)
NOT_OURS = "This kind of item is edited in Vorex itself."
DELETED_SINCE = (
    "What this form added was deleted since. To have it back, undo the deletion under Deleted appointments; "
    "to add another one, open a new form."
)
DELETED_BY_OTHERS = "Somebody else deleted it in Vorex, where it can be made anew."
DELETED_THERE = "It was deleted in a linked calendar, where it can be made anew."
DELETED_LOOKS = 5
NOT_ADDED = "It could not be added with this form. Open a new form and add it there."
_ONCE_SPACE = uuid.UUID("3b0c5d0e-6a0b-5c5e-9d53-5f5d6a1f7c42")
ItemForm = Mapping[str, Any]
_Shown = TypeVar("_Shown")


class MyCalendar:
    """A person's items. What is not theirs is Unknown; only their own appointments can be edited."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def items(
        self,
        person: Person,
        shape: RowShape[_Shown],
        *,
        since: RangeBound | None,
        until: RangeBound | None,
        after: PagePosition | None = None,
        limit: int,
        wanted: ItemFilter = EVERY_ITEM,
    ) -> Sequence[tuple[_Shown, PagePosition]]:
        """So much of the items that touch the range, by start, each with the place behind it."""
        async with self._store.read() as connection:
            return await my_calendar.page(
                connection,
                person.tenant_id,
                person.user_id,
                shape,
                since=since,
                until=until,
                after=after,
                limit=limit,
                wanted=wanted,
            )

    async def meetings(self, person: Person, shown: Collection[Item]) -> Mapping[ItemRef, Meeting]:
        """The meetings behind these of the person's items (R40)."""
        async with self._store.read() as connection:
            refs = [item.ref for item in shown]
            return await my_calendar.meetings(connection, person.tenant_id, person.user_id, refs)

    async def glances(
        self,
        person: Person,
        *,
        since: RangeBound,
        until: RangeBound,
        limit: int,
        wanted: ItemFilter = EVERY_ITEM,
    ) -> Sequence[MonthItem]:
        """As much of the items around the range as a month shows."""
        owner = (person.tenant_id, person.user_id)
        async with self._store.read() as connection:
            return await my_calendar.glances(
                connection, *owner, since=since, until=until, limit=limit, wanted=wanted
            )

    async def deleted(self, person: Person, *, limit: int) -> Sequence[Item]:
        """The appointments that they deleted within ``UNDO_LIMIT``, the last one first (R50).

        Those of others stand between: so many are looked at, ``DELETED_LOOKS`` times the limit at most.
        """
        owner, found = (person.tenant_id, person.user_id), list[Item]()
        async with self._store.read() as connection:
            since = await self._store.moment(connection) - UNDO_LIMIT
            for look in range(DELETED_LOOKS):
                some = await my_calendar.deleted(
                    connection, *owner, since=since, skip=look * limit, limit=limit
                )
                deleters = await _deleters(connection, some)
                found += [item for item in some if deleters[item.ref] in {None, person.user_id}]
                if len(some) < limit or len(found) >= limit:
                    break
        return found[:limit]

    async def can_restore(self, person: Person, item: Item) -> bool:
        """Whether ``restore`` would put this one back."""
        async with self._store.read() as connection:
            return await self._lasting(connection, person, item) is None

    async def _lasting(self, connection: AsyncConnection, person: Person, item: Item) -> str | None:
        """Why this deletion stays; None where it can be undone."""
        if reason := read_only_reason(item):
            return reason
        if item.changed_by is not None:
            return DELETED_THERE
        others = (await _deleters(connection, [item]))[item.ref] not in {None, person.user_id}
        return DELETED_BY_OTHERS if others else None

    async def add(self, person: Person, form: ItemForm, *, once: str | None = None) -> Item:
        """A new appointment of this person's; Invalid names the field at fault.

        ``once`` is a mark that the form carries: sent twice, it is added once. Raises Conflict where they
        have as many as one person may (R43), and where what the form added was deleted since.
        """
        whole = {**form, "type": ItemType.APPOINTMENT, "assignees": [person.user_id]}
        whole["id"] = id_once(person, once) if once is not None else new_id()
        try:
            async with self._store.begin() as connection:
                await _check_room(connection, person)
                known = await _added_before(connection, person, whole["id"]) if once is not None else None
                return known or await self._publish(connection, person, Action.CREATED, whole, known=None)
        except IntegrityError:  # whoever was first is looked at, and never written over
            async with self._store.read() as connection:
                if known := await _added_before(connection, person, whole["id"]):
                    return known
            raise Conflict("not_editable", NOT_ADDED) from None

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

    async def remove(self, person: Person, key: str, *, seen: int | None = None) -> None:
        """Delete the appointment; ``seen`` as in ``change``."""
        async with self._store.begin() as connection:
            known = await self._editable(connection, person, key)
            if seen is not None and known.version != seen:
                raise ChangedMeanwhile("The appointment was changed meanwhile.")
            whole = known.content.to_json_dict() if known.content else {"id": known.id, "type": known.type}
            await self._publish(connection, person, Action.DELETED, whole, known=known)

    async def restore(self, person: Person, key: str) -> Item:
        """The deleted appointment again, as it was, on both sides (R50); one that lives stays as it is."""
        async with self._store.begin() as connection:
            known = await _known(connection, person, key, lock=True, deleted=True)
            if not known.deleted:
                return known
            if reason := await self._lasting(connection, person, known):
                raise Conflict("not_editable", reason)
            await _check_room(connection, person)
            assert known.content is not None
            whole = known.content.to_json_dict()
            return await self._publish(connection, person, Action.UPDATED, whole, known=known)

    async def item(self, person: Person, key: str, *, deleted: bool = False) -> Item:
        """One of the person's items, whether it can be edited here or not; also a deleted one where asked."""
        async with self._store.read() as connection:
            return await _known(connection, person, key, deleted=deleted)

    async def reached(self, person: Person, refs: Collection[str]) -> frozenset[str]:
        """Those of these items that are the person's, and whose texts are still known; deleted ones too."""
        async with self._store.read() as connection:
            found = (await items.load(connection, [ItemRef(ref) for ref in refs])).values()
        return frozenset(item.ref for item in found if _is_of(person, item))

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
        store = items.add if known is None else items.save
        await store(connection, [(judged.item, carrier)], now=now)
        outgoing = Outgoing(
            exchange=ITEMS_EXCHANGE, routing_key=message.routing_key, body=body, message_id=message.id
        )
        await enqueue(connection, [outgoing], now=await self._store.now(connection))
        return judged.item


def id_once(person: Person, once: str) -> str:
    """The id of what a form with this mark adds for this person; no mark leads to anybody else's."""
    key = KEY_SEPARATOR.join((person.tenant_id, person.user_id, once.lower()))
    return str(uuid.uuid5(_ONCE_SPACE, key))


async def _added_before(connection: AsyncConnection, person: Person, item_id: str) -> Item | None:
    known = await _find(connection, person, f"{ItemType.APPOINTMENT.value}:{item_id}")
    if known is not None and known.deleted:
        raise Conflict("not_editable", DELETED_SINCE)
    return known


async def _known(
    connection: AsyncConnection, person: Person, key: str, *, lock: bool = False, deleted: bool = False
) -> Item:
    found = await _find(connection, person, key, lock=lock)
    if found is None or (found.deleted and not deleted):
        raise Unknown("There is no such item.")
    return found


async def _find(connection: AsyncConnection, person: Person, key: str, *, lock: bool = False) -> Item | None:
    """The person's item, living or deleted."""
    item_type, _, item_id = key.partition(":")
    ref = item_ref(person.tenant_id, item_type, item_id)
    known = (await items.load(connection, [ref], lock=lock)).get(ref)
    return known if known is not None and _is_of(person, known) else None


def _is_of(person: Person, item: Item) -> bool:
    mine = item.content is not None and person.user_id in item.content.assignees
    return mine and item.tenant_id == person.tenant_id


async def _deleters(connection: AsyncConnection, deleted: Sequence[Item]) -> Mapping[ItemRef, str | None]:
    """Who deleted each of these; "" for nobody in person, None where it is not known."""
    told = await claims.carriers(connection, [item.ref for item in deleted])
    return {item.ref: _deleter(told.get(item.ref)) for item in deleted}


def _deleter(carrier: ItemCarrier | None) -> str | None:
    try:
        actor = decode(carrier.body, expected=ItemChanged).data.actor if carrier else None
    except Malformed:  # what was stored before a limit was stated
        actor = None
    if actor is None:
        return None
    return actor.id or "" if actor.kind is ActorKind.USER else ""


async def _check_room(connection: AsyncConnection, person: Person) -> None:
    await changes_made.lock_person(connection, person.tenant_id, person.user_id)
    found = await my_calendar.count_appointments(
        connection, person.tenant_id, person.user_id, most=APPOINTMENTS_A_PERSON
    )
    if found >= APPOINTMENTS_A_PERSON:
        raise Conflict("limit_reached", TOO_MANY_APPOINTMENTS)


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
