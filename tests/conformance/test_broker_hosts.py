"""A broker of several hosts: one after the other is tried until one lets us in."""

import pytest

from contracts.errors import Unavailable
from service.addresses import each_address, host_of, shown_address
from service.broker.rabbitmq import RabbitBroker
from service.settings import Settings
from tests.support.rabbitmq import RabbitMQ
from tests.support.servers import free_port

SHARED = "amqp://user:p,w@{}/sync?heartbeat=5"


@pytest.mark.parametrize("hosts", [["one"], ["one:5672", "two", "[::1]:5673"]])
def test_each_host_has_the_address_of_all(hosts: list[str]) -> None:
    """User, password, virtual host and parameters stand once; a comma in a password divides nothing."""
    address = SHARED.format(",".join(hosts))

    assert each_address(address) == [SHARED.format(host) for host in hosts]
    assert host_of(address) == "one"
    assert shown_address(address) == f"amqp://user@{','.join(hosts)}/sync"


@pytest.mark.parametrize("address", ["amqp://", "amqp://one,,two/", "amqps://user:word@one,/", "kafka://one"])
def test_an_address_without_a_host_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named as a wrong setting before anything is tried."""
    monkeypatch.setenv("CALENDAR_SYNC_BROKER_URL", address)

    with pytest.raises(ValueError, match=r"names no host|must begin with"):
        Settings(_env_file=None)


@pytest.mark.rabbitmq
async def test_the_next_host_is_tried_where_one_is_not_there(rabbitmq: RabbitMQ) -> None:
    """At the start, and none of them is an error that says so."""
    place = rabbitmq.url.rpartition("@")[2]
    gone = f"127.0.0.1:{free_port()}"
    broker = RabbitBroker(rabbitmq.url.replace(place, f"{gone},{place}"))
    await broker.open()
    try:
        await broker.declare()
        assert broker.ready
    finally:
        await broker.close()
    with pytest.raises(Unavailable, match="cannot be reached"):
        await RabbitBroker(f"amqp://guest:guest@{gone},127.0.0.1:{free_port()}/").open()
