"""A page of rows, judged in a test, and what came of it."""

from collections.abc import Sequence
from itertools import count
from typing import Any

from contracts.calendar import Item, Link
from contracts.cronofy import CronofyEvent
from handlers.inbound_page import KnownRows, PageChanges, judge_page
from tests.builders import a_reading, an_integration


def page(
    *events: CronofyEvent,
    links: Sequence[Link] = (),
    items: Sequence[Item] = (),
    prior: Sequence[str] = (),
    twins: Sequence[tuple[str, str, str]] = (),
    **settings: Any,
) -> PageChanges:
    """What these rows do."""
    known = KnownRows(
        integration=an_integration(**settings),
        links=links,
        items={item.ref: item for item in items},
        prior=frozenset(prior),
        twins=frozenset(twins),
    )
    numbers = count(1)
    return judge_page(events, known, a_reading(), new_id=lambda: f"new-{next(numbers)}")


def is_nothing(changes: PageChanges) -> bool:
    """Whether nothing is brought, changed, said or to be deleted."""
    return not (changes.new_links or changes.items or changes.entries or changes.gone)


def codes(changes: PageChanges) -> list[tuple[str, str, str]]:
    """What is logged."""
    return [(entry.action.value, entry.outcome.value, entry.code.value) for entry in changes.entries]
