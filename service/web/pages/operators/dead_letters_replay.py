"""Replaying dead letters: what would happen, how fast, how far it is, and stop (R30)."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response

from service.operations import REPLAY_RATE, LetterConflict, NoLetter
from service.store.engine.ids import new_id
from service.web import labels
from service.web.dependencies import Services, letters_of
from service.web.pages.operators.dead_letters_chosen import ChosenByAddress, chosen_ids, way_back
from service.web.pages.operators.dead_letters_filter import AskedByAddress, carried_filter
from service.web.pages.operators.operations import OperatorForm, OperatorVisitor
from service.web.pages.redirect import redirect_to
from service.web.paging import is_id
from service.web.paths import LETTERS_PATH
from service.web.rendering import render_page
from service.web.schemas import FASTEST_REPLAY

SLOWEST_REPLAY_RATE = 0.1
LETTERS_FORECAST = 5
"""So many letters are asked what their replay would do now; the others are likely to do the same."""
router = APIRouter()


@router.get("/replay")
async def ask_before_replaying(
    request: Request,
    services: Services,
    operator: OperatorVisitor,
    *,
    asked: AskedByAddress,
    chosen: ChosenByAddress,
) -> Response:
    """The dry run: how many would go, what would happen now, how long it takes, and at which rate."""
    if (refused := chosen.refused(asked)) is not None:
        return refused
    letters, ids = letters_of(services, operator), chosen.ids
    matching = asked.matching(services, state="open")
    count = len(ids) if ids else await letters.would_replay(matching)
    looked = ids[:LETTERS_FORECAST] if ids else await letters.oldest(matching, limit=LETTERS_FORECAST)
    time = await letters.replay_time(
        matching, ids=ids or None, rate=REPLAY_RATE, requests_a_minute=services.dashboard.requests_a_minute
    )
    return render_page(
        request,
        "dead_letters_replay.html",
        asked=asked,
        ids=ids,
        count=count,
        rate=f"{REPLAY_RATE:g}",
        time=time,
        looked=len(looked),
        forecast=await letters.forecast(looked),
        here="operations",
    )


@router.post("/replay")
async def replay(services: Services, form: OperatorForm) -> Response:
    """Send them again, those that were chosen or all that match; on to the progress."""
    letters, asked = letters_of(services, form.visitor), carried_filter(form, services)
    ids, rate = chosen_ids(form), _rate(form.text("rate"))
    if asked.wrong:
        return redirect_to(asked.address())
    if rate is None:
        return redirect_to(asked.address(), complaint="no_rate")
    since = new_id()
    try:
        if ids:
            count = await letters.replay(ids, rate=rate)
        elif (expect := form.number("expect")) is not None:
            matching = asked.matching(services, state="open")
            count = await letters.hand_over(matching, expect=expect, rate=rate)
        else:
            return redirect_to(asked.address(), complaint="nothing_chosen")
    except (LetterConflict, NoLetter) as error:
        return redirect_to(way_back(asked, ids), complaint=getattr(error, "code", "not_open"))
    return redirect_to(f"{LETTERS_PATH}/replaying", of=str(count), since=since)


@router.get("/replaying")
async def progress_page(
    request: Request,
    services: Services,
    operator: OperatorVisitor,
    *,
    of: Annotated[int, Query(ge=0, le=10**9)] = 0,
    since: str = "",
    notice: str = "",
) -> Response:
    """How far replays are: those that began at ``since``, or whatever is under way."""
    began = since if is_id(since) else ""
    progress = await letters_of(services, operator).progress(began)
    waiting = progress.noted + progress.waiting
    left = waiting + progress.on_the_way
    return render_page(
        request,
        "dead_letters_replaying.html",
        progress=progress,
        waiting=waiting,
        left=left,
        of=max(of, progress.asked, left),
        here_again=f"{LETTERS_PATH}/replaying?{urlencode({'of': of, 'since': began})}",
        since=began,
        notice=labels.NOTICES.get(notice),
        here="operations",
    )


@router.post("/replay/stop")
async def stop(services: Services, form: OperatorForm) -> Response:
    """Take back whatever has not gone out."""
    await letters_of(services, form.visitor).stop()
    of, since = form.text("of"), form.text("since")
    query = {"of": of if of.isdecimal() else "", "since": since if is_id(since) else ""}
    return redirect_to(f"{LETTERS_PATH}/replaying", notice="replays_stopped", **query)


def _rate(text: str) -> float | None:
    try:
        rate = float(text)
    except ValueError:
        return None
    return rate if SLOWEST_REPLAY_RATE <= rate <= FASTEST_REPLAY else None
