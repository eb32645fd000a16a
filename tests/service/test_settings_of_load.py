"""What the settings say of load, where nobody says more."""

from pathlib import Path

import pytest

from service.settings import load

UNLIMITED = {"CRONOFY_REQUESTS_PER_SECOND": "0", "CRONOFY_REQUESTS_PER_MINUTE": "0"}


@pytest.mark.parametrize(
    ("given", "at_once"),
    [
        ({}, 16),
        ({"CRONOFY_REQUESTS_PER_SECOND": "20"}, 16),
        ({"CRONOFY_REQUESTS_PER_SECOND": "0"}, 16),
        ({"CRONOFY_REQUESTS_PER_MINUTE": "10000"}, 16),
        ({**UNLIMITED}, 32),
        ({"CRONOFY_REQUESTS_PER_SECOND": "1000", "CRONOFY_REQUESTS_PER_MINUTE": "10000"}, 32),
        ({**UNLIMITED, "CONCURRENCY": "16"}, 16),
        ({**UNLIMITED, "CONCURRENCY": ""}, 32),
        ({"CONCURRENCY": "4"}, 4),
    ],
)
def test_as_many_writes_are_on_their_way_as_the_limits_have_use_for(
    given: dict[str, str], at_once: int, tmp_path: Path
) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("".join(f"CALENDAR_SYNC_{name}={value}\n" for name, value in given.items()))
    settings = load("simulator", env_file=env_file)
    assert (settings.writes_at_once, settings.summary()["writes_at_once"]) == (at_once, at_once)
