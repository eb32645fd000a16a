"""The doctor's look at the settings: what is missing, misspelt, weak, or leads nowhere."""

from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from service.addresses import host_of, is_loopback, secrets_of_address
from service.app.check_results import CheckResult, failed, well
from service.settings import CommandName, Settings, shortcomings

SETTINGS_REMEDY = "set them in the environment, in .env or in the folder of secrets"
WELL_KNOWN_PASSWORDS = frozenset({"guest", "postgres", "rabbitmq", "password", "changeme", "secret", "admin"})


def look_at_settings(settings: Settings, unknown: Sequence[str]) -> CheckResult:
    """``unknown``: a sentence for each name that is no setting."""
    lines = [*_lacking(settings), *unknown, *_unreachable(settings), *_guessed(settings)]
    if not lines:
        return well("settings", "complete")
    return failed("settings", "; ".join(lines), SETTINGS_REMEDY)


def _lacking(settings: Settings) -> Iterable[str]:
    commands: Sequence[CommandName] = ("up",) if settings.embedded_broker else ("consume", "relay", "web")
    found = {line.split(";")[0]: line for command in commands for line in shortcomings(settings, command)}
    return found.values()


def _unreachable(settings: Settings) -> Iterable[str]:
    """Cronofy sends notices and people back; it cannot do so to this machine's own address."""
    if is_loopback(urlsplit(settings.cronofy_api_url).hostname or ""):
        return
    name = "NOTICES_URL" if settings.notices_url else "PUBLIC_URL"
    if is_loopback(urlsplit(settings.notices_base).hostname or ""):
        yield (
            f"CALENDAR_SYNC_{name}: Cronofy cannot reach {settings.notices_base}; "
            "it must be an address that the internet reaches"
        )


def _guessed(settings: Settings) -> Iterable[str]:
    for name in ("database_url", "broker_url"):
        address = getattr(settings, name)
        if address.startswith(("sqlite", "memory")) or is_loopback(host_of(address)):
            continue
        user = address.partition("://")[2].rpartition("@")[0].partition(":")[0]
        if any(word and word in {user, *WELL_KNOWN_PASSWORDS} for word in secrets_of_address(address)):
            variable = f"CALENDAR_SYNC_{name.upper()}"
            yield f"{variable}: the password can be guessed; make one with: openssl rand -hex 24"
