"""The kinds of value that settings have, and what makes one wrong."""

import ssl
from collections.abc import Callable
from typing import Annotated, Literal
from urllib.parse import parse_qsl, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, PositiveInt, SecretStr
from pydantic_settings import NoDecode

from service.addresses import each_address, host_of

UNCHECKED = "no_verify_ssl"
"""By which the library for RabbitMQ is told to trust anybody; whatever is said but 0 does it."""


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def one_of(prefixes: tuple[str, ...]) -> Callable[[str], str]:
    """A check that a value begins in one of these ways."""

    def check(value: str) -> str:
        if value.startswith(prefixes):
            return value
        raise ValueError(f"must begin with {' or '.join(prefixes)}")

    return check


def broker_address(value: str) -> str:
    """RabbitMQ's, with one host or several between commas, or the broker within the process."""
    value = one_of(("memory://", "amqp://", "amqps://"))(value)
    if not value.startswith("memory:") and not all(map(host_of, each_address(value))):
        raise ValueError("names no host, or none between two commas; such as amqp://user:password@one,two/")
    return value


def with_authorities(parameter: str, *, only_with: str) -> Callable[[str], str]:
    """A check that the file which this parameter of an address names holds certificates.

    ``only_with``: how the address begins where the parameter is heeded. Nothing may take TLS's checks away.
    """

    def check(value: str) -> str:
        given = parse_qsl(value.partition("?")[2], keep_blank_values=True)
        files = [file for name, file in given if name == parameter]
        if any(name == UNCHECKED and said != "0" for name, said in given):
            raise ValueError(f"{UNCHECKED} would take any server for the right one: leave it out")
        if len(files) > 1 or (files and not value.startswith(only_with)):
            raise ValueError(f"{parameter} belongs once into an address that begins with {only_with}")
        if files and files[0] != "system" and not _holds_certificates(files[0]):
            raise ValueError(
                f"{parameter} names no file that can be read and holds a certificate: {files[0] or 'nothing'}"
            )
        return value

    return check


def _holds_certificates(file: str) -> bool:
    if not file:
        return False
    try:
        ssl.create_default_context(cafile=file)
    except OSError:
        return False
    return True


def _web_address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be an address such as https://sync.example.com")
    if any(one in value for one in "@?#\\") or not all("!" <= one <= "~" for one in value):
        raise ValueError("must be an address without user, password, parameters or blanks")
    _ = parts.port  # raises ValueError where it is none
    return value.rstrip("/")


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


PortNumber = Annotated[int, Field(ge=0, le=65535)]
WebAddress = Annotated[str, AfterValidator(_web_address)]
SecretKeys = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split)]
LogLevel = Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)]
RetryDelays = Annotated[tuple[PositiveInt, ...], NoDecode, BeforeValidator(_split), Field(min_length=1)]
