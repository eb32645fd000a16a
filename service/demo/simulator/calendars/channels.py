"""Channels and the notices that go through them (CRONOFY.md C38, C39, C43)."""

import asyncio
import json

from service.demo.simulator.calendars.signing import HMAC_HEADER, sign
from service.demo.simulator.model import Account, CachedEvent, CalendarBinding, MailboxProfile, PushChannel
from service.demo.simulator.state import Json, QueuedNotice, SimulatorState, is_managed
from service.demo.simulator.times import DAY_SECONDS, EventTime, iso_time

MOST_CHANNELS = 128
_GONE = 410


def open_channel(state: SimulatorState, account: Account, callback_url: str, filters: Json) -> PushChannel:
    """The channel of exactly this form; a new one is told ``verification``."""
    for known in account.channels.values():
        if (known.callback_url, known.filters) == (callback_url, filters):
            return known
    channel = PushChannel(
        channel_id=f"chn_{state.hex(24)}",
        account=account,
        callback_url=callback_url,
        filters=filters,
    )
    account.channels[channel.channel_id] = channel
    state.schedule.enter(state.clock.now(), lambda: send(state, channel, {"type": "verification"}))
    return channel


def close_channel(channel: PushChannel) -> None:
    channel.closed = True
    channel.account.channels.pop(channel.channel_id, None)


def announce_change(
    state: SimulatorState, binding: CalendarBinding, row: CachedEvent, writer: str | None
) -> None:
    """Tell the account's channels, unless its own application made the change or it lies out of reach."""
    account = binding.profile.account
    if not account.channels or writer == account.application.client_id:
        return
    managed = is_managed(state, binding, row)
    if not managed and not _within_reach(state, row):
        return
    for channel in account.channels.values():
        if _wants(channel, binding, managed=managed):
            _gather(state, channel, row.modified)


def announce_profile(state: SimulatorState, profile: MailboxProfile, kind: str) -> None:
    for channel in profile.account.channels.values():
        send(state, channel, {"type": kind})


def send(state: SimulatorState, channel: PushChannel, notification: Json) -> None:
    """Put one notice on its way, as often and as late as the switches say."""
    faults = state.faults
    change = notification["type"] == "change"
    if change and (faults.spend("next_lost_notices") or state.chance.random() < faults.notice_loss):
        return
    document = {"notification": notification, "channel": channel.as_json()}
    body = json.dumps(document, separators=(",", ":")).encode()
    for _ in range(1 + (faults.notice_duplicates if change else 0)):
        post_after(
            state,
            faults.notice_jitter * state.chance.random() if change else 0,
            QueuedNotice(channel=channel, kind=notification["type"], body=body),
        )


def _within_reach(state: SimulatorState, row: CachedEvent) -> bool:
    now = state.clock.now()
    first = now - (state.faults.window_past_days + 1) * DAY_SECONDS
    last = now + (state.faults.window_future_days + 1) * DAY_SECONDS
    spans: list[tuple[EventTime, EventTime]] = [(row.event.start, row.event.end), *row.earlier]
    return any(start.at < last and end.at >= first for start, end in spans)


def _wants(channel: PushChannel, binding: CalendarBinding, *, managed: bool) -> bool:
    calendars = channel.filters.get("calendar_ids")
    if calendars and binding.calendar_id not in calendars:
        return False
    return managed or not channel.filters.get("only_managed")


def _gather(state: SimulatorState, channel: PushChannel, modified: float) -> None:
    if channel.changes_since is not None:
        channel.changes_since = min(channel.changes_since, modified)
        return
    channel.changes_since = modified
    state.schedule.enter(state.clock.now() + state.faults.notice_delay, lambda: _tell(state, channel))


def _tell(state: SimulatorState, channel: PushChannel) -> None:
    since, channel.changes_since = channel.changes_since, None
    if since is not None and not channel.closed:
        send(state, channel, {"type": "change", "changes_since": iso_time(since)})


def post_after(state: SimulatorState, delay: float, notice: QueuedNotice) -> None:
    state.schedule.enter(state.clock.now() + delay, lambda: state.outbox.append(notice))


async def deliver(state: SimulatorState, notice: QueuedNotice) -> None:
    """Post it; a failure is tried again with growing gaps, a day of failures closes the channel."""
    channel = notice.channel
    if channel.closed:
        return
    status = await _post(state, notice)
    state.log.notices.append(
        {
            "at": state.clock.now(),
            "channel_id": channel.channel_id,
            "account": channel.account.account_id,
            "type": notice.kind,
            "attempt": notice.attempt,
            "status": status,
        },
    )
    if status is not None and 200 <= status < 300:  # noqa: PLR2004
        channel.failing_since = None
    else:
        _failed(state, notice, status)


async def _post(state: SimulatorState, notice: QueuedNotice) -> int | None:
    if state.post is None:
        return None
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        HMAC_HEADER: sign(notice.body, notice.channel.account.application.secrets),
    }
    try:
        async with asyncio.timeout(state.faults.notice_timeout):
            return await state.post(notice.channel.callback_url, notice.body, headers)
    except Exception:  # noqa: BLE001 - whatever the receiver does, to the sender it is a failed delivery
        return None


def _failed(state: SimulatorState, notice: QueuedNotice, status: int | None) -> None:
    channel, now, faults = notice.channel, state.clock.now(), state.faults
    if channel.failing_since is None:
        channel.failing_since = now
    gone = status == _GONE and faults.close_on_410
    if gone or now - channel.failing_since >= faults.close_after_seconds:
        close_channel(channel)
        return
    gap = min(faults.retry_seconds * 2 ** (notice.attempt - 1), faults.retry_longest)
    notice.attempt += 1
    post_after(state, gap, notice)
