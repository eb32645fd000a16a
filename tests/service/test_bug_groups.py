"""Bugs are grouped by what broke and where, whichever consumer met them (R30)."""

from typing import Any

import pytest

from contracts.errors import Transient
from service.consumers.failures import describe_error
from service.store.engine.store import Store
from service.store.messages.burying import letter_fingerprint
from tests.support.calendars import Outbound, changed
from tests.support.message_loop import loop_under_test

RAISING = """
def {name}(error):
    raise error
"""


def breaks(error: Exception, *, module: str, function: str = "work") -> Exception:
    """The error as it comes out of that function of ours."""
    here: dict[str, Any] = {"__name__": module}
    exec(compile(RAISING.format(name=function), f"/app/lib/site-packages/{module}", "exec"), here)
    try:
        here[function](error)
    except Exception as raised:  # noqa: BLE001 -- that it is raised is the point
        return raised
    raise AssertionError


def group(error: Exception) -> str:
    return letter_fingerprint("bug", "an error nobody foresaw", describe_error(error))


SAME_PLACE = [
    (KeyError("title"), KeyError("start")),
    (ValueError("item 17 is odd"), ValueError("item 4711 is odd")),
    (ValueError("'Dentist' is odd\nline two"), ValueError("'Doctor' is odd\nanother line")),
    (
        RuntimeError("link 0192e4c1-7c1e-7000-8000-0123456789ab"),
        RuntimeError("link 0192e4c1-0000-7000-8000-ba0123456789"),
    ),
]


@pytest.mark.parametrize(("one", "other"), SAME_PLACE)
def test_one_place_is_one_group_whatever_the_messages_say(one: Exception, other: Exception) -> None:
    """Ids, numbers, quoted texts and further lines tell messages apart, not causes."""
    assert group(breaks(one, module="service.a")) == group(breaks(other, module="service.a"))


@pytest.mark.parametrize(
    ("module", "function"), [("service.b", "work"), ("handlers.a", "work"), ("service.a", "other_work")]
)
def test_two_places_are_two_groups(module: str, function: str) -> None:
    """The same error elsewhere is another bug."""
    here = breaks(ZeroDivisionError("division by zero"), module="service.a")
    there = breaks(ZeroDivisionError("division by zero"), module=module, function=function)
    assert group(here) != group(there)


def test_a_line_that_moves_stays_in_its_group() -> None:
    """A release that adds a line above the bug makes no new bug."""
    text = "KeyError\n  at service/a.py line 12 in work\n  at service/loop.py line 3 in run"
    assert letter_fingerprint("bug", "r", text) == letter_fingerprint("bug", "r", text.replace("12", "480"))


def test_who_called_the_place_makes_no_other_group() -> None:
    """The first own frame is where it broke."""
    text = "KeyError\n  at service/a.py line 12 in work\n  at service/loop.py line 3 in run"
    assert letter_fingerprint("bug", "r", text) == letter_fingerprint(
        "bug", "r", text.replace("loop.py", "other.py")
    )


def test_a_place_is_told_however_the_service_is_installed() -> None:
    """In the image our packages lie among everybody's."""
    places = describe_error(breaks(KeyError("x"), module="service.a")).splitlines()[1:]
    assert places == ["  at service/a.py line 3 in work"]


async def _loop_groups(store: Store, *errors: Exception) -> list[str]:
    async with loop_under_test(store, *(each for error in errors for each in [error] * 3)) as ground:
        for number, _ in enumerate(errors):
            before = 3 * number
            await ground.publish(f"m-{number}")
            await ground.retry(10, attempts=before + 2)
            await ground.retry(60, attempts=before + 3)
            await ground.settle(f"m-{number}")
        letters = await ground.letters()
    assert {letter["code"] for letter in letters} == {"bug"}
    return [letter["group"] for letter in letters]


async def _outbound_groups(world: Outbound, *errors: Exception) -> list[str]:
    await world.integration()
    await world.start(retry_delays=())
    for number, error in enumerate(errors):
        world.calendars.faults.append(error)
        await world.send(changed(f"i-{number}"))
    letters = await world.letters()
    assert {letter["code"] for letter in letters} == {"bug"}
    return [letter["group"] for letter in letters]


async def test_r30_the_loop_keeps_two_bugs_apart_and_one_together(store: Store) -> None:
    """Two places, and one place twice."""
    here = [breaks(KeyError(name), module="service.a") for name in ("title", "start")]
    there = breaks(KeyError("title"), module="service.b")

    groups = await _loop_groups(store, *here, there)
    assert len(groups) == 3
    assert len(set(groups)) == 2


async def test_r30_outbound_keeps_two_bugs_apart_and_one_together(world: Outbound) -> None:
    """Two places, and one place twice."""
    here = [breaks(KeyError(name), module="service.a") for name in ("title", "start")]
    there = breaks(KeyError("title"), module="service.b")

    groups = await _outbound_groups(world, *here, there)
    assert len(groups) == 3
    assert len(set(groups)) == 2


async def test_r30_attempts_used_up_for_one_reason_are_one_group(world: Outbound) -> None:
    """A foreseen failure is grouped by its words and where it arose, not by which message met it."""
    await world.integration()
    await world.start(retry_delays=())
    for name in ("a", "b"):
        world.calendars.faults.append(breaks(Transient("busy"), module="service.a"))
        await world.send(changed(name))

    letters = await world.letters()
    assert [letter["code"] for letter in letters] == ["exhausted"] * 2
    assert len({letter["group"] for letter in letters}) == 1
