"""Known weaknesses of the pinned dependencies: ``python -m tests.house.audit``, which is ``make audit``."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from tests.support.repository import ROOT

FOUND, UNKNOWN = 1, 2
PATIENT_SECONDS = 600
COMMAND = (
    sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes",
    "--requirement", "requirements.lock",
    "--vulnerability-service", "osv", "--format", "json", "--progress-spinner", "off",
)  # fmt: skip


def audited(*words: str) -> tuple[int, Sequence[str]]:
    """The exit code and what is to be said: 0 nothing known, 1 weaknesses, 2 nobody could tell."""
    try:
        ended = subprocess.run(
            [*COMMAND, *words], cwd=ROOT, capture_output=True, text=True, check=False, timeout=PATIENT_SECONDS
        )
    except subprocess.TimeoutExpired:
        return UNKNOWN, ["The data on weaknesses did not arrive in time, so nothing is known: try again."]
    return judged(ended.stdout, ended.stderr)


def judged(told: str, complaint: str) -> tuple[int, Sequence[str]]:
    """What pip-audit's answer means; a dependency that it could not ask about is no clean one."""
    try:
        dependencies: Sequence[dict[str, Any]] = json.loads(told)["dependencies"]
    except (ValueError, KeyError, TypeError):
        why = complaint.strip().splitlines()[-1:] or ["it said nothing"]
        return UNKNOWN, [f"The data on weaknesses cannot be reached, so nothing is known: {why[0]}"]
    if weak := [line for one in dependencies for line in _weaknesses(one)]:
        return FOUND, weak
    skipped = [one["name"] for one in dependencies if "skip_reason" in one]
    if skipped or not dependencies:
        names = ", ".join(skipped) or "any"
        return UNKNOWN, [f"The data on weaknesses cannot be reached, so nothing is known of {names}."]
    return 0, [f"No weakness of the {len(dependencies)} pinned dependencies is known."]


def _weaknesses(dependency: dict[str, Any]) -> Iterator[str]:
    for weakness in dependency.get("vulns", ()):
        mended = ", ".join(weakness["fix_versions"]) or "no version yet"
        yield f"{dependency['name']} {dependency['version']}: {weakness['id']}, mended in {mended}"


def main() -> int:
    """Say it, and end with its exit code."""
    code, lines = audited(*sys.argv[1:])
    stream = sys.stdout if code == 0 else sys.stderr
    stream.write("".join(f"{line}\n" for line in lines))
    return code


if __name__ == "__main__":
    sys.exit(main())
