"""What ``up --demo`` adds: a stand-in for Cronofy, missing secrets, somebody to sign in, and a stage."""

import secrets
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import jwt
from cryptography.fernet import Fernet
from pydantic import SecretStr

from contracts.ports import Clock
from service.app.server import listening_socket, local_address
from service.demo.simulator.server import demo_world
from service.demo.simulator.server import serve_inside as simulating
from service.settings import Settings
from service.store.engine.ids import new_id

DEMO_CLIENT_ID = "calendar-sync-demo"
DEMO_CLIENT_SECRET = "calendar-sync-demo-secret"  # noqa: S105 -- the simulator's, which guards nothing
SIGN_IN_LINK_LIFE = timedelta(minutes=9)


@dataclass(frozen=True, kw_only=True, slots=True)
class Demo:
    """The settings of the demonstration, and who takes part in it."""

    settings: Settings
    simulator: str
    """The simulator's address."""
    user_id: str = field(default_factory=lambda: f"demo-{secrets.token_hex(4)}")
    """Another person each time, so that a database may be used again."""

    def sign_in_token(self, clock: Clock) -> str:
        """As Vorex would sign one; good once, for some minutes."""
        secret = self.settings.sign_in_secret
        assert secret is not None
        claims = {
            "sub": self.user_id,
            "tenant": "demo",
            "name": "Demo User",
            "email": "demo.user@example.test",
            "tz": "Europe/London",
            "role": "operator",
            "exp": int((clock.now() + SIGN_IN_LINK_LIFE).timestamp()),
            "jti": new_id(),
        }
        return jwt.encode(claims, secret.get_secret_value(), algorithm="HS256")


@asynccontextmanager
async def demonstration(given: Settings) -> AsyncIterator[Demo]:
    """The given settings, completed, with a simulator behind them for as long as the block lasts.

    The simulator forgets everything when it ends, and so does the default database: it lies in a
    folder of its own that is removed. A database that was named is kept.
    """
    with tempfile.TemporaryDirectory(prefix="calendar-sync-demo-") as folder:
        client_id = given.cronofy_client_id or DEMO_CLIENT_ID
        client_secrets = given.cronofy_client_secret or (SecretStr(DEMO_CLIENT_SECRET),)
        joined = ",".join(secret.get_secret_value() for secret in client_secrets)
        world = demo_world(client_id=client_id, client_secret=joined)
        listening_socket(given.host, given.simulator_port).close()  # says in our words that the port is taken
        async with simulating(world, host=given.host, port=given.simulator_port) as bound:
            simulator = local_address(given.host, int(bound.rpartition(":")[2]))
            changed = {
                "cronofy_api_url": simulator,
                "cronofy_app_url": simulator,
                "cronofy_client_id": client_id,
                "cronofy_client_secret": client_secrets,
                "encryption_keys": given.encryption_keys or (SecretStr(Fernet.generate_key().decode()),),
                "sign_in_secret": given.sign_in_secret or SecretStr(secrets.token_urlsafe(32)),
                "database_url": _database(given, Path(folder)),
            }
            yield Demo(settings=given.model_copy(update=changed), simulator=simulator)


def _database(given: Settings, folder: Path) -> str:
    default = Settings.model_fields["database_url"].default
    named = given.database_url.rpartition("/")[2] != default.rpartition("/")[2]
    return given.database_url if named else f"sqlite+aiosqlite:///{folder / 'calendar-sync.db'}"
