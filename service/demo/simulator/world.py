"""The simulated world: people, their calendars, time, and everything that can be done to them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any

import httpx

from service.demo.simulator.api import grants
from service.demo.simulator.calendars import channels, linking, owner
from service.demo.simulator.calendars.provider import finish_sync
from service.demo.simulator.clock import SimulatorClock, SteppedClock
from service.demo.simulator.model import (
    PROVIDER_KINDS,
    Account,
    Application,
    CalendarBinding,
    Mailbox,
    MailboxProfile,
    ProviderCalendar,
)
from service.demo.simulator.state import Json, Poster, QueuedNotice, SimulatorState

FULL_SCOPE = "read_account list_calendars read_events create_event delete_event"
_LONGEST_REST = 100_000


class UnknownThingError(LookupError):
    """There is no such thing in the world."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkedAccount:
    """An application that was let at a mailbox, without the pages."""

    account: Account
    access_token: str
    refresh_token: str
    calendar_ids: dict[str, str]
    """By the calendar's name."""


class SimulatedWorld(SimulatorState):
    """Every verb of ``/_control`` is a method here."""

    def __init__(
        self,
        *,
        clock: SimulatorClock | None = None,
        post: Poster | None = None,
        seed: int = 0,
        client_id: str = "simulated",
        client_secret: str = "simulated-secret",  # noqa: S107 - opens nothing but this simulator
    ) -> None:
        super().__init__(clock=clock, post=post, seed=seed)
        self.add_application(client_id, client_secret.split(","))

    # People and applications

    def add_application(self, client_id: str, secrets: Iterable[str]) -> Application:
        """A customer of Cronofy, or new active secrets of a known one; the newest first."""
        known = self.applications.get(client_id)
        if known is None:
            known = self.applications[client_id] = Application(client_id=client_id, secrets=[])
        known.secrets = [secret.strip() for secret in secrets]
        return known

    def add_mailbox(
        self,
        *,
        email: str,
        provider: str = "google",
        name: str | None = None,
        zone: str = "Europe/London",
        calendars: Iterable[Json | str] = ("Calendar",),
    ) -> Mailbox:
        """A person's account at a provider; the first calendar is the primary one."""
        if provider not in PROVIDER_KINDS or email.lower() in self.mailboxes:
            raise ValueError(f"provider unknown or e-mail address taken: {provider}, {email}")
        mailbox = linking.add_mailbox(self, provider=provider, email=email, name=name or email, zone=zone)
        for details in calendars:
            given = {"name": details} if isinstance(details, str) else details
            linking.add_calendar(self, mailbox, given)
        return mailbox

    def link(self, email: str, *, client_id: str | None = None, scope: str = FULL_SCOPE) -> LinkedAccount:
        """As if the person had gone through the pages and the code had been exchanged."""
        application = self.applications[client_id or next(iter(self.applications))]
        profile = linking.link(self, application, self.mailbox(email), scope)
        tokens = grants.issue(self, profile.account, scope)
        return LinkedAccount(
            account=profile.account,
            access_token=tokens["access_token"],
            refresh_token=tokens["refresh_token"],
            calendar_ids={binding.calendar.name: binding.calendar_id for binding in profile.bindings},
        )

    # Finding things

    def mailbox(self, email: str) -> Mailbox:
        if email.lower() not in self.mailboxes:
            raise UnknownThingError(f"no such account: {email}")
        return self.mailboxes[email.lower()]

    def calendar(self, calendar_id: str) -> ProviderCalendar:
        """By an id of Cronofy's or by the provider's own key."""
        binding = self.bindings.get(calendar_id)
        calendar = binding.calendar if binding else self.calendars.get(calendar_id)
        if calendar is None:
            raise UnknownThingError(f"no such calendar: {calendar_id}")
        return calendar

    def binding(self, calendar_id: str) -> CalendarBinding:
        if calendar_id not in self.bindings:
            raise UnknownThingError(f"no such calendar: {calendar_id}")
        return self.bindings[calendar_id]

    def profiles(self, key: str) -> list[MailboxProfile]:
        """By e-mail address, account id or profile id."""
        found = [
            profile
            for mailbox in self.mailboxes.values()
            for profile in mailbox.profiles
            if key.lower() == mailbox.email.lower() or key in {profile.profile_id, profile.account.account_id}
        ]
        if not found:
            raise UnknownThingError(f"not linked: {key}")
        return found

    # What a calendar's owner does

    def events(self, calendar_id: str) -> list[Json]:
        """The provider's truth, by start."""
        events = self.calendar(calendar_id).events.values()
        return [owner.shown(event) for event in sorted(events, key=lambda e: (e.start.at, e.uid))]

    def add_event(self, calendar_id: str, **fields: Any) -> list[Json]:
        """A new event; with ``recurrence`` one for each occurrence."""
        return [owner.shown(event) for event in owner.add(self, self.calendar(calendar_id), fields)]

    def change_event(self, calendar_id: str, key: str, **fields: Any) -> Json:
        return owner.shown(owner.change(self, self.calendar(calendar_id), key, fields))

    def delete_event(self, calendar_id: str, key: str, *, series: bool = False) -> None:
        owner.delete(self, self.calendar(calendar_id), key, series=series)

    def split_series(self, calendar_id: str, key: str, **fields: Any) -> list[Json]:
        """The owner changes *this and following*: those occurrences all get new identities."""
        return [owner.shown(event) for event in owner.split(self, self.calendar(calendar_id), key, fields)]

    def restore_event(self, calendar_id: str, key: str, **fields: Any) -> Json:
        """What was deleted is fetched back, by its owner."""
        return owner.shown(owner.restore(self, self.calendar(calendar_id), key, fields))

    def add_calendar(self, email: str, name: str, **details: Any) -> ProviderCalendar:
        return linking.add_calendar(self, self.mailbox(email), {"name": name, **details})

    def share_calendar(self, calendar_id: str, email: str) -> None:
        """The calendar also shows among the calendars of another person, whose accounts see it too."""
        linking.share_calendar(self, self.calendar(calendar_id), self.mailbox(email))

    def set_read_only(self, calendar_id: str, read_only: bool = True) -> None:
        self.calendar(calendar_id).read_only = read_only

    def set_missing(self, calendar_id: str, missing: bool = True) -> None:
        """The calendar is deleted: still listed, with calendar_deleted, and 404 to writes."""
        self.calendar(calendar_id).deleted = missing

    def set_permission(self, calendar_id: str, level: str) -> None:
        self.binding(calendar_id).permission = level

    # What happens to a link

    def disconnect(self, key: str) -> None:
        for profile in self.profiles(key):
            linking.disconnect(self, profile)

    def reconnect(self, key: str) -> None:
        """As if the person had followed profile_relink_url, from a page or from the mail of Cronofy's own.

        Nothing tells the application so (CRONOFY.md C44).
        """
        for profile in self.profiles(key):
            linking.link(self, profile.account.application, profile.mailbox, profile.account.scope)

    def revoke(self, key: str) -> None:
        """The person withdrew the permission: tokens die, a refresh is invalid_grant."""
        for profile in self.profiles(key):
            grants.revoke_account(self, profile.account)

    def request_erasure(self, key: str) -> None:
        """The person asked Cronofy to be forgotten; the application is told (CRONOFY.md C45)."""
        for profile in self.profiles(key):
            channels.announce_profile(self, profile, "gdpr_requested")

    def expire_access_tokens(self, key: str | None = None) -> None:
        accounts = [profile.account for profile in self.profiles(key)] if key else [None]
        for account in accounts:
            grants.expire_access_tokens(self, account)

    def start_initial_sync(self, key: str) -> None:
        """Until ``finish_initial_sync``, reads of the profile are empty."""
        for profile in self.profiles(key):
            profile.syncing = True

    def finish_initial_sync(self, key: str) -> None:
        for profile in self.profiles(key):
            finish_sync(self, profile)

    # Time

    async def settle(self) -> None:
        """Everything due by now has happened, notices included; time does not move."""
        while True:
            self.catch_up()
            if not self.outbox:
                return
            await channels.deliver(self, self.outbox.popleft())

    async def advance(self, seconds: float) -> None:
        """Move a manual clock, stopping wherever something is due."""
        if not isinstance(self.clock, SteppedClock):
            raise UnknownThingError("only a manual clock can be moved")
        target = self.clock.now() + seconds
        await self.settle()
        while (due := self.schedule.next_due()) is not None and due <= target:
            self.clock.move_to(due)
            await self.settle()
        self.clock.move_to(target)
        await self.settle()

    async def rest(self) -> None:
        """Move a manual clock until nothing is due any more: all applied, read and told."""
        await self.settle()
        end = self.clock.now() + _LONGEST_REST
        while (due := self.schedule.next_due()) is not None and due <= end:
            await self.advance(max(0.0, due - self.clock.now()))

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["SimulatedWorld"]:
        """Things happen by themselves, by the computer's clock."""
        async with contextlib.AsyncExitStack() as stack:
            if self.post is None:
                client = await stack.enter_async_context(httpx.AsyncClient())
                self.post = _poster(client)
                stack.callback(setattr, self, "post", None)
            task = asyncio.create_task(self._run())
            try:
                yield self
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        loop, awake = asyncio.get_running_loop(), asyncio.Event()
        self.schedule.wake = lambda: loop.call_soon_threadsafe(awake.set)
        try:
            async with asyncio.TaskGroup() as posts:
                while True:
                    awake.clear()
                    self._set_off(posts)
                    due = self.schedule.next_due()
                    gap = None if due is None else max(0.0, due - self.clock.now())
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(awake.wait(), gap)
        finally:
            self.schedule.wake = None

    def _set_off(self, posts: asyncio.TaskGroup) -> None:
        self.catch_up()
        while self.outbox:
            notice: QueuedNotice = self.outbox.popleft()
            posts.create_task(channels.deliver(self, notice))

    # What arrived

    def stats(self) -> Json:
        """How many requests came, and the most in any second and any minute."""
        traffic, statuses = self.log.traffic, self.log.statuses
        return {
            "requests": sum(statuses.values()),
            "statuses": {str(status): count for status, count in sorted(statuses.items())},
            "refused_429": statuses.get(429, 0),
            "most_in_a_second": traffic.second.most,
            "most_in_a_minute": traffic.minute.most,
            "writes": len(self.log.writes),
            "notices": len(self.log.notices),
            "waiting": len(self.schedule) + len(self.outbox),
        }


def _poster(client: httpx.AsyncClient) -> Poster:
    async def post(url: str, body: bytes, headers: dict[str, str]) -> int:
        return (await client.post(url, content=body, headers=headers)).status_code

    return post
