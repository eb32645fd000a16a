"""R43: no text makes any process work longer than its length asks for, or raises what nobody foresaw."""

from collections.abc import Callable
from functools import cache

import pytest

from tests.support.foreign_texts import FED, ROOT, public_functions
from tests.support.knobs import FULL
from tests.support.own_texts import OWN_TEXTS
from tests.support.worst_texts import (
    BEGINNINGS,
    MIB,
    longest_work,
    steeper_than_linear,
    worst_text,
)

LONGEST = MIB if FULL else MIB // 16
"""What is quadratic takes minutes at 1 MiB, and shows at a sixteenth of that."""
TRIED = 16 * 1024
"""Characters by which the kind is found that costs most."""
TURNS = 3
MOST_COUNTS = 2_000_000


def test_r43_every_function_that_is_given_a_text_is_fed_or_is_known_to_see_our_own_alone() -> None:
    """A new one stays red until it is listed in ``foreign_texts`` or, with its reason, in ``own_texts``."""
    found = set(public_functions())

    assert found - FED.keys() - OWN_TEXTS.keys() == set()
    assert OWN_TEXTS.keys() - found == set()
    assert OWN_TEXTS.keys() & FED.keys() == set()


def test_r43_the_list_of_what_is_fed_names_only_what_there_is() -> None:
    for name in FED:
        module, _, function = name.partition(":")
        source = (ROOT / f"{module}.py").read_text(encoding="utf-8")
        assert function == "*" or f"def {function.rpartition('.')[2]}(" in source


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", FED)
def test_r43_work_grows_with_a_text_in_proportion_to_its_length(name: str) -> None:
    """Of each of the worst kinds, up to what its limit lets through; nothing else is raised.

    At most 1 MiB with FAULTS=full.
    """
    fed = FED[name]
    most = min(fed.most, LONGEST)

    steep = {kind: steeper_than_linear(fed, kind, most=most) for kind in BEGINNINGS}

    assert {kind: found for kind, found in steep.items() if found} == {}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", FED)
def test_r43_no_text_takes_longer_than_counting_to_two_millions(name: str) -> None:
    """That is 50 to 100 ms, measured in turns with it: the worst kind, at the most that can reach a function.

    Where one feeding calls it several times, each call has so much.
    """
    fed = FED[name]
    most = fed.most if fed.reach is None else min(fed.most, fed.reach)

    for _ in range(TURNS):  # what else runs on the machine can make both longer, but not in each turn
        counts, kind = longest_work(fed, most=most, tried=TRIED)
        if counts < fed.calls * MOST_COUNTS:
            return
    pytest.fail(f"{kind}: one counts to {counts:,.0f} meanwhile")


def test_r43_the_measure_tells_quadratic_work_from_linear() -> None:
    """Else nothing above would prove anything."""

    def linear(text: str) -> int:
        return sum(1 for _ in text)

    def quadratic(text: str) -> int:
        return sum(1 for _ in range(len(text) ** 2 >> 11))

    @cache
    def prepared() -> int:
        return quadratic("x" * (1 << 14))

    def told(work: Callable[[str], int], *, most: int, steep: bool) -> bool:
        """In one of some turns: what else runs on the machine can hide it in one."""
        return any(bool(steeper_than_linear(work, "letters", most=most)) is steep for _ in range(TURNS))

    assert told(linear, most=1 << 20, steep=False)
    assert told(quadratic, most=1 << 16, steep=True)
    assert told(lambda text: quadratic(text) + prepared(), most=1 << 16, steep=True)
    assert len(worst_text("unseen half ends", 1000)) == 1000
