"""``dead-letters``: find, read, replay, mend and discard (R30)."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeVar

import typer

from contracts.fields import instant
from service.app.server import SystemClock
from service.cli.operator import on_store, operator_name
from service.cli.output import AsJson, exit_wrong_usage, print_json, print_line, print_progress, read_file
from service.cli.tables import print_table, progress_bar
from service.operations import REPLAY_RATE, DeadLetters, LetterFilter

app = typer.Typer(help="Messages that could not be processed.", no_args_is_help=True)

_T = TypeVar("_T")
_AGO = re.compile(r"(\d{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

QueueOption = Annotated[
    str | None, typer.Option("--queue", help="Such as calendar-sync.outbound, or outbound.")
]
ReasonOption = Annotated[
    str | None, typer.Option("--reason", "--code", help="Such as malformed or exhausted.")
]
SinceOption = Annotated[str | None, typer.Option("--since", help="RFC 3339, or 2h, 3d ago.")]
IntegrationOption = Annotated[str | None, typer.Option("--integration", help="An integration's id.")]
GroupOption = Annotated[str | None, typer.Option("--group", help="Letters with the same cause.")]
StateOption = Annotated[
    str | None, typer.Option("--state", help="open, replaying, resolved, discarded or edited.")
]
LetterArguments = Annotated[list[str], typer.Argument(metavar="ID…")]


@app.command("list")
def list_letters(
    *,
    queue: QueueOption = None,
    reason: ReasonOption = None,
    since: SinceOption = None,
    integration: IntegrationOption = None,
    group: GroupOption = None,
    state: StateOption = None,
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
        print_json(page)
        return
    print_table(
        ("id", "last failed", "state", "queue", "code", "reason"),
        [
            (one["id"], one["last_failed_at"], one["state"], _short(one["queue"]), one["code"], one["reason"])
            for one in page["items"]
        ],
    )
    if page["next"]:
        print_line(f"more: --after {page['next']}")


@app.command()
def groups(
    *,
    queue: QueueOption = None,
    reason: ReasonOption = None,
    since: SinceOption = None,
    integration: IntegrationOption = None,
    state: StateOption = "open",
    as_json: AsJson = False,
) -> None:
    """Letters with the same cause counted together, the most frequent first."""
    matching = _matching(
        queue=queue, code=reason, since=since, integration=integration, group=None, state=state
    )
    found = _at_the_desk(lambda desk: desk.groups(matching))
    if as_json:
        print_json(found)
        return
    print_table(
        ("group", "count", "queue", "code", "last failed", "reason of the newest"),
        [
            (
                one["group"],
                str(one["count"]),
                _short(one["queue"]),
                one["code"],
                one["last_failed_at"],
                one["reason"],
            )
            for one in found["items"]
        ],
    )


@app.command()
def show(
    letter_id: Annotated[str, typer.Argument(metavar="ID")],
    *,
    context: Annotated[
        bool,
        typer.Option("--context", help="With --json: what surrounds the letter, and a replay's forecast."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """One letter whole, the integration as it stands, and what a replay would do now."""

    async def work(desk: DeadLetters) -> tuple[dict[str, Any], dict[str, Any]]:
        return await desk.show(letter_id), await desk.context(letter_id)

    letter, around = _at_the_desk(work)
    if as_json:
        print_json(around if context else letter)
        return
    forecast = around.pop("forecast")
    for name, value in (letter | around).items():
        for line in _lines(name, value):
            print_line(line)
    for one in forecast:
        print_line(f"replayed now: {one['said']}")


@app.command()
def replay(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID…]")] = None,
    *,
    all_matching: Annotated[bool, typer.Option("--all-matching", help="All open ones that fit.")] = False,
    queue: QueueOption = None,
    reason: ReasonOption = None,
    since: SinceOption = None,
    integration: IntegrationOption = None,
    group: GroupOption = None,
    expect: Annotated[int | None, typer.Option(min=0, help="Refuse if more fit than this.")] = None,
    rate: Annotated[float, typer.Option(min=0.001, max=1000, help="Messages a second.")] = REPLAY_RATE,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Stay until all have come through.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send messages again, so many a second; what is newer meanwhile stays as it is."""
    matching = _matching(
        queue=queue, code=reason, since=since, integration=integration, group=group, state="open"
    )
    if bool(ids) == all_matching:
        exit_wrong_usage("give either ids or --all-matching")
    if all_matching:
        count = _at_the_desk(
            lambda desk: _replayed_all(desk, matching, expect=expect, rate=rate, dry_run=dry_run)
        )
    else:
        count = _at_the_desk(lambda desk: _replayed(desk, ids or [], rate=rate, dry_run=dry_run))
    _tell("would replay" if dry_run else "replaying", count, as_json=as_json)
    if dry_run or not count:
        return
    if wait:
        _at_the_desk(_until_through)
    elif count > rate:
        print_progress(
            f"the last goes out in {count / rate:.0f} seconds; to end it: calendar-sync dead-letters stop"
        )


