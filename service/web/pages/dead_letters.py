"""*Dead letters*: find, read, and the way to every verb (R30, DESIGN 11); for operators alone."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from service.web import labels
from service.web.dependencies import AtDesk, letters_of
from service.web.pages.dead_letters_edit import router as editing
from service.web.pages.dead_letters_filter import OfFilter
from service.web.pages.dead_letters_replay import router as replaying
from service.web.pages.operations import LETTERS, Operator
from service.web.paging import IdCursor, OfLetter, is_id
from service.web.rendering import page, told_moments

A_PAGE = 50
CAUSES = 20
router = APIRouter(prefix=LETTERS)


@router.get("")
async def list_page(
    request: Request,
    desk: AtDesk,
    operator: Operator,
    *,
    asked: OfFilter,
    after: IdCursor,
    notice: str = "",
    complaint: str = "",
) -> Response:
    """Causes first, then the letters, newest first; each tab a state."""
    letters, matching = letters_of(desk, operator), asked.matching(desk)
    counted = await letters.by_state(matching)
    groups = [] if asked.group or after else (await letters.groups(matching))["items"]
    listed = await letters.page(matching, after=after, limit=A_PAGE)
    return page(
        request,
        "dead_letters.html",
        asked=asked,
        counted=counted,
        groups=[told_moments(one) for one in groups[:CAUSES]],
        more_groups=max(0, len(groups) - CAUSES),
        letters=[told_moments(one) for one in listed["items"]],
        following=listed["next"],
        first=after is None,
        notice=labels.NOTICES.get(notice),
        complaint=labels.COMPLAINTS.get(complaint),
        here="operations",
    )


router.include_router(replaying)


@router.get("/{letter_id}")
async def letter_page(
    request: Request,
    desk: AtDesk,
    operator: Operator,
    *,
    letter_id: OfLetter,
    notice: str = "",
    complaint: str = "",
) -> Response:
    """One letter with everything that is known of it, and what its replay would do now."""
    letters = letters_of(desk, operator)
    letter = await letters.show(letter_id)
    around = await letters.context(letter_id)
    return page(
        request,
        "dead_letter.html",
        letter=told_moments(letter),
        body=readable(letter["body"]),
        around=around,
        mended=_mended(letter["acts"]),
        notice=labels.NOTICES.get(notice),
        complaint=labels.COMPLAINTS.get(complaint),
        here="operations",
    )


def readable(body: str) -> str:
    """JSON with a line for each value; anything else as it is."""
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return body


def _mended(acts: Sequence[Mapping[str, Any]]) -> str | None:
    """The letter that this one is a mended copy of."""
    notes = [act["note"] or "" for act in acts if act["act"] == "replay"]
    found = [note.removeprefix("edited ") for note in notes if note.startswith("edited ")]
    return found[0] if found and is_id(found[0]) else None


router.include_router(editing)
