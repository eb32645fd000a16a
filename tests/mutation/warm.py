"""mutmut, with the tests collected once: each mutant then costs its own tests alone, not a start of pytest.

A script, not a module: ``tests`` must not be imported before mutmut has put its copy in front.
"""

import sys
from collections.abc import Iterable

import mutmut.__main__ as mutmut
import pytest
from _pytest.config import _prepareconfig
from mutmut.configuration import config as mutmut_config
from mutmut.runners.harness import PytestRunner
from mutmut.utils.file_utils import change_cwd
from mutmut.workers.isolation import ForkRunner, run_in_fork

LEFT_OUT = (
    "tests/handlers/test_html_text.py::test_r12_the_longest_html_takes_no_time",
    "tests/handlers/test_html_text.py::test_r12_the_time_of_html_grows_as_its_length",
    "tests/handlers/test_link_states_alone.py",
)
"""A clock would kill by chance, as mutmut slows each call; the last one reads sources, which it rewrites."""
# Telling a failure in words takes nine tenths of a mutant's time.
WORDLESS = ("--rootdir=.", "--exitfirst", "--quiet", "--capture=no", "--tb=no", "-p", "no:assertion")


class WarmTests(PytestRunner):
    """Runs the tests of a session that was collected before the fork."""

    def collect(self) -> None:
        settings = mutmut_config()
        selection = [*settings.pytest_add_cli_args_test_selection, *settings.pytest_add_cli_args]
        with change_cwd("mutants"):
            config = _prepareconfig([*WORDLESS, *selection])
            config._do_configure()
            self._session = pytest.Session.from_config(config)
            config.hook.pytest_sessionstart(session=self._session)
            config.hook.pytest_collection(session=self._session)
        config.pluginmanager.unregister(name="terminalreporter")
        self._items = {item.nodeid: item for item in self._session.items}

    def run_tests(self, *, mutant_name: str | None, tests: Iterable[str]) -> int:
        """In a fork, as the session ends with its first failure; without names, all of them."""
        items = [self._items[test] for test in tests or self._items]
        with change_cwd("mutants"):
            for item, following in zip(items, [*items[1:], None], strict=True):
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
                if self._session.testsfailed:
                    return int(pytest.ExitCode.TESTS_FAILED)
        return int(pytest.ExitCode.OK)


class WarmRunner(ForkRunner):
    """Collects before the first tests that must pass, and runs these like those of a mutant."""

    def __init__(self, max_workers: int = 1) -> None:
        self._warm = WarmTests()
        super().__init__(max_workers=max_workers, test_runner=self._warm)

    def run_clean_tests(self, tests: Iterable[str]) -> int:
        self._warm.collect()
        return run_in_fork(self._warm.run_tests, mutant_name=None, tests=tests)

    def run_forced_fail(self) -> int:
        return run_in_fork(self._warm.run_tests, mutant_name=None, tests=())


if __name__ == "__main__":
    mutmut_config().pytest_add_cli_args_test_selection.extend(f"--deselect={test}" for test in LEFT_OUT)
    mutmut.get_mutant_runner = WarmRunner  # type: ignore[attr-defined]
    sys.argv[0] = "mutmut"
    mutmut.cli()