async def _replayed(desk: DeadLetters, ids: list[str], *, rate: float, dry_run: bool) -> int:
    return await (desk.replayable(ids) if dry_run else desk.replay(ids, rate=rate))


async def _until_through(desk: DeadLetters) -> None:
    """Show how many replays are under way, until there are none; to go away changes nothing."""
    left = await _under_way(desk)
    with progress_bar("replays", left) as advance:
        while left:
            await asyncio.sleep(1)
            now_left = await _under_way(desk)
            if now_left < left:
                advance(left - now_left)
            left = now_left


async def _under_way(desk: DeadLetters) -> int:
    found = await desk.progress()
    return found.waiting + found.on_the_way


async def _replayed_all(
    desk: DeadLetters, matching: LetterFilter, *, expect: int | None, rate: float, dry_run: bool
) -> int:
    total = await desk.would_replay(matching, expect=expect)
    if dry_run:
        return total
    count = 0
    with progress_bar("dead letters", total) as advance:
        async for sent in desk.replaying(matching, expect=expect, rate=rate):
            count += sent
            advance(sent)
    return count


@app.command()
def stop(as_json: AsJson = False) -> None:
    """Take back all replays that have not gone out yet; their letters are open again."""
    _tell("taken back", _at_the_desk(lambda desk: desk.stop()), as_json=as_json)


@app.command()
def edit(
    letter_id: Annotated[str, typer.Argument(metavar="ID")],
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="The message's data as JSON.")],
    as_json: AsJson = False,
) -> None:
    """Send a malformed message with other data under a new id; the original is kept."""
    data = _data(read_file(file))

    async def work(desk: DeadLetters) -> dict[str, Any]:
        return await desk.show(await desk.edit(letter_id, data))

    letter = _at_the_desk(work)
    if as_json:
        print_json(letter)
    else:
        print_line(f"sent again as message {letter['message_id']}, letter {letter['id']}")


def _data(text: bytes) -> dict[str, Any]:
    """The data alone, or a whole message that carries it."""
    try:
        form = json.loads(text)
    except (ValueError, RecursionError):
        exit_wrong_usage("the file is not JSON")
    if isinstance(form, dict) and "specversion" in form:
        form = form.get("data")
    if not isinstance(form, dict):
        exit_wrong_usage("the file must hold an object: the message's data")
    return form


@app.command()
def discard(
    ids: LetterArguments,
    reason: Annotated[str, typer.Option("--reason", help="Why; it is recorded.")],
    as_json: AsJson = False,
) -> None:
    """Give messages up, for a reason; undo takes it back."""
    if not reason.strip():
        exit_wrong_usage("--reason must not be empty")
    count = _at_the_desk(lambda desk: desk.discard(ids, reason=reason))
    _tell("discarded", count, as_json=as_json)


@app.command()
def undo(ids: LetterArguments, as_json: AsJson = False) -> None:
    """Open discarded letters again."""
    _tell("opened again", _at_the_desk(lambda desk: desk.undo(ids)), as_json=as_json)


def _tell(what: str, count: int, *, as_json: bool) -> None:
    if as_json:
        print_json({"count": count})
    else:
        print_line(f"{what} {count}")


def _at_the_desk(verb: Callable[[DeadLetters], Awaitable[_T]]) -> _T:
    return on_store("dead-letters", lambda store: verb(DeadLetters(store, who=operator_name())))


def _matching(
    *,
    queue: str | None,
    code: str | None,
    since: str | None,
    integration: str | None,
    group: str | None,
    state: str | None,
) -> LetterFilter:
    short = queue is not None and "." not in queue
    return LetterFilter(
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
        exit_wrong_usage(f"--since {text}: neither a time nor 2h, 3d")


def _short(queue: str) -> str:
    return queue.removeprefix("calendar-sync.")


def _lines(name: str, value: Any) -> list[str]:
    if isinstance(value, list):
        return [f"{name}: {'  '.join(str(part) for part in each.values() if part)}" for each in value]
    if isinstance(value, dict):
        return [f"{name}: {'  '.join(f'{key}={part}' for key, part in value.items())}"] if value else []
    return [] if value is None else [f"{name}: {value}"]
