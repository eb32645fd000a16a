"""From Vorex's messages to the linked calendars (DESIGN 6)."""

from service.outbound.consumer import OutboundConsumer
from service.outbound.ports import Cronofy, Looker

__all__ = ["Cronofy", "Looker", "OutboundConsumer"]
