"""One place wires: what stands for something shared is made in ``service.app``, once, and handed on."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.repository import ROOT

SHARED = frozenset(
    {
        "store", "gateway", "transport", "calendars", "cronofy", "http", "broker", "publisher", "budget",
        "ledger", "tokens", "oauth", "credentials", "pages",
    }
)  # fmt: skip
"""Arguments that a process has one of."""
ROOMS_THAT_MAKE = ("service.app", "service.cli", "service.demo")
"""Commands make the verbs that they are about to say, on the store that ``service.app`` opened."""
INTERIOR = {
    "service.broker.memory.MemorySubscription": "one for each that subscribes",
    "service.consumers.outbound.link_checks.LinkChecks": "a part of the sender, and remembers nothing",
    "service.consumers.outbound.sender.Sender": "a part of the engine, which alone knows the state",
    "service.consumers.outbound.state.OutboundState": "what one engine has in hand",
    "service.consumers.outbound.transaction_b.TransactionB": "a part of the engine",
    "service.consumers.inbound.watching.judged_pages.WatchingPages": "a part of the reader",
    "service.consumers.owners.MessageOwners": "a part of each consumer, and only a memory",
    "service.integrations.sign_outs.SignOuts": "made for the one who signs others out",
    "service.relay.Relay": "the relay itself",
    "service.store.integrations.sealed_tokens.SealedTokens": "the key and a table, nothing remembered",
}
"""What is made where it is needed, and why."""
ONCE = [
    "service.consumers.inbound.notices.NoticeHandler",
    "service.consumers.inbound.pages.PageWriter",
    "service.consumers.inbound.reader.CalendarReader",
    "service.consumers.runs.handler.RunHandler",
    "service.cronofy.breaker.CronofyBreaker",
    "service.cronofy.budget.SharedBudget",
    "service.cronofy.credentials.StoredTokens",
    "service.cronofy.gateway.CronofyGateway",
    "service.cronofy.oauth.OAuth",
    "service.cronofy.transport.CronofyTransport",
    "service.integrations.Integrations",
    "service.integrations.channels.ChannelAudit",
    "service.integrations.connection_check.ConnectionCheck",
    "service.store.integrations.credentials.CredentialsTable",
]


def arguments(made: ast.ClassDef) -> set[str]:
    """What its constructor takes."""
    for part in made.body:
        if isinstance(part, ast.FunctionDef) and part.name == "__init__":
            return {one.arg for one in (*part.args.args, *part.args.kwonlyargs)}
    return set()


class House:
    """The modules of ``service``, what they define and what they call."""

    def __init__(self) -> None:
        self.trees = {_name(path): ast.parse(path.read_text()) for path in (ROOT / "service").rglob("*.py")}
        self.imported = {
            f"{module}.{each.asname or each.name}": f"{one.module}.{each.name}"
            for module, tree in self.trees.items()
            for one in ast.walk(tree)
            if isinstance(one, ast.ImportFrom)
            for each in one.names
        }
        self.classes = {
            f"{module}.{one.name}": one
            for module, tree in self.trees.items()
            for one in tree.body
            if isinstance(one, ast.ClassDef)
        }

    def made(self) -> Iterator[tuple[str, str]]:
        """Each place where a class is made: the module, and the class by its full name."""
        for module, tree in self.trees.items():
            for one in ast.walk(tree):
                if isinstance(one, ast.Call) and isinstance(one.func, ast.Name):
                    name = self._origin(f"{module}.{one.func.id}")
                    if name in self.classes:
                        yield module, name

    def _origin(self, name: str) -> str:
        while name in self.imported:
            name = self.imported[name]
        return name


def _name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@pytest.fixture(scope="module")
def house() -> House:
    return House()


def test_what_shares_is_made_by_the_wiring_alone(house: House) -> None:
    """R32 and R22 hold for a process only where nobody makes a second budget, or a second look, aside."""
    elsewhere = {
        (module, name)
        for module, name in house.made()
        if arguments(house.classes[name]) & SHARED and not module.startswith(ROOMS_THAT_MAKE)
    }

    assert {name for _, name in elsewhere} == set(INTERIOR), elsewhere


@pytest.mark.parametrize("name", ONCE)
def test_a_process_has_one_of_it(house: House, name: str) -> None:
    """Locks, caches and counts that are in it hold for the whole process."""
    places = [
        module for module, made in house.made() if made == name and not module.startswith("service.cli")
    ]

    assert [place.rpartition(".")[0] for place in places] == ["service.app"]
