"""What a JSON schema allows, as tables that people read: one for each named object, led to by its name."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from contracts.generate import SCHEMAS_FOLDER

Schema = Mapping[str, Any]
RULE_WORDS: Mapping[str, str] = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "minLength": "not shorter than {}",
    "maxLength": "at most {} characters",
    "minItems": "at least {} of them",
    "maxItems": "at most {} of them",
    "pattern": "fits {}",
    "default": "left out: {}",
}
_TYPE_WORDS = {"array": "list", "integer": "whole number", "object": "object", "string": "text"}


@dataclass(frozen=True, kw_only=True, slots=True)
class KindWord:
    """A part of what a value may be; ``anchor`` where it has a table of its own."""

    word: str
    anchor: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldRow:
    """One field of an object."""

    name: str
    kinds: Sequence[KindWord]
    required: bool
    said: str
    rules: Sequence[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class SchemaTable:
    """A named object, or a closed set of words."""

    name: str
    anchor: str
    said: str
    fields: Sequence[FieldRow]
    kinds: Sequence[KindWord]
    """What it is, where it is no object."""


@cache
def schema_document(name: str) -> Schema:
    """A file of contracts/schemas; KeyError where there is none of that name."""
    if name not in {path.name for path in SCHEMAS_FOLDER.glob("*.json")}:
        raise KeyError(name)
    found: Schema = json.loads((SCHEMAS_FOLDER / name).read_text(encoding="utf-8"))
    return found


@dataclass(kw_only=True)
class SchemaReader:
    """Reads the schemas of one document, and collects the tables that are led to."""

    document: Schema
    tables: dict[tuple[str, str], SchemaTable] = field(default_factory=dict)
    """By name and content: what stands in several files alike is one."""

    def kinds(self, schema: Schema, within: str = "") -> Sequence[KindWord]:
        """What a value may be; ``within`` is the file in which the schema stands."""
        return tuple(self._kinds(schema, within))

    def _kinds(self, schema: Schema, within: str) -> Iterator[KindWord]:
        if "$ref" in schema:
            yield self._led(schema["$ref"], within)
        elif choices := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
            for place, choice in enumerate(choices):
                if place:
                    yield KindWord(word=" or ")
                yield from self._kinds(choice, within)
        elif schema.get("type") == "array" and schema.get("items"):
            yield KindWord(word="list of ")
            yield from self._kinds(schema["items"], within)
        else:
            yield KindWord(word=_plain_kind(schema))

    def _led(self, reference: str, within: str) -> KindWord:
        file, _, pointer = reference.partition("#")
        file = file or within
        schema = self.found(file, pointer)
        name = pointer.rpartition("/")[2] or str(schema.get("title") or file.removesuffix(".json"))
        key = name, json.dumps(schema, sort_keys=True)
        if key not in self.tables:
            namesakes = sum(known == name for known, _ in self.tables)
            anchor = f"schema-{name}-{namesakes}" if namesakes else f"schema-{name}"
            self.tables[key] = SchemaTable(name=name, anchor=anchor, said="", fields=(), kinds=())
            self.tables[key] = self._table(name, anchor, schema, file)
        return KindWord(word=name, anchor=self.tables[key].anchor)

    def found(self, file: str, pointer: str) -> Schema:
        """What a reference leads to. Raises KeyError where that is nothing."""
        schema: Any = schema_document(file) if file else self.document
        for step in pointer.strip("/").split("/") if pointer else ():
            schema = schema[step.replace("~1", "/").replace("~0", "~")]
        return schema  # type: ignore[no-any-return]

    def _table(self, name: str, anchor: str, schema: Schema, file: str) -> SchemaTable:
        required = schema.get("required", ())
        rows = [
            FieldRow(
                name=field_name,
                kinds=self.kinds(one, file),
                required=field_name in required,
                said=_said(one),
                rules=_rules(one),
            )
            for field_name, one in schema.get("properties", {}).items()
        ]
        kinds = () if rows else self.kinds({**schema, "title": ""}, file)
        return SchemaTable(name=name, anchor=anchor, said=_said(schema), fields=rows, kinds=kinds)

    def in_order(self) -> Sequence[SchemaTable]:
        """All that were led to, by name."""
        return sorted(self.tables.values(), key=lambda table: (table.name, table.anchor))


def _plain_kind(schema: Schema) -> str:
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return ", ".join(json.dumps(value) for value in schema["enum"])
    given = schema.get("type", "anything")
    types = [given] if isinstance(given, str) else given
    word = " or ".join(_TYPE_WORDS.get(one, one) for one in types)
    return f"{word} ({schema['format']})" if "format" in schema else word


def _said(schema: Schema) -> str:
    return " ".join(str(schema.get("description", "")).replace("``", "").split())


def _rules(schema: Schema) -> Sequence[str]:
    """Its limits, also those of what it may be beside null, or of what is in it."""
    inner = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    alone = {**inner[0], **schema} if len(inner) == 1 else schema
    return [
        words.format(_value(name, alone[name]))
        for name, words in RULE_WORDS.items()
        if alone.get(name) is not None
    ]


def _value(name: str, value: object) -> str:
    if name == "pattern":
        return str(value)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else json.dumps(value)
