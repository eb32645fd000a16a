"""Deliveries that wait to be taken in, and what they say of those that are coming."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from contracts.ports import Delivery
from service.consumers.failures import SUSPICIOUS_RETURNS


class ArrivedDeliveries:
    """What the broker has delivered and no transaction A has taken yet.

    ``held`` tells how many messages are in the window, ``waiting_links`` how many links wait in lanes.
    """

    def __init__(self, *, prefetch: int, held: Callable[[], int], waiting_links: Callable[[], int]) -> None:
        self.prefetch = prefetch
        self._held, self._waiting_links = held, waiting_links
        self._waiting: deque[Delivery] = deque()
        self.being_taken_in = 0
        self._broker_has_more = False
        self._came_since = False
        """Whether anything was delivered since there was room last."""

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def __iter__(self) -> Iterator[Delivery]:
        return iter(list(self._waiting))

    @property
    def first(self) -> Delivery:
        return self._waiting[0]

    @property
    def not_taken_in(self) -> int:
        """Those that wait, and those of the transaction that runs."""
        return len(self._waiting) + self.being_taken_in

    @property
    def unsettled(self) -> int:
        return self.not_taken_in + self._held()

    @property
    def has_room(self) -> bool:
        return self.unsettled < self.prefetch

    @property
    def coming(self) -> int:
        """How many messages are about to be taken in.

        A window that was full says that the broker holds more of them: what is sent or settled makes room
        that the broker fills again. Room that was made and not filled says that it has no more.
        """
        more = self.prefetch - self._waiting_links() if self._broker_has_more else 0
        return max(self.not_taken_in, more)

    def add(self, delivery: Delivery) -> None:
        self._waiting.append(delivery)
        self._came_since = True
        self._broker_has_more = self._broker_has_more or not self.has_room

    def note_room(self) -> None:
        """Something was settled or lost."""
        if self.has_room:
            self._broker_has_more = self._broker_has_more and self._came_since
            self._came_since = False

    def lose(self, generation: int) -> None:
        """Forget those of channels that are gone; they come again."""
        self._waiting = deque(each for each in self._waiting if each.generation > generation)

    def clear(self) -> None:
        self._waiting.clear()

    def choose(self, delivery: Delivery) -> bool:
        """Bring one to the front; whether it is there still."""
        if delivery not in self._waiting:
            return False
        self._waiting.remove(delivery)
        self._waiting.appendleft(delivery)
        return True

    def take(self, most: int, *, alone: bool) -> list[Delivery]:
        """The next one alone, or those that follow it and are as suspicious as it is."""
        taken = [self._waiting.popleft()]
        while not alone and self._waiting and len(taken) < most and _alike(taken[0], self._waiting[0]):
            taken.append(self._waiting.popleft())
        self.being_taken_in = len(taken)
        return taken

    def give_back(self, deliveries: Iterable[Delivery]) -> None:
        """Those that could not be taken in wait again, before all others; the last one first."""
        self._waiting.extendleft(deliveries)

    def taken(self) -> None:
        """The transaction has ended, well or not."""
        self.being_taken_in = 0


def _alike(one: Delivery, other: Delivery) -> bool:
    return (one.returns >= SUSPICIOUS_RETURNS) == (other.returns >= SUSPICIOUS_RETURNS)
