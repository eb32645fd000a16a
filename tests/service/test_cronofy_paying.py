"""Every call pays from the budget before it is sent, and tells it when Cronofy says 429 (R32)."""

import pytest

from contracts.errors import Throttled
from contracts.ports import Turn
from tests.support.scripted import GatewayUnderTest, accepted, an_upsert, answered


async def test_429_names_its_wait_and_is_told_to_the_budget() -> None:
    """CRONOFY.md C46."""
    bench = GatewayUnderTest(answered(429, **{"Retry-After": "7"}))

    with pytest.raises(Throttled) as refused:
        await bench.gateway.write("acc_1", [an_upsert()], turn=Turn(integration_id="i-1"))

    assert refused.value.retry_after == 7
    assert bench.budget.penalised == ["i-1"]


async def test_429_of_one_entry_is_told_to_the_budget_too() -> None:
    """Its neighbours keep their answers."""
    bench = GatewayUnderTest(answered(207, {"batch": [{"status": 202}, {"status": 429}]}))

    answers = await bench.gateway.write("acc_1", [an_upsert("a"), an_upsert("b")])

    assert [answer.status for answer in answers] == [202, 429]
    assert bench.budget.penalised == ["acc_1"]


async def test_r32_every_call_pays_before_it_is_sent() -> None:
    """The token endpoints too, since Cronofy counts per application."""
    bench = GatewayUnderTest(answered(200, {"calendars": []}), answered(200, {"access_token": "a"}))

    await bench.gateway.calendars("acc_1")
    await bench.gateway.refresh("r")

    assert [(name.split()[0], *rest) for name, *rest in bench.budget.taken] == [
        ("acc_1", 1, False),
        ("oauth", 1, False),
    ]


async def test_r32_a_fresh_permit_is_not_paid_twice_and_a_stale_one_is_taken_again() -> None:
    """The lane takes its budget before its last check."""
    bench = GatewayUnderTest(answered(202), answered(202))
    turn = Turn(integration_id="i-1", permit=await bench.budget.take(Turn(integration_id="i-1")))

    await bench.gateway.write("acc_1", [an_upsert()], turn=turn)
    assert len(bench.budget.taken) == 1
    await bench.clock.pass_time(0.3)
    await bench.gateway.write("acc_1", [an_upsert()], turn=turn)

    assert len(bench.budget.taken) == 2


async def test_r32_a_budget_that_runs_out_within_the_time_limit_is_no_unanswered_request() -> None:
    """The token was refused and its renewal took the permit's life; nothing that counts was sent."""
    bench = GatewayUnderTest(answered(401, {}), time_limit=1.0)
    turn = Turn(integration_id="i-1", permit=await bench.budget.take(Turn(integration_id="i-1")))
    bench.budget.spent = True

    with pytest.raises(Throttled):
        await bench.gateway.write("acc_1", [an_upsert()], turn=turn)
    assert len(bench.script.requests) == 1


async def test_r32_whoever_comes_with_a_lapsed_permit_waits_for_another_as_long_as_it_takes() -> None:
    """Waiting in the budget's line is no time-out of Cronofy's."""
    bench = GatewayUnderTest(answered(202), time_limit=0.5)
    turn = Turn(integration_id="i-1", permit=await bench.budget.take(Turn(integration_id="i-1")))
    await bench.clock.pass_time(0.3)
    bench.budget.wait = 1.0

    (answer,) = await bench.gateway.write("acc_1", [an_upsert()], turn=turn)
    assert answer.accepted


async def test_r32_a_batch_costs_one_request_or_its_entries() -> None:
    """CRONOFY_BATCH_COST; counted by entry, a batch stays within what the budget can pay."""
    writes = [an_upsert(str(number)) for number in range(10)]
    whole, single = GatewayUnderTest(accepted(10)), GatewayUnderTest(accepted(10), by_entry=True, most=45)

    await whole.gateway.write("acc_1", writes)
    await single.gateway.write("acc_1", writes)

    assert (whole.budget.taken[0][1], single.budget.taken[0][1]) == (1, 10)
    assert (whole.gateway.cost(10), single.gateway.cost(10)) == (1, 10)
    assert (whole.gateway.largest_batch, single.gateway.largest_batch) == (50, 45)
