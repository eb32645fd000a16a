"""The README is short, and what it tells of the tree, the settings and the crash points is so."""

import re
from collections.abc import Iterable

import pytest

from contracts.calendar import LinkState
from service.settings import Settings
from tests.support.repository import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
LARGEST = 14 * 1024
NAMED = re.compile(r"`([a-z_]+)`")
LINKED = re.compile(r"\]\((service/[a-z_]+)/?\)")
CRASH_POINT = re.compile(r"\"((?:outbound|inbound|runs|tokens)\.\d+)\"")
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


def _defaults() -> Iterable[tuple[str, str]]:
    for name, field in Settings.model_fields.items():
        default = field.default
        if isinstance(default, tuple):
            default = ",".join(map(str, default))
        yield name.upper(), "" if default is None else str(default)


def test_the_settings_are_told_with_their_defaults() -> None:
    """Each name once, and nothing that is no setting."""
    told = {name: said for names, said in _rows("Settings").items() for name in names.split(", ")}
    wanted = dict(_defaults())

    assert told.keys() == wanted.keys()
    assert {name for name, default in wanted.items() if default not in told[name]} == set()


def test_the_crash_points_are_those_in_the_code() -> None:
    """A point that nobody tells of is a point that nobody has thought about."""
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "service").rglob("*.py"))
    assert set(_rows("What a crash leaves behind")) == set(CRASH_POINT.findall(code))


def test_the_states_of_a_link_are_told() -> None:
    """Every one of them, in the life of one message."""
    _, _, life = _section("The life of one message").partition("**A link**")
    assert {state for state in LinkState if f" {state.value}" not in life} == set()
