"""What the commands of operators share: an open store, and the name under which they act."""

import os
import pwd
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TypeVar

from service import app as root
from service.cli.output import run_work, settings_for
from service.settings import CommandName
from service.store.engine.store import Store

_T = TypeVar("_T")


def on_store(command: CommandName, verb: Callable[[Store], Awaitable[_T]]) -> _T:
    """What the verb gives; the store is open for as long as it takes."""
    settings = settings_for(command)

    async def work() -> _T:
        async with AsyncExitStack() as stack:
            return await verb(await root.open_store(settings, stack))

    return run_work(work)


def operator_name() -> str:
    """Recorded beside whatever the operator does: who it is to the system, not to the environment."""
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"uid {number}"
