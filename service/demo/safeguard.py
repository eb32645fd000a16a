"""What keeps a demonstration from what is not its own: a database in use, and a broker in use."""

import secrets
from collections.abc import Mapping

from cryptography.fernet import Fernet

from contracts.errors import Permanent
from service.addresses import shown_address
from service.broker.rabbitmq import RabbitBroker
from service.settings import ENV_PREFIX, Settings
from service.store.engine.store import Store
from service.store.operations import demonstrations

DEMO_TENANT = "demo"


class NotForDemonstrations(Permanent):
    """A database or broker that somebody works with; says what to name instead."""


def new_secrets() -> Mapping[str, str]:
    """What nobody but this demonstration knows, by the name of the setting."""
    return {
        "encryption_keys": Fernet.generate_key().decode(),
        "sign_in_secret": secrets.token_urlsafe(32),
    }


async def secrets_of(database_url: str) -> Mapping[str, str]:
    """The secrets that a demonstration keeps in the database that was named for it; new ones in a new one.

    Raises NotForDemonstrations, having changed nothing, where the database holds anything else.
    """
    readable = demonstrations.looked_at(database_url)
    kept = await _looked(database_url, readable) if readable else None
    if kept is not None:
        return kept
    made = new_secrets()
    store = Store(database_url)
    try:
        async with store.begin() as connection:
            await demonstrations.keep_secrets(connection, made)
    finally:
        await store.close()
    return made


async def _looked(database_url: str, readable: str) -> Mapping[str, str] | None:
    store = Store(readable)
    try:
        async with store.read() as connection:
            foreign = await demonstrations.what_is_foreign(connection, tenant_id=DEMO_TENANT)
            kept = await demonstrations.kept_secrets(connection)
    finally:
        await store.close()
    if foreign:
        raise NotForDemonstrations(
            f"{shown_address(database_url)} holds {foreign}, and a demonstration would work on it: "
            f"name a new database in {ENV_PREFIX}DATABASE_URL, or none"
        )
    return kept


async def refuse_broker_in_use(settings: Settings) -> None:
    """Raises NotForDemonstrations where anybody consumes, or messages wait that are not ours."""
    if settings.embedded_broker:
        return
    broker = RabbitBroker(settings.broker_url)
    try:
        await broker.open()
        used = await broker.in_use()
    finally:
        await broker.close()
    if used:
        raise NotForDemonstrations(
            f"{shown_address(settings.broker_url)} is in use ({used[0]}), and a demonstration would take its "
            f"messages: name another virtual host in {ENV_PREFIX}BROKER_URL, or none"
        )
