"""What a dead letter's message would come to if it came now: the consumers' rules, only asked (R30).

Pure. Nothing is stored: the verdicts and wishes are those that a replay would meet this moment.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from contracts.calendar import Code, Integration, IntegrationId, Link, LinkState, Status
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
    gone = "The item is deleted and no linked calendar has a copy of it"
    nobody = "No linked calendar of its assignees takes this item"
    said = f"{gone if verdicts.item.deleted else nobody}: it would be stored, and nothing written."
    return ReplayForecast(outcome=ReplayOutcome.NOBODY, said=said)


def _conflicts(verdicts: ItemVerdicts) -> Iterator[ReplayForecast]:
    for loss, _ in verdicts.losses:
        winner = "the newer change in the linked calendar" if loss.by_vorex else "this message"
        yield ReplayForecast(
            outcome=ReplayOutcome.CONFLICT,
            said=f"Both sides changed the item: {winner} would win, and the log would keep the other.",
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
    where, link = name_of(integration), choice.link
    if choice.standing is LinkStanding.SEND:
        if link.desired is None:
            return ReplayOutcome.REMOVED, f"Its copy would be removed from {where}."
        return ReplayOutcome.WRITTEN, f"It would be written to {where}."
    if link.state is LinkState.HELD:
        return ReplayOutcome.HELD, f"{_why_held(link, integration, where)} The change would be kept as state."
    if link.state is LinkState.AGREED:
        return ReplayOutcome.AGREED, f"{where} is already as it should be: nothing would be written."
    why = link.code and LEAVE_REASONS.get(link.code)
    return ReplayOutcome.LEFT, f"{where} would be left alone. {why or 'The copy is no longer kept alike.'}"


def _why_held(link: Link, integration: Integration, where: str) -> str:
    if link.code is Code.HELD_DELETION:
        return f"Deletions on {where} wait for the user's answer."
    return _not_sending(integration, where)


def _not_sending(integration: Integration, where: str) -> str:
    match holding_code(integration):
        case Code.NOT_CONNECTED:
            return f"{where} is not connected."
        case Code.INACTIVE:
            return f"The integration with {where} is not active."
    return f"{where} has not been read for the first time yet."


def name_of(integration: Integration) -> str:
    """An integration as an operator knows it: the calendar and its account."""
    return f"{integration.calendar_name or 'The calendar'} of {integration.profile_name}"


def of_notice(notice: NoticeData, integration: Integration | None) -> ReplayForecast:
    """What a notice would do."""
    if integration is None or integration.deleted_at is not None:
        said = "The integration is not here any more: nothing would be read."
        return ReplayForecast(outcome=ReplayOutcome.GONE, said=said)
    where, known = name_of(integration), integration.id
    if notice.kind in PROFILE_NOTICES:
        said = f"The account behind {where} would be looked at, and its status set."
        return ReplayForecast(outcome=ReplayOutcome.READ, said=said, integration_id=known)
    if notice.kind != CHANGE_NOTICE:
        said = "A notice of this kind is only noted."
        return ReplayForecast(outcome=ReplayOutcome.NOTED, said=said, integration_id=known)
    if not integration.sends:
        said = f"{_not_sending(integration, where)} The notice would be noted and read for later."
        return ReplayForecast(outcome=ReplayOutcome.HELD, said=said, integration_id=known)
    said = f"What has changed on {where} since then would be read; what is known already changes nothing."
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
        said = f"{_not_sending(integration, name_of(integration))} The run would fail."
        return ReplayForecast(outcome=ReplayOutcome.FAILED, said=said, integration_id=known)
    return ReplayForecast(outcome=ReplayOutcome.CONTINUED, said="The run would go on.", integration_id=known)


def of_malformed(error: Malformed) -> ReplayForecast:
    """A message that nobody can read becomes a dead letter again, until it is mended."""
    return ReplayForecast(outcome=ReplayOutcome.MALFORMED, said=f"Still malformed: {error}.")
