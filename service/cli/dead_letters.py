"""``dead-letters``: find, read, replay, mend and discard (R30)."""

import asyncio
from typing import Annotated, Any

import typer

from service.cli import letter_settling
from service.cli.letter_options import (
    IDS_HELP,
    AllOption,
    DryRunOption,
    ExpectOption,
    GroupOption,
    IntegrationOption,
    QueueOption,
    ReasonOption,
    SinceOption,
    StateOption,
    WhoOption,
    at_the_desk,
    check_either,
    matching_letters,
    state_word,
    tell_count,
)
from service.cli.output import (
    AfterOption,
    AsJson,
    LimitOption,
    print_json,
    print_line,
    print_progress,
    settings_for,
)
from service.cli.tables import print_table, progress_bar
from service.operations import REPLAY_RATE, DeadLetters, LetterFilter

app = typer.Typer(help="Messages that could not be processed.", no_args_is_help=True)
for _verb in (letter_settling.edit, letter_settling.discard, letter_settling.undo):
    app.command()(_verb)

LETTERS_FORETOLD = 100
"""So many letters of a dry run are asked what their replay would do now."""


@app.command("list")
def list_letters(
    *,
    queue: QueueOption = None,
    reason: ReasonOption = None,
    since: SinceOption = None,
    integration: IntegrationOption = None,
    who: WhoOption = None,
    group: GroupOption = None,
    state: StateOption = "open",
    after: AfterOption = None,
    limit: LimitOption = 50,
    as_json: AsJson = False,
) -> None:
    """The newest first."""
    matching = matching_letters(
        queue=queue,
        code=reason,
        since=since,
        integration=integration,
        who=who,
        group=group,
        state=state_word(state),
    )
    page = at_the_desk(lambda desk: desk.page(matching, after=after, limit=limit))
    if as_json:
        print_json(page)
        return
    print_table(
        ("id", "last failed", "state", "tenant", "item", "message id", "queue", "code", "reason"),
        [
            (
                one["id"],
                one["last_failed_at"],
                one["state"],
                one["tenant_id"] or "-",
                one["item_key"] or "-",
                one["message_id"] or "-",
                _short(one["queue"]),
                one["code"],
                one["reason"],
            )
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
    who: WhoOption = None,
    state: StateOption = "open",
    as_json: AsJson = False,
) -> None:
    """Letters with the same cause counted together, the most frequent first."""
    matching = matching_letters(
        queue=queue,
        code=reason,
        since=since,
        integration=integration,
        who=who,
        group=None,
        state=state_word(state),
    )
    found = at_the_desk(lambda desk: desk.groups(matching))
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
    letter_id: Annotated[str, typer.Argument(metavar="ID", help="As list shows it.")],
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

    letter, around = at_the_desk(work)
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
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID…]", help=IDS_HELP)] = None,
    *,
    all_matching: AllOption = False,
    queue: QueueOption = None,
    reason: ReasonOption = None,
    since: SinceOption = None,
    integration: IntegrationOption = None,
    who: WhoOption = None,
    group: GroupOption = None,
    expect: ExpectOption = None,
    rate: Annotated[float, typer.Option(min=0.001, max=1000, help="Messages a second.")] = REPLAY_RATE,
    dry_run: DryRunOption = False,
    wait: Annotated[bool, typer.Option("--wait", help="Stay until all have come through.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send messages again, so many a second; what is newer meanwhile stays as it is."""
    matching = matching_letters(
        queue=queue, code=reason, since=since, integration=integration, who=who, group=group, state="open"
    )
    check_either(ids, all_matching)
    if dry_run:
        found = at_the_desk(lambda desk: _foretold(desk, ids or [], matching, expect=expect, rate=rate))
        _tell_foretold(found, as_json=as_json)
        return
    seconds = at_the_desk(lambda desk: _least_seconds(desk, ids, matching, rate))
    if all_matching:
        count = at_the_desk(lambda desk: _replayed_all(desk, matching, expect=expect, rate=rate))
    else:
        count = at_the_desk(lambda desk: desk.replay(ids or [], rate=rate))
    tell_count("replaying", count, as_json=as_json)
    if not count:
        return
    if wait:
        at_the_desk(_until_through)
    elif count > 1:
        print_progress(f"it takes at least {seconds:.0f} seconds; to end it: calendar-sync dead-letters stop")


def _whose(letter: dict[str, Any]) -> tuple[str, ...]:
    named = (letter[name] or "-" for name in ("tenant_id", "item_key", "message_id"))
    return (*named, _short(letter["queue"]))


async def _foretold(
    desk: DeadLetters, ids: list[str], matching: LetterFilter, *, expect: int | None, rate: float
) -> dict[str, Any]:
    """What a replay would come to: how many, how long at least, and what the oldest of them would do now."""
    count = await (desk.replayable(ids) if ids else desk.would_replay(matching, expect=expect))
    looked = ids[:LETTERS_FORETOLD] or await desk.oldest(matching, limit=LETTERS_FORETOLD)
    seconds = await _least_seconds(desk, ids, matching, rate)
    said = [
        {"outcome": outcome, "said": sentence, "count": number}
        for outcome, sentence, number in await desk.forecast(looked)
    ]
    return {"count": count, "seconds": round(seconds, 1), "looked_at": len(looked), "forecast": said}


async def _least_seconds(
    desk: DeadLetters, ids: list[str] | None, matching: LetterFilter, rate: float
) -> float:
    """How long the replay takes at least, by all limits."""
    a_minute = settings_for("dead-letters").cronofy_requests_per_minute
    return (await desk.replay_time(matching, ids=ids or None, rate=rate, requests_a_minute=a_minute)).seconds


def _tell_foretold(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json({"count": found["count"]})
        return
    print_line(f"would replay {found['count']}, which takes at least {found['seconds']:.0f} seconds")
    if found["looked_at"] < found["count"]:
        print_line(f"asked for the {found['looked_at']} oldest of them:")
    for one in found["forecast"]:
        print_line(f"{one['count']} × {one['said']}")


async def _until_through(desk: DeadLetters) -> None:
    """Show how many replays are under way, until there are none; to go away changes nothing."""
    left = lowest = await _under_way(desk)
    with progress_bar("replays", left) as advance:
        while left:
            await asyncio.sleep(1)
            left = await _under_way(desk)
            advance(come_through(lowest, left))
            lowest = min(lowest, left)


def come_through(lowest: int, left: int) -> int:
    """How many more are through where so few were left before; none while what others add is more."""
    return max(0, lowest - left)


async def _under_way(desk: DeadLetters) -> int:
    found = await desk.progress()
    return found.waiting + found.on_the_way


async def _replayed_all(desk: DeadLetters, matching: LetterFilter, *, expect: int | None, rate: float) -> int:
    total = await desk.would_replay(matching, expect=expect)
    count = 0
    with progress_bar("dead letters", total) as advance:
        async for sent in desk.replaying(matching, expect=expect, rate=rate):
            count += sent
            advance(sent)
    return count


@app.command()
def stop(as_json: AsJson = False) -> None:
    """Take back all replays that have not gone out yet; their letters are open again."""
    tell_count("taken back", at_the_desk(lambda desk: desk.stop()), as_json=as_json)


def _short(queue: str) -> str:
    return queue.removeprefix("calendar-sync.")


def _lines(name: str, value: Any) -> list[str]:
    if isinstance(value, list):
        return [f"{name}: {'  '.join(str(part) for part in each.values() if part)}" for each in value]
    if isinstance(value, dict):
        return [f"{name}: {'  '.join(f'{key}={part}' for key, part in value.items())}"] if value else []
    return [] if value is None else [f"{name}: {value}"]
