"""Messages that wait too long, or in too great a number, are settled as stored: their links wait alone."""

from collections.abc import Container

from contracts.calendar import IntegrationId
from service.consumers.outbound.state import OutboundState
from service.consumers.outbound.window import WindowEntry
from service.consumers.turns import PATIENCE_SECONDS

LONG_LANE_PAUSE_SECONDS = 60.0
"""A lane that has to wait longer keeps no message in the window; its links wait alone."""
MESSAGE_HOLD_SECONDS = 600.0
"""Seconds for which a message stays unsettled at most: after half an hour RabbitMQ closes the channel."""


def end_long_waits(state: OutboundState) -> int:
    """Have every message settled as stored that waits too long; how many waits were ended."""
    now = state.clock.monotonic()
    paused = {lane.integration_id for lane in state.lanes if lane.not_before - now > LONG_LANE_PAUSE_SECONDS}
    ended = 0
    for entry in list(state.window.entries.values()):
        old = now - entry.since > MESSAGE_HOLD_SECONDS
        ended += _leave_to_store(state, entry, None if old else paused)
    return ended


def make_room(state: OutboundState) -> int:
    """In a full window, leave to the store what one tenant has beyond half of it; how many waits were ended.

    The links stay in their lanes, and messages of others are let in (R44).
    """
    window, now = state.window, state.clock.monotonic()
    tenant = window.crowd_of
    if tenant is None:
        return 0
    theirs = [entry for entry in window.entries.values() if (entry.tenant_id or "") == tenant]
    if now - theirs[0].since < PATIENCE_SECONDS:
        return 0
    return sum(_leave_to_store(state, entry, None) for entry in theirs[len(window) // 2 :])


def _leave_to_store(state: OutboundState, entry: WindowEntry, lanes: Container[IntegrationId] | None) -> int:
    """Let the message wait for none of these lanes' links, or of all."""
    ended = 0
    for link_id, integration_id in list(entry.waiting.items()):
        if lanes is None or integration_id in lanes:
            entry.stored = True
            state.window.answer(entry, link_id)
            ended += 1
    return ended
