"""A weekly meeting of New York, and service calls that it meets once New York's clocks have changed."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import insert, update

from contracts.vorex import ItemType
from service.store.items import items
from service.store.tables import integrations, links
from tests.builders import an_item
from tests.support.office import Office

SECRET = "Interview with the ambassador"
BEFORE_CHANGE = datetime(2027, 3, 5, 8, tzinfo=UTC)
"""New York's clocks go forward on the 14th, Berlin's on the 28th."""
MET = datetime(2027, 3, 16, 19, tzinfo=UTC)
"""When the meeting is after New York's clocks changed, and was not before."""


async def linked_in_berlin(office: Office) -> str:
    """A linked calendar of somebody in Berlin, nine days before New York's clocks change."""
    await office.clock.pass_time((BEFORE_CHANGE - office.clock.now()).total_seconds())
    made = await office.finished()
    async with office.store.begin() as connection:
        await connection.execute(update(integrations).values(time_zone="Europe/Berlin"))
    return made


async def keep(
    office: Office,
    item_id: str,
    start: datetime,
    *,
    kind: ItemType = ItemType.APPOINTMENT,
    title: str = SECRET,
    by: str | None = None,
    user: str = "u-17",
) -> str:
    """An hour from then on; its ref."""
    item = an_item(
        id=item_id, type=kind, tenant_id="acme", title=title, start=start, end=start + timedelta(hours=1),
        assignees=(user,), time_zone="Europe/Berlin", imported_by=by,
    )  # fmt: skip
    async with office.store.begin() as connection:
        await items.save(connection, [(item, None)], now=office.clock.now())
    return item.ref


async def interview(office: Office, mine: str, user: str = "u-17") -> None:
    """A weekly meeting at three in the afternoon of New York, as its calendar brought it."""
    for day, hour in ((2, 20), (9, 20), (16, 19), (23, 19)):
        start = datetime(2027, 3, day, hour, tzinfo=UTC)
        ref = await keep(office, f"{user}-{day}", start, by=mine, user=user)
        link = {
            "id": f"link-{user}-{day}", "integration_id": mine, "item_ref": ref, "calendar_id": "cal",
            "origin": "external", "state": "agreed", "created_at": start, "series_identifier": "series-1",
        }  # fmt: skip
        async with office.store.begin() as connection:
            await connection.execute(insert(links).values(**link))


async def visit(office: Office, at: datetime, user: str = "u-17") -> None:
    """A service call of that hour."""
    await keep(office, f"visit-{user}-{at:%d%H}", at, kind=ItemType.SERVICE_CALL, title="Contoso", user=user)
