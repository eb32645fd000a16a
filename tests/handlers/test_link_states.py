"""The life of a link: which transition leads where, and what each resets."""

from dataclasses import replace

from contracts.calendar import Code, LinkState
from handlers.calendar_move import Follow, follow
from handlers.outbound_message import Received, choose, sort_out
from handlers.plan import let_go_print
from tests.builders import HOUR, MINUTE, NINE, NOW, TEN, a_link, a_message, an_integration, an_item, at


def test_r6_r16_a_copy_that_came_back_is_not_taken_for_one_that_its_owner_deleted() -> None:
    """A new time brings it back; should another calendar be chosen and this one again, it follows."""
    item = an_item()
    deleted = a_link(
        item, state=LinkState.LET_GO, exists_there=False, let_go_print=let_go_print(item.content)
    )
    later = a_message(version=2, start=NINE + HOUR, end=TEN + HOUR, id="77", time=NOW)
    verdicts = sort_out(item, [Received(message=later)])
    choice = choose(verdicts, an_integration(), deleted, now=at(-MINUTE), new_id=lambda: "")
    assert choice is not None
    assert choice.link.state is LinkState.BEHIND

    let_go_with_its_calendar = replace(choice.link, state=LinkState.LET_GO, code=Code.OK)

    followed = follow(verdicts.item, an_integration(), let_go_with_its_calendar, new_id=lambda: "")
    assert followed != Follow()
