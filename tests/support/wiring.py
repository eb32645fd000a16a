"""The product's pieces as a process puts them together, with a test's own clock and way to Cronofy."""

from typing import Any

import httpx
from cryptography.fernet import Fernet

from contracts.ports import Clock
from service.app.cronofy import CronofyParts, open_cronofy
from service.app.parts import CompanyAddresses, ProcessParts, assemble
from service.broker.topology import RETRY_DELAYS
from service.cronofy.budget import NoBudget
from service.cronofy.oauth import CronofyAccess
from service.demo.simulator.app import create_app
from service.demo.simulator.world import SimulatedWorld
from service.store.engine.store import Store
from service.store.integrations.credentials import CredentialsTable

CLIENT = ("simulated", "simulated-secret")
SIMULATOR = "http://simulator.test"
HERE = "http://sync.test"


def access_to(address: str, client: tuple[str, str] = CLIENT) -> CronofyAccess:
    """Cronofy at that address, as that client."""
    return CronofyAccess(api_url=address, app_url=address, client_id=client[0], client_secrets=[client[1]])


def the_simulator(world: SimulatedWorld) -> httpx.AsyncBaseTransport:
    """The way to that world."""
    return httpx.ASGITransport(create_app(world))


def simulated_cronofy(store: Store, clock: Clock, world: SimulatedWorld, **options: Any) -> CronofyParts:
    """The product's way to that world; ``options`` as of ``open_cronofy``, or ``access`` and ``key``."""
    access: CronofyAccess = options.pop("access", access_to(SIMULATOR))
    key: str = options.pop("key", Fernet.generate_key().decode())
    given = {"budget": NoBudget(), "wire": the_simulator(world), **options}
    return open_cronofy(access, credentials=CredentialsTable(store, [key]), clock=clock, **given)


def parts_of(store: Store, cronofy: CronofyParts, clock: Clock, *, here: str = HERE) -> ProcessParts:
    """What works on that store and Cronofy; ``here`` is where it is reached."""
    return assemble(
        store,
        cronofy,
        clock,
        callback_address=lambda one: f"{here}/cronofy/notices/{one}",
        redirect_uri=f"{here}/calendar-sync/callback",
        company_addresses=CompanyAddresses.at(here),
        delays=RETRY_DELAYS,
    )
