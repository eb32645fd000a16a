"""Rows and links for the tests of what a row means."""

from datetime import timedelta
from typing import Any

from contracts.calendar import Item, Link, LinkState
from contracts.cronofy import CronofyEvent
from contracts.vorex import ItemType
from handlers.echo import ARRIVAL_SECONDS, LATE_SECONDS
from handlers.inbound_event import judge_row
from handlers.judgement import Judgement, Reading
from tests.builders import MINUTE, NOW, a_link, a_reading, a_write, an_integration, an_item, at, prints_of

SECOND = timedelta(seconds=1)
ARRIVAL_TIME = timedelta(seconds=ARRIVAL_SECONDS)
LATE_TIME = timedelta(seconds=LATE_SECONDS)
RECORDS = [kind for kind in ItemType if kind is not ItemType.APPOINTMENT]
OLD = an_item(title="Old")
NEW = an_item(title="New", version=2, vorex_version=2, revision=2, changed_at=NOW - 10 * MINUTE)


def judged(
    event: CronofyEvent,
    link: Link,
    item: Item,
    *,
    reading: Reading | None = None,
    **settings: Any,
) -> Judgement:
    """What a row means."""
    return judge_row(event, link, item, an_integration(**settings), reading or a_reading())


def a_pending_link(*earlier: Item, accepted: timedelta = -MINUTE, **changes: Any) -> Link:
    """At NEW, written and accepted and not read back; OLD was agreed, ``earlier`` were written between."""
    writes = [
        *(a_write(each, accepted=accepted - MINUTE) for each in earlier),
        a_write(NEW, accepted=accepted),
    ]
    usual: dict[str, Any] = {
        "agreed": prints_of(OLD),
        "last_read": prints_of(OLD),
        "writes": writes,
        "accepted_at": at(accepted),
    }
    return a_link(NEW, **(usual | changes))


def codes(judgement: Judgement) -> list[tuple[str, str, str]]:
    """What is logged."""
    return [(entry.action.value, entry.outcome.value, entry.code.value) for entry in judgement.entries]


def is_echo(judgement: Judgement) -> bool:
    """Whether nothing came of the row but its having been read."""
    quiet = judgement.item is None and not judgement.entries and not judgement.again and not judgement.gone
    return quiet and (judgement.link is None or judgement.link.state is not LinkState.BEHIND)


def behind(state: LinkState = LinkState.BEHIND, **changes: Any) -> Link:
    """NEW is to be written and never was; OLD is in the calendar."""
    usual: dict[str, Any] = {
        "state": state,
        "applied_revision": 1,
        "writes": [a_write(NEW, accepted=None, sent=-10 * MINUTE)],
    }
    return a_pending_link(**(usual | changes))
