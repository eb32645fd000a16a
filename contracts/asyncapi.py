"""The AsyncAPI 3 document: who sends which message where, and who receives it."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from contracts.envelope import (
    CLOUD_EVENT_TYPE,
    AssignmentQuestioned,
    IntegrationChanged,
    ItemChanged,
    Message,
    NoticeReceived,
    PersonLeft,
    RunRequested,
    SessionRevoked,
)
from contracts.messages import (
    COMMANDS_EXCHANGE,
    FACTS_EXCHANGE,
    ITEMS_EXCHANGE,
    NOTICES_EXCHANGE,
    PEOPLE_EXCHANGE,
    QUEUE_INBOUND,
    QUEUE_OUTBOUND,
    QUEUE_PEOPLE,
    QUEUE_RUNS,
)

MESSAGE_MODELS: Mapping[str, type[Message]] = {
    "item-changed": ItemChanged,
    "notice-received": NoticeReceived,
    "run-requested": RunRequested,
    "integration-changed": IntegrationChanged,
    "assignment-questioned": AssignmentQuestioned,
    "session-revoked": SessionRevoked,
    "person-left": PersonLeft,
}
"""Every message by the name of its schema file."""

_EXCHANGES: Mapping[str, tuple[tuple[str, ...], str, str]] = {
    "vorex.items": (("item-changed",), "{itemType}.{action}", "Items that changed in Vorex."),
    "calendar-sync.items": (("item-changed",), "{itemType}.{action}", "Items that this service changed."),
    "cronofy.notices": (("notice-received",), "{notificationType}", "What Cronofy pushed to the relay."),
    "calendar-sync.commands": (("run-requested",), "run.requested", "Steps of runs that are due."),
    "vorex.people": (
        ("session-revoked", "person-left"),
        "{subject}.{change}",
        "People whom Vorex shows out, or who have left.",
    ),
    "calendar-sync.integrations": (
        ("integration-changed", "assignment-questioned"),
        "{subject}.{change}",
        "What became of an integration, and which assignments are in question, for whoever wants to hear.",
    ),
}
_QUEUES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...], str]] = {
    QUEUE_OUTBOUND: (("item-changed",), (ITEMS_EXCHANGE, FACTS_EXCHANGE), "#"),
    QUEUE_INBOUND: (("notice-received",), (NOTICES_EXCHANGE,), "#"),
    QUEUE_RUNS: (("run-requested",), (COMMANDS_EXCHANGE,), "run.#"),
    QUEUE_PEOPLE: (("session-revoked", "person-left"), (PEOPLE_EXCHANGE,), "#"),
}
_SENT_BY_OTHERS = frozenset({ITEMS_EXCHANGE, PEOPLE_EXCHANGE})
_NEVER_SENT = frozenset({PEOPLE_EXCHANGE})
"""Items are published by the pages of My Calendar, too."""
_NOBODY_HAS_TO_HEAR = frozenset({"calendar-sync.integrations"})
_AMQP = "0.3.0"
_SCHEMAS_AT = "#/components/schemas/"
_USER = "user"
_LEAST_PRIVILEGE = "A user of RabbitMQ for each part; deploy/rabbitmq/permissions.json says what each may do."
_SECURED = [{"$ref": f"#/components/securitySchemes/{_USER}"}]
_SERVER: Mapping[str, Any] = {
    "host": "{host}",
    "protocol": "amqp",
    "protocolVersion": "0-9-1",
    "description": "RabbitMQ from 3.10 on; amqps in production.",
    "variables": {"host": {"description": "Host, port and virtual host of this installation."}},
    "security": _SECURED,
}


def document(version: str) -> dict[str, Any]:
    """The whole document, which refers to nothing outside itself."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Vorex Calendar Sync",
            "version": version,
            "contact": {"name": "Whoever runs this service"},
            "tags": [{"name": "calendar", "description": "Items of My Calendar and what became of them."}],
            "description": "CloudEvents 1.0 in JSON structured mode over AMQP 0-9-1. "
            "Readers ignore fields they do not know. "
            "Each work queue also takes retries from the exchanges calendar-sync.retry.<seconds> and "
            "replays from calendar-sync.replay, by its own name as routing key; what it refuses for "
            "good goes through calendar-sync.dead to calendar-sync.parked.",
        },
        "defaultContentType": CLOUD_EVENT_TYPE,
        "servers": {"rabbitmq": _SERVER},
        "channels": dict(_channels()),
        "operations": dict(_operations()),
        "components": {
            "messages": {name: _message(name) for name in MESSAGE_MODELS},
            "schemas": _schemas(),
            "securitySchemes": {_USER: {"type": "userPassword", "description": _LEAST_PRIVILEGE}},
        },
    }


def _channels() -> Iterable[tuple[str, dict[str, Any]]]:
    for name, (messages, routing_key, description) in _EXCHANGES.items():
        exchange = {"name": name, "type": "topic", "durable": True, "autoDelete": False}
        yield (
            name,
            {
                "address": routing_key,
                "description": description,
                "parameters": {name: {} for name in re.findall(r"{(\w+)}", routing_key)},
                "messages": _messages(messages),
                "bindings": {
                    "amqp": {"is": "routingKey", "exchange": exchange, "bindingVersion": _AMQP},
                },
            },
        )
    for name, (messages, sources, key) in _QUEUES.items():
        queue = {"name": name, "durable": True, "exclusive": False, "autoDelete": False}
        yield (
            name,
            {
                "address": name,
                "description": f"Bound to {' and '.join(sources)} with {key}.",
                "messages": _messages(messages),
                "bindings": {"amqp": {"is": "queue", "queue": queue, "bindingVersion": _AMQP}},
            },
        )


def _operations() -> Iterable[tuple[str, dict[str, Any]]]:
    for name, (messages, _, about) in _EXCHANGES.items():
        if name not in _NEVER_SENT:
            promise = {"deliveryMode": 2, "mandatory": name not in _NOBODY_HAS_TO_HEAR}
            yield _operation("send", name, messages, about, promise)
        if name in _SENT_BY_OTHERS:
            yield _operation("receive", name, messages, about, {"ack": True})
    for name, (messages, sources, _) in _QUEUES.items():
        about = f"Taken from the queue that is bound to {' and '.join(sources)}."
        yield _operation("receive", name, messages, about, {"ack": True})


def _operation(
    action: str, channel: str, messages: Iterable[str], about: str, binding: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    return f"{action}-{channel}", {
        "action": action,
        "summary": about,
        "description": about,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{one}"} for one in messages],
        "security": _SECURED,
        "bindings": {"amqp": {**binding, "bindingVersion": _AMQP}},
    }


def _messages(names: Iterable[str]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/messages/{name}"} for name in names}


def _schemas() -> dict[str, Any]:
    """Every model once, by its name; as AsyncAPI writes schemas, which know no ``$defs``."""
    found: dict[str, Any] = {}
    for model in MESSAGE_MODELS.values():
        schema = model.model_json_schema(ref_template=f"{_SCHEMAS_AT}{{model}}")
        found |= schema.pop("$defs", {})
        found[model.__name__] = schema
    return dict(sorted(found.items()))


def _message(name: str) -> dict[str, Any]:
    model = MESSAGE_MODELS[name]
    return {
        "name": model.type_word(),
        "summary": (model.__doc__ or "").strip(),
        "contentType": CLOUD_EVENT_TYPE,
        "payload": {"$ref": f"{_SCHEMAS_AT}{model.__name__}"},
    }
