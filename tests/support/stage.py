"""Real processes around one simulator, a RabbitMQ and a database: what the tests of faults stand on."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import func, select

from contracts.messages import QUEUE_OUTBOUND
from contracts.ports import Outgoing
from contracts.vorex import Action
from service.broker.rabbitmq import RabbitBroker
from service.store.engine.store import Store
from service.store.tables import inbox
from tests.support.calendars import MORNING, Outbound, changed, outbound
from tests.support.clock import ManualClock
from tests.support.linked import Account, link
from tests.support.processes import SECRETS, Started, started
from tests.support.servers import free_port
from tests.support.waiting import until

CONSUME = ("consume", "outbound")
AT_ONCE = 500


@dataclass(kw_only=True)
class Stage:
    """A simulator that runs, processes that a test starts and ends, and the test's own eyes and hands."""

    settings: dict[str, str]
    folder: Path
    world: Outbound
    """The store and the broker of the processes, for looking in and for publishing as Vorex does."""
    control: httpx.AsyncClient
    simulator: Started
    stack: AsyncExitStack
    accounts: dict[str, Account] = field(default_factory=dict)
    """By user."""
    integrations: dict[str, str] = field(default_factory=dict)

    # -- processes ------------------------------------------------------------------------------

    def begin(self, *words: str, **changes: str) -> Started:
        """Start a process of the product; it may not be ready yet."""
        settings = {**self.settings, **changes}
        return self.stack.enter_context(started(*words, settings=settings, folder=self.folder))

    async def start(self, *words: str, count: int = 1, **changes: str) -> list[Started]:
        """So many processes of this kind, ready."""
        begun = [self.begin(*words, **changes) for _ in range(count)]
        for process in begun:
            await asyncio.to_thread(process.logged, "process.started")
        return begun

    async def stop(self, processes: Sequence[Started]) -> list[int]:
        """Ask all of them at once to end; their exit codes."""
        return list(await asyncio.gather(*(asyncio.to_thread(each.stop) for each in processes)))

    # -- people ---------------------------------------------------------------------------------

    async def people(self, *users: str, **changes: Any) -> None:
        """Each with a linked calendar at the simulator and a finished, active integration."""
        for user in users:
            email = f"{user}@contoso.example"
            mailbox = {"provider": "google", "email": email, "calendars": ["Work"]}
            await self.control.post("/accounts", json=mailbox)
            linked = await self.control.post(f"/accounts/{email}/link", json={})
            self.accounts[user] = Account.told(linked.json())
            self.integrations[user] = await link(self.world, user, self.accounts[user], **changes)

    async def faults(self, **switches: Any) -> None:
        """Set switches of the simulator."""
        answer = await self.control.post("/faults", json=switches)
        assert answer.status_code == 200, answer.text

    async def shown(self, user: str) -> list[str]:
        """The titles on that person's calendar, one for each event."""
        calendar_id = self.accounts[user].calendar_id
        told = await self.control.get("/events", params={"calendar_id": calendar_id})
        return sorted(event["summary"] for event in told.json()["events"])

    async def shows(self, user: str, *titles: str) -> None:
        """Return once exactly these are on that person's calendar."""
        wanted = sorted(titles)

        async def there() -> bool:
            return await self.shown(user) == wanted

        await until(there, seconds=90, what=f"{wanted[:5]} on the calendar of {user}")

    async def requests(self, *, user: str | None = None, path: str = "") -> list[dict[str, Any]]:
        """What the product asked of the simulator, in order."""
        told = (await self.control.get("/requests")).json()["requests"]
        account = self.accounts[user].sub if user else None
        return [one for one in told if path in one["path"] and account in {None, one["account"]}]

    async def stats(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.control.get("/stats")).json()
        return found

    async def writes(self) -> list[dict[str, Any]]:
        """Accepted writes in the order of their arrival."""
        found: list[dict[str, Any]] = (await self.control.get("/writes")).json()["writes"]
        return found

    # -- messages -------------------------------------------------------------------------------

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        """As Vorex does: until the broker has confirmed each."""
        for at in range(0, len(messages), AT_ONCE):
            await asyncio.gather(*(self._insist(each) for each in messages[at : at + AT_ONCE]))

    async def _insist(self, message: Outgoing) -> None:
        async with asyncio.timeout(120):
            while True:
                try:
                    await self.world.broker.publish(message)
                except Exception:  # noqa: BLE001 -- the broker is being restarted: Vorex tries again
                    await asyncio.sleep(0.2)
                else:
                    return

    async def recorded(self, consumer: str = QUEUE_OUTBOUND) -> int:
        """How many messages the inbox knows the end of."""
        async with self.world.store.read() as connection:
            counted = select(func.count()).select_from(inbox).where(inbox.c.consumer == consumer)
            return int(await connection.scalar(counted) or 0)

    async def settled(self, count: int, *, seconds: float = 90) -> None:
        """Return once so many messages have an end in the inbox and nothing waits in the queue."""

        async def there() -> bool:
            return await self.recorded() >= count and await self.world.broker.depth(QUEUE_OUTBOUND) == 0

        await until(there, seconds=seconds, what=f"the end of {count} messages")


@asynccontextmanager
async def staged(
    database_url: str, broker_url: str, folder: Path, *, way: str | None = None, **changes: str
) -> AsyncIterator[Stage]:
    """A stage without limits at Cronofy and without people; ``way``: by which the processes reach it."""
    port = str(free_port())
    address = f"http://127.0.0.1:{port}"
    settings = {
        **SECRETS,
        "DATABASE_URL": database_url,
        "BROKER_URL": broker_url,
        "CRONOFY_API_URL": way or address,
        "CRONOFY_APP_URL": way or address,
        "CRONOFY_REQUESTS_PER_SECOND": "0",
        "CRONOFY_REQUESTS_PER_MINUTE": "0",
        "SIMULATOR_PORT": port,
        "SHUTDOWN_GRACE": "10",
        **changes,
    }
    async with AsyncExitStack() as stack:
        store = Store(database_url)
        stack.push_async_callback(store.close)
        await store.upgrade()
        simulator = stack.enter_context(started("simulator", settings=settings, folder=folder))
        async with (
            outbound(store, ManualClock(), RabbitBroker(broker_url)) as world,
            httpx.AsyncClient(base_url=f"{address}/_control", trust_env=False, timeout=60) as control,
        ):
            await asyncio.to_thread(simulator.logged, "process.started")
            stage = Stage(
                settings=settings,
                folder=folder,
                world=world,
                control=control,
                simulator=simulator,
                stack=stack,
            )
            await stage.faults(per_second=0, per_minute=0, apply_delay=0.0)
            yield stage


def versions_of(item: int, user: str, *, upto: int, gone: bool = False) -> list[Outgoing]:
    """An item's versions from the first to the newest, which deletes it where it is gone."""
    return [
        changed(
            f"i-{item}",
            version,
            id=f"m-{item}-{version}",
            start=MORNING + timedelta(minutes=item),
            end=MORNING + timedelta(minutes=item + 30),
            assignees=[user],
            **({"action": Action.DELETED} if gone and version == upto else {}),
        )
        for version in range(1, upto + 1)
    ]


def shuffled(events: Sequence[Outgoing], *, seed: int, repeats: float = 0.2) -> list[Outgoing]:
    """All of them in any order, and a part of them twice."""
    chance = random.Random(seed)
    again = chance.sample(events, int(len(events) * repeats))
    mixed = [*events, *again]
    chance.shuffle(mixed)
    return mixed
