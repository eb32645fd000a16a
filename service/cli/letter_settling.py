"""``dead-letters edit``, ``discard`` and ``undo``: what ends with a letter, or takes that back (R30)."""

import json
from typing import Annotated, Any

import typer

from service.cli.letter_options import (
    IDS_HELP,
    AllOption,
    DryRunOption,
    ExpectOption,
    GroupOption,
    IntegrationOption,
    QueueOption,
    SinceOption,
    WhoOption,
    at_the_desk,
    check_either,
    matching_letters,
    tell_count,
)
from service.cli.output import (
    EXIT_FAILED,
    AsJson,
    exit_failed,
    exit_wrong_usage,
    print_json,
    print_line,
    print_progress,
    read_file,
)
from service.operations import DeadLetters
from service.operations.letters.group_edits import edit_matching


def edit(
    given: Annotated[
        list[str], typer.Argument(metavar="[ID] FILE|-", help="The data as JSON; of many only what changes.")
    ],
    *,
    all_matching: AllOption = False,
    queue: QueueOption = None,
    since: SinceOption = None,
    integration: IntegrationOption = None,
    who: WhoOption = None,
    group: GroupOption = None,
    expect: ExpectOption = None,
    dry_run: DryRunOption = False,
    as_json: AsJson = False,
) -> None:
    """Send malformed messages with other data under new ids; the originals are kept.

    One by its id with its whole data; or all that match with one change: a JSON merge patch, in which null
    takes a field away.
    """
    if len(given) != (1 if all_matching else 2):
        exit_wrong_usage("give an id and a file, or --all-matching and a file")
    data = _data(read_file(given[-1]))
    if not all_matching:
        letter_id = given[0]
        letter = at_the_desk(lambda desk: _edited(desk, letter_id, data, dry_run=dry_run))
        _tell_edited(letter, as_json=as_json, dry_run=dry_run)
        return
    matching = matching_letters(
        queue=queue,
        code="malformed",
        since=since,
        integration=integration,
        who=who,
        group=group,
        state="open",
    )
    done = at_the_desk(lambda desk: edit_matching(desk, matching, data, expect=expect, dry_run=dry_run))
    if as_json:
        print_json({"count": done.mended, "wrong": done.wrong})
    else:
        print_line(f"{'would mend' if dry_run else 'mended and sent again'} {done.mended}")
        for letter_id, why in done.wrong.items():
            print_line(f"{letter_id}: still wrong: {why}")
    if done.wrong:
        raise typer.Exit(EXIT_FAILED)


async def _edited(
    desk: DeadLetters, letter_id: str, data: dict[str, Any], *, dry_run: bool
) -> dict[str, Any]:
    return await desk.show(await desk.edit(letter_id, data, dry_run=dry_run) or letter_id)


def _tell_edited(letter: dict[str, Any], *, as_json: bool, dry_run: bool) -> None:
    if as_json:
        print_json(letter)
    elif dry_run:
        print_line(f"letter {letter['id']} would be mended and sent again")
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


def discard(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID…]", help=IDS_HELP)] = None,
    *,
    why: Annotated[str, typer.Option("--reason", help="Why; it is recorded.")],
    all_matching: AllOption = False,
    queue: QueueOption = None,
    code: Annotated[str | None, typer.Option("--code", help="Such as malformed or exhausted.")] = None,
    since: SinceOption = None,
    integration: IntegrationOption = None,
    who: WhoOption = None,
    group: GroupOption = None,
    expect: ExpectOption = None,
    dry_run: DryRunOption = False,
    as_json: AsJson = False,
) -> None:
    """Give messages up, for a reason; undo takes it back."""
    if not why.strip():
        exit_wrong_usage("--reason must not be empty")
    matching = matching_letters(
        queue=queue, code=code, since=since, integration=integration, who=who, group=group, state="open"
    )
    check_either(ids, all_matching)
    if dry_run:
        count = at_the_desk(
            lambda desk: desk.replayable(ids) if ids else desk.would_replay(matching, expect=expect)
        )
        tell_count("would discard", count, as_json=as_json)
        return
    done = at_the_desk(
        lambda desk: (
            desk.discard(ids, reason=why)
            if ids
            else desk.discard_matching(matching, expect=expect, reason=why)
        )
    )
    if as_json:
        print_json({"count": done.count, "batch": done.batch})
        return
    print_line(f"discarded {done.count}")
    if done.count:
        print_progress(f"to take it back: calendar-sync dead-letters undo --batch {done.batch}")


def undo(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID…]", help="As list --state discarded shows them.")
    ] = None,
    *,
    batch: Annotated[str | None, typer.Option("--batch", help="All that was discarded together.")] = None,
    as_json: AsJson = False,
) -> None:
    """Open discarded letters again."""
    if bool(ids) == (batch is not None):
        exit_wrong_usage("give either ids or --batch")
    count = at_the_desk(lambda desk: desk.undo(ids or []) if batch is None else desk.undo_batch(batch))
    if not count and batch is not None and not as_json:
        exit_failed("nothing that was discarded together under this id is discarded still")
    tell_count("opened again", count, as_json=as_json)
