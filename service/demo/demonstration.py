"""What ``up --demo`` adds: a stand-in for Cronofy, secrets of its own, somebody to sign in, and a stage."""

import secrets
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import jwt
from pydantic import SecretStr

from contracts.ports import Clock
from service.app.server import listening_socket, local_address
from service.demo.door import DOOR_PATH
from service.demo.safeguard import DEMO_TENANT, refuse_broker_in_use, secrets_of
from service.demo.simulator.server import demo_world
from service.demo.simulator.server import serve_inside as simulating
from service.settings import Settings
from service.store.engine.ids import new_id

DEMO_CLIENT_ID = "calendar-sync-demo"
DEMO_CLIENT_SECRET = "calendar-sync-demo-secret"  # noqa: S105 -- the simulator's, which guards nothing
DEMO_USER = "dana"
"""Whose the samples of the contracts are, so that what is published from them is seen."""
SIGN_IN_LINK_LIFE = timedelta(minutes=9)


@dataclass(frozen=True, kw_only=True, slots=True)
class Demo:
    """The settings of the demonstration, and who takes part in it."""

    settings: Settings
    simulator: str
    """The simulator's address."""
    user_id: str = DEMO_USER

    def sign_in_token(self, clock: Clock, *, role: str = "operator") -> str:
        """As Vorex would sign one; good once, for some minutes."""
        secret = self.settings.sign_in_secret[0]
        claims = {
            "sub": self.user_id,
            "tenant": DEMO_TENANT,
            "name": "Dana Demo",
            "email": "demo.user@example.test",
            "tz": "Europe/London",
            "role": role,
            "exp": int((clock.now() + SIGN_IN_LINK_LIFE).timestamp()),
            "iat": clock.now().timestamp(),
            "jti": new_id(),
        }
        return jwt.encode(claims, secret.get_secret_value(), algorithm="HS256")


@asynccontextmanager
async def demonstration(given: Settings) -> AsyncIterator[Demo]:
    """The given settings with secrets of its own and a simulator, for as long as the block lasts.

    The simulator forgets everything when it ends, and so does the default database: it lies in a
    folder of its own that is removed. A database that was named is kept, and the secrets in it.
    Raises NotForDemonstrations where database or broker are somebody else's.
    """
    await refuse_broker_in_use(given)
    with tempfile.TemporaryDirectory(prefix="calendar-sync-demo-") as folder:
        database = _database(given, Path(folder))
        kept = await secrets_of(database)
        client_secret = secrets.token_urlsafe(32)
        world = demo_world(client_id=DEMO_CLIENT_ID, client_secret=client_secret)
        listening_socket(given.host, given.simulator_port).close()  # says in our words that the port is taken
        async with simulating(world, host=given.host, port=given.simulator_port) as bound:
            simulator = local_address(given.host, int(bound.rpartition(":")[2]))
            changed = {
                "cronofy_api_url": simulator,
                "cronofy_app_url": simulator,
                "cronofy_client_id": DEMO_CLIENT_ID,
                "cronofy_client_secret": (SecretStr(client_secret),),
                "encryption_keys": (SecretStr(kept["encryption_keys"]),),
                "sign_in_secret": (SecretStr(kept["sign_in_secret"]),),
                "database_url": database,
                "vorex_url": given.vorex_url or f"{given.public_url}{DOOR_PATH}",
            }
            yield Demo(settings=given.model_copy(update=changed), simulator=simulator)


def _database(given: Settings, folder: Path) -> str:
    named = "database_url" in given.model_fields_set
    return given.database_url if named else f"sqlite+aiosqlite:///{folder / 'calendar-sync.db'}"
