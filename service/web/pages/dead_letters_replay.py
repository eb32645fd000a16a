"""Replaying dead letters: what would happen, how fast, how far it is, and stop; discarding and undo (R30)."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response

from service.operations import REPLAY_RATE, DeadLetters, LetterConflict, LetterFilter, NoLetter
from service.store.engine.ids import new_id
from service.web import labels
from service.web.dependencies import Services, letters_of
from service.web.pages.dead_letters_filter import AskedByAddress, LettersAddress, asked_of
from service.web.pages.form import FormSubmission
from service.web.pages.operations import OperatorForm, OperatorVisitor
from service.web.pages.redirect import redirect_to
from service.web.paging import is_id
from service.web.paths import LETTERS_PATH
from service.web.rendering import render_page
from service.web.schemas import FASTEST_REPLAY, LONGEST_DISCARD_REASON, MOST_LETTERS

SLOWEST_REPLAY_RATE = 0.1
LETTERS_FORECAST = 5
"""So many letters are asked what their replay would do now; the others are likely to do the same."""
ChosenLetters = Annotated[list[str], Query(alias="letter", max_length=MOST_LETTERS, default_factory=list)]
router = APIRouter()


@router.get("/replay")
async def ask_before_replaying(
    request: Request,
    services: Services,
    operator: OperatorVisitor,
    *,
    asked: AskedByAddress,
    letter: ChosenLetters,
) -> Response:
    """The dry run: how many would go, what would happen now, and at which rate."""
    letters, ids = letters_of(services, operator), _ids(letter)
    matching = _open(asked, services)
    if ids:
        count = len(ids)
    elif letter or "chosen" in request.query_params:
        return redirect_to(asked.address(), complaint="nothing_chosen")
    else:
        count = await letters.would_replay(matching)
    looked = ids[:LETTERS_FORECAST] if ids else await letters.oldest(matching, limit=LETTERS_FORECAST)
    return render_page(
        request,
        "dead_letters_replay.html",
        asked=asked,
        ids=ids,
        count=count,
        rate=f"{REPLAY_RATE:g}",
        looked=len(looked),
        forecast=await _forecast(letters, looked),
        here="operations",
    )


async def _forecast(letters: DeadLetters, ids: Sequence[str]) -> list[tuple[str, str, int]]:
    """What a replay of these would do, each sentence once with its number; the most frequent first."""
    found: Counter[tuple[str, str]] = Counter()
    for letter_id in ids:
        for one in (await letters.context(letter_id))["forecast"]:
            found[one["outcome"], one["said"]] += 1
    return [(outcome, said, number) for (outcome, said), number in found.most_common()]


@router.post("/replay")
async def replay(services: Services, form: OperatorForm) -> Response:
    """Send them again, those that were chosen or all that match; on to the progress."""
    letters, asked = letters_of(services, form.visitor), asked_of(form.fields)
    ids, rate = _ids(_chosen(form)), _rate(form.text("rate"))
    if rate is None:
        return redirect_to(asked.address(), complaint="no_rate")
    since = new_id()
    try:
        if ids:
            count = await letters.replay(ids, rate=rate)
        elif (expect := form.text("expect")).isdecimal():
            count = await letters.hand_over(_open(asked, services), expect=int(expect), rate=rate)
        else:
            return redirect_to(asked.address(), complaint="nothing_chosen")
    except (LetterConflict, NoLetter) as error:
        return redirect_to(_back(asked, ids), complaint=getattr(error, "code", "not_open"))
    return redirect_to(f"{LETTERS_PATH}/replaying", of=str(count), since=since)


def _back(asked: LettersAddress, ids: Sequence[str]) -> str:
    """One letter's page for one letter, else the list."""
    return f"{LETTERS_PATH}/{ids[0]}" if len(ids) == 1 else asked.address()


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


@router.get("/discard")
async def ask_before_discarding(
    request: Request,
    asked: AskedByAddress,
    operator: OperatorVisitor,  # noqa: ARG001 -- nobody else gets here
    *,
    letter: ChosenLetters,
) -> Response:
    """Why these are given up is kept beside them."""
    if not (ids := _ids(letter)):
        return redirect_to(asked.address(), complaint="nothing_chosen")
    return _discard_page(request, asked, ids)


def _discard_page(
    request: Request, asked: LettersAddress, ids: Sequence[str], *, complaint: str = ""
) -> Response:
    status = 422 if complaint else 200
    return render_page(
        request, "dead_letters_discard.html", status=status, asked=asked, ids=ids, here="operations",
        errors={"reason": complaint} if complaint else {},
    )  # fmt: skip


@router.post("/discard")
async def discard(request: Request, services: Services, form: OperatorForm) -> Response:
    """Give these up; each can be taken back."""
    ids, asked = _ids(_chosen(form)), asked_of(form.fields)
    reason = form.text("reason").strip()[:LONGEST_DISCARD_REASON].replace("\0", "")
    if not ids:
        return redirect_to(asked.address(), complaint="nothing_chosen")
    if not reason:
        return _discard_page(request, asked, ids, complaint=labels.COMPLAINTS["no_reason"])
    try:
        await letters_of(services, form.visitor).discard(ids, reason=reason)
    except (LetterConflict, NoLetter) as error:
        return redirect_to(_back(asked, ids), complaint=getattr(error, "code", "not_open"))
    return redirect_to(_back(asked, ids), notice="letters_discarded")


@router.post("/undo")
async def undo(services: Services, form: OperatorForm) -> Response:
    """Open again what was discarded, or what waits for its replay."""
    ids, asked = _ids(_chosen(form)), asked_of(form.fields)
    if not ids:
        return redirect_to(asked.address(), complaint="nothing_chosen")
    try:
        await letters_of(services, form.visitor).undo(ids)
    except (LetterConflict, NoLetter) as error:
        return redirect_to(_back(asked, ids), complaint=getattr(error, "code", "not_open"))
    return redirect_to(_back(asked, ids), notice="letters_undone")


def _open(asked: LettersAddress, services: Services) -> LetterFilter:
    return asked.matching(services, state="open")


def _chosen(form: FormSubmission) -> list[str]:
    return [one for one in form.fields.getlist("letter") if isinstance(one, str)][:MOST_LETTERS]


def _ids(given: Sequence[str]) -> list[str]:
    """Each once; what is no id names no letter."""
    return [one for one in dict.fromkeys(given) if is_id(one)]


def _rate(text: str) -> float | None:
    try:
        rate = float(text)
    except ValueError:
        return None
    return rate if SLOWEST_REPLAY_RATE <= rate <= FASTEST_REPLAY else None
