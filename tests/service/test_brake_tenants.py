"""The brake counts causes over distinct tenants: what only one of them produces pauses nobody (R44)."""

from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from contracts.errors import Unavailable
from contracts.messages import QUEUE_OUTBOUND, QUEUE_RUNS
from contracts.ports import Outgoing
from contracts.writes import EventWrite, Upsert
from handlers.settlement import BUG_CODE, LinkFailure, Settlement, settle
from service.consumers.brake import BRAKE_SECONDS, BUGS_IN_A_ROW, CALM_SECONDS, TENANTS_OF_A_FAULT, Brake
from service.consumers.owners import NOBODY, MessageOwners
from service.store.engine.store import Store
from tests.support.calendars import MemoryCalendars, Outbound, changed
from tests.support.clock import ManualClock
from tests.support.owners import delivered, stored_integration
from tests.support.waiting import until

ENOUGH = BUGS_IN_A_ROW // TENANTS_OF_A_FAULT + 1
"""A tenant's part of a fault."""
Ending = tuple[str, Settlement]


def well(tenant: str) -> Ending:
    return tenant, settle([], attempt=1, delays=())


def bug(tenant: str) -> Ending:
    failure = LinkFailure(transient=True, reason="an unexpected ValueError", code=BUG_CODE)
    return tenant, settle([failure], attempt=1, delays=())


class Town(Collection[str]):
    """So many tenants, of whatever names but forged ones."""

    def __init__(self, tenants: int) -> None:
        self.tenants = tenants

    def __len__(self) -> int:
        return self.tenants

    def __iter__(self) -> Iterator[str]:
        return iter([f"t-{number}" for number in range(self.tenants)])

    def __contains__(self, name: object) -> bool:
        return not str(name).startswith("forged")


def a_town_of(tenants: int) -> Callable[[], Awaitable[Collection[str]]]:
    async def census() -> Collection[str]:
        return Town(tenants)

    return census


def brake_in(tenants: int, clock: ManualClock | None = None) -> Brake:
    return Brake(QUEUE_OUTBOUND, clock or ManualClock(), a_town_of(tenants))


async def rightly_on(clock: ManualClock, tenants: int = 5) -> Brake:
    """A brake that a fault of ours has put on."""
    brake = brake_in(tenants, clock)
    await brake.learn([bug(one) for one in ("acme", "bolt", "crow") for _ in range(ENOUGH)])
    assert brake.on
    return brake


@pytest.mark.parametrize("strays", [(), ("bolt",), ("bolt", "crow")])
async def test_r44_however_many_bugs_one_tenant_makes_the_brake_stays_off(strays: Sequence[str]) -> None:
    """Not even where others met one each: a tenant counts for their part of a fault and no more."""
    brake = brake_in(5)
    await brake.learn([bug(one) for one in strays])
    for _ in range(10):
        await brake.learn([bug("mallory")] * BUGS_IN_A_ROW)
    assert not brake.on


@pytest.mark.parametrize(("installation", "needed"), [(1, 1), (2, 2), (3, 3), (50, 3)])
async def test_r44_bugs_of_all_or_of_three_tenants_put_it_on(installation: int, needed: int) -> None:
    """A fault of ours still stops the consumer, in an installation of any size."""
    brake = brake_in(installation)
    fault = [bug(f"t-{number % installation}") for number in range(3 * BUGS_IN_A_ROW)]
    for tenant, ending in fault:
        await brake.learn([(tenant, ending)])
    assert brake.on

    short = brake_in(installation)
    await short.learn([bug(f"t-{number}") for number in range(needed - 1) for _ in range(100)])
    assert not short.on


async def test_r44_good_messages_of_one_tenant_between_the_bugs_of_others_hide_nothing() -> None:
    """What goes well for one says nothing of the others."""
    brake = brake_in(5)
    for _ in range(ENOUGH):
        for victim in ("acme", "bolt", "crow"):
            await brake.learn([bug(victim)])
            await brake.learn([well("mallory")] * 5)
    assert brake.on


