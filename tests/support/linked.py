"""Integrations as Finish leaves them, without the person's clicks: a row, and tokens that work."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contracts.ports import Credentials
from service.store.integrations.credentials import CredentialsTable
from tests.support.calendars import Outbound
from tests.support.processes import SECRETS


@dataclass(frozen=True, kw_only=True)
class Account:
    """A calendar account at Cronofy's stand-in that lets our application in."""

    sub: str
    calendar_id: str
    profile_id: str = "pro_1"
    access_token: str = "planted-access-token"
    refresh_token: str = "planted-refresh-token"

    @classmethod
    def told(cls, linked: Mapping[str, Any], **details: str) -> "Account":
        """From the simulator's answer to ``/_control/accounts/{email}/link``; its first calendar."""
        tokens = {name: linked[name] for name in ("access_token", "refresh_token")}
        calendar_id = next(iter(linked["calendar_ids"].values()))
        return cls(sub=linked["account_id"], calendar_id=calendar_id, **tokens, **details)


async def link(
    world: Outbound, user: str, account: Account, *, at: float | None = None, **changes: Any
) -> str:
    """That person's finished and active integration; its tokens are sealed with the processes' key.

    They last for an hour from now, or from that moment.
    """
    integration_id = await world.integration(
        user,
        sub=account.sub,
        profile_id=account.profile_id,
        calendar_id=account.calendar_id,
        **changes,
    )
    now = time.time() if at is None else at
    tokens = Credentials(
        sub=account.sub,
        access_token=account.access_token,
        refresh_token=account.refresh_token,
        expires_at=now + 3600,
        saved_at=now,
    )
    await CredentialsTable(world.store, [SECRETS["ENCRYPTION_KEYS"]]).save(tokens)
    return integration_id
