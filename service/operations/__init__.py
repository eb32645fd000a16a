"""Every verb of an operator, once; commands and pages only parse and print.

People's own verbs are in ``integrations``; numbers that are measured are read in ``monitoring``.
"""

from service.operations.dashboard import Dashboard
from service.operations.dead_letters import REPLAY_RATE, DeadLetters, LetterReader
from service.operations.letters.discarding import DiscardedBatch, MoreMatch
from service.operations.letters.letter_filter import WrongFilter, parse_letter_filter
from service.operations.masking import PRIVATE_MASK, plain_json
from service.operations.overview import IntegrationCase, Overview
from service.operations.publishing import PublishReport, check_events, publish_events
from service.store.messages.dead_letters import LetterConflict, LetterFilter, NoLetter

__all__ = [
    "PRIVATE_MASK",
    "REPLAY_RATE",
    "Dashboard",
    "DeadLetters",
    "DiscardedBatch",
    "IntegrationCase",
    "LetterConflict",
    "LetterFilter",
    "LetterReader",
    "MoreMatch",
    "NoLetter",
    "Overview",
    "PublishReport",
    "WrongFilter",
    "check_events",
    "parse_letter_filter",
    "plain_json",
    "publish_events",
]
