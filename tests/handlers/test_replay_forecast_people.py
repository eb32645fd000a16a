"""What a replay of a message about a person would do (R30, R45)."""

from datetime import UTC, datetime

import pytest

from contracts.envelope import PersonChanged, PersonLeft, SessionRevoked, decode, encode
from contracts.messages import PersonData
from handlers.replays.forecast import ReplayForecast, ReplayOutcome, of_person


@pytest.mark.parametrize(
    ("kind", "stops"),
    [(SessionRevoked, ""), (PersonLeft, " The person's integrations would end as the tenant decided.")],
)
def test_r45_what_a_message_about_a_person_would_do_is_said(kind: type[PersonChanged], stops: str) -> None:
    said_at = datetime(2026, 12, 1, 8, 5, tzinfo=UTC)
    message = kind.of(PersonData(tenant_id="acme", user_id="u"), id="m", time=said_at)
    told = decode(encode(message), expected=PersonChanged)
    said = f"Sessions that were opened before 2026-12-01 08:05 UTC would end.{stops}"
    assert of_person(told) == ReplayForecast(outcome=ReplayOutcome.NOTED, said=said)
