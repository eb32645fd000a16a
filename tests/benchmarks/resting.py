"""What accounts cost at Cronofy by the day, counted on a clock that is turned."""

import tempfile
from collections import Counter
from pathlib import Path

from tests.benchmarks.ground import Failed
from tests.benchmarks.results import Found, Line
from tests.support.quiet_days import CHANGES, NOTICES, quiet_days

MANY = 10_000
MOST_BESIDE_READS = 5_000
STEP_SECONDS = 600.0
BUSY_ACCOUNTS = 10
DAILY_READ = ("a complete read", "a token")
"""The daily read, and the token without which it cannot be made."""


async def rest(accounts: int) -> Found:
    """Days of accounts without any change, and one of people with what the sizing table says of them."""
    with tempfile.TemporaryDirectory() as folder:
        quiet = await _quiet(Path(folder), accounts)
        busy = await _busy(Path(folder))
    share = MANY / accounts
    beside = sum(count for word, count in quiet.items() if word not in DAILY_READ)
    lines = [
        _line(f"{MANY:,} quiet accounts, daily reads", quiet["a complete read"] * share),
        _line(f"{MANY:,} quiet accounts, tokens for them", quiet["a token"] * share),
        _line(f"{MANY:,} quiet accounts, everything else", beside * share, most=MOST_BESIDE_READS),
        *(
            _line(f"a person with {CHANGES} changes and {NOTICES} notices: {word}", count / BUSY_ACCOUNTS)
            for word, count in sorted(busy.items())
        ),
    ]
    return Found(lines=lines)


def _line(what: str, value: float, *, most: float | None = None) -> Line:
    return Line(what=what, value=round(value, 2), unit="a day", most=most)


async def _quiet(folder: Path, accounts: int) -> Counter[str]:
    """A day on which nothing happens, by what is asked for."""
    url = f"sqlite+aiosqlite:///{folder / 'quiet.db'}"
    async with quiet_days(url, people=accounts, step=STEP_SECONDS) as days:
        quiet = await days.pass_day()
    if quiet["a complete read"] != accounts:
        raise Failed(f"{quiet['a complete read']} of {accounts} accounts were read whole in a day")
    return quiet


async def _busy(folder: Path) -> Counter[str]:
    """A day of some people who work."""
    url = f"sqlite+aiosqlite:///{folder / 'busy.db'}"
    async with quiet_days(url, people=BUSY_ACCOUNTS, step=STEP_SECONDS) as days:
        return await days.pass_day(busy=sorted(days.people.integrations))
