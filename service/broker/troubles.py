"""Why RabbitMQ lets nobody in, and what to do about it."""

import socket
import ssl

from aiormq.exceptions import (
    AuthenticationError,
    ConnectionNotAllowed,
    InvalidFrameError,
    ProbableAuthenticationError,
)

URL_SETTING = "CALENDAR_SYNC_BROKER_URL"
BrokerTrouble = tuple[str, str]
"""What is wrong, and the remedy."""

_KINDS: tuple[tuple[type[Exception], str, str], ...] = (
    (
        ProbableAuthenticationError,
        "RabbitMQ refuses this user or password",
        f"correct both in {URL_SETTING}; guest is let in from RabbitMQ's own machine alone",
    ),
    (
        AuthenticationError,
        "RabbitMQ does not take a user with a password",
        "allow the mechanism PLAIN in its settings",
    ),
    (
        ConnectionNotAllowed,
        "RabbitMQ has no such virtual host, or this user may not use it",
        f"correct the end of {URL_SETTING}, or: rabbitmqctl add_vhost and rabbitmqctl set_permissions",
    ),
    (
        ssl.SSLCertVerificationError,
        "RabbitMQ shows a certificate that is not trusted",
        f"name the authority that signed it: {URL_SETTING}=amqps://…?cafile=/path/ca.pem",
    ),
    (ssl.SSLError, "RabbitMQ does not speak TLS there", f"amqp:// or another port in {URL_SETTING}"),
    (socket.gaierror, "RabbitMQ's host is not known", f"correct the host in {URL_SETTING}"),
    (TimeoutError, "RabbitMQ does not answer", f"check host and port in {URL_SETTING}, and firewalls"),
)
_OTHER_HOST = frozenset({62, 64})
"""OpenSSL's numbers for a certificate of another name, and of another address."""
_NOT_ALLOWED, _NOT_OPENED = "NOT_ALLOWED", "Connection.OpenOk"
"""RabbitMQ's word, where the library has made nothing of it yet; what it expected in place of the refusal."""
_ANY: BrokerTrouble = ("RabbitMQ cannot be reached", f"check {URL_SETTING}, and that RabbitMQ runs")


def trouble_of(error: BaseException) -> BrokerTrouble:
    """In words of our own: those of the error may hold a password."""
    for each in _causes(error):
        if isinstance(each, ssl.SSLCertVerificationError) and each.verify_code in _OTHER_HOST:
            return (
                f"RabbitMQ shows a certificate for another host ({type(error).__name__})",
                f"name in {URL_SETTING} the host that the certificate names",
            )
        for kind, said, remedy in _KINDS:
            if isinstance(each, kind) or (kind is ConnectionNotAllowed and _is_refusal(each)):
                return f"{said} ({type(error).__name__})", remedy
    return f"{_ANY[0]} ({type(error).__name__})", _ANY[1]


def _is_refusal(error: BaseException) -> bool:
    """Whether RabbitMQ closed the connection when the virtual host was to be opened."""
    said = str(error)
    return _NOT_ALLOWED in said or (isinstance(error, InvalidFrameError) and _NOT_OPENED in said)


def _causes(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
