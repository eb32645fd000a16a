"""A question is asked in the moment in which an answer is taken back (R52, R50)."""

import asyncio
from dataclasses import replace

import pytest

from service.consumers.inbound.questions.answers import ASKED_SINCE
from service.integrations.refusals import Conflict
from service.store.engine.ids import new_id
from service.store.questions import questions
from tests.support.locks import until_blocked
from tests.support.questioned import AWAY, DISPATCHER, answer, answers, asked, call
from tests.support.two_people_with_runs import two_people_with_runs


async def test_r52_r50_what_is_asked_again_in_that_moment_is_a_conflict_and_no_error(
    postgresql_url: str,
) -> None:
    """On the engine where two transactions can write at the same time."""
    async with two_people_with_runs(postgresql_url) as ann:
        await call(ann)
        ann.add_event(**AWAY, extended_transparency="out_of_office")
        await ann.people.rest()
        await answer(ann, "leave")
        (first,) = await asked(ann)
        again = replace(
            first, id=new_id(), cause="another", state="open", answer=None, settled_by=None, settled_at=None
        )
        async with ann.home.store.begin() as connection:
            assert await questions.ask(connection, [again]) == [again.id]
            undone = asyncio.ensure_future(answers(ann).undo(DISPATCHER, first.id))
            await until_blocked(ann.home.store, undone)
        with pytest.raises(Conflict, match=ASKED_SINCE):
            await undone
        assert await asked(ann) == [first, again]
