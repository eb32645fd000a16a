"""What features that prove, ask and end cost: requests at Cronofy, and the processor's time (R51 to R54)."""

import re
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from service.demo.simulator.world import SimulatedWorld
from service.integrations.leavers.leaving import Leaving
from service.integrations.views import get_integration
from tests.benchmarks.ground import Failed
from tests.benchmarks.results import Found, Line
from tests.support import questioned
from tests.support.company import open_company
from tests.support.quiet_days import CountedWire
from tests.support.two_people_with_runs import ANN, TwoPeopleWithRuns, two_people_with_runs
from tests.support.wiring import the_simulator

PAIRS = 200
COMPANY = ("ann", "bob", "eve")
A_MINUTE_AND_MORE = 61.0


@dataclass(kw_only=True)
class _Cost:
    """What one act took."""

    asked: Counter[str]
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Ann with her calendar, and the way to Cronofy."""

    ann: TwoPeopleWithRuns
    wire: CountedWire

    @contextmanager
    def counted(self) -> Iterator[_Cost]:
        self.wire.asked.clear()
        cost, began = _Cost(asked=Counter()), time.process_time()
        yield cost
        cost.asked, cost.seconds = Counter(self.wire.asked), time.process_time() - began


async def features() -> Found:
    """Each on a store of its own, on a clock that is turned."""
    acts: dict[str, Callable[[_Place], Awaitable[_Cost]]] = {
        f"a comparison of {PAIRS} pairs, with its count": _compare,
        f"{PAIRS} events read while only watching": _watch,
        "a question to the dispatcher, and the copy put back": _question,
        f"a leaver whose {PAIRS} copies are removed": _leave,
    }
    lines: list[Line] = []
    for name, act in acts.items():
        async with _place() as here:
            lines += _lines(name, await act(here))
    asked = await _company()
    each = {word: count / len(COMPANY) for word, count in asked.items()}
    lines += [_line(f"a person of a company's domain: {word}", count) for word, count in sorted(each.items())]
    return Found(lines=lines)


@asynccontextmanager
async def _place() -> AsyncIterator[_Place]:
    wires: list[CountedWire] = []

    def through(world: SimulatedWorld) -> CountedWire:
        wires.append(CountedWire(the_simulator(world)))
        return wires[-1]

    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite+aiosqlite:///{Path(folder) / 'features.db'}"
        async with two_people_with_runs(url, through=through) as ann:
            yield _Place(ann=ann, wire=wires[0])


def _lines(name: str, cost: _Cost) -> list[Line]:
    asked = [_line(f"{name}: {_bare(word)}", count) for word, count in sorted(cost.asked.items())]
    beside = "ms of one processor, simulator included"
    return [*asked, Line(what=f"{name}: time", value=round(cost.seconds * 1000), unit=beside)]


def _bare(word: str) -> str:
    """Without the id of what was asked about."""
    return re.sub(r"/(?:chn_|pro_|pages/)\w+", "/…", word)


def _line(what: str, count: float) -> Line:
    return Line(what=what, value=round(count, 2), unit="requests")


async def _compare(here: _Place) -> _Cost:
    await _full(here.ann)
    with here.counted() as cost:
        await here.ann.syncing.compare(ANN, here.ann.mine)
        await here.ann.rest()
    found = (await get_integration(here.ann.home.store, ANN, here.ann.mine)).agreement
    if found is None or (found.of, found.agree) != (PAIRS, PAIRS):
        raise Failed(f"not {PAIRS} of {PAIRS} pairs agree, but {found}")
    return cost


async def _watch(here: _Place) -> _Cost:
    await here.ann.switching.watch(ANN, here.ann.mine)
    await here.ann.rest()
    for number in range(PAIRS):
        here.ann.add_event(f"Event {number}")
    with here.counted() as cost:
        await here.ann.people.rest(reads=False)
    if await here.ann.titles() or here.ann.people.world.log.writes:
        raise Failed("something was written while it only watched")
    return cost


async def _question(here: _Place) -> _Cost:
    await questioned.call(here.ann)
    with here.counted() as cost:
        await questioned.delete(here.ann)
        (asked,) = await questioned.asked(here.ann)
        await questioned.answers(here.ann).answer(questioned.DISPATCHER, asked.id, "put_back")
        await here.ann.people.rest(reads=False)
    if [state for _, state, _ in await questioned.standing(here.ann)] == ["open"]:
        raise Failed("the question is open still")
    return cost


async def _leave(here: _Place) -> _Cost:
    await _full(here.ann)
    with here.counted() as cost:
        await Leaving(here.ann.home.store).leave("acme", "ann", "remove", who="administrator vera")
        await here.ann.rest()
    there = here.ann.people.world.events(here.ann.calendar_of("ann"))
    if left := [event for event in there if event["event_id"] and not event["deleted"]]:
        raise Failed(f"{len(left)} copies are left")
    return cost


async def _full(ann: TwoPeopleWithRuns) -> None:
    for number in range(PAIRS):
        await ann.say(f"Visit {number}")
    await ann.rest()
    await ann.people.rest()
    await ann.people.pass_time(A_MINUTE_AND_MORE)


async def _company() -> Counter[str]:
    """From the pasted list to linked calendars, of all of them."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite+aiosqlite:///{Path(folder) / 'company.db'}"
        async with open_company(url, people=COMPANY) as company:
            await company.connect()
            before = len(company.office.wire.asked)
            await company.choose(*(f"{name}, {name}@fabrikam.example" for name in COMPANY))
            await company.steps()
            stages = {stage for stage, _ in (await company.stages()).values()}
            if stages != {"connected"}:
                raise Failed(f"people of the company are {stages}")
            return Counter(company.office.wire.asked[before:])
