"""Whatever happens in whatever order, the pure rules lead both sides to agreement (R2, R17, R18, R19).

``RULES_EXAMPLES=2000 pytest tests/handlers/test_rules_machine.py`` tries more.
"""

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from contracts.calendar import LogAction, Origin
from contracts.vorex import ItemContent, ItemType, ShowAs
from tests.builders import HOUR, NINE, TEN, a_content
from tests.support.knobs import examples
from tests.support.rules_agreement import (
    agree_with_calendar,
    agree_with_vorex,
    events_of,
    nothing_is_overlooked,
)
from tests.support.rules_world import QUARTER_SECONDS, RulesWorld, send_all, settle

PICK = st.integers(0, 7)
TITLES = ("Lunch", "Dinner", "Breakfast")
PLACES = ("", "Park", "Bar")
TYPES = (ItemType.APPOINTMENT, ItemType.APPOINTMENT, ItemType.TASK)


def moved(by: int) -> dict[str, Any]:
    """Times, some hours later."""
    return {"start": NINE + by * HOUR, "end": TEN + by * HOUR}


VOREX_EDITS = st.one_of(
    st.sampled_from(TITLES).map(lambda title: {"title": title}),
    st.sampled_from(PLACES).map(lambda place: {"location": place}),
    st.integers(0, 3).map(moved),
    st.sampled_from([{"start": None, "end": None}]),
    st.sampled_from([{"account_name": "Contoso"}, {"account_name": None}]),
    st.sampled_from([{"assignees": ()}, {"assignees": ("ann",)}]),
    st.sampled_from([{"show_as": ShowAs.FREE}, {"show_as": ShowAs.BUSY}, {"completed": True}]),
)
THEIR_EDITS = st.one_of(
    st.sampled_from(TITLES).map(lambda title: {"summary": title}),
    st.sampled_from(PLACES).map(lambda place: {"location": place}),
    st.integers(0, 3).map(moved),
    st.sampled_from([{"transparency": "transparent"}, {"transparency": "opaque"}]),
)


