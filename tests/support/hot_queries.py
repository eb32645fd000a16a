"""Statements beside which the tables grow, each with the indexes that it may be answered from."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.calendar import IntegrationId, Trigger
from handlers.runs import span_of
from service.store.engine import purge
from service.store.engine.store import GIVEN_CLOCK, ClockColumn
from service.store.items import items, my_calendar
from service.store.links import claims as rows
from service.store.links import links, moves, rechecks, sends, tombstones, watched
from service.store.logs import logs, traces
from service.store.logs.logs import LogQuery
from service.store.messages import burying, dead_letters, inbox, letter_counts, outbox, replays
from service.store.messages.burying import NewDeadLetter
from service.store.people import consents, revocations, sessions
from service.store.runs import runs
from tests.builders import an_integration

Query = Callable[[AsyncConnection], Awaitable[Any]]
Answered = tuple[Query, frozenset[str]]
"""What is asked, and the indexes that it may be answered from."""

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
MORNING = datetime(2026, 12, 3, tzinfo=UTC)
SPAN = span_of({"past": "1_week", "future": "1_week"}, now=MORNING, time_zone="UTC")
WHO = replace(an_integration(), tenant_id="acme", user_id="u-20")
MOVE = moves.WishForCopies(copies="move", calendars=("c",))
REAL_TIME = logs.LogFilter.REAL_TIME.triggers
PRIMARY = {
    table: frozenset({f"pk_{table}", f"autoindex_{table}"})
    for table in ("links", "inbox", "attempts", "revocations")
}
LETTER = NewDeadLetter(
    queue="q", source="s", message_id="m", code="malformed", reason="", routing_key="", headers={}, body=b""
)


def _day(offset: int) -> my_calendar.RangeBound:
    moment = MORNING + timedelta(days=offset)
    return my_calendar.RangeBound(instant=moment, day=moment.date())


def _logged(**wanted: Any) -> Query:
    return lambda connection: logs.page(
        connection, "i", triggers=REAL_TIME, before="l", limit=10, wanted=LogQuery(**wanted)
    )


def _lettered(**matching: Any) -> Query:
    return lambda connection: dead_letters.page(
        connection, dead_letters.LetterFilter(**matching), after="l", limit=10
    )


def _from(query: Query, *indexes: str) -> Answered:
    return query, frozenset(indexes)


CLOCK = ClockColumn(GIVEN_CLOCK, {"clock": 1.0})
QUERIES: Mapping[str, Answered] = {
    # what the keeper does beside the traffic
    "purge: inbox": _from(lambda c: purge.forget_inbox(c, before=1.0, limit=10), "ix_inbox_processed_at"),
    "purge: log": _from(
        lambda c: purge.forget_log_entries(c, before=LONG_AGO, limit=10), "ix_log_entries_at"
    ),
    "purge: attempts": _from(lambda c: purge.forget_attempts(c, before=LONG_AGO, limit=10), "ix_attempts_at"),
    "purge: tombstones": _from(
        lambda c: tombstones.forget(c, before=LONG_AGO, limit=10), "ix_links_ended_at"
    ),
    "purge: outbox": _from(lambda c: outbox.forget_sent(c, before=1.0, limit=10), "ix_outbox_sent_at"),
    "purge: runs": _from(lambda c: purge.forget_runs(c, before=LONG_AGO, limit=10), "ix_runs_ended_at"),
    "purge: letters": _from(
        lambda c: purge.forget_letters(c, before=LONG_AGO, limit=10), "ix_dead_letters_failed"
    ),
    "purge: used tokens": _from(
        lambda c: purge.forget_tokens(c, before=1.0, limit=10), "ix_used_tokens_expires"
    ),
    "purge: sessions": _from(lambda c: purge.forget_sessions(c, before=1.0, limit=10), "ix_sessions_until"),
    "purge: revocations": _from(
        lambda c: purge.forget_revocations(c, before=1.0, limit=10), "ix_revocations_revoked_at"
    ),
    "keeper: consents": _from(lambda c: consents.expired(c, now=1.0, limit=10), "ix_consents_expires_at"),
    # people
    "a cookie's session": _from(lambda c: sessions.find(c, "k", now=1.0), "uq_sessions_key_hash"),
    "a person's sessions": _from(
        lambda c: sessions.living(c, "acme", "u", now=1.0, limit=10), "ix_sessions_person"
    ),
    "a person's revocation": _from(lambda c: revocations.revoked_at(c, "acme", "u"), *PRIMARY["revocations"]),
    "a state's consent": _from(lambda c: consents.of_state(c, "s", now=1.0), "uq_consents_state_hash"),
    "another consent": _from(
        lambda c: consents.waits_for(c, "s", but="i", now=1.0), "ix_consents_sub", "ix_consents_expires_at"
    ),
    "keeper: leftovers": _from(lambda c: outbox.unsent(c, now=1.0, limit=10), "ix_outbox_"),
    "keeper: due runs": _from(lambda c: runs.take_due(c, now=1.0), "ix_runs_due_at"),
    "keeper: standstill": _from(lambda c: runs.rouse(c, now=LONG_AGO), "ix_runs_ended_at"),
    # messages
    "inbox: known messages": _from(
        lambda c: inbox.known(c, "calendar-sync.outbound", [("s", "m")]), *PRIMARY["inbox"]
    ),
    "letters of messages": _from(lambda c: burying.unsettled(c, [LETTER]), "ix_dead_letters_message"),
    "attempts of messages": _from(lambda c: burying.attempts_at(c, [LETTER]), *PRIMARY["attempts"]),
    # outbound
    "a lane's backlog": _from(
        lambda c: rows.backlog(c, IntegrationId("i"), now=1.0, limit=10), "ix_links_unfinished"
    ),
    "neglected links": _from(
        lambda c: rows.neglected(c, now=1.0, limit=10), "ix_links_unfinished", "ix_links_verify_at"
    ),
    "links of items": _from(lambda c: rows.of_items(c, ["r"]), "ix_links_item_ref"),
    "the re-check": _from(
        lambda c: rechecks.check(c, ["l"], me="me", clock=CLOCK),
        *PRIMARY["links"],
    ),
    "links that others hold": _from(
        lambda c: rows.claim_states(c, ["l"], me="me", now=1.0), *PRIMARY["links"]
    ),
    # inbound and runs
    "events by their ids": _from(
        lambda c: links.of_events(c, "i", event_ids=["e"], event_uids=["u"]), "ix_links_event_id"
    ),
    "items that begin with an event": _from(
        lambda c: items.unlinked(c, WHO, [LONG_AGO]), "ix_items_starts_at"
    ),
    "the next items to send": _from(
        lambda c: sends.next_items(c, WHO, SPAN, after="2", limit=10), "ix_item_assignees_user"
    ),
    "copies elsewhere": _from(
        lambda c: moves.let_go(c, WHO, MOVE, calendar_id="c", after="", limit=10), "_links_"
    ),
    "copies that follow": _from(lambda c: moves.unmark(c, WHO, MOVE, after="", limit=10), "_links_"),
    "copies to follow": _from(lambda c: moves.count(c, "i"), "ix_links_moving"),
    "what was held": _from(lambda c: links.release(c, "i", limit=10), "_links_"),
    # pages, exports and gauges
    "page: a month": _from(
        lambda c: my_calendar.glances(c, "acme", "u-20", since=_day(0), until=_day(31), limit=1000),
        "ix_item_assignees_user",
    ),
    "page: the items of a day": _from(
        lambda c: my_calendar.page(
            c, "acme", "u-20", my_calendar.DAY_ITEMS, since=_day(0), until=_day(1), after=None, limit=10
        ),
        "ix_item_assignees_user",
    ),
    "page: what was deleted": _from(
        lambda c: my_calendar.deleted(c, "acme", "u-20", since=LONG_AGO, skip=0, limit=10),
        "ix_item_assignees_user",
    ),
    "room for an appointment": _from(
        lambda c: my_calendar.count_appointments(c, "acme", "u-20", most=20_000), "ix_item_assignees_user"
    ),
    "page: a day": _from(
        lambda c: my_calendar.page(
            c, "acme", "u-20", my_calendar.WHOLE_ITEMS, since=_day(0), until=_day(1), after=None, limit=10
        ),
        "ix_item_assignees_user",
    ),
    "watching: what begins then": _from(
        lambda c: watched.beginning(c, an_integration(), {MORNING}), "ix_watched_starts_at"
    ),
    "page: logs": _from(_logged(), "ix_log_entries_page"),
    "page: all logs": _from(
        lambda c: logs.page(c, "i", triggers=list(Trigger), limit=10), "ix_log_entries_page"
    ),
    "page: failures": _from(_logged(outcome="failed"), "ix_log_entries_not_done"),
    "page: one direction": _from(_logged(direction="d", item_type="task"), "ix_log_entries_page"),
    "page: a word": _from(_logged(q="needle"), "ix_log_entries_page"),
    "page: an item's story": _from(
        lambda c: logs.entries_of_item(c, ["i", "j"], "r", limit=10), "ix_log_entries_page"
    ),
    "page: runs": _from(lambda c: runs.page(c, "i", before="r", limit=10), "ix_runs_integration"),
    "page: dead letters": _from(_lettered(state="open"), "_dead_letters"),
    "page: dead letters of a code": _from(_lettered(state="open", code="refused"), "_dead_letters"),
    "page: dead letters of a tenant": _from(_lettered(state="open", tenant="acme"), "_dead_letters"),
    "page: dead letters of a cause": _from(_lettered(group="cause-1"), "_dead_letters"),
    "page: replays": _from(lambda c: replays.progress(c, tenant="acme", since="a"), "ix_outbox_"),
    "the way of a trace": _from(lambda c: traces.way_of(c, "a" * 32), "ix_log_entries_trace_id"),
    "the way of a message": _from(lambda c: traces.way_of(c, "m-1"), "ix_log_entries_message_id"),
    "the way of an item": _from(lambda c: traces.way_of(c, "acme/task/1"), "ix_links_item_ref"),
    "gauge: replays that wait": _from(outbox.paced, "ix_outbox_"),
    "gauge: open letters": _from(letter_counts.open_by_code, "ix_dead_letters_"),
}
