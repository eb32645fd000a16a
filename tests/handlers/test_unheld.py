"""Events whose times no clock can hold: passed over, and said once (R27, R30)."""

from contracts.calendar import Code, Direction, LogAction, Outcome
from contracts.cronofy import UnheldEvent
from handlers.arrivals.unheld import UNHELD_REASON, said_once, unheld_key, unheld_links
from tests.builders import a_link, a_reading, an_external_link, an_integration, an_item

FOR_EVER = UnheldEvent(event_uid="uid", event_id=None, created=None, title="For ever")
COPY = UnheldEvent(event_uid="uid-2", event_id="vcs-1", created=None, title="Copy")


def test_it_is_said_once() -> None:
    """By what is remembered of it, and of each event for itself."""
    reading = a_reading(run_id="run", message_id="m-1")

    told = said_once([FOR_EVER, COPY], an_integration(), reading, said=["unheld:uid-2"])

    assert list(told) == ["unheld:uid"] == [unheld_key(FOR_EVER)]
    entry = told["unheld:uid"]
    assert (entry.direction, entry.action, entry.outcome, entry.code) == (
        Direction.TO_MY_CALENDAR,
        LogAction.NONE,
        Outcome.SKIPPED,
        Code.NOT_POSSIBLE,
    )
    assert (entry.integration_id, entry.title, entry.reason) == ("one", "For ever", UNHELD_REASON)
    assert (entry.trigger, entry.run_id, entry.message_id) == (reading.trigger, "run", "m-1")
    assert UNHELD_REASON.endswith("it is passed over.")


def test_the_link_of_such_an_event_was_read_and_differs() -> None:
    """So that a complete read does not take its copy for missing (R11); its item stays as it is (R7)."""
    foreign, ours = an_external_link(), a_link(event_id="vcs-1", event_uid="uid-9")
    others = [
        a_link(event_id="vcs-2", event_uid="uid-2"),
        an_external_link(event_uid="uid-3"),
        an_external_link(exists_there=False),
        a_link(an_item(), event_id="vcs-3", event_uid=None),
    ]

    links = unheld_links([FOR_EVER, COPY], [foreign, ours, *others], a_reading())

    assert [(link.event_uid, link.differs, link.read_at) for link in links] == [
        ("uid", True, a_reading().now),
        ("uid-9", True, a_reading().now),
    ]
