"""The AsyncAPI 3 document: who sends which message where, and who receives it."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from contracts.envelope import (
    CLOUD_EVENT_TYPE,
    IntegrationChanged,
    ItemChanged,
    Message,
    NoticeReceived,
    RunRequested,
)
from contracts.messages import (
    COMMANDS_EXCHANGE,
    FACTS_EXCHANGE,
    ITEMS_EXCHANGE,
    NOTICES_EXCHANGE,
    QUEUE_INBOUND,
    QUEUE_OUTBOUND,
    QUEUE_RUNS,
)

MESSAGE_MODELS: Mapping[str, type[Message]] = {
    "item-changed": ItemChanged,
    "notice-received": NoticeReceived,
    "run-requested": RunRequested,
    "integration-changed": IntegrationChanged,
}
"""Every message by the name of its schema file."""

_EXCHANGES = {
    "vorex.items": ("item-changed", "{itemType}.{action}", "Items that changed in Vorex."),
    "calendar-sync.items": ("item-changed", "{itemType}.{action}", "Items that this service changed."),
    "cronofy.notices": ("notice-received", "{notificationType}", "What Cronofy pushed to the relay."),
    "calendar-sync.commands": ("run-requested", "run.requested", "Steps of runs that are due."),
    "calendar-sync.integrations": (
        "integration-changed",
        "integration.{change}",
        "What became of an integration, for whoever wants to hear.",
    ),
}
_QUEUES = {
    QUEUE_OUTBOUND: ("item-changed", (ITEMS_EXCHANGE, FACTS_EXCHANGE), "#"),
    QUEUE_INBOUND: ("notice-received", (NOTICES_EXCHANGE,), "#"),
    QUEUE_RUNS: ("run-requested", (COMMANDS_EXCHANGE,), "run.#"),
}
_SENT_BY_OTHERS = frozenset({ITEMS_EXCHANGE})
_NOBODY_HAS_TO_HEAR = frozenset({"calendar-sync.integrations"})
_AMQP = "0.3.0"


def document(version: str) -> dict[str, Any]:
    """The whole document; schemas are referred to by their file beside it."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Vorex Calendar Sync",
            "version": version,
            "description": "CloudEvents 1.0 in JSON structured mode over AMQP 0-9-1. "
            "Readers ignore fields they do not know. "
            "Each work queue also takes retries from the exchanges calendar-sync.retry.<seconds> and "
            "replays from calendar-sync.replay, by its own name as routing key; what it refuses for "
            "good goes through calendar-sync.dead to calendar-sync.parked.",
        },
        "defaultContentType": CLOUD_EVENT_TYPE,
        "channels": dict(_channels()),
        "operations": dict(_operations()),
        "components": {"messages": {name: _message(name) for name in MESSAGE_MODELS}},
    }


def _channels() -> Iterable[tuple[str, dict[str, Any]]]:
    for name, (message, routing_key, description) in _EXCHANGES.items():
        exchange = {"name": name, "type": "topic", "durable": True, "autoDelete": False}
        yield (
            name,
            {
                "address": routing_key,
                "description": description,
                "parameters": {name: {} for name in re.findall(r"{(\w+)}", routing_key)},
                "messages": _messages(message),
                "bindings": {
                    "amqp": {"is": "routingKey", "exchange": exchange, "bindingVersion": _AMQP},
                },
            },
        )
    for name, (message, sources, key) in _QUEUES.items():
        queue = {"name": name, "durable": True, "exclusive": False, "autoDelete": False}
        yield (
            name,
            {
                "address": name,
                "description": f"Bound to {' and '.join(sources)} with {key}.",
                "messages": _messages(message),
                "bindings": {"amqp": {"is": "queue", "queue": queue, "bindingVersion": _AMQP}},
            },
        )


def _operations() -> Iterable[tuple[str, dict[str, Any]]]:
    for name, (message, _, _) in _EXCHANGES.items():
        if name not in _SENT_BY_OTHERS:
            promise = {"deliveryMode": 2, "mandatory": name not in _NOBODY_HAS_TO_HEAR}
            yield f"send-{name}", _operation("send", name, message, promise)
    for name, (message, _, _) in _QUEUES.items():
        yield f"receive-{name}", _operation("receive", name, message, {"ack": True})


def _operation(action: str, channel: str, message: str, binding: dict[str, Any]) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{message}"}],
        "bindings": {"amqp": {**binding, "bindingVersion": _AMQP}},
    }


def _messages(name: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/messages/{name}"}}


def _message(name: str) -> dict[str, Any]:
    model = MESSAGE_MODELS[name]
    return {
        "name": model.type_word(),
        "summary": (model.__doc__ or "").strip(),
        "contentType": CLOUD_EVENT_TYPE,
        "payload": {"$ref": f"{name}.json"},
        "bindings": {
            "amqp": {
                "contentEncoding": "utf-8",
                "messageType": CLOUD_EVENT_TYPE,
                "bindingVersion": _AMQP,
            }
        },
    }
