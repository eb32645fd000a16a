"""Which id an imported event has as an item (R36)."""

import pytest

from contracts.calendar import imported_item_id
from handlers.arrivals.imported_ids import MOST_IMPORTS, imported_id, own_id
from tests.builders import an_event, an_integration

EVENT, HERE = an_event(event_uid="uid-1"), an_integration()


def never() -> str:
    raise AssertionError("an id of its own is free")


def test_r36_an_event_has_the_same_id_as_often_as_it_is_imported() -> None:
    """Whichever integration of the person, and whichever grant, brings it."""
    ids = {imported_id(EVENT, one, (), new_id=never) for one in (HERE, an_integration(id="another"))}

    assert ids == {own_id(EVENT, HERE, turn=0)[1]}


def test_r36_an_id_that_is_taken_is_passed_over() -> None:
    """Its own ones come in their order; then it is any."""
    own = [own_id(EVENT, HERE, turn=turn) for turn in range(MOST_IMPORTS)]
    assert len({item_id for _, item_id in own}) == MOST_IMPORTS

    for number, (_, item_id) in enumerate(own):
        taken = {ref for ref, _ in own[:number]}
        assert imported_id(EVENT, HERE, taken, new_id=never) == item_id
    assert imported_id(EVENT, HERE, {ref for ref, _ in own}, new_id=lambda: "new") == "new"


@pytest.mark.parametrize("place", range(4))
def test_r36_nobody_else_has_that_id(place: int) -> None:
    """Another tenant, person, calendar or event is another item."""
    mine = ["acme", "ann", "cal", "uid"]
    other = [*mine[:place], "other", *mine[place + 1 :]]

    assert imported_item_id(*mine, turn=0) != imported_item_id(*other, turn=0)
