"""Which version of the service this is."""

from importlib.metadata import PackageNotFoundError, version

DISTRIBUTION = "vorex-calendar-sync"


def installed_version() -> str:
    """As the installed package says; ``unknown`` where it runs without having been installed."""
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "unknown"


VERSION = installed_version()
