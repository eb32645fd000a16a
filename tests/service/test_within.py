"""Waiting for a library that hangs, or that cancels what it gives up."""

import asyncio

import pytest

from service.broker.connection import close_quietly, within_seconds


async def _cancelled_by_its_owner() -> None:
    """As aiormq ends what waits for a connection that dies."""
    given_up: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    given_up.cancel()
    await given_up


async def test_t25_work_that_the_library_cancels_is_a_lost_connection_and_no_cancellation_of_ours() -> None:
    """Whoever supervises the work would otherwise end with it, and nobody would consume any more."""
    with pytest.raises(ConnectionError):
        await within_seconds(5.0, _cancelled_by_its_owner())


async def test_t25_a_farewell_that_the_library_cancels_is_over() -> None:
    """Closing goes on with what comes after it."""
    await close_quietly(_cancelled_by_its_owner())


async def test_t25_a_cancellation_from_outside_ends_the_waiting_and_the_work() -> None:
    """Shutting down is not mistaken for a lost connection."""
    work = asyncio.create_task(asyncio.Event().wait())
    waiting = asyncio.create_task(within_seconds(60.0, work))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.wait({work}, timeout=60)
    assert work.cancelled()


async def test_work_that_answers_a_cancellation_by_waiting_again_is_left_behind() -> None:
    """As the library does on a wire that takes nothing more: its supervisor may not wait with it."""
    released = asyncio.Event()

    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await released.wait()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(60):
            await within_seconds(0.05, stubborn())

    released.set()
    assert await within_seconds(60, asyncio.sleep(0, "done")) == "done"
