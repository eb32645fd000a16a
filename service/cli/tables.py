"""Tables and progress for people; programs ask for ``--json``."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from service.cli.output import print_progress
from service.telemetry.terminal import printable

UNWATCHED_COLUMNS = 1000
"""Columns where nobody watches: every row is one line, whatever it says."""


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Rows under headings on standard output; texts are shown as they are, never as markup."""
    watched = sys.stdout.isatty()
    table = Table(box=box.SIMPLE_HEAD if watched else None, pad_edge=watched)
    for heading in headings:
        table.add_column(heading, overflow="fold", no_wrap=heading == "id")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    Console(file=sys.stdout, width=None if watched else UNWATCHED_COLUMNS).print(table)


@contextmanager
def progress_bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error, a line now and then where nobody watches; call it with what was done."""
    if sys.stderr.isatty():
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(what, total=total)
            yield lambda done: bar.advance(task, done)
        return
    count = 0

    def advance(done: int) -> None:
        nonlocal count
        count += done
        print_progress(f"{count} of {total} {what}")

    yield advance


@contextmanager
def run_progress() -> Iterator[Callable[[int, int | None, str], None]]:
    """How far a run has come, on standard error: a bar, or a line for each change where nobody watches."""
    if sys.stderr.isatty():
        columns = BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False)
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task("", total=None)
            yield lambda done, total, words: bar.update(
                task, completed=done, total=total, description=printable(words)
            )
        return
    told = ""

    def tell(done: int, total: int | None, words: str) -> None:
        nonlocal told
        line = f"{done} of {total} · {words}" if total else f"{done} · {words}"
        if line != told:
            print_progress(line)
        told = line

    yield tell
