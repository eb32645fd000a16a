"""What a keeper sees to, one thing beside the other."""

from contracts.ports import QueueDepths
from service.app.connections import record_signer
from service.app.parts import ProcessParts
from service.integrations.leavers.records import LeaverRecords
from service.integrations.questions.rounds import DISPATCHERS_QUESTIONS, QuestionRounds
from service.keeper import (
    MINUTE_SECONDS,
    Chore,
    bulk_replays,
    daily_reads,
    delays,
    due_runs,
    erasing,
    forgetting,
    lost_calendars,
    lost_channels,
    missing_channels,
    old_account_names,
    old_outbox_rows,
    old_tombstones,
    operation_samples,
    runs_at_a_standstill,
    unanswered_consents,
    unread_notices,
)
from service.monitoring.samples import Samples
from service.monitoring.vitals import Vitals
from service.monitoring.weather import JUDGE_EVERY_SECONDS, WeatherOffice
from service.settings import Settings

COMPANY_SECONDS = 5.0
"""Between two rounds of steps for people whom their companies connect: Cronofy's codes are short-lived."""


def keepers_chores(
    parts: ProcessParts, depths: QueueDepths, settings: Settings, *, data_centre: str
) -> tuple[Chore, ...]:
    """All of them. ``depths``: how many messages wait in each queue. ``data_centre``: Cronofy's."""
    store = parts.store
    records = LeaverRecords(store, record_signer(settings))
    weather = WeatherOffice(store, data_centre=data_centre)
    return (
        unread_notices(parts.reader),
        due_runs(store),
        bulk_replays(store),
        runs_at_a_standstill(store),
        daily_reads(store),
        delays(store),
        Chore(name=DISPATCHERS_QUESTIONS, every=5.0, work=QuestionRounds(store).round),
        Chore(name="provider weather", every=JUDGE_EVERY_SECONDS, work=weather.judge),
        erasing(parts.erasure.round),
        Chore(name="records of removal", every=MINUTE_SECONDS, work=records.round),
        lost_calendars(store, parts.looker.look),
        missing_channels(parts.integrations.ensure_channels),
        unanswered_consents(parts.consents.tidy),
        Chore(name="company calendars", every=COMPANY_SECONDS, work=parts.company_steps.round),
        lost_channels(parts.audit, parts.integrations.ensure_channels),
        operation_samples(Samples(store, Vitals(store, depths), data_centre=data_centre).take),
        old_outbox_rows(store),
        old_tombstones(store),
        old_account_names(store),
        *forgetting(store, inbox_days=settings.inbox_retention_days, log_days=settings.log_retention_days),
    )
