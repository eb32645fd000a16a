"""The words that ``integrations`` takes and says."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from contracts.calendar import LogEntry
from service.cli.operator import operator_name
from service.cli.output import exit_wrong_usage, print_json, print_line
from service.integrations.settings_form import SyncRequest
from service.integrations.tenants.acts import NotedVerb, noted_act
from service.store.integrations.listing import Owner

JsonDocument = dict[str, Any]
ALL_OWNERS = Owner(tenant_id=None, user_id=None)
"""An operator at the command line sees and touches everyone's."""
IntegrationArgument = Annotated[str, typer.Argument(metavar="ID", help="As list shows it.")]
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="As runs shows it.")]


class StatusWord(StrEnum):
    """How an integration stands, as the API asks for it."""

    CONNECTED = "connected"
    NOT_CONNECTED = "not_connected"
    SETUP = "setup"
    PAUSED = "paused"
    WATCHING = "watching"
    HELD = "held"


class DeletedCopies(StrEnum):
    """What is to become of copies on the linked calendar."""

    KEEP = "keep"
    REMOVE = "remove"


def noted(verb: NotedVerb, integration_id: str) -> LogEntry:
    """What the integration's own log says of the operator's act (R47)."""
    return noted_act(f"operator {operator_name()}", verb, integration_id)


def range_request(retrieve: str | None, send: str | None) -> SyncRequest | None:
    """The ranges of a run; None where none is given: the last ones count."""
    if retrieve is None and send is None:
        return None
    form = {"retrieve": _range("--retrieve", retrieve), "send": _range("--send", send)}
    try:
        return SyncRequest.model_validate(form)
    except ValidationError as error:
        words = "; ".join(f"--{detail['loc'][0]}: {detail['msg']}" for detail in error.errors())
        exit_wrong_usage(words)


def _range(option: str, text: str | None) -> dict[str, str] | None:
    if text is None:
        return None
    past, comma, future = text.partition(",")
    if not comma:
        exit_wrong_usage(f"{option} {text}: must be two words such as today,1_month")
    return {"past": past, "future": future}


def say_whole(form: JsonDocument, *, as_json: bool) -> None:
    """A line for each thing that there is to say, in words."""
    if as_json:
        print_json(form)
        return
    for name, value in form.items():
        for line in _lines(name, value):
            print_line(line)


def _lines(name: str, value: object) -> Iterator[str]:
    """One, or where it holds groups one for each of these; none where nothing is said."""
    if isinstance(value, dict) and any(isinstance(each, dict) for each in value.values()):
        for inner, each in value.items():
            yield from _lines(f"{name} {inner}", each)
    elif value not in (None, [], {}):
        yield f"{name}: {_words(value)}"


def _words(value: object) -> str:
    """As people read it: *create yes, update no*."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_words(each)}" for name, each in value.items() if each is not None)
    if isinstance(value, list):
        return "; ".join(_words(each) for each in value)
    return str(value)


def say_more(page: JsonDocument) -> None:
    if page["next"]:
        print_line(f"more: --after {page['next']}")
