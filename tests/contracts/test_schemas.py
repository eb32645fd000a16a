"""The published schemas, the AsyncAPI document and the samples agree with the models."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from contracts.asyncapi import MESSAGE_MODELS, document
from contracts.envelope import Message, decode, encode
from contracts.generate import SCHEMAS_FOLDER, schema_files
from contracts.vorex import Action, ItemType

SAMPLES = sorted((Path(SCHEMAS_FOLDER).parent / "samples").glob("*.json"))
BY_TYPE = {model.type_word(): (name, model) for name, model in MESSAGE_MODELS.items()}


def read(sample: Path) -> tuple[dict[str, Any], str, type[Message]]:
    form = json.loads(sample.read_text(encoding="utf-8"))
    return (form, *BY_TYPE[form["type"]])


def test_the_schema_files_are_current() -> None:
    """`python -m contracts.generate` was run after the last change of a model."""
    stored = {path.name: path.read_text(encoding="utf-8") for path in SCHEMAS_FOLDER.glob("*.json")}

    assert stored == dict(schema_files())


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_satisfies_schema_and_model_alike(sample: Path) -> None:
    """A publisher who follows the schema is understood."""
    form, name, model = read(sample)
    schema = json.loads((SCHEMAS_FOLDER / f"{name}.json").read_text(encoding="utf-8"))

    jsonschema.Draft202012Validator(schema).validate(form)

    assert decode(json.dumps(form).encode(), expected=model).id == form["id"]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_what_is_encoded_again_satisfies_the_schema(sample: Path) -> None:
    """This service publishes what it documents."""
    form, name, model = read(sample)
    schema = json.loads((SCHEMAS_FOLDER / f"{name}.json").read_text(encoding="utf-8"))

    written = json.loads(encode(decode(json.dumps(form).encode(), expected=model)))

    jsonschema.Draft202012Validator(schema).validate(written)


def test_there_is_a_sample_for_every_item_type_and_action() -> None:
    """And for each kind of message."""
    forms = [read(sample)[0] for sample in SAMPLES]
    items = [form["data"] for form in forms if "item" in form["data"]]

    pairs = {(data["item"]["type"], data["action"]) for data in items}

    assert pairs == {(kind.value, action.value) for kind in ItemType for action in Action}
    assert {form["type"] for form in forms} == set(BY_TYPE)


@pytest.mark.parametrize("field", ["title", "assignees"])
def test_the_schema_too_lets_only_deleted_items_be_bare(field: str) -> None:
    """The condition is in the schema, not only in the reader."""
    form = json.loads((SCHEMAS_FOLDER.parent / "samples" / "task-created.json").read_text(encoding="utf-8"))
    schema = json.loads((SCHEMAS_FOLDER / "item-changed.json").read_text(encoding="utf-8"))
    del form["data"]["item"][field]

    assert not jsonschema.Draft202012Validator(schema).is_valid(form)
    form["data"]["action"] = "deleted"
    assert jsonschema.Draft202012Validator(schema).is_valid(form)


def references(form: Any) -> Iterator[str]:
    if isinstance(form, dict):
        if isinstance(form.get("$ref"), str):
            yield form["$ref"]
        for value in form.values():
            yield from references(value)


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    """Inside the document by pointer, outside it to a schema file."""
    whole = document("1")
    for reference in references(whole):
        if not reference.startswith("#/"):
            assert (SCHEMAS_FOLDER / reference).is_file()
            continue
        place: Any = whole
        for part in reference[2:].split("/"):
            place = place[part]
        assert place


def test_the_asyncapi_document_has_the_parts_that_the_standard_asks_for() -> None:
    """Version 3, a title, channels with an address, operations with an action."""
    whole = document("1")

    assert whole["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= whole["info"].keys()
    assert all(
        {"address", "messages", "bindings"} <= channel.keys() for channel in whole["channels"].values()
    )
    assert {operation["action"] for operation in whole["operations"].values()} == {"send", "receive"}


def test_the_asyncapi_document_names_every_exchange_that_messages_are_sent_to() -> None:
    """The models and the document know the same exchanges."""
    channels = document("1")["channels"]

    assert {model.exchange for model in MESSAGE_MODELS.values()} < channels.keys()
