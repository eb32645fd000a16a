"""What is done to all letters that match is done to none that comes meanwhile (R30)."""

from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from service.operations.dead_letters import DeadLetters
from service.operations.letters.group_edits import edit_matching
from service.store.engine.store import Store
from service.store.messages import dead_letters
from service.store.messages.burying import bury
from service.store.messages.dead_letters import LetterFilter
from tests.support.letters import a_letter

NOW = datetime(2026, 12, 1, 8, tzinfo=UTC)
KNOWN = 3
MALFORMED = LetterFilter(code="malformed", state="open")


class _GrowingDesk(DeadLetters):
    """A letter comes once the matching ones were counted."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, who="olga")

    async def grow(self, *numbers: int) -> None:
        async with self._store.begin() as connection:
            await bury(connection, [a_letter(number) for number in numbers], now=NOW)

    async def _check_expected(self, matching: LetterFilter, expect: int | None) -> None:
        await super()._check_expected(matching, expect)
        await self.grow(99)


ACTS: dict[str, tuple[Callable[[_GrowingDesk], Awaitable[object]], str]] = {
    "edit": (lambda desk: edit_matching(desk, MALFORMED, {"version": 4}, expect=KNOWN), "edited"),
    "discard": (lambda desk: desk.discard_matching(MALFORMED, expect=KNOWN, reason="x"), "discarded"),
    "replay": (lambda desk: desk.replay_matching(MALFORMED, expect=KNOWN), "replaying"),
    "hand over": (lambda desk: desk.hand_over(MALFORMED, expect=KNOWN), "replaying"),
}


@pytest.mark.parametrize("act", ACTS)
async def test_r30_a_letter_that_comes_after_the_count_is_left(store: Store, act: str) -> None:
    desk = _GrowingDesk(store)
    await desk.grow(*range(KNOWN))
    do, becomes = ACTS[act]

    await do(desk)

    async with store.read() as connection:
        found = await dead_letters.page(connection, LetterFilter(), limit=20)
    states = Counter(row["state"] for row in found.rows if row["message_id"] in {"e-0", "e-1", "e-2"})
    assert states == {becomes: KNOWN}
    assert [row["state"] for row in found.rows if row["message_id"] == "e-99"] == ["open"]
