"""What is written in sets."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.sql.elements import BindParameter

from service.store.engine.sets import change
from service.store.engine.store import Store
from service.store.messages import inbox
from service.store.tables import inbox as inbox_table

MESSAGES = 100


@contextmanager
def _garbage() -> Iterator[list[object]]:
    """Afterwards the cyclic garbage that the block left."""
    found: list[object] = []
    gc.collect()
    gc.disable()
    try:
        yield found
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        found.extend(gc.garbage)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


async def test_the_text_of_rows_changed_as_a_set_does_not_wait_for_a_collection_of_garbage(
    store: Store,
) -> None:
    keys = [("/vorex/acme", f"e-{number}") for number in range(MESSAGES)]
    stale = [{"message_id": message_id, "outcome": "stale"} for _, message_id in keys]
    async with store.begin() as connection:
        await inbox.record(connection, "q", [(key, "done") for key in keys], now=0.0)
        await change(connection, inbox_table, "message_id", stale[:1])  # its statement stays, compiled
        with _garbage() as left:
            await change(connection, inbox_table, "message_id", stale)
        kept = [one for one in left if isinstance(one, BindParameter) and "e-99" in str(one.value)]
        assert not kept
        assert await inbox.known(connection, "q", keys) == dict.fromkeys(keys, "stale")
