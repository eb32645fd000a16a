"""Mending many malformed messages alike: one change of the data, made to each of them (R30)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from contracts.errors import Malformed
from service.operations.dead_letters import DeadLetters
from service.operations.letters.letter_names import data_of
from service.store.messages.dead_letters import LetterConflict, LetterFilter, NoLetter

EDITED_AT_ONCE = 200
NO_DATA = "the message has no data that a change could be made to"


@dataclass(kw_only=True, slots=True)
class GroupEdit:
    """How many were mended and sent, and what is still wrong with the others, by their ids."""

    mended: int = 0
    wrong: dict[str, str] = field(default_factory=dict)


async def edit_matching(
    desk: DeadLetters,
    matching: LetterFilter,
    change: Mapping[str, Any],
    *,
    expect: int | None,
    dry_run: bool = False,
) -> GroupEdit:
    """Make the same change to each matching open message and send it; what stays wrong stays open.

    ``change`` is a JSON merge patch (RFC 7396) of the data. Raises MoreMatch where more match than expected.
    Letters that come while it goes on are left out.
    """
    upto = await desk.newest()
    await desk.would_replay(matching, expect=expect)
    done, after = GroupEdit(), ""
    while found := await desk.oldest(matching, limit=EDITED_AT_ONCE, after=after, upto=upto):
        after = found[-1]
        for letter_id in found:
            await _edit(desk, letter_id, change, done, dry_run=dry_run)
    return done


async def _edit(
    desk: DeadLetters, letter_id: str, change: Mapping[str, Any], done: GroupEdit, *, dry_run: bool
) -> None:
    try:
        data = data_of((await desk.show(letter_id))["body"])
        if not data:
            done.wrong[letter_id] = NO_DATA
            return
        await desk.edit(letter_id, merge_patch(data, change), dry_run=dry_run)
    except (Malformed, LetterConflict, NoLetter) as error:
        done.wrong[letter_id] = str(error)
    else:
        done.mended += 1


def merge_patch(target: Any, patch: Any) -> Any:
    """The target with the patch: a null takes away, an object goes into what is there, all else replaces."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged
