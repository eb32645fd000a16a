"""A Send run through the lanes: what My Calendar holds stands on the linked calendar afterwards."""

import asyncio

from sqlalchemy import select

from service.store.tables import log_entries
from service.store.tables import runs as runs_table
from tests.support.two_people import TwoPeople, two_people

NINE, TEN = "2026-12-03T09:00:00Z", "2026-12-03T10:00:00Z"
WEEK = {"past": "1_week", "future": "1_week"}


async def _run(place: TwoPeople, integration_id: str) -> None:
    """Do the steps while the lanes write, until the run is over."""
    steps = asyncio.create_task(place.home.run_steps(integration_id, send=WEEK, steps=6))
    async with asyncio.timeout(100):
        while not steps.done():
            await place.outbound.sweep()
            await place.outbound.idle()
            await place.pass_time(0.2)
    await steps


async def test_r26_a_send_run_writes_every_item_of_its_range_once(sqlite_url: str) -> None:
    """Its log entries and its counts say so."""
    async with two_people(sqlite_url) as place:
        mine = place.integrations["ann"]
        for number in range(120):
            await place.home.own_item(f"Item {number}", kind="task", start=NINE, end=TEN)

        await _run(place, mine)
        await place.world.advance(60)

        truth = place.world.events(place.home.calendars[mine])
        async with place.home.store.read() as connection:
            run = (await connection.execute(select(runs_table))).one()
            entries = (await connection.execute(select(log_entries.c.trigger, log_entries.c.run_id))).all()
        assert sorted(event["summary"] for event in truth) == sorted(f"Item {at}" for at in range(120))
        assert (run.state, run.done, run.total, run.created, run.failed) == ("done", 120, 120, 120, 0)
        assert {tuple(entry) for entry in entries} == {("run", run.id)}
        assert len(entries) == 120
