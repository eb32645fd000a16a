"""``dead-letters``: find, read, replay and discard (R30, DESIGN 11)."""

import getpass
import re
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeVar

import typer

from contracts.fields import instant
from service import app as root
from service.cli.speech import refuse, run, say, say_json, settings_for
from service.clock import SystemClock
from service.operations import DeadLetters, Matching

app = typer.Typer(help="Messages that could not be processed.", no_args_is_help=True)

_T = TypeVar("_T")
_AGO = re.compile(r"(\d{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Queue = Annotated[str | None, typer.Option("--queue", help="Such as calendar-sync.outbound, or outbound.")]
Reason = Annotated[str | None, typer.Option("--reason", "--code", help="Such as malformed or exhausted.")]
Since = Annotated[str | None, typer.Option("--since", help="RFC 3339, or 2h, 3d ago.")]
Integration = Annotated[str | None, typer.Option("--integration", help="An integration's id.")]
Group = Annotated[str | None, typer.Option("--group", help="Letters with the same cause.")]
State = Annotated[str | None, typer.Option("--state", help="open, replaying, resolved, discarded or edited.")]
Ids = Annotated[list[str], typer.Argument(metavar="ID…")]


@app.command("list")
def list_letters(
    *,
    queue: Queue = None,
    reason: Reason = None,
    since: Since = None,
    integration: Integration = None,
    group: Group = None,
    state: State = None,
    after: Annotated[str | None, typer.Option(help="The cursor of the next page.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    as_json: AsJson = False,
) -> None:
    """The newest first."""
    matching = _matching(
        queue=queue, code=reason, since=since, integration=integration, group=group, state=state
    )
    page = _at_the_desk(lambda desk: desk.page(matching, after=after, limit=limit))
    if as_json:
        say_json(page)
        return
    for letter in page["items"]:
        where = letter["queue"].removeprefix("calendar-sync.")
        say(
            f"{letter['id']}  {letter['last_failed_at']}  {letter['state']:<9}  {where:<8}  "
            f"{letter['code']:<11}  {letter['reason']}"
        )
    if page["next"]:
        say(f"more: --after {page['next']}")


@app.command()
def show(
    letter_id: Annotated[str, typer.Argument(metavar="ID")],
    as_json: AsJson = False,
) -> None:
    """One letter whole."""
    letter = _at_the_desk(lambda desk: desk.show(letter_id))
    if as_json:
        say_json(letter)
        return
    for name, value in letter.items():
        for line in _lines(name, value):
            say(line)


@app.command()
def replay(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID…]")] = None,
    *,
    all_matching: Annotated[bool, typer.Option("--all-matching", help="All open ones that fit.")] = False,
    queue: Queue = None,
    reason: Reason = None,
    since: Since = None,
    integration: Integration = None,
    group: Group = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send messages again; what is newer meanwhile stays as it is."""
    matching = _matching(
        queue=queue, code=reason, since=since, integration=integration, group=group, state="open"
    )
    if bool(ids) == all_matching:
        refuse("give either ids or --all-matching")
    count = _at_the_desk(lambda desk: _replayed(desk, ids or [], matching, dry_run=dry_run))
    if as_json:
        say_json({"count": count})
    else:
        say(f"{'would replay' if dry_run else 'replaying'} {count}")


async def _replayed(desk: DeadLetters, ids: list[str], matching: Matching, *, dry_run: bool) -> int:
    if dry_run:
        return await desk.replayable(ids) if ids else await desk.count(matching)
    return await desk.replay(ids) if ids else await desk.replay_matching(matching)


@app.command()
def discard(
    ids: Ids,
    reason: Annotated[str, typer.Option("--reason", help="Why; it is recorded.")],
    as_json: AsJson = False,
) -> None:
    """Give messages up, for a reason; undo takes it back."""
    if not reason.strip():
        refuse("--reason must not be empty")
    count = _at_the_desk(lambda desk: desk.discard(ids, reason=reason))
    _tell("discarded", count, as_json=as_json)


@app.command()
def undo(ids: Ids, as_json: AsJson = False) -> None:
    """Open discarded letters again."""
    _tell("opened again", _at_the_desk(lambda desk: desk.undo(ids)), as_json=as_json)


def _tell(what: str, count: int, *, as_json: bool) -> None:
    if as_json:
        say_json({"count": count})
    else:
        say(f"{what} {count}")


def _at_the_desk(verb: Callable[[DeadLetters], Awaitable[_T]]) -> _T:
    settings = settings_for("dead-letters")

    async def work() -> _T:
        async with AsyncExitStack() as stack:
            return await verb(DeadLetters(await root.open_store(settings, stack), who=who()))

    return run(work)


def who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "operator"


def _matching(
    *,
    queue: str | None,
    code: str | None,
    since: str | None,
    integration: str | None,
    group: str | None,
    state: str | None,
) -> Matching:
    short = queue is not None and "." not in queue
    return Matching(
        queue=f"calendar-sync.{queue}" if short else queue,
        code=code,
        since=None if since is None else _moment(since),
        integration=integration,
        group=group,
        state=state,
    )


def _moment(text: str) -> datetime:
    """RFC 3339, or so long ago: ``2h``, ``3d``."""
    if ago := _AGO.fullmatch(text):
        return SystemClock().now() - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        return instant(text).astimezone(UTC)
    except ValueError:
        refuse(f"--since {text}: neither a time nor 2h, 3d")


def _lines(name: str, value: Any) -> list[str]:
    if isinstance(value, list):
        return [f"{name}: {'  '.join(str(part) for part in each.values() if part)}" for each in value]
    return [] if value is None else [f"{name}: {value}"]
