"""How far replays have come, and the tabs above the dead letters (R30, DESIGN 11)."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.letters import Matching
from service.store.tables import dead_letter_acts, dead_letters, outbox


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """What became of replays."""

    noted: int = 0
    """Which have no moment yet: a keeper is handing them over."""
    waiting: int = 0
    """Whose moment has not come: these can be stopped."""
    on_the_way: int = 0
    last_at: float | None = None
    """When the last of those that wait goes out."""
    asked: int = 0
    well: int = 0
    again: int = 0
    stopped: int = 0

    @property
    def ended(self) -> bool:
        return not (self.noted or self.waiting or self.on_the_way)


async def progress(connection: AsyncConnection, *, tenant: str | None, since: str) -> Progress:
    """Replays that are under way, and the ends of those that began after the act ``since``.

    The ids of acts are ordered by time, so that their key finds the newest.
    """
    mine = Matching(tenant=tenant).clauses()
    unsent = outbox.c.sent_at.is_(None), outbox.c.due_at.is_not(None)
    # each row's letter by its key: joined, both are read to the end for each row of the other
    # where statistics have not heard yet of what has just been written
    state = select(dead_letters.c.state).where(dead_letters.c.id == outbox.c.letter_id, *mine)
    waits = select(func.count(), func.max(outbox.c.due_at)).where(
        *unsent, state.scalar_subquery() == "replaying"
    )
    waiting, last_at = (await connection.execute(waits)).one()
    replaying = (
        select(func.count()).select_from(dead_letters).where(*Matching(state="replaying").clauses(), *mine)
    )
    acted = (
        select(dead_letter_acts.c.act, func.count(dead_letter_acts.c.letter_id.distinct()).label("letters"))
        .join(dead_letters, dead_letters.c.id == dead_letter_acts.c.letter_id)
        .where(dead_letter_acts.c.id > since, *mine)
        .group_by(dead_letter_acts.c.act)
    )
    acts = {row.act: row.letters for row in await connection.execute(acted)} if since else {}
    return Progress(
        waiting=waiting,
        on_the_way=max(0, (await connection.scalar(replaying) or 0) - waiting),
        last_at=last_at,
        asked=acts.get("replay", 0),
        well=acts.get("resolved", 0),
        again=acts.get("reopened", 0),
        stopped=acts.get("stop", 0),
    )


async def by_state(connection: AsyncConnection, matching: Matching) -> Mapping[str, int]:
    """How many letters there are in each state, whatever state is asked for."""
    counted = select(dead_letters.c.state, func.count().label("letters")).where(*matching.clauses())
    return {
        row.state: row.letters for row in await connection.execute(counted.group_by(dead_letters.c.state))
    }
