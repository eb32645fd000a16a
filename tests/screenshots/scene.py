"""A lively afternoon: items of all five types, linked calendars in every state, dead letters and runs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from playwright.async_api import Page, expect

from contracts.envelope import ItemChanged
from contracts.ports import Outgoing
from service.store.engine.ids import new_id
from service.store.engine.store import Store
from service.store.messages import outbox
from tests.support.guide import PATIENT_MILLISECONDS, GuideAddresses, add_event, appeared, press

USER, TENANT = "dana", "demo"
A_MINUTE_MILLISECONDS = 60_000
OPERATOR = {"role": "operator", "name": "Dana Dale"}
GUSTAV = "Gustav Google (gustav.google@example.test)"
IRIS = "Iris iCloud (iris.icloud@example.test)"
EDGAR = "Edgar Exchange (edgar.exchange@example.test)"
OLIVIA = "Olivia Office (olivia.office@example.test)"
ODETTE = "Odette Outlook (odette.outlook@example.test)"
HELD = 12
# type, title, account, days from today, hour, hours (0: all day)
ITEMS: tuple[tuple[str, str, str | None, int, int, float], ...] = (
    ("service_call", "Replace the firewall", "Contoso", 0, 9, 2),
    ("service_call", "Printer on the third floor", "Fabrikam", 1, 14, 1),
    ("service_call", "Backup has failed twice", "Contoso", -3, 10, 1.5),
    ("service_call", "New laptop for Ms Meyer", "Adventure Works", 4, 11, 1),
    ("task", "Renew certificates", None, 2, 15, 1),
    ("task", "Write the quarterly report", None, -5, 9, 3),
    ("task", "Label the patch panel", "Northwind", 8, 13, 1),
    ("crm_activity", "Call about the renewal", "Northwind", 1, 13, 0.5),
    ("crm_activity", "Visit", "Adventure Works", 7, 10, 2),
    ("crm_activity", "Send the offer", "Fabrikam", -8, 16, 0.5),
    ("todo", "Order toner", None, 0, 0, 0),
    ("todo", "Book train to Leeds", None, 6, 0, 0),
    ("todo", "Collect spare switches", None, -6, 0, 0),
    ("appointment", "Team meeting", None, 2, 9, 1),
    ("appointment", "Lunch with Sam", None, 3, 12, 1),
    ("appointment", "Training: new ticket desk", None, 9, 9, 6),
    ("appointment", "Interview", None, -4, 14, 1),
)
EVENTS = (
    ("Dentist", 2),
    ("School play", 3),
    ("Five-a-side", -2),
    ("Dinner with Fabrikam", 1),
    ("Holiday prep", 10),
)


@dataclass(kw_only=True)
class Scene:
    """Where the pictures are taken."""

    town: GuideAddresses
    page: Page
    today: date
    linked: str = ""
    """The address of the first integration."""
    calendar_id: str = ""

    async def begin(self) -> None:
        """Signed in, with a full My Calendar and nothing linked."""
        await self.page.goto(self.town.sign_in(USER, **OPERATOR))
        await self._publish([self._message(number) for number in range(len(ITEMS))])
        await until(self.page, f"{self.town.product}/my-calendar", ITEMS[0][1])

    async def come_to_confirmation(self) -> None:
        """The first calendar, with something on it already; Finish is not pressed yet."""
        await self.connect(GUSTAV)
        self.calendar_id = await self.page.get_by_label("Linked calendar").input_value()
        for title, days in EVENTS:
            await add_event(self.town, self.calendar_id, title, self.today + timedelta(days=days))
        for word in ("Update", "Delete"):
            await self.page.get_by_label(word, exact=True).check()
        await press(self.page, "Sync Options")
        for legend in ("Retrieve linked calendar items:", "Send my calendar items:"):
            group = self.page.get_by_role("group", name=legend)
            await group.get_by_label("Enable").check()
            await group.get_by_label("Get Past Items").select_option(value="1_week")
            await group.get_by_label("Get Future Items").select_option(value="1_month")
        await press(self.page, "Confirmation")
        await expect(self.page.get_by_text("Look again")).to_be_visible(timeout=PATIENT_MILLISECONDS)
        self.linked = self.page.url.partition("/settings/")[0]

    async def finish(self) -> None:
        """The run's work arrives, and one person edits on the phone what another edits here."""
        await press(self.page, "Finish")
        await appeared(self.page, self.town, self.calendar_id, "Contoso – Replace the firewall")
        await until(self.page, f"{self.town.product}/my-calendar", "Dentist")

    async def complicate(self) -> None:
        """Dead letters, held deletions, a withdrawn permission and an unfinished set-up."""
        # pictures have asked more of Cronofy by now than one person may in a minute
        await self.page.wait_for_timeout(A_MINUTE_MILLISECONDS)
        await self._spoil()
        await self._hold_deletions()
        await self._lose_a_permission()
        await self.connect(OLIVIA)

    def _message(self, number: int) -> Outgoing:
        kind, title, account, days, hour, hours = ITEMS[number]
        called = kind == "service_call"
        reference = {"label": f"T2026.{number + 1:04}", "url": "https://vorex.example/t"}
        return item_message(
            kind, f"{kind}-{number}", title=title, account_name=account, assignees=[USER],
            location="Head office" if called else "", reference=reference if called else None,
            completed=days < -2, **self._times(days, hour, hours),
        )  # fmt: skip

    def _times(self, days: int, hour: int, hours: float) -> dict[str, Any]:
        day = self.today + timedelta(days=days)
        if not hours:
            return {"start": day.isoformat(), "end": (day + timedelta(days=1)).isoformat(), "all_day": True}
        starts = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
        return {"start": starts.isoformat(), "end": (starts + timedelta(hours=hours)).isoformat()}

    async def _publish(self, messages: Sequence[Outgoing]) -> None:
        """The demonstration's own outbox hands them to its broker."""
        store = Store(f"sqlite+aiosqlite:///{self.town.database}")
        try:
            async with store.begin() as connection:
                await outbox.enqueue(connection, messages, now=await store.now(connection))
        finally:
            await store.close()

    async def add(self, title: str) -> None:
        """An appointment in My Calendar, within the hour."""
        await self.page.goto(f"{self.town.product}/my-calendar/new")
        await self.page.get_by_label("Subject").fill(title)
        await press(self.page, "Add")

    async def connect(self, account: str) -> None:
        await self.page.goto(f"{self.town.product}/calendar-sync/connect")
        await press(self.page, account)
        await press(self.page, "Link it")
        await expect(self.page.get_by_role("heading", name="Calendar Sync Settings")).to_be_visible()

    async def _link(self, account: str, calendar: str) -> str:
        """With every event type, and nothing to send."""
        await self.connect(account)
        await self.page.get_by_label("Linked calendar").select_option(label=calendar)
        calendar_id = await self.page.get_by_label("Linked calendar").input_value()
        for word in ("Update", "Delete"):
            await self.page.get_by_label(word, exact=True).check()
        await press(self.page, "Confirmation")
        await press(self.page, "Finish")
        await expect(
            self.page.get_by_text("Saved. Your calendars are kept alike from now on.")
        ).to_be_visible()
        return calendar_id

    async def _spoil(self) -> None:
        """Messages that nobody can process."""
        broken: Sequence[Mapping[str, Any]] = ({"title": ""}, {"title": None}, {"start": "noon"})
        fields = [{"assignees": [USER], **one} for one in broken]
        await self._publish(
            [item_message("service_call", f"broken-{at}", **one) for at, one in enumerate(fields)]
        )

    async def _hold_deletions(self) -> None:
        """R11: more than ten at once, and more than a third."""
        calendar_id = await self._link(EDGAR, "Calendar")
        day = self.today + timedelta(days=11)
        for number in range(HELD):
            await add_event(self.town, calendar_id, f"Stand-up {number + 1}", day)
        await until(self.page, f"{self.town.product}/my-calendar?day={day}", f"Stand-up {HELD}")
        await self.town.delete_all(calendar_id, [f"Stand-up {number + 1}" for number in range(HELD)])
        await until(self.page, f"{self.town.product}/calendar-sync", "Needs your answer.")

    async def _lose_a_permission(self) -> None:
        """R22: found out with the next thing that is to be sent."""
        await self._link(IRIS, "Family")
        await self.town.control("POST", "/faults", revoke=["iris.icloud@example.test"])
        self.town.let_a_minute_pass()
        await self.add("Dinner at home")
        await until(self.page, f"{self.town.product}/calendar-sync", "Not Connected")


async def until(page: Page, address: str, words: str) -> None:
    """Open the page until it says so."""
    await page.goto(address)
    for _ in range(PATIENT_MILLISECONDS // 250):
        if await page.get_by_text(words, exact=True).count():
            return
        await page.wait_for_timeout(250)
        await page.goto(address)
    await expect(page.get_by_text(words, exact=True).first).to_be_visible()


def item_message(kind: str, id_: str, **fields: Any) -> Outgoing:
    """An item-changed event, whether it can be processed or not."""
    content = {"id": id_, "type": kind, "title": "A service call", **fields}
    message_id = new_id()
    data = {"tenant_id": TENANT, "action": "created", "version": 1, "actor": {"kind": "user", "id": "u-1"}}
    whole = {
        "specversion": "1.0", "type": ItemChanged.type_word(), "id": message_id, "source": f"/vorex/{TENANT}",
        "subject": f"{kind}/{id_}", "time": datetime.now(UTC).isoformat(), "data": {**data, "item": content},
    }  # fmt: skip
    body = json.dumps(whole).encode()
    return Outgoing(exchange="vorex.items", routing_key=f"{kind}.created", body=body, message_id=message_id)
