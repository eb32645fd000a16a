"""What a dead letter is about as people call it: the item, whose it is, and which calendar (R30, R46)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.operations.masking import PRIVATE_MASK
from service.store.engine.store import AsyncConnection
from service.store.integrations import listing

MOST_PEOPLE_NAMED = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class LetterName:
    """A title, and whom it concerns; None where nothing may be said or is known."""

    title: str | None = None
    who: str | None = None


async def name_letters(
    connection: AsyncConnection, letters: Sequence[Mapping[str, Any]], *, tenant: str | None
) -> Mapping[str, LetterName]:
    """By the letters' ids, from the forms that this reader may see: what is masked there stays unsaid."""
    ids = {one["integration_id"] for one in letters if one["integration_id"]}
    named = await listing.names_of(connection, ids, tenant=tenant)
    return {one["id"]: _name(one, named) for one in letters}


def _name(letter: Mapping[str, Any], calendars: Mapping[str, str]) -> LetterName:
    given = data_of(letter["body"]).get("item")
    item = given if isinstance(given, dict) else {}
    title = item.get("title")
    people = item.get("assignees")
    who = calendars.get(letter["integration_id"] or "") or _people(people)
    shown = title if isinstance(title, str) and title.strip() and title != PRIVATE_MASK else None
    return LetterName(title=shown, who=who)


def data_of(body: str) -> Mapping[str, Any]:
    """The message's data, as far as it is an object."""
    try:
        form = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    data = form.get("data") if isinstance(form, dict) else None
    return data if isinstance(data, dict) else {}


def _people(given: object) -> str | None:
    people = [one for one in given if isinstance(one, str)] if isinstance(given, list) else []
    more = ["…"] if len(people) > MOST_PEOPLE_NAMED else []
    return ", ".join([*people[:MOST_PEOPLE_NAMED], *more]) or None
