"""What of a message everybody may read who may read of it at all: a list of what is public (R46).

Not here: whose a message is (``ownership``), and the form in which a letter is shown.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from contracts.envelope import ItemChanged, NoticeReceived, PersonLeft, RunRequested, SessionRevoked
from contracts.fields import LARGEST_VERSION, is_identifier, is_source, is_zone
from contracts.vorex import Action, ActorKind, DescriptionFormat, ItemType, ShowAs

PRIVATE_MASK = "[private]"
"""Stands for a text, and once for all names that the contract does not know."""
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?([Zz]|[+-][0-9]{2}:?[0-9]{2})?)?"
)
"""The form of a time, whether or not there is such a one."""
_TRACE = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")

PublicWhere = Callable[[object], bool] | Mapping[str, Any]
"""Which values are public whoever's they are; of an object, by name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LetterReader:
    """Who reads; to the owner of an item nothing of it is hidden."""

    tenant_id: str
    user_id: str


def _never(_: object) -> bool:
    return False


def _is_switch(value: object) -> bool:
    return isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int) and abs(value) <= LARGEST_VERSION


def _one_of(*words: str) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and value in words


def _like(pattern: re.Pattern[str]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _are_identifiers(value: object) -> bool:
    return isinstance(value, list) and all(is_identifier(one) for one in value)


_ENVELOPE: Mapping[str, PublicWhere] = {
    "specversion": _one_of("1.0"),
    "type": is_identifier,
    "id": is_identifier,
    "source": is_source,
    "subject": _never,
    "time": _like(_TIME),
    "datacontenttype": _one_of("application/json"),
    "traceparent": _like(_TRACE),
    "tracestate": _never,
}
_ITEM: Mapping[str, PublicWhere] = {
    "id": is_identifier,
    "type": _one_of(*ItemType),
    "title": _never,
    "description": _never,
    "description_format": _one_of(*DescriptionFormat),
    "location": _never,
    "all_day": _is_switch,
    "start": _like(_TIME),
    "end": _like(_TIME),
    "start_date": _like(_TIME),
    "end_date": _like(_TIME),
    "not_before": _like(_TIME),
    "not_after": _like(_TIME),
    "time_zone": is_zone,
    "private": _is_switch,
    "show_as": _one_of(*ShowAs),
    "completed": _is_switch,
    "account_name": _never,
    "reference": {"label": _never, "url": _never},
    "assignees": _are_identifiers,
}
_PERSON: Mapping[str, PublicWhere] = {"tenant_id": is_identifier, "user_id": is_identifier}
_DATA: Mapping[str, Mapping[str, PublicWhere]] = {
    ItemChanged.type_word(): {
        "tenant_id": is_identifier,
        "action": _one_of(*Action),
        "version": _is_number,
        "seen_version": _is_number,
        "actor": {"kind": _one_of(*ActorKind), "id": is_identifier},
        "item": _ITEM,
    },
    NoticeReceived.type_word(): {
        "integration_id": is_identifier,
        "received_at": _like(_TIME),
        "notification": {
            "type": _like(re.compile(r"[a-z_]{1,64}")),
            "changes_since": _like(_TIME),
        },
        "channel": {"channel_id": is_identifier},
    },
    RunRequested.type_word(): {
        "run_id": is_identifier,
        "integration_id": is_identifier,
        "step": _is_number,
    },
    SessionRevoked.type_word(): _PERSON,
    PersonLeft.type_word(): _PERSON,
}


def masked_document(document: Any, *, reader: LetterReader | None) -> dict[str, Any] | None:
    """The message without what is not known to be public; None where that is all of it.

    Public are the texts of an item that says that it is not private, where the contract knows every
    name in the message: an unknown one may be what should have said so. From an assignee of the item
    nothing is hidden.
    """
    if not isinstance(document, dict) or not isinstance(document.get("data"), dict):
        return None
    where = _DATA.get(kind) if isinstance(kind := document.get("type"), str) else None
    if where is None or _owns(reader, document["data"]):
        return None if where is None else document
    rules = {**_ENVELOPE, "data": where}
    shown: dict[str, Any] = _known(
        document, rules, openly=_is_open(document["data"]) and _is_told(document, rules)
    )
    return shown


def _known(value: Any, where: PublicWhere, *, openly: bool) -> Any:
    """What is public; ``openly`` other plain values under known names as well."""
    if isinstance(where, Mapping):
        if not isinstance(value, dict):
            return value if value is None else PRIVATE_MASK
        kept = {
            name: _known(inner, where[name], openly=openly) for name, inner in value.items() if name in where
        }
        return kept if len(kept) == len(value) else kept | {PRIVATE_MASK: PRIVATE_MASK}
    if value is None or value == "" or where(value) or (openly and _is_plain(value)):
        return value
    return PRIVATE_MASK


def _is_plain(value: object) -> bool:
    return all(isinstance(one, str | int | float) for one in (value if isinstance(value, list) else [value]))


def _is_open(data: Mapping[str, Any]) -> bool:
    """Whether these are an item's data and leave no doubt that it is not private."""
    item = data.get("item")
    return isinstance(item, dict) and (item.get("private") is None or item["private"] is False)


def _is_told(value: Any, where: PublicWhere) -> bool:
    """Whether every name is one that the contract knows."""
    if not isinstance(where, Mapping) or not isinstance(value, dict):
        return True
    return all(name in where and _is_told(inner, where[name]) for name, inner in value.items())


def _owns(reader: LetterReader | None, data: Mapping[str, Any]) -> bool:
    if reader is None or data.get("tenant_id") != reader.tenant_id or not isinstance(data.get("item"), dict):
        return False
    assignees = data["item"].get("assignees")
    return isinstance(assignees, list) and reader.user_id in assignees


def plain_json(value: object, *, indent: int | None = None) -> str:
    """JSON as text that can be sent: half a surrogate pair, which cannot, stays escaped."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, indent=indent)
    return text
