"""What makes a history go the same way every time: one thread, and time that passes when all else is done."""

import asyncio
import selectors
import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Any

import aiosqlite
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

_Asked = tuple["asyncio.Future[Any] | None", Callable[[], Any]]


class LeisurelyLoop(asyncio.SelectorEventLoop):
    """By its time nothing takes any: timers ring, in their order, once everything else has been done."""

    def __init__(self) -> None:
        self._passed = 0.0
        super().__init__(_Leisure(self))

    def time(self) -> float:
        return self._passed

    def pass_time(self, seconds: float) -> None:
        self._passed += seconds


class _Leisure(selectors.DefaultSelector):
    """Instead of waiting for the next timer, the loop's time passes."""

    def __init__(self, loop: LeisurelyLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            return super().select()
        happened = super().select(0)
        if not happened and timeout > 0:
            self._loop.pass_time(timeout)
        return happened


class _AtOnce:
    """In place of the queue to a connection's thread: what is asked for is done here and now."""

    def put_nowait(self, asked: _Asked) -> None:
        answer, ask = asked
        try:
            result = ask()
        except Exception as error:  # noqa: BLE001 -- whoever asked gets it
            if answer is not None:
                answer.set_exception(error)
        else:
            if answer is not None:
                answer.set_result(result)


class _Connection(aiosqlite.Connection):
    """One without a thread."""

    def __init__(self, connector: Callable[[], sqlite3.Connection]) -> None:
        super().__init__(connector, 64)
        self._tx = _AtOnce()  # type: ignore[assignment]

    def __await__(self) -> Any:
        return self._connect().__await__()


def without_threads(engine: AsyncEngine) -> None:
    """Have an SQLite engine do each statement within the loop; its writers must take turns."""

    @event.listens_for(engine.sync_engine, "do_connect")
    def without_thread(_dialect: Any, _record: Any, _given: Any, options: dict[str, Any]) -> None:
        options["async_creator_fn"] = _opened


def _opened(database: str, **options: Any) -> _Connection:
    return _Connection(partial(sqlite3.connect, database, **options))
