"""One request to the simulated API, and what answers it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from service.demo.simulator.model import Account
from service.demo.simulator.state import ApiAnswer, Json, SimulatorState


@dataclass(slots=True, kw_only=True, eq=False)
class ApiCall:
    """One request to the API."""

    at: float
    method: str
    path: str
    params: dict[str, str]
    query: dict[str, list[str]]
    data: Json
    readable: bool
    base_url: str
    token: str
    account: Account | None = None
    scope: str = ""

    @property
    def who(self) -> Account:
        """Only behind a token."""
        return cast(Account, self.account)

    @property
    def entries(self) -> int:
        batch = self.data.get("batch")
        return len(batch) if self.path == "/v1/batch" and isinstance(batch, list) else 1


ApiHandler = Callable[[SimulatorState, ApiCall], ApiAnswer]
