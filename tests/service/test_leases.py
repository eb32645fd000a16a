"""Leases: a piece of shared work belongs to one process for a limited time."""

import pytest

from service.store.engine import leases
from service.store.engine.leases import NAMED_LEASES
from service.store.engine.store import Store

NAME, NOW = "chore", 1000.0


async def taken(store: Store, *, epoch: int, at: float = NOW) -> int | None:
    async with store.begin() as connection:
        await leases.lock_lease(connection, NAME)
        return await leases.take(connection, NAMED_LEASES, NAME, epoch=epoch, seconds=60, now=at, holder="a")


async def acquired(store: Store, holder: str, *, at: float = NOW) -> int | None:
    async with store.begin() as connection:
        return await leases.acquire(connection, NAME, holder=holder, seconds=60, now=at)


async def test_a_free_lease_is_taken_under_the_next_epoch(store: Store) -> None:
    assert await taken(store, epoch=0) == 1


@pytest.mark.parametrize(("at", "epoch"), [(NOW + 59.9, None), (NOW + 60, 2)])
async def test_a_lease_is_another_s_when_it_has_run_out_and_not_before(
    store: Store, at: float, epoch: int | None
) -> None:
    await taken(store, epoch=0)

    assert await taken(store, epoch=1, at=at) == epoch


async def test_who_looked_before_somebody_else_took_it_gets_nothing(store: Store) -> None:
    """Even once it is free again: what was seen then holds no more (R22 for tokens)."""
    await taken(store, epoch=0)

    assert await taken(store, epoch=0, at=NOW + 100) is None


async def test_nothing_is_written_under_a_lease_that_was_taken_over(store: Store) -> None:
    await taken(store, epoch=0)
    async with store.begin() as connection:
        assert await leases.write(connection, NAMED_LEASES, NAME, epoch=1, until=NOW)
    await taken(store, epoch=1)

    async with store.begin() as connection:
        assert not await leases.write(connection, NAMED_LEASES, NAME, epoch=1, until=0.0)

    assert await acquired(store, "b") is None, "it stays the other's"


async def test_its_holder_prolongs_a_named_lease_under_the_same_epoch(store: Store) -> None:
    """And begins a new one where it came too late for that."""
    assert await acquired(store, "a") == 1
    assert await acquired(store, "a", at=NOW + 30) == 1
    assert await acquired(store, "b", at=NOW + 80) is None
    assert await acquired(store, "a", at=NOW + 90) == 2
