"""Vorex, as far as a demonstration needs it: a dispatcher who hands out service calls."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from contracts.calendar import Item, ItemRef, item_ref
from contracts.envelope import ItemChanged, encode
from contracts.messages import ITEMS_EXCHANGE
from contracts.ports import Outgoing
from contracts.vorex import Action, ActorKind, ItemContent, ItemType
from service.integrations import Person
from service.store.engine.ids import new_id
from service.store.engine.store import Store
from service.store.items import items
from service.store.messages.outbox import enqueue

DispatcherAct = Literal["reassign", "take_back", "complete", "delete"]
COLLEAGUE = "demo-colleague"
MOST_OPEN_CALLS = 6
_CALLS = (
    ("Replace the firewall", "Contoso", "Contoso HQ, server room"),
    ("Printer on the third floor", "Fabrikam", "Fabrikam, Mill Lane 4"),
    ("Move mailboxes of the sales team", "Northwind", "Remote"),
    ("New laptop for Ms Meyer", "Adventure Works", "Adventure Works, reception"),
    ("Backup has failed twice", "Contoso", "Remote"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class HandedOutCall:
    """A service call that was handed out here; without an item its message is still on its way."""

    id: str
    title: str
    item: Item | None
    mine: bool

    @property
    def state(self) -> str:
        if self.item is None:
            return "on its way"
        if self.item.deleted:
            return "deleted"
        who = "assigned to you" if self.mine else "assigned to Alex"
        done = self.item.content is not None and self.item.content.completed
        return f"{who}, completed" if done else who


@dataclass(kw_only=True, slots=True)
class Dispatcher:
    """Publishes item-changed events on ``vorex.items``, as Vorex does."""

    store: Store
    handed_out: dict[tuple[str, str], list[tuple[str, str]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """Ids and titles by person; forgotten with the process."""
    published: dict[ItemRef, Item] = field(default_factory=dict)
    """Calls as they were published last, while the message is on its way."""

    async def calls(self, person: Person) -> Sequence[HandedOutCall]:
        """The newest first; deleted ones are gone."""
        known = self.handed_out[person.tenant_id, person.user_id][-MOST_OPEN_CALLS:]
        found = await self._load(person, [id_ for id_, _ in known])
        calls = [
            HandedOutCall(
                id=id_,
                title=title,
                item=(item := found.get(_ref(person, id_))),
                mine=item is None or person.user_id in item.assignees,
            )
            for id_, title in reversed(known)
        ]
        return [call for call in calls if call.state != "deleted"]

    async def assign(self, person: Person) -> None:
        """A new service call for this person, on one of these days."""
        mine = self.handed_out[person.tenant_id, person.user_id]
        title, account, location = _CALLS[len(mine) % len(_CALLS)]
        id_ = new_id()
        starts = _one_of_these_days(len(mine))
        content = {
            "id": id_,
            "type": ItemType.SERVICE_CALL,
            "title": title,
            "account_name": account,
            "location": location,
            "description": "Call before you leave.",
            "start": starts,
            "end": starts + timedelta(hours=2),
            "time_zone": person.time_zone,
            "reference": {"label": f"T{starts:%Y%m%d}.{len(mine) + 1:04}", "url": "https://vorex.example/t"},
            "assignees": [person.user_id],
        }
        mine.append((id_, title))
        await self._publish(person, Action.CREATED, content, known=None)

    async def change(self, person: Person, id_: str, act: DispatcherAct) -> None:
        """What the dispatcher does with it; nothing where it is not one of these calls, or not there yet."""
        if id_ not in {known for known, _ in self.handed_out[person.tenant_id, person.user_id]}:
            return
        known = (await self._load(person, [id_])).get(_ref(person, id_))
        if known is None or known.content is None or known.deleted:
            return
        changed: dict[DispatcherAct, dict[str, Any]] = {
            "reassign": {"assignees": [COLLEAGUE]},
            "take_back": {"assignees": [person.user_id]},
            "complete": {"completed": True},
            "delete": {},
        }
        action = Action.DELETED if act == "delete" else Action.UPDATED
        content = {**known.content.to_json_dict(), **changed[act]}
        await self._publish(person, action, content, known=known)
        self.published[known.ref] = replace(
            known,
            version=known.version + 1,
            deleted=action is Action.DELETED,
            content=ItemContent.from_json_dict(content),
        )

    async def _load(self, person: Person, ids: Sequence[str]) -> Mapping[ItemRef, Item]:
        async with self.store.read() as connection:
            stored = await items.load(connection, [_ref(person, id_) for id_ in ids])
        return {ref: self._newest(item) for ref, item in stored.items()}

    def _newest(self, stored: Item) -> Item:
        own = self.published.get(stored.ref)
        if own is not None and own.version > stored.version:
            return own
        self.published.pop(stored.ref, None)
        return stored

    async def _publish(
        self, person: Person, action: Action, content: Mapping[str, Any], *, known: Item | None
    ) -> None:
        async with self.store.begin() as connection:
            now = await self.store.moment(connection)
            message = _message(person, action, content, known=known, now=now)
            outgoing = Outgoing(
                exchange=ITEMS_EXCHANGE,
                routing_key=message.routing_key,
                body=encode(message),
                message_id=message.id,
            )
            await enqueue(connection, [outgoing], now=now.timestamp())


def _message(
    person: Person, action: Action, content: Mapping[str, Any], *, known: Item | None, now: datetime
) -> ItemChanged:
    data = {
        "tenant_id": person.tenant_id,
        "action": action,
        "version": known.version + 1 if known else 1,
        "seen_version": known.sync_version if known else 0,
        "actor": {"kind": ActorKind.USER, "id": "demo-dispatcher"},
        "item": dict(content),
    }
    return ItemChanged.model_validate(
        {
            "specversion": "1.0",
            "type": ItemChanged.type_word(),
            "id": new_id(),
            "source": f"/vorex/{person.tenant_id}",
            "subject": f"{content['type']}/{content['id']}",
            "time": now,
            "data": data,
        }
    )


def _ref(person: Person, id_: str) -> ItemRef:
    return item_ref(person.tenant_id, ItemType.SERVICE_CALL, id_)


def _one_of_these_days(number: int) -> datetime:
    """Today for the first, where the calendars show it; later ones follow."""
    today = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0)
    return today + timedelta(days=number % 3, hours=number % 4 * 2)
