"""What the commands for dead letters share: their options, and how they say which letters are meant (R30)."""

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer

from service.app.server import SystemClock
from service.cli.operator import on_store, operator_name
from service.cli.output import exit_wrong_usage, print_json, print_line
from service.operations import DeadLetters, LetterFilter, WrongFilter, parse_letter_filter

_T = TypeVar("_T")
ANY_STATE = "all"

IDS_HELP = "As list shows them; or all open ones that match, with --all-matching."

QueueOption = Annotated[
    str | None, typer.Option("--queue", help="Such as calendar-sync.outbound, or outbound.")
]
ReasonOption = Annotated[
    str | None, typer.Option("--reason", "--code", help="Such as malformed or exhausted.")
]
SinceOption = Annotated[str | None, typer.Option("--since", help="RFC 3339, or 2h, 3d ago.")]
IntegrationOption = Annotated[str | None, typer.Option("--integration", help="An integration's id.")]
WhoOption = Annotated[
    str | None, typer.Option("--who", help="A part of a person's id, an account's or a calendar's name.")
]
GroupOption = Annotated[str | None, typer.Option("--group", help="Letters with the same cause.")]
StateOption = Annotated[
    str, typer.Option("--state", help="open, replaying, resolved, discarded, edited, or all.")
]
AllOption = Annotated[bool, typer.Option("--all-matching", help="All open ones that fit.")]
ExpectOption = Annotated[int | None, typer.Option(min=0, help="Refuse if more fit than this.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only tell what would come of it.")]
LetterArguments = Annotated[list[str], typer.Argument(metavar="ID…")]


def check_either(ids: list[str] | None, all_matching: bool) -> None:
    if bool(ids) == all_matching:
        exit_wrong_usage("give either ids or --all-matching")


def tell_count(what: str, count: int, *, as_json: bool) -> None:
    if as_json:
        print_json({"count": count})
    else:
        print_line(f"{what} {count}")


def at_the_desk(verb: Callable[[DeadLetters], Awaitable[_T]]) -> _T:
    return on_store("dead-letters", lambda store: verb(DeadLetters(store, who=operator_name())))


def matching_letters(**words: str | None) -> LetterFilter:
    """Leaves with exit code 2 where a word says nothing."""
    given = {name: text for name, text in words.items() if text is not None}
    try:
        return parse_letter_filter(given, now=SystemClock().now())
    except WrongFilter as error:
        wrong = (f"--{_OPTIONS.get(n, n)} {given[n]}: {rule}" for n, rule in error.errors.items())
        exit_wrong_usage("; ".join(wrong))


_OPTIONS = {"code": "reason"}


def state_word(state: str) -> str | None:
    return None if state == ANY_STATE else state
