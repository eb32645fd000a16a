"""Inbound: notices become reads, reads become My Calendar writes (DESIGN 7)."""

from service.inbound.notices import NoticeHandler
from service.inbound.reader import Reader

__all__ = ["NoticeHandler", "Reader"]
