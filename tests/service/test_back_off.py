"""The one back-off of the service."""

from itertools import islice

import pytest

from service.back_off import back_off, back_off_pauses


@pytest.mark.parametrize(
    ("failures", "seconds"), [(0, 1.0), (1, 2.0), (2, 4.0), (5, 32.0), (6, 60.0), (100_000, 60.0)]
)
def test_it_doubles_with_every_failure_up_to_the_longest(failures: int, seconds: float) -> None:
    assert back_off(failures, first=1.0, longest=60.0) == seconds


def test_its_first_pause_is_never_longer_than_the_longest() -> None:
    assert back_off(0, first=2.0, longest=1.5) == 1.5


def test_pauses_are_between_half_and_all_of_the_back_off_and_have_no_end() -> None:
    drawn = list(islice(back_off_pauses(longest=5.0), 200))

    assert all(
        full / 2 <= pause <= full
        for failures, pause in enumerate(drawn)
        for full in [back_off(failures, first=0.1, longest=5.0)]
    )
    assert len(set(drawn)) > 100, "they come apart"
