"""*Dead letters*: find, read, and the way to every verb (R30); for operators alone."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from service.operations import DiscardedBatch, plain_json
from service.operations.letters.letter_names import data_of
from service.web import labels
from service.web.catalogue import gettext
from service.web.dependencies import Services, letters_of
from service.web.pages.operators.dead_letters_discard import router as discarding
from service.web.pages.operators.dead_letters_edit import router as editing
from service.web.pages.operators.dead_letters_filter import AskedByAddress, LettersAddress
from service.web.pages.operators.dead_letters_replay import router as replaying
from service.web.pages.operators.operations import OperatorVisitor
from service.web.pages.operators.words import INTEGRATION_STATES
from service.web.paging import IdCursor, LetterPathId, is_id
from service.web.paths import INTEGRATIONS_PATH, LETTERS_PATH
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
    batch: str = "",
    notice: str = "",
    complaint: str = "",
) -> Response:
    """Causes first, then the letters, newest first; each tab a state.

    Under a filter that says nothing no letter is listed, and none can be acted on.
    """
    if asked.wrong:
        return _wrong_filter(request, asked)
    letters, matching = letters_of(services, operator), asked.matching(services)
    counted = await letters.by_state(matching)
    groups = [] if asked.given.get("group") or after else (await letters.groups(matching))["items"]
    listed = await letters.page(matching, after=after, limit=LETTERS_A_PAGE)
    return render_page(
        request,
        "dead_letters.html",
        asked=asked,
        counted=counted,
        names=await letters.names(listed["items"]),
        undo=DiscardedBatch(count=await letters.batch_left(batch), batch=batch) if is_id(batch) else None,
        groups=[with_moments(one) for one in groups[:CAUSES_SHOWN]],
        more_groups=max(0, len(groups) - CAUSES_SHOWN),
        letters=[with_moments(one) for one in listed["items"]],
        following=listed["next"],
        first=after is None,
        notice=labels.NOTICES.get(notice),
        complaint=labels.COMPLAINTS.get(complaint),
        here="operations",
    )


def _wrong_filter(request: Request, asked: LettersAddress) -> Response:
    return render_page(
        request, "dead_letters.html", status=422, asked=asked, counted={}, groups=[], more_groups=0,
        letters=[], names={}, following=None, first=True, undo=None, here="operations",
    )  # fmt: skip


router.include_router(replaying)
router.include_router(discarding)


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
        ways=_ways(letter, around, operator.user_id),
        called=(await letters.names([letter]))[letter_id],
        stands=INTEGRATION_STATES,
        together=await letters.batch_of(letter_id) if letter["state"] == "discarded" else None,
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


def _ways(letter: Mapping[str, Any], around: Mapping[str, Any], user_id: str) -> dict[str, str]:
    """Where the operator may see what the message is about: the own item, the own sync and its log."""
    data = data_of(letter["body"])
    item, run = data.get("item"), data.get("run_id")
    people = item.get("assignees") if isinstance(item, dict) else None
    found: dict[str, str] = {}
    if letter["item_key"] and isinstance(people, list) and user_id in people:
        key = letter["item_key"].replace("/", ":", 1)
        found[gettext("The item")] = f"/my-calendar/item?{urlencode({'key': key})}"
    mine = around["integration"]
    if mine and mine["user_id"] == user_id and mine["status"] not in {"setup", "deleted"}:
        at = f"{INTEGRATIONS_PATH}/{mine['id']}"
        if isinstance(run, str) and is_id(run):
            found[gettext("The sync")] = f"{at}/runs/{run}"
        found[gettext("The log")] = f"{at}/logs?trigger=real_time"
    return found


def _mended(acts: Sequence[Mapping[str, Any]]) -> str | None:
    """The letter that this one is a mended copy of."""
    notes = [act["note"] or "" for act in acts if act["act"] == "replay"]
    found = [note.removeprefix("edited ") for note in notes if note.startswith("edited ")]
    return found[0] if found and is_id(found[0]) else None


router.include_router(editing)
