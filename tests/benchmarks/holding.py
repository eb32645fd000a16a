"""What processes hold in memory: a consumer while events pass, and the pages of a crowded month."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import jwt
import psutil

from contracts.calendar import item_ref
from service.store.engine.store import Store
from service.store.tables import item_assignees, items
from tests.benchmarks.ground import INTEGRATIONS, LONGEST, Failed, Job, Place, Servers, place
from tests.benchmarks.results import Curve, Found, Line, Point
from tests.support.processes import SECRETS, started
from tests.support.waiting import until

MEBIBYTE = 1024 * 1024
SAMPLES = 40
"""Of a consumer's memory."""
MOST_OF_A_CONSUMER, MOST_OF_WEB = 130, 200
"""Mebibytes."""
ITEMS_OF_A_MONTH, AT_ONCE = 20_000, 1_000
OPENED = 30
"""How often the month is opened: what one answer leaves behind would add up."""
PERSON = "u-0"


async def memory(servers: Servers, events: int) -> Found:
    """What a consumer holds while so many events pass, and ``web`` after a month of very many items."""
    job = Job(events=events, integrations=INTEGRATIONS)
    points: list[Point] = []
    async with place(servers, job, "PostgreSQL") as here:
        await here.fill(job.messages())
        servers.forget()
        last = await _passing(here, job, points)
        await here.verified(job)
    middle = max(held for mark, held in points if mark <= events / 2)
    async with place(servers, Job(events=0, integrations=1), "PostgreSQL") as here:
        shown = await _web(here)
    return Found(
        lines=[
            _held(f"a consumer after {events:,} events", last, MOST_OF_A_CONSUMER),
            Line(what="of what it was at half of them", value=round(last / middle, 2), unit="×", most=1.05),
            _held(f"web after a month of {ITEMS_OF_A_MONTH:,} items", shown, MOST_OF_WEB),
        ],
        curves=[
            Curve(
                name="memory-by-events",
                title="Memory of a consumer",
                across="events",
                up="MiB",
                series={"PostgreSQL": points},
            )
        ],
    )


def _held(what: str, mebibytes: float, most: float) -> Line:
    return Line(what=what, value=round(mebibytes, 1), unit="MiB", most=most)


async def _passing(here: Place, job: Job, points: list[Point]) -> float:
    """Have the events pass; what the consumer holds at each mark, and afterwards."""
    marks = [job.events * number // SAMPLES for number in range(SAMPLES + 1)]
    async with here.consumers(1) as (consumer,):
        process = psutil.Process(consumer.process.pid)

        async def passed() -> bool:
            await asyncio.sleep(0.2)
            arrived = (await here.ask("/count"))["events"]
            held = process.memory_info().rss / MEBIBYTE
            points.extend((float(mark), held) for mark in marks[len(points) :] if mark <= arrived)
            return len(points) == len(marks)

        await until(passed, seconds=LONGEST, what=f"{job.events:,} events at Cronofy")
        await here.all_settled(job)
        return float(process.memory_info().rss / MEBIBYTE)


async def _web(here: Place) -> float:
    """What ``web`` holds at most while one person opens such a month again and again."""
    month = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    await _crowd(here.world.store, month)
    with started("web", settings=here.settings(), folder=here.folder, cold=True) as web:
        address = (await asyncio.to_thread(web.logged, "process.started", seconds=120))["address"]
        process = psutil.Process(web.process.pid)
        token = {"Authorization": f"Bearer {_token()}", "Accept": "text/html"}
        most = 0.0
        async with httpx.AsyncClient(base_url=address, trust_env=False, timeout=120) as client:
            for _ in range(OPENED):
                answer = await client.get(f"/my-calendar?month={month:%Y-%m}", headers=token)
                if answer.status_code != httpx.codes.OK or "Visit 1" not in answer.text:
                    raise Failed(f"the month answered {answer.status_code}")
                most = max(most, process.memory_info().rss / MEBIBYTE)
    return most


def _token() -> str:
    expires = datetime.now(UTC) + timedelta(hours=1)
    claims = {"sub": PERSON, "tenant": "acme", "name": "Sam", "exp": expires, "jti": uuid4().hex}
    return jwt.encode(claims, SECRETS["SIGN_IN_SECRET"])


async def _crowd(store: Store, month: datetime) -> None:
    for first in range(0, ITEMS_OF_A_MONTH, AT_ONCE):
        rows = [_row(number, month) for number in range(first, first + AT_ONCE)]
        owned = [{"item_ref": row["ref"], "tenant_id": "acme", "user_id": PERSON} for row in rows]
        async with store.begin() as connection:
            await connection.execute(items.insert(), rows)
            await connection.execute(item_assignees.insert(), owned)


def _row(number: int, month: datetime) -> dict[str, object]:
    start = month + timedelta(minutes=number * 2)
    end = start + timedelta(minutes=30)
    content = {
        "id": str(number), "type": "appointment", "title": f"Visit {number}", "start": start.isoformat(),
        "end": end.isoformat(), "time_zone": "Europe/London", "all_day": False, "assignees": [PERSON],
        "description": "Bring the spare part, and the long ladder.", "location": "Contoso HQ",
    }  # fmt: skip
    return {
        "ref": item_ref("acme", "appointment", str(number)), "tenant_id": "acme", "item_type": "appointment",
        "item_id": str(number), "version": 1, "vorex_version": 1, "sync_version": 0, "revision": 1,
        "deleted": False, "content": content, "starts_at": start, "ends_at": end, "changed_at": month,
        "stored_at": month,
    }  # fmt: skip
