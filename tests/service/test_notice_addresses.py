"""A notice's signature covers its body and not its address: what somebody may do who captured one."""

from datetime import timedelta
from typing import Any

import pytest

from contracts.envelope import NoticeReceived
from contracts.messages import NoticeData
from service.consumers.failures import ReceivedMessage
from service.consumers.inbound.notice_pace import NOTICED_READS_AT_ONCE, SECONDS_A_READ
from service.store.engine.ids import new_id
from service.store.tables import inbox
from tests.support.one_person import OnePerson

BASE = "https://sync.example.com/cronofy/notices"
MINE, THEIRS = "chn_mine", "chn_theirs"


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """One engine: what a notice names is compared before anything is asked of the store."""
    return sqlite_url


@pytest.fixture
async def mine(home: OnePerson) -> str:
    return await home.integration(channel_id=MINE)


async def post(home: OnePerson, to: str, channel: dict[str, Any], kind: str = "change") -> str:
    """What the relay publishes of a body with that channel, posted to an integration's address."""
    said: dict[str, Any] = {"type": kind}
    if kind == "change":
        said["changes_since"] = (home.clock.now() - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    data = NoticeData(integration_id=to, received_at=home.clock.now(), notification=said, channel=channel)
    message = NoticeReceived.of(data, id=new_id(), time=home.clock.now())
    await home.notices(ReceivedMessage(message=message))
    await home.world.advance(0.01)
    return message.id


async def outcome(home: OnePerson, message_id: str) -> str:
    async with home.store.read() as connection:
        query = inbox.select().where(inbox.c.message_id == message_id)
        return str((await connection.execute(query)).one().outcome)


def asked(home: OnePerson) -> int:
    """How often Cronofy was asked anything."""
    return int(home.world.stats()["requests"])


@pytest.mark.parametrize(
    "channel",
    [
        pytest.param({"channel_id": THEIRS, "callback_url": f"{BASE}/{{other}}"}, id="whole"),
        pytest.param({"channel_id": MINE, "callback_url": f"{BASE}/{{other}}"}, id="address of another"),
        pytest.param({"channel_id": THEIRS}, id="channel of another"),
        pytest.param({"channel_id": THEIRS, "callback_url": "https://elsewhere.example/"}, id="elsewhere"),
        pytest.param({"channel_id": 7, "callback_url": 7}, id="no texts"),
        pytest.param({"callback_url": f"{BASE}/{{other}}?x={{mine}}#{{mine}}"}, id="with a tail"),
    ],
)
@pytest.mark.parametrize("kind", ["change", "profile_disconnected", "gdpr_requested"])
async def test_a_body_captured_from_another_integrations_notice_does_nothing_here(
    home: OnePerson, mine: str, channel: dict[str, Any], kind: str
) -> None:
    """Cronofy is not asked, nothing is noted, and the message is done with."""
    other = await home.integration("bob@example.com", channel_id=THEIRS)
    posted = {
        name: word.format(other=other, mine=mine) if isinstance(word, str) else word
        for name, word in channel.items()
    }
    before, state = asked(home), await home.state(mine)

    message_id = await post(home, mine, posted, kind)

    assert await outcome(home, message_id) == "misdirected"
    assert asked(home) == before
    assert await home.state(mine) == state


@pytest.mark.parametrize(
    "channel",
    [
        pytest.param({"channel_id": MINE, "callback_url": f"{BASE}/{{mine}}"}, id="as Cronofy sends it"),
        pytest.param({"channel_id": "chn_new", "callback_url": f"{BASE}/{{mine}}"}, id="not known yet"),
        pytest.param({"callback_url": "https://old.example/cronofy/notices/{mine}"}, id="former PUBLIC_URL"),
        pytest.param({"channel_id": MINE}, id="channel alone"),
        pytest.param({"channel_id": MINE, "callback_url": "https://proxy.example/in"}, id="behind a proxy"),
        pytest.param({}, id="nothing to compare"),
    ],
)
async def test_a_notice_for_this_integration_is_read_for(
    home: OnePerson, mine: str, channel: dict[str, str]
) -> None:
    """G3: by its channel or by the address that it was made for, whichever it names."""
    home.add_event(mine)
    await home.world.advance(5)

    await post(home, mine, {name: word.format(mine=mine) for name, word in channel.items()})

    assert len(await home.items()) == 1


async def test_an_old_body_posted_again_and_again_causes_few_reads_and_loses_nothing(
    home: OnePerson, mine: str
) -> None:
    """R32: what is beyond that is noted and read for by the keeper, however many there are."""
    channel = {"channel_id": MINE, "callback_url": f"{BASE}/{mine}"}
    before, began = asked(home), home.clock.now()
    for _ in range(2 * NOTICED_READS_AT_ONCE):
        await post(home, mine, channel)
    spent = asked(home)
    home.add_event(mine)

    ids = [await post(home, mine, channel) for _ in range(50)]

    meanwhile = (home.clock.now() - began).total_seconds() / SECONDS_A_READ
    assert NOTICED_READS_AT_ONCE <= spent - before <= NOTICED_READS_AT_ONCE + meanwhile + 1
    assert asked(home) == spent
    assert await outcome(home, ids[-1]) == "noted"
    assert [one for one, _ in await home.reader.pending()] == [mine]
    await home.world.advance(5)
    await home.reader.catch_up(mine)
    assert len(await home.items()) == 1


async def test_a_flood_for_one_integration_costs_another_nothing(home: OnePerson, mine: str) -> None:
    """R32: each has an allowance of its own, and it comes back with time."""
    other = await home.integration("bob@example.com", channel_id=THEIRS)
    for _ in range(NOTICED_READS_AT_ONCE + 5):
        await post(home, mine, {"channel_id": MINE})
    home.add_event(other)
    await home.world.advance(5)

    await post(home, other, {"channel_id": THEIRS})

    assert len(await home.items()) == 1
    await home.world.advance(60)
    before = asked(home)
    await post(home, mine, {"channel_id": MINE})
    assert asked(home) > before


async def test_an_old_word_about_the_account_posted_again_and_again_causes_few_looks(
    home: OnePerson, mine: str
) -> None:
    """R32: beyond the allowance the account is looked at once a minute at most."""
    for _ in range(NOTICED_READS_AT_ONCE):
        await post(home, mine, {"channel_id": MINE}, "profile_disconnected")
    spent = asked(home)

    for _ in range(50):
        await post(home, mine, {"channel_id": MINE}, "profile_disconnected")

    assert asked(home) <= spent + 2
