"""The life of a link: which transition leads where, what each resets, and that no other exists."""

import inspect
from dataclasses import fields, replace

import pytest

from contracts.calendar import Link, LinkState
from handlers import link_states
from tests.support.link_transitions import TABLE, WORN, Transition

MUTANT = "x_"
"""``make mutants`` runs these tests, and puts its functions beside ours."""
REFUSED_ELSEWHERE = {"retry", "fail", "rewrite", "reappear", "undo", "come_back", "question", "unask"}


CASES = [
    pytest.param(row, state, after, id=f"{name}: {state} to {after}")
    for name, row in TABLE.items()
    for state, after in row.leads.items()
]


@pytest.mark.parametrize(("row", "state", "after"), CASES)
def test_each_transition_leads_where_the_table_says(
    row: Transition, state: LinkState, after: LinkState
) -> None:
    """Nothing but what it promises is another afterwards."""
    link = replace(WORN, **(row.given | {"state": state}))

    moved = row.act(link)

    assert moved.state is after
    changed = {each.name for each in fields(Link) if getattr(moved, each.name) != getattr(link, each.name)}
    assert changed - {"state"} <= row.resets.keys()


@pytest.mark.parametrize("row", [pytest.param(row, id=name) for name, row in TABLE.items()])
def test_each_transition_resets_what_it_promises(row: Transition) -> None:
    """Every one of those fields, from the first state of the table in which something happens."""
    moving = [state for state, after in row.leads.items() if after is not state]
    link = replace(WORN, **(row.given | {"state": (moving or list(row.leads))[0]}))

    moved = row.act(link)

    assert {name: getattr(moved, name) for name in row.resets} == row.resets
    assert all(getattr(link, name) != value for name, value in row.resets.items()), "it was so before"


@pytest.mark.parametrize("name", sorted(REFUSED_ELSEWHERE))
def test_a_transition_that_is_for_some_states_is_refused_in_the_others(name: str) -> None:
    """A mistake must not pass for a step in the life of a link."""
    row = TABLE[name]
    for state in set(LinkState) - row.leads.keys():
        with pytest.raises(AssertionError):
            row.act(replace(WORN, **(row.given | {"state": state})))


def test_the_table_knows_every_function_that_changes_a_link() -> None:
    """A transition that is added is added to the table."""
    functions = {
        name
        for name, each in inspect.getmembers(link_states, inspect.isfunction)
        if each.__module__ == link_states.__name__ and not name.startswith(("_", MUTANT))
    }

    assert functions == {name.partition(",")[0] for name in TABLE}
