"""Log lines: closed names, standard error, and nothing secret in them."""

import ast
import io
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from service.telemetry import logs
from service.telemetry.logs import HIDDEN_VALUE, EventName, hide_secrets, set_up

SERVICE = Path(logs.__file__).parents[1]
METHODS = {"debug", "info", "warning", "error", "exception", "critical", "ainfo", "awarning", "aerror"}


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    set_up(stream=stream)
    yield stream
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def spoken(call: ast.Call) -> Iterator[str]:
    """The event names that a logging call may use."""
    if isinstance(call.func, ast.Attribute) and call.func.attr in METHODS and call.args:
        words = [node.value for node in ast.walk(call.args[0]) if isinstance(node, ast.Constant)]
        yield from (word for word in words if isinstance(word, str))


def is_logger(call: ast.Call) -> bool:
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    return getattr(owner, "id", getattr(owner, "attr", "")) in {"log", "_log", "logger", "_logger"}


def test_every_event_in_the_code_is_on_the_closed_list() -> None:
    """A name that nobody explained is not logged."""
    used = {
        f"{path.relative_to(SERVICE)}: {name}"
        for path in SERVICE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and is_logger(node)
        for name in spoken(node)
        if name not in get_args(EventName)
    }

    assert used == set()


def test_every_event_name_says_what_it_means() -> None:
    """A comment beside each, on its own line."""
    source = Path(logs.__file__).read_text(encoding="utf-8")

    explained = re.findall(r'^    "([a-z_]+\.[a-z_]+)",  # \S', source, re.MULTILINE)

    assert explained == list(get_args(EventName))


def test_a_line_is_one_json_object_where_nobody_watches(lines: io.StringIO) -> None:
    """With time, level and whatever was bound."""
    structlog.get_logger("any").info("message.settled", queue="q", attempt=2)

    line = json.loads(lines.getvalue())

    assert (line["event"], line["level"], line["queue"], line["attempt"]) == (
        "message.settled",
        "info",
        "q",
        2,
    )
    assert line["timestamp"].endswith("Z")


def test_r27_a_secret_of_the_settings_passes_nowhere(lines: io.StringIO) -> None:
    """Known word for word: in whatever text, key or traceback, also where JSON writes it otherwise."""
    set_up(stream=lines, secrets=["tell-tale", 'quoted"word'])

    structlog.get_logger().info("message.settled", reason="was tell-tale", more={"list": ['a quoted"word']})
    structlog.get_logger().error("message.settled", exc_info=RuntimeError("tell-tale"))

    assert "RuntimeError" in lines.getvalue()
    assert "tale" not in lines.getvalue()
    assert "word" not in lines.getvalue()


def test_how_much_is_said_can_be_chosen(lines: io.StringIO) -> None:
    """LOG_LEVEL: that much and all that is graver; libraries never say more than warnings."""
    set_up(stream=lines, level="error")
    structlog.get_logger().warning("message.settled")
    logging.getLogger("aio_pika").warning("chatter")
    assert lines.getvalue() == ""

    set_up(stream=lines, level="debug")
    structlog.get_logger().debug("message.settled")
    logging.getLogger("aio_pika").info("chatter")
    assert len(lines.getvalue().splitlines()) == 1


def test_what_libraries_log_becomes_a_line_of_ours(lines: io.StringIO) -> None:
    """Warnings only, without the passwords in their addresses."""
    logging.getLogger("aio_pika").info("chatter")
    logging.getLogger("aio_pika").warning("lost %s", "amqp://guest:word@host/")

    line = json.loads(lines.getvalue())

    assert (line["event"], line["logger"], line["level"]) == ("library.said", "aio_pika", "warning")
    assert line["said"] == f"lost amqp://guest:{HIDDEN_VALUE}@host/"


def test_an_exception_is_told_without_its_secrets(lines: io.StringIO) -> None:
    """Its traceback passes the same net."""
    failure = RuntimeError('refresh_token="word-1" and Bearer word-2')

    structlog.get_logger().error("message.settled", exc_info=failure)

    assert "RuntimeError" in lines.getvalue()
    assert "word-" not in lines.getvalue()


@pytest.mark.parametrize(
    "secret",
    [
        {"access_token": "word"},
        {"cronofy_client_secret": ("word", "older")},
        {"title": "word"},
        {"request": {"headers": {"Authorization": "word"}}},
        {"rows": [{"description": "word"}]},
        {"encryption_keys": ["word"]},
        {"said": "postgresql+asyncpg://user:word@db/x"},
        {"said": "code=word&state=1"},
        {"said": "postgresql+asyncpg://db/x?user=me&password=word"},
        {"said": "postgresql+asyncpg://db/x?sslpassword=word&user=me"},
        {"said": "amqps://broker/?client_key=word"},
        {"said": "amqp://me:wo/word@broker/"},
        {"said": "amqp://me:wo@word@broker/"},
    ],
)
def test_no_secret_passes_the_net(secret: dict[str, Any]) -> None:
    """By the name of its field or by its looks, at any depth."""
    cleaned = str(hide_secrets(None, "info", secret))

    assert HIDDEN_VALUE in cleaned
    assert "word" not in cleaned.replace("password", "")


@given(
    st.dictionaries(st.sampled_from(["queue", "attempt", "reason", "code"]), st.integers() | st.booleans())
)
def test_what_is_not_secret_passes_unchanged(line: dict[str, Any]) -> None:
    """The net has no holes and no lids."""
    assert hide_secrets(None, "info", dict(line)) == line


def test_set_and_not_set_may_be_said_of_a_secret() -> None:
    """The summary of the settings is logged at start."""
    summary = {"settings": {"sign_in_secret": "set", "encryption_keys": "not set"}}

    assert hide_secrets(None, "info", dict(summary)) == summary
