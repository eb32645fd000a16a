"""Which queues an exchange sends a message to, as AMQP 0-9-1 says it; pure."""

from collections.abc import Sequence

from service.broker.topology import Exchange, Topology


def destinations(topology: Topology, exchange: str, key: str) -> list[str] | None:
    """The queues this message goes to, each once; None where there is no such exchange."""
    if not exchange:
        return [queue.name for queue in topology.queues if queue.name == key]
    known = next((each for each in topology.exchanges if each.name == exchange), None)
    if known is None:
        return None
    bound = (each for each in topology.bindings if each.exchange == exchange)
    return list(dict.fromkeys(each.queue for each in bound if _fits(known, each.key, key)))


def _fits(exchange: Exchange, pattern: str, key: str) -> bool:
    if exchange.kind == "fanout":
        return True
    return topic_matches(pattern, key) if exchange.kind == "topic" else pattern == key


def topic_matches(pattern: str, key: str) -> bool:
    """Whether a topic exchange takes the key: ``*`` is one word, ``#`` any number of them, none included."""
    return _words_fit(pattern.split("."), key.split("."))


def _words_fit(pattern: Sequence[str], words: Sequence[str]) -> bool:
    reached = {0}
    for part in pattern:
        reached = _after(part, reached, words)
    return len(words) in reached


def _after(part: str, reached: set[int], words: Sequence[str]) -> set[int]:
    """The places in the key at which the rest of the pattern may go on."""
    if part == "#":
        return set(range(min(reached), len(words) + 1)) if reached else set()
    return {place + 1 for place in reached if place < len(words) and part in ("*", words[place])}
