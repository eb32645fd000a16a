"""What the service says of itself: log lines with names from one closed list, and metrics."""

import json
import logging
import re
import sys
from collections.abc import Collection, Mapping, MutableMapping
from typing import Any, Literal, TextIO

import structlog

from service.telemetry.terminal import printable

EventName = Literal[
    # -- processes --
    "process.starting",  # the first line of a long-running command: its version, and the port of its health
    "process.started",  # a long-running command is up: its settings (secrets as set / not set), its port
    "process.stopping",  # asked to stop: nothing new is taken
    "process.stopped",  # what was in hand is finished or given back
    "setting.unknown",  # a CALENDAR_SYNC_ name that is no setting, with the nearest one that is
    "tracing.started",  # spans go to the collector that OpenTelemetry's variables name
    "tracing.unavailable",  # they name one, but no span can be made or sent: why, and what to do
    "library.said",  # a line that a library wrote to Python's own logging
    # -- broker --
    "broker.connected",  # one of the two connections is open
    "broker.disconnected",  # a connection was lost; it is opened again
    "broker.unreachable",  # an attempt to connect failed; the next one follows with back-off
    "broker.blocked",  # RabbitMQ refuses publishing for lack of memory or disk
    "broker.unblocked",  # and takes messages again
    "consumer.started",  # deliveries of a queue can arrive
    "consumer.refused",  # RabbitMQ did not let us consume; tried again
    "consumer.stuck",  # messages wait but none arrives: the channel is rebuilt
    "consumer.paused",  # the brake or the breaker: no message is taken for a while, or the window went back
    "consumer.resumed",  # messages are taken again
    "consumer.lost",  # the channel of a consumer is gone with all that was unsettled on it
    # -- outbox --
    "outbox.held",  # nothing is sent: no queue takes the next message; the topology must be mended
    "outbox.delayed",  # broker or database hinder the sending; it is tried again
    "statistics.delayed",  # PostgreSQL did not examine a table that has grown; it does so by itself, later
    # -- keeper --
    "keeper.hindered",  # a chore could not be done this time; it is tried again
    # -- messages --
    "message.waiting",  # database or broker is gone: nothing is acknowledged until it is back
    "letter.replayed",  # an operator sent a dead letter's message again
    "letter.imported",  # a message that RabbitMQ gave up was made a dead letter
    "message.settled",  # one message is done with: queue, id, attempt, outcome, reason, duration
    "messages.settled",  # many at once, all of them plainly: how many by outcome, and which
    "notice.unknown_integration",  # a notice names an integration that is not, or no longer, here
    "notice.misdirected",  # a signed notice came to the address of an integration that it was not made for
    "notice.erasure_requested",  # the account's owner asked to be forgotten: done within the hour
    # -- Cronofy --
    "cronofy.down",  # call after call failed: nothing is sent until a probe is answered
    "cronofy.back",  # Cronofy answers again
    "budget.halved",  # Cronofy answered 429 for two integrations within 10 s; recovers step by step
    "cronofy.row_unreadable",  # a row of a read was left out: which field breaks which rule, never its text
    "keys.wrong",  # no key of ENCRYPTION_KEYS opens a stored token: nothing is taken until one does
    "keys.right",  # every stored token can be opened again
    # -- relay and pages --
    "relay.refused",  # a notice was not taken: the status it was answered with, and why
    "consent.left",  # Cronofy could not be asked to forget what nobody confirmed; it is asked again
    "authorisation.left",  # a deleted integration's account may still be open to us: refused, or no answer
    "grant.abandoned",  # what nobody needs cannot be read, or was asked to end for an hour: it may live on
    "channel.missing",  # Cronofy's notices for an integration could not be asked for; the keeper asks again
    "texts.forgotten",  # what a person's deleted items said was blanked: how many items, who did it
    "record.not_genuine",  # a record of removal was changed since it was signed: which, why
    "sessions.ended",  # an operator signed somebody or everybody out: how many sessions, who did it
    "web.refused",  # someone could not be signed in or showed an invalid token: the rule, never the token
    "web.failed",  # a request failed by a fault of ours or of a server behind us: address, exception
    # -- inbound --
    "copies.left_out",  # more copies of others lie at a page's moments than it is compared with
    # -- outbound --
    "outbound.fault",  # something that nobody foresaw: its kind, frames and messages, never its words
]
"""Every log event there is, each with its meaning."""

