"""Questions to dispatchers: asked, settled, opened again, and what may be in question now (R52)."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, exists, func, literal_column, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import Integration, IntegrationId, ItemRef, LinkId, LinkState
from contracts.messages import QuestionKind
from contracts.vorex import ItemType
from service.store.engine.sets import among
from service.store.engine.upserts import merging_insert
from service.store.tables import integrations, item_assignees, items, links, questions

OPEN, ANSWERED, CLOSED = "open", "answered", "closed"
QUESTION_STATES = (OPEN, ANSWERED, CLOSED)
IS_OPEN: ColumnElement[bool] = questions.c.state == literal_column(f"'{OPEN}'")
_QUESTIONED = text("code = 'questioned'")
"""Both in the very words of their partial indexes, which a bound value would keep from being used."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """One question; times as they are written, instants or days."""

    id: str
    tenant_id: str
    user_id: str
    """The technician."""
    integration_id: IntegrationId
    link_id: LinkId
    item_ref: ItemRef
    kind: QuestionKind
    print: str
    starts: str | None
    ends: str | None
    asked_at: datetime
    cause: str | None = None
    found_starts: str | None = None
    found_ends: str | None = None
    state: str = OPEN
    answer: str | None = None
    closed: str | None = None
    """Why it closed by itself: a word."""
    settled_by: str | None = None
    settled_at: datetime | None = None
    reopened: bool = False


_NAMES = tuple(each.name for each in fields(Question))


def _question(row: Any) -> Question:
    return Question(**{**row, "kind": QuestionKind(row["kind"])})


def _all() -> Select[Any]:
    return select(*(questions.c[name] for name in _NAMES))


async def ask(connection: AsyncConnection, asked: Iterable[Question]) -> Sequence[str]:
    """Store these; the ids of those that nobody had asked before, or still asks."""
    new: list[str] = []
    for each in sorted(asked, key=lambda one: (one.link_id, one.kind)):
        statement = merging_insert(connection, questions).values(**asdict(each)).on_conflict_do_nothing()
        done = await connection.execute(statement.returning(questions.c.id))
        new.extend(done.scalars())
    return new


async def questioned(
    connection: AsyncConnection,
    *,
    integration_id: str | None = None,
    after: str = "",
    limit: int,
) -> Sequence[LinkId]:
    """Living links whose copies their owners deleted or moved too far, and that nobody was asked about.

    In the order of their ids, behind that one; none of a call that is done, deleted, or somebody else's
    by now: of those nobody is to be asked.
    """
    living = integrations.c.deleted_at.is_(None), integrations.c.calendar_id == links.c.calendar_id
    by_link = questions.c.kind != QuestionKind.OUT_OF_OFFICE.value
    asked = exists().where(questions.c.link_id == links.c.id, IS_OPEN, by_link)
    wanted = (
        select(links.c.id)
        .join(integrations, integrations.c.id == links.c.integration_id)
        .join(items, items.c.ref == links.c.item_ref)
        .where(_QUESTIONED, links.c.ended_at.is_(None), *living, ~asked)
        .where(links.c.state.in_((LinkState.LET_GO, LinkState.HELD)), *_to_be_done())
        .where(links.c.id > after)
        .order_by(links.c.id)
        .limit(limit)
    )
    if integration_id is not None:
        wanted = wanted.where(links.c.integration_id == integration_id)
    return [LinkId(key) for key in await connection.scalars(wanted)]


def _to_be_done() -> Sequence[ColumnElement[bool]]:
    """The call is there, not done, and the integration's owner's."""
    theirs = item_assignees.c.item_ref == items.c.ref, item_assignees.c.user_id == integrations.c.user_id
    return (
        items.c.item_type == ItemType.SERVICE_CALL.value,
        items.c.deleted.is_(False),
        func.coalesce(items.c.content["completed"].as_boolean(), False).is_(False),
        exists().where(*theirs),
    )


async def open_ones(
    connection: AsyncConnection,
    *,
    integration_id: str | None = None,
    link_id: str | None = None,
    limit: int,
) -> Sequence[Question]:
    """Open questions in the order of their ids, of an integration or of a link."""
    wanted = _all().where(IS_OPEN)
    if integration_id is not None:
        wanted = wanted.where(questions.c.integration_id == integration_id)
    if link_id is not None:
        wanted = wanted.where(questions.c.link_id == link_id)
    rows = await connection.execute(wanted.order_by(questions.c.id).limit(limit))
    return [_question(row) for row in rows.mappings()]


async def open_ids(connection: AsyncConnection, *, after: str, limit: int) -> Sequence[str]:
    """The ids of open questions in their order, behind that one."""
    wanted = select(questions.c.id).where(IS_OPEN, questions.c.id > after).order_by(questions.c.id)
    return list(await connection.scalars(wanted.limit(limit)))


async def open_among(connection: AsyncConnection, ids: Collection[str]) -> Sequence[Question]:
    """Those of these questions that are open."""
    rows = await connection.execute(_all().where(IS_OPEN, among(connection, questions.c.id, ids)))
    return [_question(row) for row in rows.mappings()]


async def asked_before(
    connection: AsyncConnection, causes: Collection[tuple[str, str]]
) -> frozenset[tuple[str, str]]:
    """Those of these pairs of a link and a cause about which somebody was asked already."""
    wanted = select(questions.c.link_id, questions.c.cause).where(
        among(connection, questions.c.link_id, [link for link, _ in causes]), questions.c.cause.is_not(None)
    )
    return frozenset((row.link_id, row.cause) for row in await connection.execute(wanted)) & frozenset(causes)


async def find(connection: AsyncConnection, tenant_id: str, question_id: str) -> Question | None:
    """That question, where it is this tenant's."""
    wanted = _all().where(questions.c.id == question_id, questions.c.tenant_id == tenant_id)
    row = (await connection.execute(wanted)).mappings().one_or_none()
    return None if row is None else _question(row)


