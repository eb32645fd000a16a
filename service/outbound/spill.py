"""Messages that would wait for too long are left to the store, which knows what their links should be."""

from service.outbound.hand import InHand

LONGEST_PAUSE = 60.0
"""A lane that has to wait longer keeps no message in the window; its links wait alone (DESIGN 6.3)."""
LONGEST_HOLD = 600.0
"""Seconds for which a message stays unsettled at most: after half an hour RabbitMQ closes the channel."""


def spill(hand: InHand) -> int:
    """Have every message settled as stored that waits too long; how many waits were ended."""
    now = hand.clock.monotonic()
    paused = {lane.integration_id for lane in hand.lanes if lane.not_before - now > LONGEST_PAUSE}
    ended = 0
    for entry in list(hand.window.entries.values()):
        entry.since = entry.since or now
        old = now - entry.since > LONGEST_HOLD
        for link_id, integration_id in list(entry.waiting.items()):
            if old or integration_id in paused:
                entry.stored = True
                hand.window.answer(entry, link_id)
                ended += 1
    return ended
