"""Mending a malformed message by hand (R30)."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from contracts.errors import Malformed
from service.operations import LetterConflict, plain_json
from service.web import labels
from service.web.catalogue import gettext
from service.web.catalogue.told import told
from service.web.dependencies import Services, letters_of, require_operator
from service.web.pages.form import FormSubmission, form_to
from service.web.pages.operators.operations import OperatorVisitor
from service.web.pages.redirect import redirect_to
from service.web.paging import LetterPathId
from service.web.paths import LETTERS_PATH
from service.web.rendering import render_page, with_moments

NOT_JSON = "This is no JSON object."
router = APIRouter()


def _mended(form: Annotated[FormSubmission, Depends(form_to("Send the mended copy"))]) -> FormSubmission:
    require_operator(form.visitor)
    return form


MendedForm = Annotated[FormSubmission, Depends(_mended)]


@router.get("/{letter_id}/edit")
async def edit_page(
    request: Request, services: Services, operator: OperatorVisitor, letter_id: LetterPathId
) -> Response:
    """The message's data as it came, private texts masked: what stays masked stays as it was."""
    letter = await letters_of(services, operator).show(letter_id)
    if letter["code"] != "malformed" or letter["state"] != "open":
        code = "not_malformed" if letter["code"] != "malformed" else "not_open"
        return redirect_to(f"{LETTERS_PATH}/{letter_id}", complaint=code)
    return _page(request, letter, _data(letter["body"]))


def _data(body: str) -> str:
    try:
        form = json.loads(body)
    except (ValueError, RecursionError):
        form = None
    data = form.get("data") if isinstance(form, dict) else None
    return plain_json(data if isinstance(data, dict) else {}, indent=2)


def _page(
    request: Request, letter: Mapping[str, Any], text: str, errors: Mapping[str, str] | None = None
) -> Response:
    return render_page(
        request, "dead_letter_edit.html", status=422 if errors else 200, letter=with_moments(letter),
        text=text, errors=errors or {}, here="operations",
    )  # fmt: skip


@router.post("/{letter_id}/edit")
async def edit(request: Request, services: Services, form: MendedForm, letter_id: LetterPathId) -> Response:
    """Send the mended copy; what is still wrong is told beside the text, which stays as it was typed."""
    letters, text = letters_of(services, form.visitor), form.text("data")
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        return _page(request, await letters.show(letter_id), text, {"data": gettext(NOT_JSON)})
    try:
        new = await letters.edit(letter_id, data)
    except Malformed as error:
        return _page(
            request,
            await letters.show(letter_id),
            text,
            {"data": gettext("Still wrong: %(error)s", error=told(str(error)))},
        )
    except LetterConflict as conflict:
        code = conflict.code if conflict.code in labels.COMPLAINTS else "not_open"
        return redirect_to(f"{LETTERS_PATH}/{letter_id}", complaint=code)
    return redirect_to(f"{LETTERS_PATH}/{new}", notice="letter_edited")
