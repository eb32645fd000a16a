"""What nobody foresaw, told with what it concerned: ids alone, never a text (R27)."""

from collections.abc import Iterable, Mapping
from itertools import chain, islice

import structlog

from contracts.calendar import IntegrationId
from contracts.ports import Delivery
from service.consumers.failures import error_frames, identity_of
from service.consumers.outbound.lanes import LinkTask
from service.consumers.outbound.window import WindowEntry
from service.store.messages.ownership import owner_of, trace_of
from service.telemetry.logs import EventName

log = structlog.get_logger(__name__)

OUTBOUND_FAULT: EventName = "outbound.fault"
MESSAGES_NAMED = 10
"""Messages that one line of the log names at most."""
FaultNames = Mapping[str, str | None]


def say_fault(
    error: BaseException,
    *,
    step: str,
    tasks: Iterable[LinkTask] = (),
    entries: Iterable[WindowEntry] = (),
    deliveries: Iterable[Delivery] = (),
    integrations: Iterable[IntegrationId] = (),
) -> None:
    """One line: where it happened, and tenants, integrations, items and messages, the first of many."""
    lanes = ({"integration_id": one} for one in integrations)
    concerned = chain(map(_of_task, tasks), map(_of_entry, entries), map(_of_delivery, deliveries), lanes)
    named = _together(list(islice(concerned, MESSAGES_NAMED)))
    log.error(OUTBOUND_FAULT, step=step, **named, exception=error_frames(error))


def _of_task(task: LinkTask) -> FaultNames:
    return {
        "tenant_id": task.tenant_id,
        "integration_id": task.integration_id,
        "item": f"{task.item_type.value}/{task.item_id}",
        "message_id": task.message_id,
        "trace_id": task.trace_id,
    }


def _of_entry(entry: WindowEntry) -> FaultNames:
    waits_for = next(iter(entry.waiting.values()), None)
    return {**entry.about, "integration_id": waits_for, "message_id": entry.key[1]}


def _of_delivery(delivery: Delivery) -> FaultNames:
    key = identity_of(delivery)
    return {
        "tenant_id": owner_of(delivery.body).tenant_id,
        "message_id": key[1],
        "trace_id": trace_of(delivery.body, key),
    }


def _together(concerned: Iterable[FaultNames]) -> Mapping[str, object]:
    """One value under its name, several under the name of many; messages and traces in the same order."""
    named: dict[str, object] = {}
    for name in ("tenant_id", "integration_id", "item"):
        values = list(dict.fromkeys(one[name] for one in concerned if one.get(name) is not None))
        named |= _one_or_many(name, values)
    messages = dict.fromkeys(
        (one["message_id"], one.get("trace_id")) for one in concerned if one.get("message_id") is not None
    )
    for name, values in zip(("message_id", "trace_id"), zip(*messages, strict=True), strict=False):
        named |= _one_or_many(name, list(values))
    return named


def _one_or_many(name: str, values: list[str | None]) -> Mapping[str, object]:
    if not values:
        return {}
    return {name: values[0]} if len(values) == 1 else {f"{name}s": values}