async def test_r44_bugs_here_and_there_among_what_goes_well_for_all_put_nothing_on() -> None:
    """One message in ten, of every tenant: the others are done."""
    brake = brake_in(50)
    for number in range(1000):
        tenant = f"t-{number * 7 % 50}"
        await brake.learn([bug(tenant) if number % 10 == 0 else well(tenant)])
        assert not brake.on


async def test_r44_good_messages_of_one_tenant_do_not_release_it() -> None:
    """While it is rightly on, however many there are: it takes what goes well for three tenants."""
    clock = ManualClock()
    brake = await rightly_on(clock)
    for _ in range(500):
        assert brake.try_one()
        await brake.learn([well("mallory")])
    assert brake.on
    assert not brake.paused
    assert brake.choose(["mallory", "mallory", "acme"]) == 2, "others are tried before them"

    await brake.learn([well("acme")])
    assert (brake.on, brake.paused) == (True, False)
    await brake.learn([well("bolt")])
    assert (brake.on, brake.paused) == (False, False)


async def test_r44_a_tenant_that_fails_again_is_not_among_those_for_whom_it_goes_well() -> None:
    """Good and bad in turn release nothing."""
    brake = await rightly_on(ManualClock())
    for tenant in ("acme", "bolt", "crow", "acme", "bolt", "crow"):
        await brake.learn([well(tenant)])
        brake.try_one()
        await brake.learn([bug(tenant)])
    assert brake.on


async def test_r44_one_tenants_bugs_do_not_keep_it_on_for_others() -> None:
    """The trial takes somebody else's message, wherever one waits."""
    clock = ManualClock()
    brake = await rightly_on(clock)
    await clock.pass_time(BRAKE_SECONDS)
    brake.try_one()
    await brake.learn([bug("mallory")])

    waits = ["mallory"] * 100 + ["acme", "bolt", "crow", "mallory"]
    spent = BRAKE_SECONDS
    while brake.on:
        await clock.pass_time(1)
        spent += 1
        if not brake.paused:
            assert brake.try_one()
            tenant = waits.pop(brake.choose(waits))
            await brake.learn([bug("mallory") if tenant == "mallory" else well(tenant)])
    assert spent <= 2 * BRAKE_SECONDS + 5
    assert waits.count("mallory") == 101


async def test_r44_where_only_the_same_tenants_messages_wait_they_are_buried_as_they_come() -> None:
    """Whoever stands behind them in the queue does not wait a minute for each."""
    clock = ManualClock()
    brake = await rightly_on(clock)
    await clock.pass_time(BRAKE_SECONDS)
    pauses = []
    for _ in range(30):
        brake.try_one()
        await brake.learn([bug("mallory")])
        pauses.append(brake.paused)
        await clock.pass_time(BRAKE_SECONDS if brake.paused else 0)
    assert pauses == [True] + [False] * 29


async def test_r44_a_fault_of_many_tenants_buries_one_message_a_minute() -> None:
    """Two of them that wait are enough to tell."""
    clock = ManualClock()
    brake = await rightly_on(clock)
    waits = ["acme"] * 50 + ["bolt"] * 50
    tried = 0
    for _ in range(600):
        await clock.pass_time(1)
        if not brake.paused and brake.try_one():
            tried += 1
            await brake.learn([bug(waits.pop(brake.choose(waits)))])
    assert tried <= 10


async def test_r44_where_nobody_else_sends_anything_it_ends_after_a_calm_time() -> None:
    """A consumer that serves one tenant alone for a night is not on trial for ever."""
    clock = ManualClock()
    brake = await rightly_on(clock)
    await clock.pass_time(CALM_SECONDS - 1)
    ends = []
    for _ in range(2):
        await brake.learn([well("acme")])
        ends.append(not brake.on)
        await clock.pass_time(1)
    assert ends == [False, True]


