"""One secret takes the place of another, process by process, and nobody who has a right is refused.

The encryption keys' turn is tests/scenarios/test_keys.py: it needs tokens that are renewed.
"""

import itertools
import json
from collections.abc import Iterator, Sequence
from datetime import timedelta

import jwt
import pytest

from service.web.tokens import TokenMaker
from tests.service.test_relay import CHANGE, Recorder, client_of, post, signature
from tests.support.clock import ManualClock

OLD, NEW = "the old secret of thirty-two bytes", "the new secret of thirty-two bytes"
STAGES = ((OLD,), (OLD, NEW), (NEW, OLD), (NEW,))
"""Known everywhere, then first, then alone."""


def rolling() -> Iterator[tuple[Sequence[str], Sequence[str]]]:
    """What two processes know, one of which is replaced before the other."""
    for before, after in itertools.pairwise(STAGES):
        yield before, before
        yield after, before
        yield after, after


def _body() -> bytes:
    return json.dumps(CHANGE).encode()


def signed(secret: str, clock: ManualClock) -> str:
    """As Vorex signs a person in."""
    ends = clock.now() + timedelta(minutes=9)
    claims = {"sub": "u-17", "tenant": "acme", "tz": "Europe/London", "exp": ends, "jti": "one"}
    return jwt.encode(claims, secret, algorithm="HS256")


def test_r45_a_sign_in_secret_is_changed_process_by_process() -> None:
    """What one process puts into a form the other takes; Vorex signs with what both know."""
    clock = ManualClock()
    for pair in rolling():
        here, there = (TokenMaker(known, clock=clock) for known in pair)
        assert there.is_form_token("session", here.form_token("session")), pair
        assert here.is_form_token("session", there.form_token("session")), pair
        shared = set(pair[0]) & set(pair[1])
        assert shared
        for secret in shared:
            for one in (here, there):
                assert one.sign_in(signed(secret, clock)).visitor.user_id == "u-17"


@pytest.mark.parametrize("signs", [(OLD,), (NEW, OLD), (NEW,)])
async def test_r20_a_client_secret_is_changed_process_by_process(signs: Sequence[str]) -> None:
    """Cronofy signs with every secret that is active there; each relay that knows one of them takes it."""
    broker = Recorder()
    knowing = [known for pair in rolling() for known in pair if set(known) & set(signs)]
    for known in knowing:
        async with client_of(broker, *known) as client:
            header = ",".join(signature(_body(), secret) for secret in signs)
            assert (await post(client, _body(), signed=header)).status_code == 202
    assert len(broker.published) == len(knowing)
