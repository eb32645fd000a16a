"""Mending a malformed message by hand (R30)."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from contracts.errors import Malformed
from service.operations import Conflict
from service.web import labels
from service.web.dependencies import AtDesk, letters_of, operator_alone
from service.web.pages.form import Sent, form_to
from service.web.pages.operations import LETTERS, Operator
from service.web.pages.redirect import to
from service.web.paging import OfLetter
from service.web.rendering import page, told_moments

NO_JSON = "This is no JSON object."
router = APIRouter()


def _mended(form: Annotated[Sent, Depends(form_to("Send the mended copy"))]) -> Sent:
    operator_alone(form.visitor)
    return form


Mended = Annotated[Sent, Depends(_mended)]


@router.get("/{letter_id}/edit")
async def edit_page(request: Request, desk: AtDesk, operator: Operator, letter_id: OfLetter) -> Response:
    """The message's data as it came, private texts masked: what stays masked stays as it was."""
    letter = await letters_of(desk, operator).show(letter_id)
    if letter["code"] != "malformed" or letter["state"] != "open":
        code = "not_malformed" if letter["code"] != "malformed" else "not_open"
        return to(f"{LETTERS}/{letter_id}", complaint=code)
    return _page(request, letter, _data(letter["body"]))


def _data(body: str) -> str:
    try:
        form = json.loads(body)
    except (ValueError, RecursionError):
        form = None
    data = form.get("data") if isinstance(form, dict) else None
    return json.dumps(data if isinstance(data, dict) else {}, indent=2, ensure_ascii=False)


def _page(
    request: Request, letter: Mapping[str, Any], text: str, errors: Mapping[str, str] | None = None
) -> Response:
    return page(
        request, "dead_letter_edit.html", status=422 if errors else 200, letter=told_moments(letter),
        text=text, errors=errors or {}, here="operations",
    )  # fmt: skip


@router.post("/{letter_id}/edit")
async def edit(request: Request, desk: AtDesk, form: Mended, letter_id: OfLetter) -> Response:
    """Send the mended copy; what is still wrong is told beside the text, which stays as it was typed."""
    letters, text = letters_of(desk, form.visitor), form.text("data")
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        return _page(request, await letters.show(letter_id), text, {"data": NO_JSON})
    try:
        new = await letters.edit(letter_id, data)
    except Malformed as error:
        return _page(request, await letters.show(letter_id), text, {"data": f"Still wrong: {error}"})
    except Conflict as conflict:
        code = conflict.code if conflict.code in labels.COMPLAINTS else "not_open"
        return to(f"{LETTERS}/{letter_id}", complaint=code)
    return to(f"{LETTERS}/{new}", notice="letter_edited")
