"""The documents are read by the official readers, which have nothing to say of them."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from contracts.generate import SCHEMAS_FOLDER
from tests.support.node import MODULES, run_node
from tests.support.office import Office
from tests.support.repository import ROOT

ASYNCAPI = SCHEMAS_FOLDER / "asyncapi.json"
SPECTRAL = str(MODULES / "@stoplight/spectral-cli/dist/index.js")
REDOCLY = str(MODULES / "@redocly/cli/bin/cli.js")
LONGEST_OPERATION_ID = 32
INFORMATION = "2 "
"""How the parser marks what is neither an error nor a warning: that there is a newer AsyncAPI."""


@pytest.fixture
async def openapi(tmp_path: Path, office: Office) -> Path:
    """The description as it is served, in a file."""
    served = await office.client.get("/api/v1/openapi.json")
    path = tmp_path / "openapi.json"
    path.write_text(served.text, encoding="utf-8")
    return path


def spectral(document: Path) -> list[dict[str, Any]]:
    read = run_node(SPECTRAL, "lint", "-r", "spectral.yaml", "-f", "json", "--quiet", str(document))
    found: list[dict[str, Any]] = json.loads(read.stdout[: read.stdout.rindex("]") + 1])
    return [one for one in found if one["severity"] < 2]


def redocly(document: Path) -> list[dict[str, Any]]:
    read = run_node(REDOCLY, "lint", "--config", "redocly.yaml", "--format", "json", str(document))
    found: list[dict[str, Any]] = json.loads(read.stdout[read.stdout.index("{") :])["problems"]
    return found


def test_the_official_parser_reads_the_asyncapi_document() -> None:
    """Without an error or a warning."""
    read = run_node("read_asyncapi.cjs", str(ASYNCAPI))

    assert read.returncode == 0, read.stderr
    assert [line for line in read.stdout.splitlines() if not line.startswith(INFORMATION)] == []


def test_linters_have_nothing_to_say_of_the_asyncapi_document() -> None:
    """Spectral and Redocly, with their recommended rules."""
    assert spectral(ASYNCAPI) == []
    assert redocly(ASYNCAPI) == []


async def test_linters_have_nothing_to_say_of_the_openapi_description(openapi: Path) -> None:
    """The same two."""
    assert spectral(openapi) == []
    assert redocly(openapi) == []


def test_the_readers_would_say_what_is_wrong(tmp_path: Path) -> None:
    """Each of them finds a document without channels, servers and a version."""
    broken = tmp_path / "asyncapi.json"
    broken.write_text(json.dumps({"asyncapi": "3.0.0", "info": {"title": "x"}}))

    assert spectral(broken)
    assert redocly(broken)
    assert "must have required property" in run_node("read_asyncapi.cjs", str(broken)).stdout


async def test_clients_can_be_generated_from_the_openapi_description(openapi: Path) -> None:
    """Short ids, each once; models under one name each; servers and both ways to sign in; typed times."""
    document = json.loads(openapi.read_text(encoding="utf-8"))  # noqa: ASYNC240 -- a test
    operations = [one for verbs in document["paths"].values() for one in verbs.values()]
    ids = Counter(one["operationId"] for one in operations)
    schemas = document["components"]["schemas"]
    titles = [one["title"] for one in schemas.values()]

    assert max(ids.values()) == 1
    assert all(name.isidentifier() and len(name) <= LONGEST_OPERATION_ID for name in ids)
    assert len({name.lower() for name in schemas}) == len(schemas)
    assert all(name.isidentifier() and "_" not in name for name in schemas)
    assert titles == list(schemas)
    assert [server["url"] for server in document["servers"]] == ["/"]
    assert all(len(one["security"]) == len(document["components"]["securitySchemes"]) for one in operations)
    timeless = [
        f"{name}.{field}"
        for name, schema in schemas.items()
        for field, form in schema.get("properties", {}).items()
        if (field.endswith("_at") or field == "at") and "date-time" not in json.dumps(form)
    ]
    assert timeless == []


def test_the_asyncapi_document_promises_what_is_sent() -> None:
    """Every exchange is in an operation, and no property is promised that no publisher of ours sets."""
    document = json.loads(ASYNCAPI.read_text())
    used = {one["channel"]["$ref"].removeprefix("#/channels/") for one in document["operations"].values()}

    assert used == document["channels"].keys()
    assert not any("bindings" in message for message in document["components"]["messages"].values())


def test_the_readers_lock_names_no_address() -> None:
    """Where packages come from is each machine's own setting."""
    assert "://" not in (ROOT / "tests" / "standards" / "package-lock.json").read_text(encoding="utf-8")
