"""The description of the API (OpenAPI) and that of the messages (AsyncAPI), as pages show them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.web.catalogue import Texts
from service.web.labels import LabelTexts
from service.web.pages.docs.finding import SearchedText
from service.web.pages.docs.schema_tables import KindWord, SchemaReader, SchemaTable

API_REFERENCE, MESSAGES_REFERENCE = "/docs/api", "/docs/messages"
API_TITLE = "The API"
MESSAGES_TITLE = "The messages"
PLACES: LabelTexts = Texts({"path": "in the address", "header": "header", "cookie": "cookie"})
"""Where a program puts a value that the API asks for."""
CHANNEL_ACTS: LabelTexts = Texts({"send": "sends here", "receive": "receives from here"})
VERBS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, kw_only=True, slots=True)
class DescribedParameter:
    """What stands in an address or its query."""

    name: str
    place: str
    required: bool
    kinds: Sequence[KindWord]
    said: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DescribedAnswer:
    """A status with what comes with it."""

    status: str
    said: str
    kinds: Sequence[KindWord]


@dataclass(frozen=True, kw_only=True, slots=True)
class DescribedRoute:
    """A verb of the API at an address."""

    anchor: str
    method: str
    path: str
    title: str
    said: str
    parameters: Sequence[DescribedParameter]
    body: Sequence[KindWord]
    answers: Sequence[DescribedAnswer]


@dataclass(frozen=True, kw_only=True, slots=True)
class DescribedMessage:
    """A message by its type, with what it carries."""

    anchor: str
    name: str
    said: str
    kinds: Sequence[KindWord]


@dataclass(frozen=True, kw_only=True, slots=True)
class DescribedChannel:
    """An exchange or a queue, and what travels there."""

    anchor: str
    name: str
    exchange: bool
    routing_key: str
    said: str
    acts: Sequence[str]
    messages: Sequence[tuple[str, str]]
    """Name and anchor."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiReference:
    """The whole API."""

    said: str
    routes: Sequence[DescribedRoute]
    tables: Sequence[SchemaTable]

    def texts(self) -> Iterator[SearchedText]:
        for one in self.routes:
            said = f"{one.method} {one.path} {one.said} {' '.join(each.name for each in one.parameters)}"
            address = f"{API_REFERENCE}#{one.anchor}"
            yield SearchedText(page=API_TITLE, title=one.title, address=address, text=said)
        yield from table_texts(self.tables, API_TITLE, API_REFERENCE)


@dataclass(frozen=True, kw_only=True, slots=True)
class MessagesReference:
    """All messages, and where they travel."""

    said: str
    channels: Sequence[DescribedChannel]
    messages: Sequence[DescribedMessage]
    tables: Sequence[SchemaTable]

    def texts(self) -> Iterator[SearchedText]:
        named = [(one.anchor, one.name, one.said) for one in self.channels]
        named += [(one.anchor, one.name, one.said) for one in self.messages]
        for anchor, name, said in named:
            address = f"{MESSAGES_REFERENCE}#{anchor}"
            yield SearchedText(page=MESSAGES_TITLE, title=name, address=address, text=said)
        yield from table_texts(self.tables, MESSAGES_TITLE, MESSAGES_REFERENCE)


def table_texts(tables: Sequence[SchemaTable], page: str, address: str) -> Iterator[SearchedText]:
    """Each object with its fields, to be looked through."""
    for one in tables:
        said = " ".join([one.said, *(f"{row.name} {row.said}" for row in one.fields)])
        yield SearchedText(page=page, title=one.name, address=f"{address}#{one.anchor}", text=said)


def read_api(document: Mapping[str, Any]) -> ApiReference:
    """An OpenAPI 3.1 document as its page shows it, in the document's order."""
    reader = SchemaReader(document=document)
    routes = [
        _route(reader, path, verb, verbs[verb])
        for path, verbs in document["paths"].items()
        for verb in VERBS
        if verb in verbs
    ]
    said = document["info"].get("description", "")
    return ApiReference(said=said, routes=routes, tables=reader.in_order())


def _route(reader: SchemaReader, path: str, verb: str, form: Mapping[str, Any]) -> DescribedRoute:
    parameters = [
        DescribedParameter(
            name=one["name"],
            place=one["in"],
            required=one.get("required", False),
            kinds=reader.kinds(one.get("schema", {})),
            said=one.get("description", ""),
        )
        for one in form.get("parameters", ())
    ]
    answers = [
        DescribedAnswer(status=status, said=one.get("description", ""), kinds=_content(reader, one))
        for status, one in form["responses"].items()
    ]
    return DescribedRoute(
        anchor=form["operationId"],
        method=verb.upper(),
        path=path,
        title=form.get("summary") or f"{verb.upper()} {path}",
        said=_plain(form.get("description", "")),
        parameters=parameters,
        body=_content(reader, form.get("requestBody", {})),
        answers=answers,
    )


def _content(reader: SchemaReader, form: Mapping[str, Any]) -> Sequence[KindWord]:
    schemas = [one["schema"] for one in form.get("content", {}).values() if "schema" in one]
    return reader.kinds(schemas[0]) if schemas else ()


def read_messages(document: Mapping[str, Any]) -> MessagesReference:
    """An AsyncAPI 3 document as its page shows it."""
    reader = SchemaReader(document=document)
    messages = [
        DescribedMessage(
            anchor=f"message-{name}",
            name=one.get("name", name),
            said=_plain(one.get("summary", "")),
            kinds=reader.kinds(one["payload"]),
        )
        for name, one in document["components"]["messages"].items()
    ]
    channels = [_channel(document, name, one) for name, one in document["channels"].items()]
    said = _plain(document["info"].get("description", ""))
    return MessagesReference(said=said, channels=channels, messages=messages, tables=reader.in_order())


def _channel(document: Mapping[str, Any], name: str, form: Mapping[str, Any]) -> DescribedChannel:
    reference = f"#/channels/{name.replace('~', '~0').replace('/', '~1')}"
    acts = [one["action"] for one in document["operations"].values() if one["channel"]["$ref"] == reference]
    known = document["components"]["messages"]
    return DescribedChannel(
        anchor=f"channel-{name}",
        name=name,
        exchange="exchange" in form.get("bindings", {}).get("amqp", {}),
        routing_key=form.get("address") or "",
        said=_plain(form.get("description", "")),
        acts=sorted(set(acts)),
        messages=[(known[one].get("name", one), f"message-{one}") for one in form.get("messages", {})],
    )


def _plain(text: str) -> str:
    return " ".join(text.replace("``", "").split())
