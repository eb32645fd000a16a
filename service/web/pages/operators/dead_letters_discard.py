"""Giving dead letters up, chosen ones or all that match, and taking them back (R30)."""

from collections.abc import Sequence

from fastapi import APIRouter, Request, Response

from service.operations import LetterConflict, NoLetter
from service.web import labels
from service.web.dependencies import Services, letters_of
from service.web.pages.operators.dead_letters_chosen import ChosenByAddress, chosen_ids, way_back
from service.web.pages.operators.dead_letters_filter import AskedByAddress, LettersAddress, carried_filter
from service.web.pages.operators.operations import OperatorForm, OperatorVisitor
from service.web.pages.redirect import redirect_to
from service.web.paging import is_id
from service.web.rendering import render_page
from service.web.schemas import LONGEST_DISCARD_REASON

router = APIRouter()


@router.get("/discard")
async def ask_before_discarding(
    request: Request,
    services: Services,
    operator: OperatorVisitor,
    *,
    asked: AskedByAddress,
    chosen: ChosenByAddress,
) -> Response:
    """How many, which, and why: the reason is kept beside them."""
    if (refused := chosen.refused(asked)) is not None:
        return refused
    if chosen.ids:
        return _page(request, asked, chosen.ids, len(chosen.ids))
    letters = letters_of(services, operator)
    return _page(request, asked, (), await letters.count(asked.matching(services, state="open")))


def _page(
    request: Request, asked: LettersAddress, ids: Sequence[str], count: int, *, complaint: str = ""
) -> Response:
    return render_page(
        request, "dead_letters_discard.html", status=422 if complaint else 200, asked=asked, ids=ids,
        count=count, errors={"reason": complaint} if complaint else {}, here="operations",
    )  # fmt: skip


@router.post("/discard")
async def discard(request: Request, services: Services, form: OperatorForm) -> Response:
    """Give these up; the note that says so takes them back."""
    letters, asked, ids = letters_of(services, form.visitor), carried_filter(form, services), chosen_ids(form)
    expect = form.number("expect")
    reason = form.text("reason").strip()[:LONGEST_DISCARD_REASON].replace("\0", "")
    if asked.wrong:
        return redirect_to(asked.address())
    if not ids and expect is None:
        return redirect_to(asked.address(), complaint="nothing_chosen")
    if not reason:
        count = len(ids) or expect or 0
        return _page(request, asked, ids, count, complaint=labels.COMPLAINTS["no_reason"])
    try:
        if ids:
            done = await letters.discard(ids, reason=reason)
        else:
            matching = asked.matching(services, state="open")
            done = await letters.discard_matching(matching, expect=expect, reason=reason)
    except (LetterConflict, NoLetter) as error:
        return redirect_to(way_back(asked, ids), complaint=getattr(error, "code", "not_open"))
    if len(ids) == 1:
        return redirect_to(way_back(asked, ids), notice="letters_discarded")
    return redirect_to(asked.address(), batch=done.batch)


@router.post("/undo")
async def undo(services: Services, form: OperatorForm) -> Response:
    """Open again what was discarded, alone or together, or what waits for its replay."""
    letters, asked, ids = letters_of(services, form.visitor), carried_filter(form, services), chosen_ids(form)
    if is_id(batch := form.text("batch")):
        await letters.undo_batch(batch)
        return redirect_to(asked.address(), notice="letters_undone")
    if not ids:
        return redirect_to(asked.address(), complaint="nothing_chosen")
    try:
        await letters.undo(ids)
    except (LetterConflict, NoLetter) as error:
        return redirect_to(way_back(asked, ids), complaint=getattr(error, "code", "not_open"))
    return redirect_to(way_back(asked, ids), notice="letters_undone")