async def listed(
    connection: AsyncConnection, tenant_id: str, *, state: str, after: str | None, limit: int
) -> Sequence[Question]:
    """The tenant's questions that stand so: open ones oldest first, settled ones newest first."""
    wanted = _all().where(questions.c.tenant_id == tenant_id, questions.c.state == state)
    key = questions.c.id
    if after is not None:
        wanted = wanted.where(key > after if state == OPEN else key < after)
    rows = await connection.execute(wanted.order_by(key if state == OPEN else key.desc()).limit(limit))
    return [_question(row) for row in rows.mappings()]


async def count_open(connection: AsyncConnection, tenant_id: str) -> int:
    """How many wait for an answer at this tenant."""
    mine = questions.c.tenant_id == tenant_id, questions.c.state == OPEN
    return int(await connection.scalar(select(func.count()).select_from(questions).where(*mine)) or 0)


async def settle(
    connection: AsyncConnection,
    question_id: str,
    *,
    at: datetime,
    answer: str | None = None,
    closed: str | None = None,
    by: str | None = None,
) -> bool:
    """Answer it, or close it by itself; whether it was open."""
    values = {"answer": answer, "closed": closed, "settled_by": by, "settled_at": at}
    values["state"] = CLOSED if answer is None else ANSWERED
    return await _change(connection, IS_OPEN, question_id, **values)


async def open_again(
    connection: AsyncConnection, question_id: str, *, reopened: bool, content_print: str
) -> bool:
    """Take an answer back; whether it was answered. ``reopened``: what the answer had written stays."""
    values = {"answer": None, "closed": None, "settled_by": None, "settled_at": None, "state": OPEN}
    answered = questions.c.state == ANSWERED
    return await _change(connection, answered, question_id, **values, reopened=reopened, print=content_print)


async def find_elsewhere(
    connection: AsyncConnection, question: Question, starts: str, ends: str, *, cause: str | None = None
) -> None:
    """The technician has moved the copy, or the absence, once more since it was asked."""
    found = {"found_starts": starts, "found_ends": ends, "cause": cause}
    await _change(connection, IS_OPEN, question.id, **found)


async def _change(
    connection: AsyncConnection, which: ColumnElement[bool], question_id: str, **values: Any
) -> bool:
    changed = update(questions).where(questions.c.id == question_id, which).values(**values)
    return (await connection.execute(changed)).rowcount > 0


async def forget_settled(connection: AsyncConnection, *, before: datetime, limit: int) -> int:
    """Those that were settled before that moment."""
    old = select(questions.c.id).where(questions.c.settled_at < before).limit(limit)
    return (await connection.execute(delete(questions).where(questions.c.id.in_(old)))).rowcount


async def forget_of(connection: AsyncConnection, integration: Integration) -> None:
    """All of one integration's, whose owner asked to be forgotten (R41)."""
    await connection.execute(delete(questions).where(questions.c.integration_id == integration.id))
