"""One run over many events or items: real processes, the time it takes, its progress and its memory."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import select

from contracts.calendar import Item, ItemRef, item_ref
from contracts.fields import rfc3339
from contracts.vorex import ItemContent, ItemType
from service.broker.rabbitmq import RabbitBroker
from service.demo.simulator.server import serve_inside
from service.demo.simulator.world import SimulatedWorld
from service.integrations.runs import IntegrationRuns
from service.integrations.settings_form import SyncRequest
from service.store.engine.store import Store
from service.store.integrations.listing import Owner
from service.store.items import items
from service.store.tables import runs
from tests.support.calendars import Outbound, outbound
from tests.support.clock import ManualClock
from tests.support.linked import Account, link
from tests.support.processes import SECRETS, Started, started

Kind = Literal["retrieve", "send"]
EMAIL, USER = "sam@contoso.example", "u-17"
OWNER = Owner(tenant_id="acme", user_id=USER)
RANGE = {"past": "today", "future": "6_months"}
MINUTES = 180 * 24 * 60
AT_ONCE = 1000
LOOK = 0.1
ONE_PROCESS = (("consume", "all"),)
AS_DEPLOYED = (("consume", "outbound"), ("consume", "inbound"), ("consume", "runs"), ("keeper",))
"""As docker-compose.yml starts them; a run that has waited long for the budget is roused by the keeper."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What the processes may ask of Cronofy; 0 is off."""

    per_second: int = 50
    per_minute: int = 500

    def least(self, requests: int) -> float:
        """The fewest seconds for so many, with a tenth, or twenty-five, left to others."""
        left, passed = requests - 1, 0.0
        if self.per_minute:
            most = self.per_minute - self.per_minute // 20
            passed, left = 60.0 * (left // most), left % most
        return passed + (left // (self.per_second - self.per_second // 10) if self.per_second else 0)


@dataclass(kw_only=True, slots=True)
class RunSeen:
    """What was seen of a run from outside."""

    seconds: float = 0.0
    requests: int = 0
    run: Mapping[str, Any] = field(default_factory=dict)
    progress: list[tuple[int, int | None]] = field(default_factory=list)
    """Done and total, as often as they changed."""
    memory: list[float] = field(default_factory=list)
    """MiB of the consumers' processes, beside each progress."""

    @property
    def growth(self) -> float:
        """MiB from the first quarter of the work to its end."""
        return max(self.memory) - self.memory[len(self.memory) // 4]


@dataclass(frozen=True, kw_only=True, slots=True)
class LargeRuns:
    """A linked calendar, the store, and the processes' settings."""

    calendar: SimulatedWorld
    calendar_id: str
    calendar_key: str
    """The provider's own, which outlives the link."""
    world: Outbound
    integration_id: str
    settings: Mapping[str, str]
    folder: Path

    def fill_calendar(self, count: int) -> None:
        for number in range(count):
            start = _moment(number, count)
            end = rfc3339(start + timedelta(minutes=5))
            self.calendar.add_event(
                self.calendar_id, summary=f"Event {number}", start=rfc3339(start), end=end, tzid="Etc/UTC"
            )

    async def fill_vorex(self, count: int) -> None:
        now = datetime.now(UTC)
        for at in range(0, count, AT_ONCE):
            some = [_item(number, count) for number in range(at, min(at + AT_ONCE, count))]
            async with self.world.store.begin() as connection:
                await items.save(connection, [(item, None) for item in some], now=now)

    def consumer(self, *words: str, crash_at: str = "") -> Any:
        """The command, ``consume all`` without words, in a process of its own; it dies at the point named."""
        settings = {**self.settings, "TEST_CRASH_AT": crash_at}
        return started(*(words or ONE_PROCESS[0]), settings=settings, folder=self.folder)

    async def start(self, kind: Kind) -> str:
        """Sync now; the run's id."""
        return await IntegrationRuns(self.world.store).start(
            OWNER, self.integration_id, SyncRequest.model_validate({kind: RANGE}), started_by=USER
        )

    async def sync(self, kind: Kind, processes: Sequence[Sequence[str]] = ONE_PROCESS) -> RunSeen:
        """Sync now, with these processes, watched until it has ended."""
        with ExitStack() as stack:
            consumers = [stack.enter_context(self.consumer(*words)) for words in processes]
            for each in consumers:
                await asyncio.to_thread(each.logged, "process.started")
            before = self.calendar.stats()["requests"]
            run_id = await self.start(kind)
            told = await self._watch(run_id, consumers)
        told.requests = self.calendar.stats()["requests"] - before
        return told

    async def _watch(self, run_id: str, consumers: Sequence[Started]) -> RunSeen:
        told, began = RunSeen(), 0.0
        while not (told.run and told.run["ended_at"]):
            await asyncio.sleep(LOOK)
            told.run = await self.run(run_id)
            if not began and told.run["started_at"]:
                began = time.monotonic()
            seen = (told.run["done"], told.run["total"])
            if not told.progress or told.progress[-1] != seen:
                told.progress.append(seen)
                told.memory.append(sum(map(_memory, consumers)))
        told.seconds = time.monotonic() - began
        return told

    async def run(self, run_id: str) -> Mapping[str, Any]:
        """The run as it stands."""
        async with self.world.store.read() as connection:
            rows = await connection.execute(select(runs).where(runs.c.id == run_id))
            return dict(rows.mappings().one())


@asynccontextmanager
async def large_runs(
    database_url: str, broker_url: str, folder: Path, limits: Limits
) -> AsyncIterator[LargeRuns]:
    """Sam's empty calendar, linked, and nothing running yet."""
    calendar = SimulatedWorld(
        client_id=SECRETS["CRONOFY_CLIENT_ID"], client_secret=SECRETS["CRONOFY_CLIENT_SECRET"]
    )
    calendar.faults.change(read_lag=0.0, apply_delay=0.0)
    calendar.add_mailbox(email=EMAIL, calendars=("Calendar",))
    linked = calendar.link(EMAIL)
    account = Account(
        sub=linked.account.account_id,
        profile_id=linked.account.profiles[0].profile_id,
        calendar_id=linked.calendar_ids["Calendar"],
        access_token=linked.access_token,
        refresh_token=linked.refresh_token,
    )
    store = Store(database_url)
    await store.upgrade()
    async with (
        serve_inside(calendar, host="127.0.0.1", port=0) as address,
        outbound(store, ManualClock(), RabbitBroker(broker_url)) as world,
    ):
        yield LargeRuns(
            calendar=calendar,
            calendar_id=account.calendar_id,
            calendar_key=next(iter(calendar.mailboxes[EMAIL].calendars)),
            world=world,
            integration_id=await link(world, USER, account),
            settings={
                **SECRETS,
                "DATABASE_URL": database_url,
                "BROKER_URL": broker_url,
                "CRONOFY_API_URL": address,
                "CRONOFY_REQUESTS_PER_SECOND": str(limits.per_second),
                "CRONOFY_REQUESTS_PER_MINUTE": str(limits.per_minute),
            },
            folder=folder,
        )
    await store.close()


def _moment(number: int, count: int) -> datetime:
    tomorrow = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return tomorrow + timedelta(minutes=number * (MINUTES // max(count, 1)))


def _item(number: int, count: int) -> Item:
    start = _moment(number, count)
    content = ItemContent(
        id=f"{number}",
        type=ItemType.TASK,
        title=f"Task {number}",
        start=start,
        end=start + timedelta(minutes=5),
        assignees=(USER,),
    )
    return Item(
        ref=ItemRef(item_ref("acme", ItemType.TASK, content.id)),
        tenant_id="acme",
        type=ItemType.TASK,
        id=content.id,
        version=1,
        vorex_version=1,
        sync_version=0,
        revision=1,
        deleted=False,
        content=content,
        changed_at=datetime.now(UTC),
    )


def _memory(process: Started) -> float:
    lines = Path(f"/proc/{process.process.pid}/status").read_text(encoding="ascii").splitlines()
    (resident,) = [line for line in lines if line.startswith("VmRSS:")]
    return int(resident.split()[1]) / 1024
