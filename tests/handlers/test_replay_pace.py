"""When replays go out: at their rate, in the gaps that others leave, and no integration at once (R30)."""

from collections import Counter
from itertools import pairwise

import pytest

from handlers.replays.pace import ReplayPace


def moments(pace: ReplayPace, *whose: str | None) -> list[float]:
    return [pace.moment(one) for one in whose]


def test_messages_go_out_evenly_at_the_rate() -> None:
    """Five a second unless another rate is asked for."""
    assert moments(ReplayPace(rate=5), *[None] * 4) == pytest.approx([0, 0.2, 0.4, 0.6])
    assert moments(ReplayPace(rate=0.5, start=100), *[None] * 3) == pytest.approx([100, 102, 104])


def test_one_integration_gets_one_a_second() -> None:
    """Its letters wait for each other, and nobody else's wait for them."""
    assert moments(ReplayPace(rate=5), "a", "a", "a", "b", None) == pytest.approx([0, 1, 2, 0.6, 0.8])


def test_who_asks_for_more_gets_more_for_each_integration_too() -> None:
    """A fifth of the rate."""
    assert moments(ReplayPace(rate=100), "a", "a", "a") == pytest.approx([0, 0.05, 0.1])


def test_a_second_replay_takes_the_gaps_of_the_first() -> None:
    """Together they make five a second, and an integration's letters stay a second apart."""
    others = [(at / 4, f"i-{at}") for at in range(40)]
    pace = ReplayPace(rate=5)
    pace.begin(0.0, others)

    given = moments(pace, *[None] * 20)

    seconds = Counter(int(at + 1e-6) for at in [*given, *(at for at, _ in others)])
    assert max(seconds.values()) == 5
    assert given[:3] == pytest.approx([0, 1.8, 2.8])
    for waiting in ([(7.0, "i-1"), (3.0, "i-1")], [(3.0, "i-1"), (7.0, "i-1")]):
        later = ReplayPace(rate=5)
        later.begin(0.0, waiting)
        assert later.moment("i-1") == pytest.approx(8)


def test_what_finds_a_second_full_does_not_crowd_at_the_beginning_of_the_next() -> None:
    """Within a second, too, they go out one after the other."""
    pace = ReplayPace(rate=5)
    pace.begin(0.0, [(at / 5, None) for at in range(50)])

    assert moments(pace, *[None] * 6) == pytest.approx([10, 10.2, 10.4, 10.6, 10.8, 11])


@pytest.mark.parametrize(("full", "moment"), [((5,), 6), ((5, 6), 7), ((6,), 5)])
def test_what_finds_its_second_full_goes_out_in_the_first_one_after_it_that_is_not(
    full: tuple[int, ...], moment: float
) -> None:
    """Never before, where its integration's last letter would be less than a second away."""
    pace = ReplayPace(rate=5)
    pace.begin(0.0, [(4.0, "i"), *((second + at / 5, None) for second in full for at in range(5))])

    assert moments(pace, "i") == pytest.approx([moment])


def test_a_replay_in_several_transactions_keeps_its_rate_and_is_never_late() -> None:
    """It looks again at what waits before each, and goes on where it was, or now."""
    pace = ReplayPace(rate=2)
    pace.begin(100.0, ())
    given = moments(pace, *[None] * 4)
    pace.begin(100.1, [(each, None) for each in given])
    given += moments(pace, *[None] * 2)
    pace.begin(200.5, ())

    assert given == pytest.approx([100, 100.5, 101, 101.5, 102, 102.5])
    assert moments(pace, None, None) == pytest.approx([200.5, 201])


def test_ten_thousand_letters_of_many_integrations_are_spread() -> None:
    """No second has more than five, no integration two within one."""
    pace = ReplayPace(rate=5)
    given = [(pace.moment(f"i-{number % 7}"), number % 7) for number in range(10_000)]

    assert max(Counter(int(at + 1e-6) for at, _ in given).values()) == 5
    for whose in range(7):
        mine = sorted(at for at, one in given if one == whose)
        assert min(later - at for at, later in pairwise(mine)) >= 1 - 1e-6
    assert max(at for at, _ in given) == pytest.approx(2000, rel=0.01)
