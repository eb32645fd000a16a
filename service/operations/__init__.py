"""Every verb of an operator, once; commands and pages only parse and print.

People's own verbs are in ``integrations``; numbers that are measured are read in ``monitoring``.
"""

from service.operations.dashboard import Dashboard
from service.operations.dead_letters import REPLAY_RATE, DeadLetters, LetterReader, MoreMatch
from service.operations.masking import PRIVATE_MASK, plain_json
from service.operations.overview import IntegrationCase, Overview
from service.operations.publishing import PublishReport, publish_events
from service.store.messages.dead_letters import LetterConflict, LetterFilter, NoLetter

__all__ = [
    "PRIVATE_MASK",
    "REPLAY_RATE",
    "Dashboard",
    "DeadLetters",
    "IntegrationCase",
    "LetterConflict",
    "LetterFilter",
    "LetterReader",
    "MoreMatch",
    "NoLetter",
    "Overview",
    "PublishReport",
    "plain_json",
    "publish_events",
]
