"""*Signed in on these devices*: a person's sessions, and the ends of them."""

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request, Response

from service.store.people.sessions import SessionRow
from service.web import labels
from service.web.cookies import drop_cookie
from service.web.dependencies import Services
from service.web.pages.form import PageVisitor, PersonsForm
from service.web.pages.redirect import redirect_to
from service.web.paging import is_id
from service.web.paths import DEVICES_PATH, SIGNED_OUT_PATH
from service.web.rendering import render_page
from service.web.sessions import device_words
from service.web.tokens import SESSION_COOKIE, Visitor

router = APIRouter(prefix=DEVICES_PATH)


@router.get("")
async def show_devices(
    request: Request, services: Services, visitor: PageVisitor, notice: str = ""
) -> Response:
    """Each session with its device, since when, and when it was used last; the present one says so."""
    found = await services.sessions.of(visitor)
    return render_page(
        request,
        "devices.html",
        sessions=[_shown(one, visitor) for one in found],
        notice=labels.NOTICES.get(notice),
        here="devices",
    )


@router.post("/end-all")
async def end_everywhere(services: Services, form: PersonsForm) -> Response:
    """Sign out everywhere, here too."""
    await services.sessions.end_all(form.visitor)
    answer = redirect_to(SIGNED_OUT_PATH)
    drop_cookie(answer, SESSION_COOKIE, https=services.https)
    return answer


@router.post("/{session_id}/end")
async def end_session(services: Services, form: PersonsForm, session_id: str) -> Response:
    """Sign out on one device; one that is none of theirs, or no longer there, is left alone."""
    if is_id(session_id):
        await services.sessions.end(form.visitor, session_id)
    return redirect_to(DEVICES_PATH, notice="session_ended")


def _shown(one: SessionRow, visitor: Visitor) -> dict[str, Any]:
    return {
        "id": one.id,
        "device": device_words(one.device),
        "since": datetime.fromtimestamp(one.since, UTC),
        "seen_at": datetime.fromtimestamp(one.seen_at, UTC),
        "present": one.id == visitor.session,
    }
