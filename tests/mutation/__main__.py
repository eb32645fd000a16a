"""``make mutants``: breaks the rules in ``handlers/`` in every way mutmut knows, and counts what is noticed.

Ends with 1 where a mutant lives that ``SURVIVORS.md`` does not name, where it names one that does not live,
or where too few die. ``ARGS="handlers.plan.*"`` tries those again and leaves the others as they are.
"""

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code
from mutmut.utils.format_utils import orig_function_and_class_names_from_key
from rich.console import Console
from rich.table import Table

from tests.mutation.survivors import Change, Survivor, survivors
from tests.support.repository import ROOT

LEAST_SCORE = 97.0
"""Of a hundred mutants that are not equivalent, how many must die."""
DEAD = frozenset({"killed", "timeout", "segfault"})
WIDTH = 120


@dataclass(frozen=True, kw_only=True, slots=True)
class Mutant:
    """One, as it was found."""

    module: str
    name: str
    status: str

    @property
    def dead(self) -> bool:
        return self.status in DEAD

    @property
    def function(self) -> str:
        function, owner = orig_function_and_class_names_from_key(self.name)
        return ".".join(part for part in (self.module, owner, function.rpartition(".")[2]) if part)

    @property
    def change(self) -> Change:
        path = Path(*self.module.split(".")).with_suffix(".py")
        return Change.of(self.function, get_diff_for_mutant(self.name, path=path).splitlines())


def main(names: Sequence[str]) -> int:
    """The exit code."""
    os.chdir(ROOT)
    if not names:
        shutil.rmtree("mutants", ignore_errors=True)
    code = _mutmut(names)
    if code:
        return code
    found = [each for each in _found() if not names or any(fnmatch(each.name, name) for name in names)]
    tried = {each.function for each in found}
    return _report(found, [each for each in survivors() if not names or each.change.function in tried])


def _mutmut(names: Sequence[str]) -> int:
    """On every processor, as the last in line, and without the plugins that these tests do not need."""
    script = str(Path(__file__).with_name("warm.py"))
    workers = len(os.sched_getaffinity(0))
    command = [sys.executable, script, "run", "--max-children", str(workers), *names]
    return subprocess.run(
        ["env", "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1", "nice", *command], check=False
    ).returncode


def _found() -> Iterator[Mutant]:
    for path in sorted(Path("handlers").rglob("*.py")):
        data = SourceFileMutationData(path=path)
        data.load()
        module = ".".join(path.with_suffix("").parts)
        for name, exit_code in data.exit_code_by_key.items():
            yield Mutant(module=module, name=name, status=status_by_exit_code[exit_code])


def _report(mutants: Sequence[Mutant], listed: Sequence[Survivor]) -> int:
    known = {each.change: each for each in listed}
    living = {each.name: each.change for each in mutants if not each.dead}
    unknown = [each for each in mutants if each.name in living and living[each.name] not in known]
    wrong = [change for change in known if change not in living.values()]
    equivalent = {name for name, change in living.items() if change in known and known[change].equivalent}
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    console.print(_table(mutants, equivalent, {each.name for each in unknown}))
    for each in unknown:
        _tell(console, f"{each.name} lives ({each.status}) and is not on the list", living[each.name])
    for change in wrong:
        _tell(console, f"{change.function}: is on the list and does not live", change)
    enough = _score(len(mutants), len(living), len(equivalent)) >= LEAST_SCORE
    return 1 if unknown or wrong or not enough else 0


def _tell(console: Console, what: str, change: Change) -> None:
    console.print(what, markup=False, highlight=False)
    for sign, lines in (("-", change.before), ("+", change.after)):
        for line in lines:
            console.print(f"    {sign} {line}", markup=False, highlight=False)


def _score(mutants: int, living: int, equivalent: int) -> float:
    different = mutants - equivalent
    return 100.0 * (mutants - living) / different if different else 100.0


def _table(mutants: Sequence[Mutant], equivalent: set[str], unknown: set[str]) -> Table:
    table = Table("module", title="Mutants of handlers/", title_justify="left")
    for title in ("mutants", "die", "of time", "equivalent", "live", "not listed", "score"):
        table.add_column(title, justify="right")
    modules = Counter(each.module for each in mutants)
    for module in modules:
        table.add_row(module, *_row([each for each in mutants if each.module == module], equivalent, unknown))
    table.add_section()
    table.add_row("all", *_row(mutants, equivalent, unknown))
    return table


def _row(mutants: Sequence[Mutant], equivalent: set[str], unknown: set[str]) -> list[str]:
    dead = sum(each.dead for each in mutants)
    out_of_time = sum(each.status == "timeout" for each in mutants)
    alike = sum(each.name in equivalent for each in mutants)
    alive = len(mutants) - dead
    counts = (
        len(mutants),
        dead,
        out_of_time,
        alike,
        alive - alike,
        sum(each.name in unknown for each in mutants),
    )
    return [*map(str, counts), f"{_score(len(mutants), alive, alike):.1f} %"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
