"""One line of the doctor's: what was looked at, whether it is well, and the remedy."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckResult:
    """One line of the doctor's."""

    name: str
    well: bool | None
    """None where it could not be looked at."""
    said: str
    remedy: str | None = None

    @property
    def line(self) -> str:
        mark = {True: "ok", False: "failed", None: "skipped"}[self.well]
        return f"[{mark}] {self.name}: {self.said}" + (f" – {self.remedy}" if self.remedy else "")

    def form(self) -> dict[str, Any]:
        return asdict(self)


def well(name: str, said: str, remedy: str | None = None) -> CheckResult:
    """``remedy``: what could still be better."""
    return CheckResult(name=name, well=True, said=said, remedy=remedy)


def failed(name: str, said: str, remedy: str | None) -> CheckResult:
    return CheckResult(name=name, well=False, said=said, remedy=remedy)


def skipped(name: str, cause: str) -> CheckResult:
    return CheckResult(name=name, well=None, said=f"not looked at, for {cause} is not there")
