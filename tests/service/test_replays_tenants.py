"""One operator's huge replay takes no moment from another tenant's, nor turns with the keeper (R44)."""

from datetime import UTC, datetime

from sqlalchemy import select

from service.keeper import bulk_replays
from service.operations import DeadLetters, LetterFilter, LetterReader
from service.store.engine.store import Store
from service.store.messages.burying import bury
from service.store.tables import outbox
from tests.support.letters import a_body, a_letter

NOW = datetime(2026, 12, 1, 8, tzinfo=UTC)
HUGE = 1200


def desk_of(store: Store, who: str, tenant: str) -> DeadLetters:
    """An operator's of that tenant."""
    return DeadLetters(store, who=who, reader=LetterReader(tenant_id=tenant, user_id=who))


async def buried(store: Store, tenant: str, number: int, *, first: int = 0) -> None:
    letters = [
        a_letter(each, message_id=f"{tenant}-{each}", body=a_body(each, tenant_id=tenant), tenant_id=tenant)
        for each in range(first, first + number)
    ]
    async with store.begin() as connection:
        await bury(connection, letters, now=NOW)


async def moments(store: Store, tenant: str) -> list[float]:
    """When their replays go out."""
    async with store.read() as connection:
        wanted = select(outbox.c.due_at).where(outbox.c.tenant_id == tenant).order_by(outbox.c.due_at)
        return [at for at in await connection.scalars(wanted) if at is not None]


async def test_r44_a_huge_replay_of_one_tenant_takes_no_moment_from_anothers(store: Store) -> None:
    """Ten letters take two seconds, before it and behind it."""
    await buried(store, "mallory", HUGE)
    await buried(store, "acme", 10)
    await desk_of(store, "mo", "mallory").replay_matching(LetterFilter())
    async with store.read() as connection:
        now = await store.now(connection)
    await desk_of(store, "olga", "acme").replay_matching(LetterFilter())

    mine = await moments(store, "acme")
    assert len(mine) == 10
    assert mine[-1] - now <= 3
    theirs = await moments(store, "mallory")
    assert theirs[-1] - theirs[0] >= HUGE / 5 - 1, "and theirs keep their pace"


async def test_r44_two_replays_of_one_tenant_still_share_its_pace(store: Store) -> None:
    """Whoever of them asks."""
    await buried(store, "acme", 20)
    desk = desk_of(store, "olga", "acme")
    await desk.replay_matching(LetterFilter())
    await buried(store, "acme", 20, first=20)
    await desk_of(store, "otto", "acme").replay_matching(LetterFilter())
    given = await moments(store, "acme")
    assert given[-1] - given[0] >= 40 / 5 - 1


async def test_r44_a_keeper_hands_noted_replays_over_one_step_of_each_after_the_other(store: Store) -> None:
    """A replay of thousands is not handed over to its end before a smaller one has begun."""
    for tenant in ("mallory", "acme"):
        await buried(store, tenant, HUGE)
        desk = desk_of(store, tenant, tenant)
        assert await desk.hand_over(LetterFilter()) == HUGE
    await bulk_replays(store).work()
    handed = [len(await moments(store, tenant)) for tenant in ("mallory", "acme")]
    assert min(handed) >= 1000
    mine = await moments(store, "acme")
    assert mine[4] - mine[0] <= 1
