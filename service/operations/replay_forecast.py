"""What stands around a dead letter, and what its replay would do now; nothing is written (R30)."""

from collections.abc import Mapping, Sequence
from typing import Any

from contracts.calendar import Integration, item_ref
from contracts.envelope import ItemChanged, NoticeReceived, PersonChanged, RunRequested, decode
from contracts.errors import Malformed
from handlers.outbound_message import ItemMessage, judge_messages
from handlers.replays import forecast
from handlers.replays.forecast import ReplayForecast, ReplayOutcome, RunNow
from service.operations.masking import LetterReader
from service.operations.mending import MESSAGE_OF_QUEUE, MendableMessage
from service.store.engine.store import AsyncConnection, Store
from service.store.integrations import integrations
from service.store.integrations.integrations import integration_of
from service.store.items import items
from service.store.links import claims, links
from service.store.messages import dead_letters
from service.store.runs import runs

_NOT_OPEN: Mapping[str, str] = {
    "replaying": "It is on its way already.",
    "resolved": "Its replay went well; nothing is left to do.",
    "discarded": "It was discarded; undo comes first.",
    "edited": "A mended copy was sent in its place.",
}
_STRANGE = "The message names another tenant: its operators can see what it would do."


async def context(
    store: Store, connection: AsyncConnection, row: Mapping[Any, Any], *, reader: LetterReader | None
) -> dict[str, Any]:
    """Headers, integration and forecast of a letter, in the API's form."""
    forecasts = await forecast_replay(store, connection, row, reader=reader)
    return {
        "headers": dict(row["headers"]),
        "routing_key": row["routing_key"],
        "integration": await _integration_form(connection, row["integration_id"], reader),
        "forecast": [
            {"outcome": one.outcome.value, "integration_id": one.integration_id, "said": one.said}
            for one in forecasts
        ],
    }


async def forecast_replay(
    store: Store, connection: AsyncConnection, row: Mapping[Any, Any], *, reader: LetterReader | None = None
) -> Sequence[ReplayForecast]:
    """What a replay of this letter would do now, by the rules that the consumers follow."""
    if why := _NOT_OPEN.get(row["state"]):
        return [ReplayForecast(outcome=ReplayOutcome.WAITING, said=why)]
    if await dead_letters.is_outstanding(connection, row):
        said = "Another letter of the same message is on its way; this one waits for its end."
        return [ReplayForecast(outcome=ReplayOutcome.WAITING, said=said)]
    try:
        message = decode(row["body"], expected=MESSAGE_OF_QUEUE[row["queue"]])
    except Malformed as error:
        return [forecast.of_malformed(error)]
    return await _of_message(store, connection, message, reader)


async def _of_message(
    store: Store,
    connection: AsyncConnection,
    message: MendableMessage,
    reader: LetterReader | None,
) -> Sequence[ReplayForecast]:
    match message:
        case ItemChanged():
            if reader is not None and message.data.tenant_id != reader.tenant_id:
                return [ReplayForecast(outcome=ReplayOutcome.NOTED, said=_STRANGE)]
            return await _of_item(store, connection, message)
        case NoticeReceived():
            known = await _integration(connection, message.data.integration_id)
            return _for(reader, known, forecast.of_notice(message.data, known))
        case RunRequested():
            return await _of_run(connection, message, reader)
        case PersonChanged():
            if reader is not None and message.data.tenant_id != reader.tenant_id:
                return [ReplayForecast(outcome=ReplayOutcome.NOTED, said=_STRANGE)]
            return [forecast.of_person(message)]


async def _of_item(
    store: Store, connection: AsyncConnection, message: ItemChanged
) -> Sequence[ReplayForecast]:
    data = message.data
    ref = item_ref(data.tenant_id, data.item.type.value, data.item.id)
    stored = (await items.load(connection, [ref])).get(ref)
    verdicts = judge_messages(stored, [ItemMessage(message=message, replay=True)])
    old = [ref] if stored is not None else []
    targets = await claims.targets(connection, [verdicts.item], old, lock=False)
    linked = await links.of_items(connection, old)
    return forecast.of_item(verdicts, targets, linked, now=await store.now(connection))


async def _of_run(
    connection: AsyncConnection, message: RunRequested, reader: LetterReader | None
) -> Sequence[ReplayForecast]:
    known = await _integration(connection, message.data.integration_id)
    found = await runs.find(connection, message.data.run_id)
    mine = found is not None and known is not None and found.integration_id == known.id
    run = RunNow(state=found.state, ended=found.ended, number=found.number) if found and mine else None
    return _for(reader, known, forecast.of_run(message.data.step, run, known))


def _for(
    reader: LetterReader | None, known: Integration | None, told: ReplayForecast
) -> Sequence[ReplayForecast]:
    """Nobody learns of another tenant's calendars."""
    if reader is not None and known is not None and known.tenant_id != reader.tenant_id:
        return [ReplayForecast(outcome=ReplayOutcome.NOTED, said=_STRANGE)]
    return [told]


async def _integration(connection: AsyncConnection, integration_id: str) -> Integration | None:
    return next(iter((await integrations.load(connection, [integration_id])).values()), None)


async def _integration_form(
    connection: AsyncConnection, integration_id: str | None, reader: LetterReader | None
) -> dict[str, Any] | None:
    row = await integrations.row_of(connection, integration_id) if integration_id else None
    if row is None or (reader is not None and row["tenant_id"] != reader.tenant_id):
        return None
    known = integration_of(row)
    return {
        "id": known.id,
        "user_id": known.user_id,
        "account_name": row["account_name"],
        "calendar_name": known.calendar_name,
        "active": known.active,
        "status": "deleted" if known.deleted_at else known.status.value,
        "reason": known.reason.value if known.reason else None,
    }
