"""What of an address may be said: passwords and parameters of it never are."""

import re
from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import unquote, unquote_plus

_PLAIN = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*://)(?:(?P<user>[^:/?#@]*)(?::[^/?#@]*)?(?P<at>@))?"
    r"(?P<place>(?:\[[^\]/?#@]*\]|[^:/?#@,]*)(?::\d*)?(?:,(?:\[[^\]/?#@]*\]|[^:/?#@,]*)(?::\d*)?)*"
    r"(?:/[^?#@]*)?)(?:[?#][^@]*)?"
)
_SECRET_PARAMETER = re.compile(r"pass|pwd|secret|token|key", re.IGNORECASE)


def shown_address(address: str) -> str:
    """The address without password and parameters; of an odd one nothing but what kind it is."""
    parts = _PLAIN.fullmatch(address)
    if parts is None:
        return f"{address.partition('://')[0]}://[hidden]"
    return f"{parts['scheme']}{parts['user'] or ''}{parts['at'] or ''}{parts['place']}"


def secrets_of_address(address: str) -> Iterable[str]:
    """Its password, as it is written and as it is meant, and the parameters that are secrets."""
    user, _, _ = address.partition("://")[2].rpartition("@")
    password = user.partition(":")[2]
    yield from (password, unquote(password))
    for parameter in re.split("[&;]", address.partition("?")[2]):
        name, _, word = parameter.partition("=")
        if _SECRET_PARAMETER.search(unquote(name)):
            yield from (word, unquote(word), unquote_plus(word))


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine is reached there."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def each_address(address: str) -> list[str]:
    """One address for each of several hosts, which stand between commas and share all the rest."""
    scheme, _, rest = address.partition("://")
    user, at, place = rest.rpartition("@")
    hosts, *path = re.split("(?=[/?#])", place, maxsplit=1)
    return [f"{scheme}://{user}{at}{host}{''.join(path)}" for host in hosts.split(",")]


def host_of(address: str) -> str:
    """The host, of several the first, without its port."""
    place = re.split("[/?#,]", address.partition("://")[2].rpartition("@")[2], maxsplit=1)[0]
    return place[1:].partition("]")[0] if place.startswith("[") else place.partition(":")[0]
