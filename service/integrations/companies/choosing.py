"""Whom an administrator chooses, each with a mailbox: whose it may be, and who said so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.integrations.companies.people_given import (
    OTHER_ADDRESS,
    OWN_USER_ID,
    SAME_MAILBOX,
    PersonGiven,
    broken_lines,
)
from service.integrations.refusals import Conflict
from service.store.engine.ids import new_id
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations.listing import Owner
from service.store.people import company_mailboxes, company_people
from service.store.people.company_people import NOTHING_EARLIER, CompanyPerson
from service.store.tables.company_stages import WORKED_ON, PersonStage

MOST_PEOPLE = 2_000
"""People whom a tenant connects in this way."""
TOO_MANY_PEOPLE = f"At most {MOST_PEOPLE} people can be connected in this way."


@dataclass(frozen=True, kw_only=True, slots=True)
class CompanyHolder:
    """Which administrator stands there, and by which session."""

    tenant_id: str
    user_id: str
    session_id: str | None
    email: str = ""
    """The address that Vorex says is theirs, as far as it says so here."""

    @property
    def owner(self) -> Owner:
        return Owner(tenant_id=self.tenant_id, user_id=self.user_id)


@dataclass(frozen=True, kw_only=True, slots=True)
class AddedPeople:
    """What came of choosing people."""

    added: int
    left_alone: int
    """Who is connected, or is being connected, already."""


async def choose_people(
    store: Store,
    connection: AsyncConnection,
    holder: CompanyHolder,
    people: Sequence[PersonGiven],
    *,
    time_zone: str,
) -> AddedPeople:
    """Note them, in the caller's transaction, which has locked the company. Raises Conflict, or Invalid."""
    tenant_id, wanted = holder.tenant_id, {one.user_id: one.email for one in people}
    vouched = await _checked(connection, holder, people)
    known = await company_people.people_among(connection, tenant_id, list(wanted))
    counted = sum((await company_people.count_people(connection, tenant_id)).values())
    fresh = [user_id for user_id in wanted if user_id not in known]
    if counted + len(fresh) > MOST_PEOPLE:
        raise Conflict("limit_reached", TOO_MANY_PEOPLE)
    start = await _start(store, connection, holder)
    named = {"tenant_id": tenant_id, "time_zone": time_zone, "stage": PersonStage.CHOSEN, **start}
    rows = [
        {"id": new_id(), "user_id": one, "email": wanted[one], "vouched": vouched.get(one), **named}
        for one in fresh
    ]
    await company_people.add_people(connection, rows)
    again = [one for one in known.values() if await _may_again(connection, one)]
    for one in again:
        email = wanted[one.user_id]
        said = vouched.get(one.user_id, one.vouched if one.email == email else None)
        values = {**NOTHING_EARLIER, **start, "email": email, "vouched": said, "told_at": None}
        await company_people.advance_person(connection, one, PersonStage.CHOSEN, **values)
    added = len(fresh) + len(again)
    return AddedPeople(added=added, left_alone=len(wanted) - added)


async def _checked(
    connection: AsyncConnection, holder: CompanyHolder, people: Sequence[PersonGiven]
) -> Mapping[str, bool]:
    """Of whom Vorex says that the mailbox is theirs. Raises Invalid naming the lines."""
    wanted = {one.email: one.user_id for one in people}
    others = company_mailboxes.mailboxes_of_others
    taken = await others(connection, holder.tenant_id, wanted, stages=WORKED_ON)
    mailboxes = {one.user_id: one.email for one in people}
    vouched = {**await company_mailboxes.vouched_for(connection, holder.tenant_id, mailboxes)}
    if holder.email:
        vouched[holder.user_id] = mailboxes.get(holder.user_id) == holder.email.lower()
    broken = [(one.line, SAME_MAILBOX) for one in people if one.email in taken]
    for one in people:
        said = vouched.get(one.user_id)
        if one.user_id == holder.user_id and not said:
            broken.append((one.line, OWN_USER_ID))
        elif said is False:
            broken.append((one.line, OTHER_ADDRESS))
    if broken:
        raise broken_lines(broken)
    return vouched


async def _may_again(connection: AsyncConnection, person: CompanyPerson) -> bool:
    """Whether they are neither connected nor on the way, and nothing is still to be given back for them."""
    if person.stage in WORKED_ON or person.answer is not None:
        return False
    if person.stage != PersonStage.CONNECTED:
        return True
    return not await company_people.lives(connection, person.integration_id or "")


async def _start(store: Store, connection: AsyncConnection, holder: CompanyHolder) -> dict[str, Any]:
    since = await store.moment(connection)
    chosen = {"chosen_by": holder.user_id, "chosen_at": since}
    return {"since": since, "due_at": await store.now(connection), "attempts": 0, **chosen}
