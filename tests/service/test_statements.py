"""How often the database is asked for a page of a run: as often for many rows as for few (R25)."""

import uuid
from cProfile import Profile

from tests.support.counted_steps import asked
from tests.support.one_person import OnePerson

FEW, MANY = 3, 90
MOST_KEYS = 5
"""Names that are hashed for an event: its id as an item and that item's key, looked for, given and stored."""
WEEK = {"past": "1_week", "future": "1_week"}


async def test_r25_a_page_of_many_events_takes_no_more_statements_than_one_of_few(home: OnePerson) -> None:
    """Read, brought, logged and recorded for an undo, all of a page at once."""
    counts = []
    for person, hour, events in (("ann", 9, FEW), ("bob", 14, MANY)):
        mine = await home.integration(f"{person}@example.com")
        span = {"start": f"2026-12-03T{hour:02}:00:00Z", "end": f"2026-12-03T{hour:02}:30:00Z"}
        for number in range(events):
            home.add_event(mine, f"Event {number}", **span)
        await home.world.advance(5)
        with asked(home.store) as said:
            run = await home.run_to_end(mine, retrieve=WEEK, steps=2)
        assert run.tally["created"] == events
        counts.append(len(said))

    assert counts[1] == counts[0]


async def test_r25_only_the_id_that_an_event_is_given_is_worked_out(home: OnePerson) -> None:
    """Of those it may have, the next is looked for where one is taken."""
    mine = await home.integration()
    for number in range(MANY):
        home.add_event(mine, f"Event {number}")
    await home.world.advance(5)

    with Profile() as profile:
        run = await home.run_to_end(mine, retrieve=WEEK, steps=2)

    assert run.tally["created"] == MANY
    assert MANY <= _calls(profile, uuid.uuid5.__name__) <= MOST_KEYS * MANY


def _calls(profile: Profile, name: str) -> int:
    """How often functions of that name were called, by whomever."""
    return sum(entry.callcount for entry in profile.getstats() if getattr(entry.code, "co_name", "") == name)
