"""Dead letters as JSON: the same verbs as the command's, for operators alone (R30)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from contracts.errors import Malformed
from contracts.fields import Identifier, Text, broken_rule, is_visible
from service.integrations.refusals import FieldError, Invalid
from service.operations import (
    DeadLetters,
    DiscardedBatch,
    LetterConflict,
    LetterFilter,
    NoLetter,
    WrongFilter,
    parse_letter_filter,
)
from service.operations.letters.letter_filter import LetterCode, LetterState
from service.web.dependencies import Services, SignedInVisitor, letters_of, require_operator
from service.web.paging import (
    DEFAULT_PAGE,
    NO_SUCH_LETTER,
    IdCursor,
    LetterPathId,
    PageLimit,
    SearchText,
    letter_id_of,
)
from service.web.problems import problem_response
from service.web.schemas import (
    FASTEST_REPLAY,
    LONGEST_DISCARD_REASON,
    MOST_LETTERS,
    CountShape,
    DiscardedShape,
    GroupShape,
    LetterContextShape,
    LetterShape,
    Listed,
)

router = APIRouter(prefix="/dead-letters", tags=["dead letters"])


def _operator(services: Services, visitor: SignedInVisitor) -> DeadLetters:
    return letters_of(services, require_operator(visitor, lacking=NO_SUCH_LETTER))


OperatorsLetters = Annotated[DeadLetters, Depends(_operator)]


class StrictForm(BaseModel):
    """A misspelt name is refused: a filter that is overlooked would mean every letter there is."""

    model_config = ConfigDict(extra="forbid")


class LetterFilterForm(StrictForm):
    """Which open letters; what is left out does not matter."""

    queue: Identifier | None = None
    code: LetterCode | None = None
    since: str | None = None
    integration: Identifier | None = None
    who: SearchText | None = None
    """A part of the person's id, the account's or the calendar's name."""
    group: Identifier | None = None
    reason: SearchText | None = None

    def matching(self) -> LetterFilter:
        return _filter(self.model_dump(exclude_none=True) | {"state": "open"}, at="filter.")


class ChosenLettersForm(StrictForm):
    """Which letters, by their ids or by a filter with the number that the operator has seen."""

    ids: Annotated[list[Identifier], Field(min_length=1, max_length=MOST_LETTERS)] | None = None
    filter: LetterFilterForm | None = None
    expect: Annotated[int, Field(ge=0)] | None = None
    dry_run: bool = False

    @model_validator(mode="after")
    def _one_way(self) -> "ChosenLettersForm":
        if (self.ids is None) == (self.filter is None):
            raise broken_rule("must be given, or else a filter", "ids")
        if self.filter is not None and self.expect is None and not self.dry_run:
            raise broken_rule("must be the number of letters that match", "expect")
        return self


class ReplayForm(ChosenLettersForm):
    rate: Annotated[float, Field(gt=0, le=FASTEST_REPLAY, allow_inf_nan=False)] = 5


def _told(reason: str) -> str:
    if not is_visible(reason):
        raise broken_rule("must have a visible character")
    return reason


DiscardReason = Annotated[Text, Field(min_length=1, max_length=LONGEST_DISCARD_REASON), AfterValidator(_told)]


class DiscardForm(StrictForm):
    reason: DiscardReason


class ManyDiscardsForm(ChosenLettersForm):
    reason: DiscardReason


class UndoForm(StrictForm):
    """What was discarded together, by the name that discarding answered."""

    batch: Identifier


class EditForm(StrictForm):
    data: dict[str, Any]


def _filter(words: Mapping[str, str], *, at: str = "") -> LetterFilter:
    try:
        return parse_letter_filter(words)
    except WrongFilter as error:
        broken = [(f"{at}{name}", rule) for name, rule in error.errors.items()]
        raise Invalid([FieldError(field=n, rule=r, message=f"{n}: {r}") for n, r in broken]) from None


def _asked(  # noqa: PLR0917 -- each is a query parameter
    request: Request,
    queue: Identifier | None = None,  # noqa: ARG001 -- declared for the description, read together
    code: LetterCode | None = None,  # noqa: ARG001
    since: str | None = None,  # noqa: ARG001
    integration: Identifier | None = None,  # noqa: ARG001
    who: SearchText | None = None,  # noqa: ARG001
    group: Identifier | None = None,  # noqa: ARG001
    reason: SearchText | None = None,  # noqa: ARG001
    state: LetterState | None = None,  # noqa: ARG001
) -> LetterFilter:
    words: dict[str, str] = {}
    for name, text in request.query_params.multi_items():
        if name in words:
            raise Invalid.one(name, "must be given once")
        if name not in _OF_THE_LIST:
            words[name] = text
    return _filter(words)


_OF_THE_LIST = frozenset({"after", "limit"})
AskedLetters = Annotated[LetterFilter, Depends(_asked)]


