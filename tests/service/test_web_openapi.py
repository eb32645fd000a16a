"""The API does what its OpenAPI description says: schemathesis finds nothing."""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.core.failures import FailureGroup
from schemathesis.openapi.checks import RejectedPositiveData

from service.store.messages.burying import bury
from service.store.tables import dead_letters, runs
from tests.support.knobs import examples
from tests.support.known_things import a_record
from tests.support.letters import a_letter
from tests.support.office import Office
from tests.support.questioned import asked_of
from tests.support.served import Served, served_office

API = "/api/v1"
EXAMPLES = examples("OPENAPI_EXAMPLES", 10)
"""Requests to each operation by an operator, to whom all of them are open."""
EXAMPLES_OF_OTHERS = max(3, EXAMPLES // 4)
PERSON = "u-17"
LETTERS = 60
BEYOND_A_SCHEMA: Mapping[str, str] = {
    f"PUT {API}/integrations/{{integration_id}}/settings": "a calendar that the account has",
    f"GET {API}/my-calendar/items": "an end before the start",
    f"POST {API}/my-calendar/items": "an item's rules among its fields",
    f"PUT {API}/my-calendar/items/{{key}}": "as above",
    f"GET {API}/dead-letters": "a time with an offset",
    f"GET {API}/dead-letters/groups": "as above",
    f"POST {API}/dead-letters/replay": "ids, or else a filter with the number expected",
    f"POST {API}/dead-letters/{{letter_id}}/edit": "the rules of every kind of message",
}
"""Operations that may answer 422 to what their schema allows, and for what."""
LAST = f"DELETE {API}/integrations/{{integration_id}}"


@dataclass(frozen=True, kw_only=True)
class Asking:
    """Who asks, and for what: ids that exist, by the name of their parameter."""

    served: Served
    headers: Mapping[str, str]
    known: Mapping[str, list[str]]
    examples: int


@pytest.fixture(scope="module", params=["operator", "administrator", "user", "stranger"])
def asking(request: pytest.FixtureRequest) -> Iterator[Asking]:
    """A person with an integration, a run, an item and dead letters, in each role; or a stranger to them."""
    with tempfile.TemporaryDirectory() as folder, served_office(f"sqlite+aiosqlite:///{folder}/db") as served:
        known = served.do(_something_of_everything)
        stranger = request.param == "stranger"
        role = "user" if stranger else request.param
        token = served.office.token("u-99" if stranger else PERSON, role=role, exp=2e10)
        yield Asking(
            served=served,
            headers={"Authorization": f"Bearer {token}"},
            known=known,
            examples=EXAMPLES if role == "operator" else EXAMPLES_OF_OTHERS,
        )


async def _something_of_everything(office: Office) -> Mapping[str, list[str]]:
    office.count_no_changes()
    option = {"enabled": True, "past": "today", "future": "today"}
    integration_id = await office.finished(PERSON, retrieve=option)
    form = {"title": "Visit", "start": "2026-12-03T09:00:00Z"}
    address = f"{API}/my-calendar/items"
    items = [
        (await office.client.post(address, json=form, headers=office.bearer(PERSON))).json() for _ in range(9)
    ]
    async with office.store.begin() as connection:
        await bury(connection, [a_letter(each) for each in range(LETTERS)], now=office.clock.now())
    return {
        "integration_id": [integration_id],
        "run": [row["id"] for row in await office.rows(runs)],
        "key": [f"appointment:{one['id']}" for one in items],
        "letter_id": [row["id"] for row in await office.rows(dead_letters)],
        "record_id": [await a_record(office)],
        "question_id": [await asked_of(office, integration_id) for _ in range(9)],
    }


def test_the_api_does_what_its_description_says(asking: Asking) -> None:
    """No operation fails, answers what is not described, or takes what it says that it refuses."""
    schema = schemathesis.openapi.from_url(f"{asking.served.address}{API}/openapi.json")
    found: list[Any] = list(schema.get_all_operations())
    operations = sorted((one.ok() for one in found), key=_deleting_last)
    assert len(operations) > 25
    for operation in operations:
        _try(operation, asking)


def _deleting_last(operation: Any) -> bool:
    return bool(operation.label == LAST)


def _try(operation: Any, asking: Asking) -> None:
    @settings(
        max_examples=asking.examples, deadline=None, database=None, derandomize=True,
        suppress_health_check=list(HealthCheck), phases=[Phase.generate],
    )  # fmt: skip
    @given(case=operation.as_strategy(), existing=st.booleans(), place=st.integers(0, LETTERS - 1))
    def tried(case: Any, existing: bool, place: int) -> None:
        for name in case.path_parameters if existing else ():
            ids = asking.known[name]
            case.path_parameters[name] = ids[place % len(ids)]
        _ask(case, operation.label, asking)

    tried()


def _ask(case: Any, label: str, asking: Asking) -> None:
    answer = case.call(headers=asking.headers, timeout=60)
    try:
        case.validate_response(answer, headers=asking.headers)
    except FailureGroup as group:
        known = RejectedPositiveData if label in BEYOND_A_SCHEMA and answer.status_code == 422 else ()
        failures = [one for one in group.exceptions if not isinstance(one, known)]
        assert not failures, f"{label}\n{failures}\n{answer.status_code} {answer.text[:1000]}"


def test_every_error_is_described_as_problem_details(asking: Asking) -> None:
    """RFC 9457, in the description as on the wire."""
    schema = schemathesis.openapi.from_url(f"{asking.served.address}{API}/openapi.json")
    described = schema.raw_schema
    for path, verbs in described["paths"].items():
        for verb, operation in verbs.items():
            errors = {status: one for status, one in operation["responses"].items() if status >= "400"}
            assert {"401", "404", "422", "429"} <= set(errors), (verb, path)
            for one in errors.values():
                (kind,) = one["content"]
                assert kind == "application/problem+json", (verb, path)
                assert one["content"][kind]["schema"] == {"$ref": "#/components/schemas/Problem"}


def test_an_items_form_is_described_field_by_field(asking: Asking) -> None:
    """What is sent has no id, type or assignees; what is answered has all there is."""
    described = schemathesis.openapi.from_url(f"{asking.served.address}{API}/openapi.json").raw_schema
    verbs = described["paths"][f"{API}/my-calendar/items"]
    sent = verbs["post"]["requestBody"]["content"]["application/json"]["schema"]
    told = verbs["post"]["responses"]["201"]["content"]["application/json"]["schema"]
    assert {"title", "start", "end", "all_day", "time_zone", "private", "show_as"} <= set(sent["properties"])
    assert not {"id", "type", "assignees", "version"} & set(sent["properties"])
    assert {"id", "type", "assignees", "version", "read_only", "read_only_reason"} <= set(told["properties"])
    assert sent["required"] == ["title"]
