"""Writes contracts/schemas/ from the models: ``python -m contracts.generate``."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from contracts import asyncapi
from contracts.envelope import Message

SCHEMAS_FOLDER = Path(__file__).parent / "schemas"
CONTRACT_VERSION = "1.0.0"
"""Of the contracts, not of the program: the first number changes when a reader would break."""


def schema_files() -> Mapping[str, str]:
    """Each file of contracts/schemas/ with the content it must have."""
    documents = {f"{name}.json": _schema(model) for name, model in asyncapi.MESSAGE_MODELS.items()}
    documents["asyncapi.json"] = asyncapi.document(CONTRACT_VERSION)
    return {name: json.dumps(form, indent=2, ensure_ascii=False) + "\n" for name, form in documents.items()}


def _schema(model: type[Message]) -> dict[str, Any]:
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema()}


def main() -> None:
    SCHEMAS_FOLDER.mkdir(exist_ok=True)
    for name, content in schema_files().items():
        (SCHEMAS_FOLDER / name).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
