"""Waiting for what another process does, with a limit instead of a hope."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Result = TypeVar("Result")


async def until(condition: Callable[[], Any], *, seconds: float = 90, what: str = "the condition") -> None:
    """Return as soon as it holds; fail when it does not in time. It may be a coroutine function."""
    deadline = time.monotonic() + seconds
    while not await _holds(condition):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come about within {seconds} seconds")
        await asyncio.sleep(0.02)


async def _holds(condition: Callable[[], Any]) -> bool:
    answer = condition()
    return bool(await answer if isinstance(answer, Awaitable) else answer)


def elsewhere(work: Coroutine[Any, Any, Result]) -> Result:
    """What it returns, done in a loop of its own: the caller's may be running here."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()
