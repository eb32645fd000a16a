"""What a person sees of syncs under way, across their integrations and item by item (R25, R27)."""

from collections.abc import Mapping, Sequence

from service.store import Store, under_way
from service.store.accounts import Owner
from service.store.runs import RunRow


async def runs_under_way(store: Store, owner: Owner) -> Mapping[str, RunRow]:
    """The run that each of the owner's integrations is at; those at rest are left out."""
    async with store.read() as connection:
        return await under_way.newest(connection, owner)


async def entries_of_run(store: Store, run: RunRow, *, after: str | None, limit: int) -> Sequence[RunRow]:
    """What a run that was shown to this person did, item by item, oldest first."""
    async with store.read() as connection:
        return await under_way.entries(connection, run, after=after, limit=limit)