@router.get("", response_model=Listed[LetterShape])
async def list_letters(
    operator: OperatorsLetters, asked: AskedLetters, after: IdCursor, limit: PageLimit = DEFAULT_PAGE
) -> dict[str, Any]:
    """Letters of your tenant and those of which nobody can tell whose they are, newest first."""
    return await operator.page(asked, after=after, limit=limit)


@router.get("/groups", response_model=Listed[GroupShape])
async def list_groups(operator: OperatorsLetters, asked: AskedLetters) -> dict[str, Any]:
    """Letters with the same cause counted together, the most frequent first."""
    return await operator.groups(asked)


@router.get("/{letter_id}", response_model=LetterShape)
async def get_letter(operator: OperatorsLetters, letter_id: LetterPathId) -> dict[str, Any]:
    """One letter with its attempts, its message as far as you may see it, and who did what."""
    return await operator.show(letter_id)


@router.get("/{letter_id}/context", response_model=LetterContextShape)
async def get_context(operator: OperatorsLetters, letter_id: LetterPathId) -> dict[str, Any]:
    """Headers, the integration as it stands, and what a replay would do now; nothing is written."""
    return await operator.context(letter_id)


@router.post("/replay", status_code=HTTPStatus.ACCEPTED, response_model=CountShape)
async def replay(operator: OperatorsLetters, form: ReplayForm) -> dict[str, int]:
    """Send messages again at a rate; what is newer meanwhile stays as it is (R17).

    Of more than a thousand that match, this notes which; they follow within moments.
    """
    if form.ids is not None:
        ids = [letter_id_of(one) for one in form.ids]
        work = operator.replayable(ids) if form.dry_run else operator.replay(ids, rate=form.rate)
        return {"count": await work}
    assert form.filter is not None
    matching = form.filter.matching()
    if form.dry_run:
        return {"count": await operator.would_replay(matching, expect=form.expect)}
    return {"count": await operator.hand_over(matching, expect=form.expect, rate=form.rate)}


@router.post("/replay/stop", response_model=CountShape)
async def stop_replays(operator: OperatorsLetters) -> dict[str, int]:
    """Take back all replays that have not gone out yet; their letters are open again."""
    return {"count": await operator.stop()}


@router.post("/discard", response_model=DiscardedShape)
async def discard_letters(
    operator: OperatorsLetters, form: ManyDiscardsForm
) -> DiscardedBatch | dict[str, Any]:
    """Give messages up together, for a reason; ``batch`` takes all of them back."""
    if form.ids is not None:
        ids = [letter_id_of(one) for one in form.ids]
        if form.dry_run:
            return {"count": await operator.replayable(ids), "batch": None}
        return await operator.discard(ids, reason=form.reason)
    assert form.filter is not None
    matching = form.filter.matching()
    if form.dry_run:
        return {"count": await operator.would_replay(matching, expect=form.expect), "batch": None}
    return await operator.discard_matching(matching, expect=form.expect, reason=form.reason)


@router.post("/undo", response_model=CountShape)
async def undo_discards(operator: OperatorsLetters, form: UndoForm) -> dict[str, int]:
    """Open again what was discarded together, but for what has been dealt with since."""
    return {"count": await operator.undo_batch(form.batch)}


@router.post("/{letter_id}/discard", response_model=LetterShape)
async def discard(operator: OperatorsLetters, letter_id: LetterPathId, form: DiscardForm) -> dict[str, Any]:
    """Give the message up, for a reason; undo takes it back."""
    await operator.discard([letter_id], reason=form.reason)
    return await operator.show(letter_id)


@router.post("/{letter_id}/undo", response_model=LetterShape)
async def undo(operator: OperatorsLetters, letter_id: LetterPathId) -> dict[str, Any]:
    """Open a discarded letter again, or one that still waits for its replay."""
    await operator.undo([letter_id])
    return await operator.show(letter_id)


@router.post("/{letter_id}/edit", status_code=HTTPStatus.CREATED, response_model=LetterShape)
async def edit(operator: OperatorsLetters, letter_id: LetterPathId, form: EditForm) -> dict[str, Any]:
    """Send a malformed message with other data under a new id; the new letter. The old one is kept."""
    try:
        new = await operator.edit(letter_id, form.data)
    except Malformed as error:
        raise Invalid.one(error.field, error.rule) from None
    return await operator.show(new)


def add_letter_error_handlers(app: FastAPI) -> None:
    """404 for a letter that is not there, 409 for one that is in another state."""
    app.add_exception_handler(NoLetter, _not_there)
    app.add_exception_handler(LetterConflict, _conflict)


async def _not_there(request: Request, error: Exception) -> Response:
    return problem_response(request, HTTPStatus.NOT_FOUND, str(error))


async def _conflict(request: Request, error: Exception) -> Response:
    code = error.code if isinstance(error, LetterConflict) else None
    return problem_response(request, HTTPStatus.CONFLICT, str(error), code=code)
