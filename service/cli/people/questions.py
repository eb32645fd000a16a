"""``questions``: what dispatchers are asked about service calls, for operators (R52)."""

from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Annotated, TypeVar

import typer

from contracts.fields import rfc3339
from service.cli.operator import on_store, operator_name
from service.cli.output import AsJson, print_json, print_line
from service.consumers.inbound.pages import PageWriter
from service.consumers.inbound.questions.answers import (
    DispatcherQuestions,
    QuestionAnswer,
    Respondent,
    ShownQuestion,
)

app = typer.Typer(help="What dispatchers are asked about service calls.", no_args_is_help=True)

_T = TypeVar("_T")
MOST_SHOWN = 200
Tenant = Annotated[str, typer.Option("--tenant", help="Whose questions.")]
QuestionArgument = Annotated[str, typer.Argument(metavar="ID", help="As list shows it.")]


class AnswerWord(StrEnum):
    """Both answers."""

    PUT_BACK = "put_back"
    LEAVE = "leave"


_ANSWERS: Mapping[AnswerWord, QuestionAnswer] = {AnswerWord.PUT_BACK: "put_back", AnswerWord.LEAVE: "leave"}


class StateWord(StrEnum):
    """How a question stands."""

    OPEN = "open"
    ANSWERED = "answered"
    CLOSED = "closed"


@app.command("list")
def list_questions(
    tenant: Tenant,
    state: Annotated[StateWord, typer.Option(help="How they stand.")] = StateWord.OPEN,
    *,
    as_json: AsJson = False,
) -> None:
    """The first 200 of the tenant's: open ones oldest first, settled ones newest first."""
    page = _on_questions(lambda desk: desk.page(tenant, state=state.value, limit=MOST_SHOWN))
    if as_json:
        print_json({"items": [_form(one) for one in page.rows], "next": page.following})
        return
    for one in page.rows:
        print_line(_said(one))
    print_line(f"{len(page.rows)}{' and more' if page.following else ''} {state.value}")


@app.command()
def answer(
    tenant: Tenant,
    question_id: QuestionArgument,
    given: Annotated[AnswerWord, typer.Argument(metavar="put_back|leave", help="What becomes of the copy.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Put the copy back, or leave it as the technician has it."""
    who, word = _dispatcher(tenant), _ANSWERS[given]
    _show(_on_questions(lambda desk: desk.answer(who, question_id, word)), as_json=as_json)


@app.command()
def undo(tenant: Tenant, question_id: QuestionArgument, *, as_json: AsJson = False) -> None:
    """Take an answer back, and ask again."""
    who = _dispatcher(tenant)
    _show(_on_questions(lambda desk: desk.undo(who, question_id)), as_json=as_json)


def _dispatcher(tenant: str) -> Respondent:
    return Respondent(tenant_id=tenant, named=f"operator {operator_name()}")


def _on_questions(verb: Callable[[DispatcherQuestions], Awaitable[_T]]) -> _T:
    return on_store("questions", lambda store: verb(DispatcherQuestions(store, PageWriter(store))))


def _show(one: ShownQuestion, *, as_json: bool) -> None:
    if as_json:
        print_json(_form(one))
    else:
        print_line(_said(one))


def _said(one: ShownQuestion) -> str:
    asked = one.question
    outcome = asked.answer or asked.closed or asked.state
    found = f" to {asked.found_starts}" if asked.found_starts else ""
    call = one.item.id if one.item else "?"
    return f"{asked.id}  {asked.user_id}  {asked.kind} {call}{found}  {rfc3339(asked.asked_at)}  {outcome}"


def _form(one: ShownQuestion) -> dict[str, str | None]:
    asked = one.question
    return {
        "id": asked.id,
        "state": asked.state,
        "kind": asked.kind.value,
        "user_id": asked.user_id,
        "integration_id": asked.integration_id,
        "item_id": one.item.id if one.item else None,
        "item_type": one.item.type.value if one.item else None,
        "title": one.title,
        "start": asked.starts,
        "end": asked.ends,
        "found_start": asked.found_starts,
        "found_end": asked.found_ends,
        "asked_at": rfc3339(asked.asked_at),
        "answer": asked.answer,
        "closed": asked.closed,
        "settled_by": asked.settled_by,
        "settled_at": rfc3339(asked.settled_at) if asked.settled_at else None,
    }
