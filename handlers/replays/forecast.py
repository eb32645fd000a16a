"""What a dead letter's message would come to if it came now: the consumers' rules, only asked (R30).

Pure. Nothing is stored: the verdicts and wishes are those that a replay would meet this moment.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from contracts.calendar import Code, Integration, IntegrationId, Link, LinkState, Status
from contracts.envelope import PersonChanged, PersonLeft
from contracts.errors import Malformed
from contracts.messages import CHANGE_NOTICE, PROFILE_NOTICES, NoticeData
from handlers.outbound_message import (
    LEAVE_REASONS,
    ItemVerdicts,
    LinkChoice,
    LinkStanding,
    choose_for_link,
    holding_code,
)


class ReplayOutcome(StrEnum):
    """What would become of it, in a word."""

    MALFORMED = "malformed"
    STALE = "stale"
    CONFLICT = "conflict"
    WRITTEN = "written"
    REMOVED = "removed"
    HELD = "held"
    AGREED = "agreed"
    LEFT = "left"
    NOBODY = "nobody"
    GONE = "gone"
    READ = "read"
    NOTED = "noted"
    CONTINUED = "continued"
    FAILED = "failed"
    WAITING = "waiting"


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplayForecast:
    """One thing that a replay would do, or why it would do nothing."""

    outcome: ReplayOutcome
    said: str
    integration_id: IntegrationId | None = None


def of_item(
    verdicts: ItemVerdicts, integrations: Sequence[Integration], links: Sequence[Link], *, now: float
) -> list[ReplayForecast]:
    """What the message about one item would do to every linked calendar that it reaches."""
    if verdicts.stale:
        version, known = verdicts.stale[0].data.version, verdicts.item.vorex_version
        return [_stale(version, known)]
    reached = [
        forecast
        for integration, link in _reach(integrations, links)
        if (forecast := _of_link(verdicts, integration, link, now)) is not None
    ]
    return [*_conflicts(verdicts), *(reached or [_nobody(verdicts)])]


def _stale(version: int, known: int) -> ReplayForecast:
    said = f"Version {version} is stale: version {known} is already known. Nothing would be written."
    return ReplayForecast(outcome=ReplayOutcome.STALE, said=said)


def _nobody(verdicts: ItemVerdicts) -> ReplayForecast:
    nobody = "No linked calendar of its assignees takes this item: it would be stored, and nothing written."
    gone = (
        "The item is deleted and no linked calendar has a copy of it: "
        "it would be stored, and nothing written."
    )
    return ReplayForecast(outcome=ReplayOutcome.NOBODY, said=gone if verdicts.item.deleted else nobody)


def _conflicts(verdicts: ItemVerdicts) -> Iterator[ReplayForecast]:
    for loss, _ in verdicts.losses:
        theirs = (
            "Both sides changed the item: the newer change in the linked calendar would win, "
            "and the log would keep the other."
        )
        ours = "Both sides changed the item: this message would win, and the log would keep the other."
        yield ReplayForecast(
            outcome=ReplayOutcome.CONFLICT,
            said=theirs if loss.by_vorex else ours,
            integration_id=loss.integration_id,
        )


def _reach(
    integrations: Sequence[Integration], links: Sequence[Link]
) -> Iterator[tuple[Integration, Link | None]]:
    """Each integration with its link to the item; whether one of them is due is ``plan``'s to say."""
    for integration in sorted(integrations, key=lambda one: one.id):
        mine = (integration.id, integration.calendar_id)
        link = next((one for one in links if (one.integration_id, one.calendar_id) == mine), None)
        yield integration, link


def _of_link(
    verdicts: ItemVerdicts, integration: Integration, link: Link | None, now: float
) -> ReplayForecast | None:
    choice = choose_for_link(verdicts, integration, link, now=now, new_id=lambda: "")
    if choice is None:
        return None
    outcome, said = _told(choice, integration)
    return ReplayForecast(outcome=outcome, said=said, integration_id=integration.id)


def _told(choice: LinkChoice, integration: Integration) -> tuple[ReplayOutcome, str]:
    (calendar, account), link = names_of(integration), choice.link
    if choice.standing is LinkStanding.SEND:
        if link.desired is None:
            return ReplayOutcome.REMOVED, f"Its copy would be removed from {calendar} of {account}."
        return ReplayOutcome.WRITTEN, f"It would be written to {calendar} of {account}."
    if link.state is LinkState.HELD:
        return ReplayOutcome.HELD, f"{_why_held(link, integration)} The change would be kept as state."
    if link.state is LinkState.AGREED:
        said = f"{calendar} of {account} is already as it should be: nothing would be written."
        return ReplayOutcome.AGREED, said
    why = link.code and LEAVE_REASONS.get(link.code)
    why = why or "The copy is no longer kept alike."
    return ReplayOutcome.LEFT, f"{calendar} of {account} would be left alone. {why}"


