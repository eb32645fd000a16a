"""What the API's description says of an item's form; its rules are the messages' own."""

from collections.abc import Mapping
from typing import Any, Literal

from contracts.vorex import DAY_FIELDS, ItemContent

JsonSchema = dict[str, Any]
OWN_FIELDS = frozenset({"id", "type", "assignees"})
"""What a person who adds or changes an appointment does not say; given all the same, it is overlooked."""
ANSWER_ONLY_FIELDS = {
    "version": {"type": "integer", "minimum": 1},
    "read_only": {"type": "boolean"},
    "read_only_reason": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    "guests": {"type": "integer", "minimum": 0},
    "join_url": {"anyOf": [{"type": "string"}, {"type": "null"}]},
}


def _whole(schema: Any, known: Mapping[str, Any]) -> Any:
    """Without references: FastAPI looks for them in a place of its own."""
    if isinstance(schema, list):
        return [_whole(one, known) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _whole(known[schema["$ref"].rpartition("/")[2]], known)
    return {name: _whole(one, known) for name, one in schema.items()}


def _fields(mode: Literal["validation", "serialization"] = "validation") -> dict[str, JsonSchema]:
    schema = ItemContent.model_json_schema(mode=mode)
    fields: dict[str, JsonSchema] = _whole(schema["properties"], schema["$defs"])
    return {name: _said(one) for name, one in fields.items()}


def _said(field: JsonSchema) -> JsonSchema:
    return {name: one for name, one in field.items() if name not in {"title", "default"}}


def _or_null(field: JsonSchema) -> JsonSchema:
    return field if "anyOf" in field else {"anyOf": [field, {"type": "null"}]}


def given_item_schema() -> JsonSchema:
    """What is sent; null says the same as leaving a field out, and only the subject cannot be."""
    fields = {name: one for name, one in _fields().items() if name not in {*OWN_FIELDS, "title"}}
    optional = {name: _or_null(one) for name, one in fields.items()}
    return {
        "title": "AppointmentForm",
        "type": "object",
        "properties": {"title": _fields("serialization")["title"], **optional},
        "required": ["title"],
    }


def answered_item_schema() -> JsonSchema:
    """What is answered: the item whole."""
    told = {name: one for name, one in _fields("serialization").items() if name not in DAY_FIELDS}
    properties = {**told, **ANSWER_ONLY_FIELDS}
    return {"title": "Item", "type": "object", "properties": properties, "required": [*properties]}
