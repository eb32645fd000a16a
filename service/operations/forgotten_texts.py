"""What a person's deleted items said goes at once, for an operator who is to erase somebody (R50)."""

import structlog

from service.store.engine.store import Store
from service.store.items import deleted_texts
from service.telemetry.logs import EventName

FORGOTTEN_A_TRANSACTION = 200
TEXTS_FORGOTTEN: EventName = "texts.forgotten"

log = structlog.get_logger(__name__)


class ForgottenTexts:
    """Counts a person's deleted items that still say something, and blanks them."""

    def __init__(self, store: Store, *, who: str) -> None:
        self._store, self._who = store, who

    async def count(self, tenant_id: str, user_id: str) -> int:
        async with self._store.read() as connection:
            return await deleted_texts.count_persons(connection, tenant_id, user_id)

    async def forget(self, tenant_id: str, user_id: str) -> int:
        """Some a transaction; how many. None of them can be put back after that."""
        forgotten, some = 0, FORGOTTEN_A_TRANSACTION
        while some == FORGOTTEN_A_TRANSACTION:
            async with self._store.begin() as connection:
                some = await deleted_texts.blank_persons(
                    connection, tenant_id, user_id, limit=FORGOTTEN_A_TRANSACTION
                )
            forgotten += some
        log.warning(TEXTS_FORGOTTEN, items=forgotten, who=self._who)
        return forgotten