MESSAGE_WAITING: EventName = "message.waiting"
HIDDEN_VALUE = "[hidden]"
_PRIVATE_KEY = re.compile(
    r"(^|_)(authorization|body|cookie|description|encryption_keys?|hmac|password|secret|summary|title|token)$",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"://[^\s\"']++")
_BEFORE_PASSWORD = re.compile(r"://[^/:@]*+:")
_SECRET_WORD = "pass|pwd|secret|token|key"  # noqa: S105 -- parts of names
_SECRET_TEXT = re.compile(
    rf"(?P<parameter>[?&;](?:(?!{_SECRET_WORD})[\w.-])*+(?:{_SECRET_WORD})[\w.-]*+=)[^\s&;#\"']++"
    r"|(?P<bearer>\bBearer\s++)\S++"
    r"|\bgAAAA[\w-]{20,}+=*+"  # what Fernet encrypted
    r"|(?P<field>\b(?:access_token|refresh_token|client_secret|code)[\"']?+\s*+[=:]\s*+[\"']?+)[^\s\"'&,}]++"
)
_WEB_TOKEN = re.compile(r"(?<![\w-])(?P<before>(?:(?!\beyJ)[\w-])*+)eyJ[\w-]++\.[\w-]++\.[\w-]*+")
"""Each of these begins where none of its kind has begun before, so that a long line takes no time."""


def set_up(*, stream: TextIO | None = None, level: str = "info", secrets: Collection[str] = ()) -> None:
    """Every line goes to standard error from now on: readable on a terminal, else one JSON object each.

    ``secrets``: words that no line may say, wherever they come from.
    """
    stream = stream or sys.stderr
    on_terminal = (only_printable, structlog.dev.ConsoleRenderer())
    rendering = on_terminal if stream.isatty() else (structlog.processors.JSONRenderer(),)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            hide_secrets,
            *rendering,
            _Unsaid(secrets),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(file=stream),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[_Libraries()], level=logging.WARNING, force=True)


def hide_secrets(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The last net: no secret, token or text of an item passes, whoever put it into a line."""
    return {name: value if name == "event" else _cleaned(name, value) for name, value in line.items()}


def only_printable(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """For a terminal: no value steers it, and none but an exception has more than one line."""
    return {printable(name): _printable_value(name, value) for name, value in line.items()}


def _printable_value(name: str, value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value if isinstance(value, str) else repr(value)
    lines = text.split("\n") if name in {"exception", "stack"} else [text]
    return "\n".join(map(printable, lines))


def _cleaned(name: str, value: object) -> object:
    if _PRIVATE_KEY.search(name) and value is not None and not isinstance(value, Mapping | bool):
        return value if value in ("set", "not set") else HIDDEN_VALUE
    if isinstance(value, Mapping):
        return {inner: _cleaned(str(inner), each) for inner, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_cleaned("", each) for each in value]
    return _without_secrets(value) if isinstance(value, str) else value


def _without_secrets(text: str) -> str:
    text = _ADDRESS.sub(_without_password, _WEB_TOKEN.sub(_hidden, text))
    return _SECRET_TEXT.sub(_hidden, text)


def _without_password(found: re.Match[str]) -> str:
    """Of an address all between its user and its last ``@``."""
    address = found[0]
    end = address.rfind("@")
    user = _BEFORE_PASSWORD.search(address, 0, max(end, 0))
    return f"{address[: user.end()]}{HIDDEN_VALUE}{address[end:]}" if user and user.end() < end else address


def _hidden(found: re.Match[str]) -> str:
    return "".join(kept for kept in found.groupdict().values() if kept) + HIDDEN_VALUE


class _Unsaid:
    """Hides these very words in a line as it would be written."""

    def __init__(self, words: Collection[str]) -> None:
        escaped = {json.dumps(word)[1:-1] for word in words}
        longest_first = sorted({*words, *escaped} - {""}, key=len, reverse=True)
        self._words = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def __call__(self, _logger: object, _method: str, line: Any) -> Any:
        return self._words.sub(HIDDEN_VALUE, line) if self._words else line


class _Libraries(logging.Handler):
    """Passes on what libraries log, as one of our own lines."""

    def emit(self, record: logging.LogRecord) -> None:
        logger = structlog.get_logger()
        name: EventName = "library.said"
        logger.log(
            record.levelno, name, logger=record.name, said=record.getMessage(), exc_info=record.exc_info
        )
