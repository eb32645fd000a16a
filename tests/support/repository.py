"""Where the repository's own files lie, and what its documents must tell of them."""

from pathlib import Path

from service.settings import Settings

ROOT = Path(__file__).resolve().parents[2]


def setting_defaults() -> dict[str, str]:
    """Every setting with its default as a table shows it; nothing where it has none."""
    found = {}
    for name, field in Settings.model_fields.items():
        default = field.default
        if isinstance(default, tuple):
            default = ",".join(map(str, default))
        found[name.upper()] = "" if default is None else str(default)
    return found