def _why_held(link: Link, integration: Integration) -> str:
    calendar, account = names_of(integration)
    if link.code is Code.HELD_DELETION:
        return f"Deletions on {calendar} of {account} wait for the user's answer."
    if link.code is Code.QUESTIONED:
        return (
            f"What the technician did with it on {calendar} of {account} waits for the dispatcher's answer."
        )
    return _not_sending(integration)


def _not_sending(integration: Integration) -> str:
    calendar, account = names_of(integration)
    match holding_code(integration):
        case Code.NOT_CONNECTED:
            return f"{calendar} of {account} is not connected."
        case Code.INACTIVE:
            return f"The integration with {calendar} of {account} is not active."
    return f"{calendar} of {account} has not been read for the first time yet."


def names_of(integration: Integration) -> tuple[str, str]:
    """The calendar and its account, by which an operator knows an integration."""
    return integration.calendar_name or "The calendar", integration.profile_name


def of_notice(notice: NoticeData, integration: Integration | None) -> ReplayForecast:
    """What a notice would do."""
    if integration is None or integration.deleted_at is not None:
        said = "The integration is not here any more: nothing would be read."
        return ReplayForecast(outcome=ReplayOutcome.GONE, said=said)
    (calendar, account), known = names_of(integration), integration.id
    if notice.kind in PROFILE_NOTICES:
        said = f"The account behind {calendar} of {account} would be looked at, and its status set."
        return ReplayForecast(outcome=ReplayOutcome.READ, said=said, integration_id=known)
    if notice.kind != CHANGE_NOTICE:
        said = "A notice of this kind is only noted."
        return ReplayForecast(outcome=ReplayOutcome.NOTED, said=said, integration_id=known)
    if not integration.sends:
        said = f"{_not_sending(integration)} The notice would be noted and read for later."
        return ReplayForecast(outcome=ReplayOutcome.HELD, said=said, integration_id=known)
    said = (
        f"What has changed on {calendar} of {account} since then would be read; "
        "what is known already changes nothing."
    )
    return ReplayForecast(outcome=ReplayOutcome.READ, said=said, integration_id=known)


@dataclass(frozen=True, kw_only=True, slots=True)
class RunNow:
    """As much of a run as says whether a step is still due."""

    state: str
    ended: bool
    number: int


def of_run(step: int, run: RunNow | None, integration: Integration | None) -> ReplayForecast:
    """What the message for a step of a run would do (R25)."""
    if run is None or integration is None:
        return ReplayForecast(
            outcome=ReplayOutcome.GONE, said="The run is not here any more: nothing would be done."
        )
    known = integration.id
    if run.ended:
        said = f"The run has ended ({run.state}): nothing would be done."
        return ReplayForecast(outcome=ReplayOutcome.GONE, said=said, integration_id=known)
    if step < run.number:
        said = "This step of the run was done already: nothing would be done."
        return ReplayForecast(outcome=ReplayOutcome.STALE, said=said, integration_id=known)
    lost = integration.status is not Status.CONNECTED or not integration.active
    if lost and integration.deleted_at is None:
        said = f"{_not_sending(integration)} The run would fail."
        return ReplayForecast(outcome=ReplayOutcome.FAILED, said=said, integration_id=known)
    return ReplayForecast(outcome=ReplayOutcome.CONTINUED, said="The run would go on.", integration_id=known)


def of_person(message: PersonChanged) -> ReplayForecast:
    """What the message about a person would do (R45)."""
    before = f"Sessions that were opened before {message.time:%Y-%m-%d %H:%M} UTC would end."
    left = message.type == PersonLeft.type_word()
    said = f"{before} The person's integrations would end as the tenant decided." if left else before
    return ReplayForecast(outcome=ReplayOutcome.NOTED, said=said)


def of_malformed(error: Malformed) -> ReplayForecast:
    """A message that nobody can read becomes a dead letter again, until it is mended."""
    return ReplayForecast(outcome=ReplayOutcome.MALFORMED, said=f"Still malformed: {error}.")