class Rules(RuleBasedStateMachine):
    """Vorex, a person with two calendars, and everything that a network does to messages."""

    @initialize(kind=st.sampled_from(TYPES), event=st.booleans(), rest=st.booleans(), quiet=st.booleans())
    def begin(self, kind: ItemType, event: bool, rest: bool, quiet: bool) -> None:
        """With an item and an event, in agreement or not; ``quiet``: no person ever touches a calendar."""
        self.world = RulesWorld()
        self.quiet = quiet
        self.world.publish(a_content(id="first", type=kind))
        if event:
            self.world.add(self.world.calendars[0], summary="Theirs", **moved(0))
        if rest:
            settle(self.world)

    # Vorex

    @rule(kind=st.sampled_from(TYPES), title=st.sampled_from(TITLES), by=st.integers(0, 3))
    def vorex_makes_an_item(self, kind: ItemType, title: str, by: int) -> None:
        if len(self.world.vorex) < 3:
            number = self.world.new_id()
            self.world.publish(a_content(id=number, type=kind, title=title, **moved(by)))
        self.world.tick()

    @precondition(lambda self: self.world.vorex)
    @rule(which=PICK, change=VOREX_EDITS, at_once=st.booleans())
    def vorex_changes_an_item(self, which: int, change: dict[str, Any], at_once: bool) -> None:
        _, deleted, content = self._of(list(self.world.vorex.values()), which)
        form = content.model_dump() | change
        if not deleted and not (self.quiet and self._takes_away_theirs(content, change)):
            self.world.publish(ItemContent.model_validate(form))
        self.world.tick()
        if at_once:
            send_all(self.world)

    @precondition(lambda self: self.world.vorex)
    @rule(which=PICK)
    def vorex_deletes_an_item(self, which: int) -> None:
        _, deleted, content = self._of(list(self.world.vorex.values()), which)
        if not deleted:
            self.world.publish(content, deleted=True)
        self.world.tick()

    @precondition(lambda self: self.world.facts)
    @rule(which=PICK)
    def vorex_hears_a_fact(self, which: int) -> None:
        self.world.hear(self._of(self.world.facts, which))
        self.world.tick()

    # Messages and writes

    @precondition(lambda self: self.world.messages)
    @rule(which=PICK, again=st.sampled_from([False, False, True]))
    def a_message_is_taken_in(self, which: int, again: bool) -> None:
        message = self._of(self.world.messages, which)
        if not again:
            self.world.messages.remove(message)
        self.world.take_in(message)
        self.world.tick()

    @precondition(lambda self: self.world.unfinished())
    @rule(which=PICK)
    def a_link_is_sent(self, which: int) -> None:
        self.world.send(self._of(self.world.unfinished(), which))
        self.world.tick()

    @precondition(lambda self: self.world.flights)
    @rule(which=PICK, known=st.sampled_from([True, True, True, False]))
    def an_answer_comes(self, which: int, known: bool) -> None:
        self.world.answer(self._of(self.world.flights, which), known=known)
        self.world.tick()

    @precondition(lambda self: self.world.messages or self.world.unfinished())
    @rule()
    def what_is_known_is_sent(self) -> None:
        """As fast as it usually goes; it has yet to arrive."""
        send_all(self.world)

    @precondition(lambda self: any(calendar.arriving for calendar in self.world.calendars))
    @rule(which=PICK, where=PICK)
    def a_write_arrives(self, which: int, where: int) -> None:
        calendar = self._of(self.world.calendars, where)
        if calendar.arriving:
            self.world.arrive(calendar, self._of(calendar.arriving, which))
        self.world.tick()

    # The person

    @precondition(lambda self: not self.quiet)
    @rule(where=PICK, title=st.sampled_from(TITLES), by=st.integers(0, 3))
    def the_person_adds_an_event(self, where: int, title: str, by: int) -> None:
        calendar = self._of(self.world.calendars, where)
        if len(calendar.events) < 4:
            self.world.add(calendar, summary=title, **moved(by))
        self.world.tick()

    @precondition(lambda self: not self.quiet)
    @rule(where=PICK, which=PICK, change=THEIR_EDITS)
    def the_person_changes_an_event(self, where: int, which: int, change: dict[str, Any]) -> None:
        calendar = self._of(self.world.calendars, where)
        if calendar.living():
            self.world.touch(calendar, self._of(calendar.living(), which), **change)
        self.world.tick()

    @precondition(lambda self: not self.quiet)
    @rule(where=PICK, which=PICK)
    def the_person_deletes_an_event(self, where: int, which: int) -> None:
        calendar = self._of(self.world.calendars, where)
        if calendar.living():
            self.world.touch(calendar, self._of(calendar.living(), which), deleted=True)
        self.world.tick()

    # Reads and time

    @rule(where=PICK, lag=st.integers(0, 3))
    def a_calendar_is_read(self, where: int, lag: int) -> None:
        self.world.read(self._of(self.world.calendars, where), lag=lag)
        self.world.tick()

    @rule(seconds=st.sampled_from([30, 90, QUARTER_SECONDS + 1]))
    def time_passes(self, seconds: int) -> None:
        self.world.tick(min(seconds, 30) if self.quiet else seconds)

    # What must always hold

    @invariant()
    def no_item_is_on_a_calendar_twice(self) -> None:
        for calendar in self.world.calendars if hasattr(self, "world") else ():
            for item in self.world.items.values():
                link = self.world.links.get((calendar.integration.id, item.ref))
                if link is not None:
                    assert len(events_of(calendar, link)) <= 1

    @invariant()
    def what_is_read_back_changes_nothing(self) -> None:
        """R18: whatever the delay and the order, while no person touches a calendar."""
        if getattr(self, "quiet", False):
            assert all(item.changed_by is None for item in self.world.items.values() if not item.imported_by)
            assert all(entry.action is LogAction.CREATE for entry in self.world.told)

    @invariant()
    def no_event_is_brought_twice(self) -> None:
        if hasattr(self, "world"):
            links = self.world.links.values()
            living = [
                (link.integration_id, link.event_uid)
                for link in links
                if link.origin is Origin.EXTERNAL and not self.world.items[link.item_ref].deleted
            ]
            assert len(living) == len(set(living))

    def teardown(self) -> None:
        """At rest everybody agrees, and reading again changes nothing (R18)."""
        if not hasattr(self, "world"):
            return
        settle(self.world, quiet=self.quiet)
        self.what_is_read_back_changes_nothing()
        for calendar in self.world.calendars:
            assert self.world.read(calendar) == 0, "R18: a read of what is in agreement did something"
            assert not self.world.unfinished(), "R18: a read of what is in agreement caused a write"
        for item in self.world.items.values():
            agree_with_vorex(self.world, item)
            for calendar in self.world.calendars:
                agree_with_calendar(self.world, item, calendar)
        for calendar in self.world.calendars:
            nothing_is_overlooked(self.world, calendar)

    def _takes_away_theirs(self, content: ItemContent, change: dict[str, Any]) -> bool:
        """Whether a person's event is removed, not for good: what still shows of it then is theirs (R3)."""
        imported = {item.id for item in self.world.items.values() if item.imported_by}
        return content.id in imported and (
            change.get("assignees") == () or ("start" in change and not change["start"])
        )

    @staticmethod
    def _of(things: Any, which: int) -> Any:
        return things[which % len(things)]


TestRules = Rules.TestCase
TestRules.settings = settings(
    max_examples=examples("RULES_EXAMPLES", 150),
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
