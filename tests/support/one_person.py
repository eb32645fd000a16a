"""One person's linked calendar at the simulator, a store, and the product's own pieces between them."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert, select, update

from contracts.calendar import Integration, Item, Link, Status, item_ref
from contracts.cronofy_accounts import TokenGrant
from contracts.envelope import NoticeReceived, RunRequested
from contracts.messages import NoticeData, RunData
from contracts.ports import Clock, EventReader, LinkedCalendars
from contracts.vorex import ItemContent, ItemType
from service.app.cronofy import CronofyParts
from service.app.parts import make_run_handler
from service.broker.topology import RETRY_DELAYS
from service.consumers.failures import ReceivedMessage
from service.consumers.inbound.erasure import Erasure
from service.consumers.inbound.held_deletions import HeldDeletions
from service.consumers.inbound.notices import NoticeHandler
from service.consumers.inbound.pages import PageWriter
from service.consumers.inbound.reader import READ_TURN_WAIT_SECONDS, CalendarReader
from service.consumers.runs.handler import RunHandler
from service.demo.simulator.clock import SteppedClock as SimulatedTime
from service.demo.simulator.world import SimulatedWorld
from service.integrations import Integrations
from service.integrations.catch_up import DAILY_RUN
from service.integrations.connection_check import ConnectionCheck
from service.keeper import daily_reads
from service.store.engine.ids import new_id
from service.store.engine.store import Store
from service.store.integrations import integrations
from service.store.items import items
from service.store.links import links
from service.store.runs import runs
from service.store.runs.runs import Run
from service.store.tables import integration_state, log_entries, outbox
from service.store.tables import integrations as integrations_table
from service.store.tables import items as items_table
from service.store.tables import links as links_table
from service.store.tables import runs as runs_table
from tests.support.wiring import parts_of, simulated_cronofy

ALL_TYPES = {kind.value: True for kind in ItemType}
NINE, TEN, ELEVEN = (f"2026-12-03T{hour}:00:00Z" for hour in ("09", "10", "11"))


class WorldClock:
    """The product's clock on the simulator's time: who sleeps moves the whole world on."""

    def __init__(self, world: SimulatedWorld) -> None:
        self._world = world

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._world.clock.now(), UTC)

    def monotonic(self) -> float:
        return self._world.clock.now()

    async def sleep(self, seconds: float) -> None:
        await self._world.advance(seconds)


@dataclass(frozen=True, kw_only=True, slots=True)
class EndedRun:
    """A run as it ended."""

    id: str
    state: str
    tally: dict[str, int]


@dataclass(kw_only=True, slots=True)
class OnePerson:
    """Everything between a simulated calendar and My Calendar, without a broker."""

    world: SimulatedWorld
    store: Store
    cronofy: CronofyParts
    accounts: Integrations
    held: HeldDeletions
    erasure: Erasure
    reader: CalendarReader
    notices: NoticeHandler
    runs: RunHandler
    looker: ConnectionCheck
    clock: Clock
    calendars: dict[str, str] = field(default_factory=dict)
    """Calendar id by integration id."""

    def notice_handler(self, reader: Any) -> NoticeHandler:
        """One that reads with this reader."""
        return NoticeHandler(
            store=self.store, reader=reader, looker=self.looker, erasure=self.erasure, clock=self.clock
        )

    async def integration(self, email: str = "ann@example.com", **changes: Any) -> str:
        """A finished, active integration of that person's first calendar; ``boxes`` are its event types."""
        boxes: Mapping[str, bool] = changes.pop("boxes", {"create": True, "update": True, "delete": True})
        if email not in self.world.mailboxes:
            self.world.add_mailbox(email=email)
        linked = self.world.link(email)
        profile = self.world.profiles(email)[-1]
        name, calendar_id = next(iter(linked.calendar_ids.items()))
        integration_id = new_id()
        now = self.clock.now()
        row: dict[str, Any] = {
            "id": integration_id,
            "tenant_id": "acme",
            "user_id": email.partition("@")[0],
            "sub": linked.account.account_id,
            "profile_id": profile.profile_id,
            "profile_name": email,
            "provider_name": "google",
            "provider_service": "google",
            "account_name": email,
            "time_zone": "Europe/London",
            "calendar_id": calendar_id,
            "calendar_name": name,
            "permission_level": "sandbox",
            "active": True,
            "status": Status.CONNECTED.value,
            "event_types": {"create": True, "update": True, "delete": True, **boxes},
            "item_types": ALL_TYPES,
            "retrieve": {"enabled": False, "past": "today", "future": "today"},
            "send": {"enabled": False, "past": "today", "future": "today"},
            "created_at": now,
            "finished_at": now,
            "baseline_at": now,
            **changes,
        }
        async with self.store.begin() as connection:
            await connection.execute(insert(integrations_table), [row])
            await connection.execute(insert(integration_state), [{"integration_id": integration_id}])
        grant = TokenGrant(
            access_token=linked.access_token, refresh_token=linked.refresh_token, expires_in=3600
        )
        await self.cronofy.tokens.adopt(linked.account.account_id, grant)
        self.calendars[integration_id] = calendar_id
        return integration_id

    def reader_over(
        self, calendars: EventReader, *, turn_wait_seconds: float = READ_TURN_WAIT_SECONDS
    ) -> CalendarReader:
        """A reader that sees them in place of Cronofy."""
        return CalendarReader(
            store=self.store,
            calendars=calendars,
            looker=self.looker,
            clock=self.clock,
            pages=PageWriter(self.store),
            watch=self.cronofy.watch,
            turn_wait_seconds=turn_wait_seconds,
        )

    def runs_over(self, calendars: LinkedCalendars) -> RunHandler:
        """The steps of runs with these in place of Cronofy."""
        return make_run_handler(
            store=self.store,
            calendars=calendars,
            looker=self.looker,
            reader=self.reader_over(calendars),
            pages=PageWriter(self.store),
            clock=self.clock,
            delays=RETRY_DELAYS,
        )

    def add_event(self, integration_id: str, summary: str = "Lunch", **fields: Any) -> str:
        """The calendar's owner adds an event, from nine to ten if nothing else is said; its uid."""
        form = {"summary": summary, "start": NINE, "end": TEN, **fields}
        (event,) = self.world.add_event(self.calendars[integration_id], **form)
        return str(event["event_uid"])

    async def notice(self, integration_id: str, kind: str = "change", since: datetime | None = None) -> None:
        """Hand over a notice of Cronofy's as the consumer would."""
        said: dict[str, Any] = {"type": kind}
        if kind == "change":
            said["changes_since"] = (since or self.clock.now()).strftime("%Y-%m-%dT%H:%M:%SZ")
        data = NoticeData(integration_id=integration_id, received_at=self.clock.now(), notification=said)
        message = NoticeReceived.of(data, id=new_id(), time=self.clock.now())
        await self.notices(ReceivedMessage(message=message))

    async def changed(self, integration_id: str) -> None:
        """Let the world settle, then hand over a notice about everything since an hour ago."""
        await self.world.advance(5)
        since = datetime.fromtimestamp(self.world.clock.now() - 3600, UTC)
        await self.notice(integration_id, since=since)

    async def finish(self, integration_id: str, *, run_id: str | None = None) -> Run:
        """Do what follows Finish: the run's first step, or its next one; the run afterwards."""
        now = self.clock.now()
        if run_id is None:
            run_id = new_id()
            row = {
                "id": run_id,
                "integration_id": integration_id,
                "started_by": "ann",
                "kind": "finish",
                "state": "waiting",
                "step": "baseline",
                "requested_at": now,
            }
            async with self.store.begin() as connection:
                await connection.execute(insert(runs_table), [row])
        data = RunData(run_id=run_id, integration_id=integration_id, step=0)
        message = RunRequested.of(data, id=new_id(), time=now)
        await self.runs(ReceivedMessage(message=message))
        async with self.store.read() as connection:
            run = await runs.find(connection, run_id)
        assert run is not None
        return run

    async def run_steps(
        self,
        integration_id: str,
        *,
        retrieve: Mapping[str, str] | None = None,
        send: Mapping[str, str] | None = None,
        steps: int = 50,
        repeat: bool = False,
        kind: str = "finish",
        undoes: str | None = None,
    ) -> str:
        """Do so many steps of a new run, each twice where asked; its id."""
        run_id = new_id()
        row = {
            "id": run_id,
            "integration_id": integration_id,
            "started_by": "ann",
            "kind": kind,
            "undoes": undoes,
            "state": "waiting",
            "step": "baseline",
            "requested_at": self.clock.now(),
            "retrieve": retrieve,
            "send": send,
        }
        async with self.store.begin() as connection:
            await connection.execute(insert(runs_table), [row])
        await self.take_steps(run_id, integration_id, steps=steps, repeat=repeat)
        return run_id

    async def take_steps(
        self, run_id: str, integration_id: str, *, steps: int = 50, repeat: bool = False
    ) -> None:
        """Hand over the messages of so many steps of a run, each twice where asked."""
        for number in range(steps):
            data = RunData(run_id=run_id, integration_id=integration_id, step=number)
            for _ in range(2 if repeat else 1):
                message = RunRequested.of(data, id=new_id(), time=self.clock.now())
                await self.runs(ReceivedMessage(message=message))

    async def daily_read(self, integration_id: str) -> EndedRun:
        """A day goes by, a keeper has the calendar read whole, and that run ends."""
        await self.world.advance(25 * 3600)
        await daily_reads(self.store).work()
        asked = select(runs_table.c.id).where(runs_table.c.kind == DAILY_RUN)
        async with self.store.read() as connection:
            (run_id,) = await connection.scalars(asked.where(runs_table.c.state == "waiting"))
        await self.take_steps(run_id, integration_id)
        return await self._ended(run_id)

    async def run_to_end(self, integration_id: str, **options: Any) -> EndedRun:
        """A whole run, and how it ended."""
        return await self._ended(await self.run_steps(integration_id, **options))

    async def _ended(self, run_id: str) -> EndedRun:
        async with self.store.read() as connection:
            row = (await connection.execute(select(runs_table).where(runs_table.c.id == run_id))).one()
        names = ("found", "created", "updated", "skipped", "failed")
        return EndedRun(id=run_id, state=row.state, tally={name: getattr(row, name) for name in names})

    async def logged_by(self, run_id: str) -> list[tuple[str, str, str]]:
        """Trigger, action and outcome of a run's entries."""
        columns = (log_entries.c.trigger, log_entries.c.action, log_entries.c.outcome)
        async with self.store.read() as connection:
            rows = await connection.execute(select(*columns).where(log_entries.c.run_id == run_id))
            return [tuple(row) for row in rows]

    async def options(self, integration_id: str) -> tuple[Any, Any]:
        """The stored Retrieve and Send options."""
        table = integrations_table
        async with self.store.read() as connection:
            query = select(table.c.retrieve, table.c.send).where(table.c.id == integration_id)
            row = (await connection.execute(query)).one()
            return row.retrieve, row.send

    async def own_item(self, title: str, *, kind: str, start: str, end: str) -> None:
        """An item of Ann's that Vorex made."""
        form = {"id": title, "type": kind, "title": title, "start": start, "end": end, "assignees": ["ann"]}
        item = Item(
            ref=item_ref("acme", kind, title),
            tenant_id="acme",
            type=ItemType(kind),
            id=title,
            version=1,
            vorex_version=1,
            sync_version=0,
            revision=1,
            deleted=False,
            content=ItemContent.from_json_dict(form),
            changed_at=self.clock.now(),
        )
        async with self.store.begin() as connection:
            await items.save(connection, [(item, None)], now=self.clock.now())

    async def make_copy_of_first_link(self, integration_id: str) -> None:
        """Pretend that this integration wrote its event itself."""
        async with self.store.begin() as connection:
            await connection.execute(
                update(links_table)
                .where(links_table.c.integration_id == integration_id)
                .values(origin="ours", event_id="vcs-0")
            )

    async def items(self) -> list[Item]:
        """Every item that is not deleted, by title."""
        async with self.store.read() as connection:
            refs = (await connection.scalars(select(items_table.c.ref))).all()
            found = await items.load(connection, refs)
        living = [item for item in found.values() if not item.deleted and item.content]
        return sorted(living, key=lambda item: item.content.title if item.content else "")

    async def item(self) -> Item:
        (only,) = await self.items()
        return only

    async def links(self) -> list[Link]:
        async with self.store.read() as connection:
            ids = (await connection.scalars(select(links_table.c.id))).all()
            return list((await links.load(connection, ids)).values())

    async def log(self) -> list[tuple[str, str, str, str]]:
        """Direction, action, outcome and code of every log entry, in their order."""
        columns = (log_entries.c.direction, log_entries.c.action, log_entries.c.outcome, log_entries.c.code)
        async with self.store.read() as connection:
            return [
                tuple(row) for row in await connection.execute(select(*columns).order_by(log_entries.c.id))
            ]

    async def facts(self) -> int:
        """How many messages the outbox holds."""
        async with self.store.read() as connection:
            return len((await connection.scalars(select(outbox.c.id))).all())

    async def set(self, integration_id: str, **values: Any) -> None:
        async with self.store.begin() as connection:
            await connection.execute(
                update(integrations_table).where(integrations_table.c.id == integration_id).values(**values)
            )

    async def state(self, integration_id: str) -> Any:
        async with self.store.read() as connection:
            query = select(integration_state).where(integration_state.c.integration_id == integration_id)
            return (await connection.execute(query)).one()

    async def value(self, integration_id: str) -> Integration:
        async with self.store.read() as connection:
            return (await integrations.load(connection, [integration_id]))[integration_id]  # type: ignore[index]


def at_home(world: SimulatedWorld, store: Store, cronofy: CronofyParts, clock: Clock) -> OnePerson:
    """A person in that world."""
    parts = parts_of(store, cronofy, clock)
    return OnePerson(
        world=world,
        store=store,
        cronofy=cronofy,
        accounts=parts.integrations,
        held=parts.held,
        erasure=parts.erasure,
        reader=parts.reader,
        notices=parts.notices,
        runs=parts.runs,
        looker=parts.looker,
        clock=clock,
    )


@asynccontextmanager
async def one_person(database_url: str, **options: Any) -> AsyncIterator[OnePerson]:
    """A world, a migrated store and the inbound half of the product, on one manual clock.

    ``options``: as of ``simulated_cronofy``.
    """
    world = SimulatedWorld(clock=SimulatedTime())
    clock = WorldClock(world)
    store = Store(database_url, clock=clock)
    await store.upgrade()
    cronofy = simulated_cronofy(store, clock, world, **options)
    try:
        yield at_home(world, store, cronofy, clock)
    finally:
        await cronofy.close()
        await store.close()
