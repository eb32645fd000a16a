"""Tokens at rest and their renewal by one process at a time (R22)."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import select

from contracts.cronofy_accounts import TokenGrant
from contracts.errors import GrantRefused, Transient, Unavailable
from contracts.ports import Credentials
from service.cronofy.credentials import RENEWAL_LEASE_SECONDS, StoredTokens
from service.store.engine.store import Store
from service.store.integrations.credentials import CredentialsTable
from service.store.tables import credentials
from tests.support.clock import ManualClock

SUB = "acc_1"
OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
GRANT = TokenGrant(access_token="access-0", refresh_token="refresh-0", expires_in=3600)


class TokenEndpoint:
    """Rotates refresh tokens; an old one is good for nothing once a new one was handed out, unless kind."""

    def __init__(self, *, kind: bool = False) -> None:
        self.asked: list[str] = []
        self.good = "refresh-0"
        self.kind = kind
        self.error: Exception | None = None
        self.gate: asyncio.Event | None = None

    async def refresh(self, refresh_token: str) -> TokenGrant:
        self.asked.append(refresh_token)
        if self.gate:
            await self.gate.wait()
        if self.error:
            raise self.error
        if refresh_token != self.good and not self.kind:
            raise GrantRefused
        number = len(self.asked)
        self.good = f"refresh-{number}"
        return TokenGrant(access_token=f"access-{number}", refresh_token=self.good, expires_in=3600)


class Bench:
    """Several processes over one store."""

    def __init__(self, store: Store, clock: ManualClock) -> None:
        self.store, self.clock = store, clock
        self.table = CredentialsTable(store, [NEW, OLD])
        self.endpoint = TokenEndpoint()
        self.one, self.other = self.process(), self.process()

    def process(self, table: CredentialsTable | None = None) -> StoredTokens:
        def refresh(token: str) -> "asyncio.Future[TokenGrant]":
            return asyncio.ensure_future(self.endpoint.refresh(token))

        return StoredTokens(table or self.table, refresh, self.clock)

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not true():
                await asyncio.sleep(0.002)
                await self.clock.pass_time(0)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
async def bench(database_url: str) -> AsyncIterator[Bench]:
    clock = ManualClock()
    store = Store(database_url, clock=clock)
    await store.upgrade()
    under_test = Bench(store, clock)
    await under_test.one.adopt(SUB, GRANT)
    yield under_test
    await under_test.one.close()
    await under_test.other.close()
    await store.close()


async def raw(store: Store) -> str:
    async with store.read() as connection:
        row = (await connection.execute(select(credentials))).one()
    return f"{row.access_token} {row.refresh_token}"


async def test_tokens_are_encrypted_at_rest_with_the_newest_key_and_read_with_any(bench: Bench) -> None:
    """ENCRYPTION_KEYS, newest first."""
    at_rest = await raw(bench.store)
    assert "access" not in at_rest
    assert "refresh" not in at_rest

    before = CredentialsTable(bench.store, [OLD])
    with pytest.raises(Transient, match="ENCRYPTION_KEYS"):
        await before.load(SUB)
    await before.save(Credentials(sub=SUB, access_token="a", refresh_token="r", expires_at=1, saved_at=0))

    read = await bench.table.load(SUB)
    assert read is not None
    assert (read.access_token, read.refresh_token) == ("a", "r")
    assert "access_token" not in repr(read)


async def test_a_good_token_is_kept_in_memory(bench: Bench) -> None:
    """Neither store nor Cronofy is asked for it again."""
    assert await bench.other.current(SUB) == "access-0"
    await bench.table.forget(SUB)

    assert await bench.other.current(SUB) == "access-0"
    assert bench.endpoint.asked == []


async def test_a_token_is_renewed_shortly_before_its_end_and_saved_before_it_is_used(bench: Bench) -> None:
    """A minute before, so that none ends on its way."""
    await bench.clock.pass_time(3539)
    assert await bench.one.current(SUB) == "access-0"
    await bench.clock.pass_time(2)

    assert await bench.one.current(SUB) == "access-1"
    saved = await bench.table.load(SUB)
    assert saved is not None
    assert (saved.access_token, saved.refresh_token) == ("access-1", "refresh-1")


async def test_all_who_ask_at_once_share_one_renewal(bench: Bench) -> None:
    """A hundred requests in flight find their token refused at the same moment."""
    tokens = await asyncio.gather(*(bench.one.renew(SUB, "access-0") for _ in range(100)))

    assert set(tokens) == {"access-1"}
    assert bench.endpoint.asked == ["refresh-0"]


async def test_two_processes_renew_once_and_the_other_picks_up_the_new_token(bench: Bench) -> None:
    """One refresher per sub, across processes."""
    bench.endpoint.gate = asyncio.Event()
    first = asyncio.create_task(bench.one.renew(SUB, "access-0"))
    await bench.until(lambda: bool(bench.endpoint.asked))
    second = asyncio.create_task(bench.other.renew(SUB, "access-0"))
    await bench.until(lambda: bool(bench.clock._sleepers))
    bench.endpoint.gate.set()

    assert await first == "access-1"
    await bench.clock.pass_time(0.3)
    assert await second == "access-1"
    assert bench.endpoint.asked == ["refresh-0"]


class Late(CredentialsTable):
    """What it read arrives when the rest of the world has gone on."""

    def __init__(self, store: Store, keys: Sequence[str]) -> None:
        super().__init__(store, keys)
        self.read, self.arrives = asyncio.Event(), asyncio.Event()

    async def load(self, sub: str) -> Credentials | None:
        found = await super().load(sub)
        self.read.set()
        await self.arrives.wait()
        return found


async def test_who_looked_while_another_renewed_does_not_renew_with_what_it_saw(bench: Bench) -> None:
    """Single-flight: a lease that was given back with new tokens is no lease to be had."""
    bench.endpoint.gate = asyncio.Event()
    table = Late(bench.store, [NEW, OLD])
    first = asyncio.create_task(bench.one.renew(SUB, "access-0"))
    await bench.until(lambda: bool(bench.endpoint.asked))
    second = asyncio.create_task(bench.process(table).renew(SUB, "access-0"))
    await bench.until(table.read.is_set)
    bench.endpoint.gate.set()
    assert await first == "access-1"
    table.arrives.set()

    await bench.until(lambda: bool(bench.clock._sleepers) or second.done())
    await bench.clock.pass_time(1)
    assert await second == "access-1"
    assert bench.endpoint.asked == ["refresh-0"]


async def test_a_token_that_another_process_has_renewed_is_taken_from_the_store(bench: Bench) -> None:
    """Without asking Cronofy."""
    assert await bench.other.current(SUB) == "access-0"
    await bench.one.renew(SUB, "access-0")

    assert await bench.other.renew(SUB, "access-0") == "access-1"
    assert await bench.other.renew(SUB, "access-0") == "access-1"
    assert bench.endpoint.asked == ["refresh-0"]


async def test_a_caller_that_gives_up_does_not_stop_the_renewal(bench: Bench) -> None:
    """A time limit must not lose a rotated refresh token."""
    bench.endpoint.gate = asyncio.Event()
    caller = asyncio.create_task(bench.one.renew(SUB, "access-0"))
    await bench.until(lambda: bool(bench.endpoint.asked))
    caller.cancel()
    bench.endpoint.gate.set()
    await bench.one.close()

    saved = await bench.table.load(SUB)
    assert saved is not None
    assert saved.refresh_token == "refresh-1"


async def test_r22_invalid_grant_is_a_refused_grant_and_gives_the_lease_back(bench: Bench) -> None:
    """The next asker hears the same at once."""
    bench.endpoint.good = "nothing"

    for process in (bench.one, bench.other):
        with pytest.raises(GrantRefused):
            await process.renew(SUB, "access-0")

    assert len(bench.endpoint.asked) == 2


async def test_no_tokens_at_all_are_a_refused_grant(bench: Bench) -> None:
    """R21 erases them."""
    await bench.one.forget(SUB)

    with pytest.raises(GrantRefused):
        await bench.one.current(SUB)
    assert await bench.table.load(SUB) is None


async def test_r23_a_failed_renewal_gives_the_lease_back_and_is_tried_again(bench: Bench) -> None:
    """Time-outs and 5xx disconnect nobody."""
    bench.endpoint.error = Unavailable()
    with pytest.raises(Unavailable):
        await bench.one.renew(SUB, "access-0")
    bench.endpoint.error = None

    assert await bench.other.renew(SUB, "access-0") == "access-2"


async def test_a_refresher_that_died_is_replaced_when_its_lease_has_expired(bench: Bench) -> None:
    """By the database's clock; while the old refresh token still works nobody is locked out."""
    stored = await bench.table.load(SUB)
    assert stored is not None
    await bench.table.lease(SUB, epoch=stored.epoch, holder="dead", seconds=RENEWAL_LEASE_SECONDS)

    waiting = asyncio.create_task(bench.one.renew(SUB, "access-0"))
    await bench.until(lambda: bool(bench.clock._sleepers))
    assert bench.endpoint.asked == []
    await bench.clock.pass_time(RENEWAL_LEASE_SECONDS + 1)

    assert await waiting == "access-1"


