"""``contracts/README.md`` tells of every message, sample and part of the topology that there is."""

import re

from contracts.asyncapi import MESSAGE_MODELS
from service.broker.topology import topology
from tests.support.repository import ROOT

PAGE = (ROOT / "contracts" / "README.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `([a-z.<>-]+)` \| (topic|fanout|direct) \|", re.MULTILINE)
ROW_OF_A_MESSAGE = re.compile(
    r"^\| [a-z ]+ \| `(com\.[a-z0-9._]+)` \| .*\(schemas/([a-z-]+)\.json\) \|$", re.MULTILINE
)


def test_every_message_stands_beside_its_schema() -> None:
    """By the type that its envelope has."""
    told = {name: word for word, name in ROW_OF_A_MESSAGE.findall(PAGE)}
    assert told == {name: model.type_word() for name, model in MESSAGE_MODELS.items()}


def test_every_exchange_is_told_with_its_kind() -> None:
    """The retries' ones once for all delays."""
    whole = {re.sub(r"\d+$", "<seconds>", exchange.name): exchange.kind for exchange in topology().exchanges}
    assert dict(ROW.findall(PAGE)) == whole


def test_every_queue_and_every_binding_key_is_told() -> None:
    """Beside the exchange that it is bound to."""
    lines = {line.split("`")[1]: line for line in PAGE.splitlines() if ROW.match(line)}
    for binding in topology().bindings:
        if binding.key in {"#", "run.#"}:
            assert f"`{binding.queue}` (`{binding.key}`)" in lines[binding.exchange]
    for queue in topology().queues:
        assert re.sub(r"\d+$", "<seconds>", queue.name) in PAGE
