"""*Dead letters*: find, read, and the way to every verb (R30); for operators alone."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from service.operations import plain_json
from service.web import labels
from service.web.dependencies import Services, letters_of
from service.web.pages.dead_letters_edit import router as editing
from service.web.pages.dead_letters_filter import AskedByAddress
from service.web.pages.dead_letters_replay import router as replaying
from service.web.pages.operations import OperatorVisitor
from service.web.paging import IdCursor, LetterPathId, is_id
from service.web.paths import LETTERS_PATH
from service.web.rendering import render_page, with_moments

LETTERS_A_PAGE = 50
CAUSES_SHOWN = 20
router = APIRouter(prefix=LETTERS_PATH)


@router.get("")
async def list_page(
    request: Request,
    services: Services,
    operator: OperatorVisitor,
    *,
    asked: AskedByAddress,
    after: IdCursor,
    notice: str = "",
    complaint: str = "",
) -> Response:
    """Causes first, then the letters, newest first; each tab a state."""
    letters, matching = letters_of(services, operator), asked.matching(services)
    counted = await letters.by_state(matching)
    groups = [] if asked.group or after else (await letters.groups(matching))["items"]
    listed = await letters.page(matching, after=after, limit=LETTERS_A_PAGE)
    return render_page(
        request,
        "dead_letters.html",
        asked=asked,
        counted=counted,
        groups=[with_moments(one) for one in groups[:CAUSES_SHOWN]],
        more_groups=max(0, len(groups) - CAUSES_SHOWN),
        letters=[with_moments(one) for one in listed["items"]],
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
    services: Services,
    operator: OperatorVisitor,
    *,
    letter_id: LetterPathId,
    notice: str = "",
    complaint: str = "",
) -> Response:
    """One letter with everything that is known of it, and what its replay would do now."""
    letters = letters_of(services, operator)
    letter = await letters.show(letter_id)
    around = await letters.context(letter_id)
    return render_page(
        request,
        "dead_letter.html",
        letter=with_moments(letter),
        body=readable_body(letter["body"]),
        around=around,
        mended=_mended(letter["acts"]),
        notice=labels.NOTICES.get(notice),
        complaint=labels.COMPLAINTS.get(complaint),
        here="operations",
    )


def readable_body(body: str) -> str:
    """JSON with a line for each value; anything else as it is."""
    try:
        return plain_json(json.loads(body), indent=2)
    except (ValueError, RecursionError):
        return body


def _mended(acts: Sequence[Mapping[str, Any]]) -> str | None:
    """The letter that this one is a mended copy of."""
    notes = [act["note"] or "" for act in acts if act["act"] == "replay"]
    found = [note.removeprefix("edited ") for note in notes if note.startswith("edited ")]
    return found[0] if found and is_id(found[0]) else None


router.include_router(editing)
