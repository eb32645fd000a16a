"""Out-of-office events of technicians: when they are, and nothing else (R52)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Exists, ScalarSelect, Select, and_, delete, exists, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import Integration, IntegrationId, ItemRef, LinkId, Status
from contracts.messages import QuestionKind
from contracts.vorex import ItemType
from handlers.questions.standing import AbsenceSpan
from service.store.engine.sets import among
from service.store.engine.upserts import merging_insert
from service.store.questions.questions import IS_OPEN
from service.store.tables import absences, integrations, items, links, questions

MOST_ABSENCES = 200
"""Absences that are kept of one calendar: those that begin first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Overlap:
    """A copy of a service call that is on its technician's calendar while they are out of office."""

    link_id: LinkId
    item_ref: ItemRef
    begins: datetime
    absence: AbsenceSpan


async def note(
    connection: AsyncConnection,
    integration: Integration,
    absent: Mapping[str, AbsenceSpan],
    present: Collection[str],
) -> bool:
    """Remember the events, by their uids, that are absences now, and forget those that are not.

    Whether anything changed.
    """
    here = absences.c.integration_id == integration.id, absences.c.calendar_id == integration.calendar_id
    named = [*absent, *present]
    wanted = select(absences).where(*here, among(connection, absences.c.event_uid, named))
    rows = (await connection.execute(wanted)).mappings().all()
    known = {row["event_uid"]: (row["starts_at"], row["ends_at"]) for row in rows}
    changed = {uid: span for uid, span in absent.items() if known.get(uid) != span}
    gone = [uid for uid in known if uid not in absent]
    if gone:
        await connection.execute(delete(absences).where(*here, among(connection, absences.c.event_uid, gone)))
    await _put(connection, integration, changed)
    if changed:
        beyond = (
            select(absences.c.event_uid).where(*here).order_by(absences.c.starts_at, absences.c.event_uid)
        )
        too_many = (await connection.scalars(beyond.offset(MOST_ABSENCES))).all()
        await connection.execute(
            delete(absences).where(*here, among(connection, absences.c.event_uid, too_many))
        )
    return bool(changed or gone)


async def _put(
    connection: AsyncConnection, integration: Integration, changed: Mapping[str, AbsenceSpan]
) -> None:
    place = {"integration_id": integration.id, "calendar_id": integration.calendar_id}
    for uid, (starts_at, ends_at) in sorted(changed.items()):
        new = merging_insert(connection, absences).values(
            **place, event_uid=uid, starts_at=starts_at, ends_at=ends_at
        )
        merged = {"starts_at": starts_at, "ends_at": ends_at}
        key = ["integration_id", "calendar_id", "event_uid"]
        await connection.execute(new.on_conflict_do_update(index_elements=key, set_=merged))


async def overlapping(
    connection: AsyncConnection,
    *,
    now: datetime,
    limit: int,
    integration_id: str | None = None,
    refs: Collection[ItemRef] = (),
    links_named: Collection[LinkId] | None = None,
    unasked: bool = False,
    after: Overlap | None = None,
) -> Sequence[Overlap]:
    """Copies of service calls that are not over, each with the earliest absence that it overlaps.

    The next calls first, behind ``after``, at most ``limit``: of one integration, of these calls, or of these
    links; ``unasked``: only of integrations that send, and none of whose absence a question is open.
    """
    wanted = _overlaps(now).order_by(items.c.starts_at, links.c.id).limit(limit)
    if integration_id is not None:
        wanted = wanted.where(links.c.integration_id == integration_id)
    if refs:
        wanted = wanted.where(among(connection, links.c.item_ref, refs))
    if links_named is not None:
        wanted = wanted.where(among(connection, links.c.id, links_named))
    if unasked:
        wanted = wanted.where(~_asked(), *_sending())
    if after is not None:
        wanted = wanted.where(_behind(after))
    return [
        Overlap(
            link_id=LinkId(row.id),
            item_ref=ItemRef(row.item_ref),
            begins=row.begins,
            absence=(row.starts_at, row.ends_at),
        )
        for row in await connection.execute(wanted)
    ]


def _overlaps(now: datetime) -> Select[Any]:
    times = items.c.starts_at.label("begins"), absences.c.starts_at, absences.c.ends_at
    return (
        select(links.c.id, links.c.item_ref, *times)
        .select_from(links)
        .join(integrations, integrations.c.id == links.c.integration_id)
        .join(items, items.c.ref == links.c.item_ref)
        .join(
            absences,
            (absences.c.integration_id == links.c.integration_id)
            & (absences.c.calendar_id == links.c.calendar_id)
            & (absences.c.event_uid == _earliest(now)),
        )
        .where(items.c.item_type == ItemType.SERVICE_CALL.value, items.c.deleted.is_(False))
        .where(items.c.ends_at > now)
        .where(links.c.ended_at.is_(None), integrations.c.deleted_at.is_(None))
        .where(integrations.c.calendar_id == links.c.calendar_id)
    )


def _behind(one: Overlap) -> ColumnElement[bool]:
    same = and_(items.c.starts_at == one.begins, links.c.id > one.link_id)
    return or_(items.c.starts_at > one.begins, same)


def _earliest(now: datetime) -> ScalarSelect[str]:
    """The uid of the first absence that overlaps the call, of at most ``MOST_ABSENCES``."""
    away = absences.alias("away")
    return (
        select(away.c.event_uid)
        .where(away.c.integration_id == links.c.integration_id, away.c.calendar_id == links.c.calendar_id)
        .where(away.c.ends_at > now, items.c.starts_at < away.c.ends_at, items.c.ends_at > away.c.starts_at)
        .order_by(away.c.starts_at, away.c.event_uid)
        .limit(1)
        .correlate(links, items)
        .scalar_subquery()
    )


def _asked() -> Exists:
    about = questions.c.link_id == links.c.id, questions.c.kind == QuestionKind.OUT_OF_OFFICE.value
    return exists().where(*about, IS_OPEN)


def _sending() -> Sequence[ColumnElement[bool]]:
    table = integrations.c
    connected = table.status == Status.CONNECTED.value
    return table.deleted_at.is_(None), table.active, connected, table.baseline_at.is_not(None)


async def whose(
    connection: AsyncConnection, *, now: datetime, after: str, limit: int
) -> Sequence[IntegrationId]:
    """Integrations that send, whose owners are away now or later: in the order of their ids, behind one."""
    wanted = (
        select(absences.c.integration_id)
        .distinct()
        .join(integrations, integrations.c.id == absences.c.integration_id)
        .where(absences.c.integration_id > after, absences.c.ends_at > now, *_sending())
        .order_by(absences.c.integration_id)
        .limit(limit)
    )
    return [IntegrationId(key) for key in await connection.scalars(wanted)]


async def forget_past(connection: AsyncConnection, *, before: datetime, limit: int) -> int:
    """Those that ended before that moment; what was moved meanwhile to a later one stays."""
    key = tuple_(absences.c.integration_id, absences.c.calendar_id, absences.c.event_uid)
    past = absences.c.ends_at < before
    some = select(absences.c.integration_id, absences.c.calendar_id, absences.c.event_uid).where(past)
    done = await connection.execute(delete(absences).where(past, key.in_(some.limit(limit))))
    return done.rowcount


async def forget_of(connection: AsyncConnection, integration: Integration) -> None:
    """All of one integration's, on whichever calendar: it is deleted, forgotten, or linked to another one."""
    await connection.execute(delete(absences).where(absences.c.integration_id == integration.id))