async def test_a_save_after_the_lease_has_passed_on_changes_nothing(bench: Bench) -> None:
    """What the other process saved is used instead."""
    stored = await bench.table.load(SUB)
    assert stored is not None
    late = replace(stored, epoch=stored.epoch + 1, refresh_token="late")
    await bench.table.lease(SUB, epoch=stored.epoch, holder="slow", seconds=0)
    await bench.clock.pass_time(1)
    await bench.one.renew(SUB, "access-0")

    assert not await bench.table.keep(late)
    saved = await bench.table.load(SUB)
    assert saved is not None
    assert saved.refresh_token == "refresh-1"


class Forgetful(CredentialsTable):
    """Cannot save while the disk is full."""

    full = True

    async def keep(self, renewed: Credentials) -> bool:
        if self.full:
            raise Unavailable("the disk is full")
        return await super().keep(renewed)


async def test_what_could_not_be_saved_is_not_used_and_is_saved_by_the_next_attempt(bench: Bench) -> None:
    """Even where Cronofy forgets the old refresh token at once."""
    table = Forgetful(bench.store, [NEW, OLD])
    process = bench.process(table)
    failing = asyncio.create_task(process.renew(SUB, "access-0"))
    while not failing.done():
        await bench.until(lambda: bool(bench.clock._sleepers) or failing.done())
        await bench.clock.pass_time(5)
    with pytest.raises(Unavailable):
        await failing

    table.full = False
    assert await process.renew(SUB, "access-0") == "access-1"
    assert bench.endpoint.asked == ["refresh-0"]


async def test_r22_reconnecting_replaces_the_tokens_everywhere(bench: Bench) -> None:
    """A refusal on the way with the old refresh token does not take the new grant away."""
    bench.endpoint.gate = asyncio.Event()
    bench.endpoint.error = GrantRefused()
    old = asyncio.create_task(bench.other.renew(SUB, "access-0"))
    await bench.until(lambda: bool(bench.endpoint.asked))
    again = TokenGrant(access_token="access-new", refresh_token="refresh-new", expires_in=3600)
    await bench.one.adopt(SUB, again)
    bench.endpoint.gate.set()

    assert await old == "access-new"
    assert await bench.one.current(SUB) == "access-new"


async def test_a_refresh_token_that_is_not_replaced_is_kept(bench: Bench) -> None:
    """Cronofy may replace it or not (CRONOFY.md C8)."""

    async def keeping(_: str) -> TokenGrant:
        return TokenGrant(access_token="access-1", expires_in=3600)

    process = StoredTokens(bench.table, keeping, bench.clock)

    assert await process.renew(SUB, "access-0") == "access-1"
    kept = await bench.table.load(SUB)
    assert kept is not None
    assert kept.refresh_token == "refresh-0"
