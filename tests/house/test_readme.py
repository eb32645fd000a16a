"""The README is short, and what it tells of the tree and the settings is so."""

import re

import pytest

from contracts.calendar import LinkState
from tests.support.repository import ROOT, setting_defaults

README = (ROOT / "README.md").read_text(encoding="utf-8")
LARGEST = 14 * 1024
NAMED = re.compile(r"`([a-z_]+)`")
LINKED = re.compile(r"\]\((service/[a-z_]+)/?\)")
TABLE_ROW = re.compile(r"^\| ([^|]+) \| (.+) \|$", re.MULTILINE)


def _section(title: str) -> str:
    _, _, behind = README.partition(f"\n## {title}\n")
    return behind.partition("\n## ")[0]


def _rows(title: str) -> dict[str, str]:
    """The first column of a section's table, and the rest beside it."""
    return dict(TABLE_ROW.findall(_section(title))[2:])


def test_it_stays_short() -> None:
    """Whoever has more to tell has a page for it."""
    assert len(README.encode()) <= LARGEST


@pytest.mark.parametrize("room", ["contracts", "handlers"])
def test_the_map_names_every_module_of_the_small_rooms(room: str) -> None:
    """And none that is not there."""
    modules = {path.stem for path in (ROOT / room).glob("*.py")} - {"__init__"}
    told = NAMED.findall(_rows("The map")[f"[{room}/]({room})"])
    assert sorted(told) == sorted(modules)


def test_the_map_names_every_room_of_the_service() -> None:
    """And none that is not there."""
    rooms = {f"service/{path.parent.name}" for path in (ROOT / "service").glob("*/__init__.py")}
    told = LINKED.findall(_section("The map"))
    assert sorted(told) == sorted(rooms)


def test_the_settings_are_told_with_their_defaults() -> None:
    """Each name once, and nothing that is no setting; of OpenTelemetry's what switches it on."""
    told = {name: said for names, said in _rows("Settings").items() for name in names.split(", ")}
    wanted = setting_defaults() | {"OTEL_EXPORTER_OTLP_ENDPOINT": "none"}

    assert told.keys() == wanted.keys()
    assert {name for name, default in wanted.items() if default not in told[name]} == set()


def test_the_states_of_a_link_are_told() -> None:
    """Every one of them, in the life of one message."""
    _, _, life = _section("The life of one message").partition("**A link**")
    assert {state for state in LinkState if f" {state.value}" not in life} == set()