async def test_r44_a_census_that_fails_leaves_the_brake_as_careful_as_in_a_large_installation() -> None:
    """A store that is gone makes no tenant the only one."""

    async def census() -> Collection[str]:
        raise Unavailable("the database cannot be used")

    brake = Brake(QUEUE_OUTBOUND, ManualClock(), census)
    await brake.learn([bug("mallory")] * 100)
    assert not brake.on


@settings(max_examples=200, deadline=None)
@given(some.lists(some.tuples(some.sampled_from(["mallory", "acme", "bolt"]), some.booleans()), max_size=80))
async def test_r44_whatever_one_tenant_sends_between_changes_nothing_for_two_others(
    history: list[tuple[str, bool]],
) -> None:
    """Without the third tenant's bugs there are two at most; the brake of a large installation stays off."""
    brake = brake_in(9)
    for tenant, goes_well in history:
        if tenant == "mallory" or goes_well:
            await brake.learn([well(tenant) if goes_well else bug(tenant)])
        assert not brake.on


async def test_r44_a_tenant_whose_messages_are_bugs_delays_no_other_outbound(world: Outbound) -> None:
    """A flood of messages that trip over a mistake of ours becomes letters; another's item is written."""
    await world.integration(user="mallory", tenant_id="evil")
    await world.integration(user="u-17", tenant_id="acme")
    await world.integration(user="u-18", tenant_id="bolt")

    async def stumble(writes: Sequence[EventWrite]) -> None:
        if any(isinstance(write, Upsert) and "poison" in write.fields.summary for write in writes):
            raise ZeroDivisionError

    world.calendars = MemoryCalendars(before=stumble)
    await world.start(retry_delays=(), prefetch=10)
    await world.publish(*(poison(number) for number in range(3 * BUGS_IN_A_ROW)), changed("a"))
    began = world.clock.monotonic()
    await until(lambda: "a v1" in world.calendars.titles, what="the other tenant's event")
    assert world.clock.monotonic() == began, "nobody waited"
    await world.at_rest()
    assert {(each["tenant_id"], each["code"]) for each in await world.letters()} == {("evil", "bug")}
    assert len(await world.letters()) == 3 * BUGS_IN_A_ROW


def poison(number: int) -> Outgoing:
    item_id = f"poison-{number}"
    return changed(item_id, tenant_id="evil", assignees=["mallory"], source="/vorex/evil")


async def test_r44_the_tenant_of_a_step_is_its_integrations_whatever_the_message_says(store: Store) -> None:
    """Messages that name an integration are counted under the tenant that the store knows."""
    await stored_integration(store, "0192e4c1-0000-7000-8000-000000000001", tenant="evil")
    owners = MessageOwners(store)
    named = b'{"data":{"tenant_id":"acme","integration_id":"0192e4c1-0000-7000-8000-000000000001"}}'
    unknown = b'{"data":{"integration_id":"0192e4c1-0000-7000-8000-000000000002"}}'
    waiting = [delivered(QUEUE_RUNS, body) for body in (named, unknown, b"no json")]
    assert await owners.of(waiting) == ["evil", NOBODY, NOBODY]
    assert await owners.one(waiting[0]) == "evil"
    by_name = [delivered(QUEUE_OUTBOUND, b'{"data":{"tenant_id":"%s"}}' % one) for one in (b"evil", b"bolt")]
    assert await owners.of(by_name) == ["evil", NOBODY], "bolt has nothing here"
    await stored_integration(store, "0192e4c1-0000-7000-8000-000000000003", tenant="bolt")
    assert [await owners.one(each) for each in by_name] == ["evil", "bolt"]


async def test_r44_tenants_that_only_messages_name_count_as_one() -> None:
    """Whoever may publish can name any: their bugs put nothing on, their good messages release nothing."""
    brake = brake_in(5)
    for number in range(50):
        await brake.learn([bug(f"forged {number}")] * ENOUGH)
    assert not brake.on

    brake = await rightly_on(ManualClock())
    for number in range(50):
        brake.try_one()
        await brake.learn([well(f"forged {number}")])
    assert brake.on
    assert brake.choose(["forged 1000", "acme"]) == 1, "they have had their trial"
