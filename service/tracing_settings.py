"""What OpenTelemetry's own variables say; all else about them is its SDK's to read."""

import os
import re
from urllib.parse import unquote

from service.addresses import secrets_of_address
from service.settings import SHORTEST_HIDDEN

_ADDRESSES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_HEADERS = ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS")


def tracing_asked() -> bool:
    """Whether the environment says where spans are to go; all about it is OpenTelemetry's SDK's to read."""
    off = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    exporter = os.environ.get("OTEL_TRACES_EXPORTER") or "otlp"
    return not off and exporter != "none" and any(os.environ.get(name) for name in _ADDRESSES)


def tracing_protocol() -> str:
    """How the environment wants spans to travel; empty where it does not say."""
    general = os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "")
    return os.environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or general


def tracing_secrets() -> frozenset[str]:
    """What the environment has OpenTelemetry send along, which its library may say where it is malformed."""
    said = [os.environ.get(name, "") for name in _HEADERS]
    words = [part.strip() for one in said for part in one.split(",")]
    words += [re.split("[=:]", one, maxsplit=1)[-1].strip() for one in words]
    for name in _ADDRESSES:
        words += secrets_of_address(os.environ.get(name, ""))
    return frozenset(one for word in words for one in (word, unquote(word)) if len(one) >= SHORTEST_HIDDEN)
