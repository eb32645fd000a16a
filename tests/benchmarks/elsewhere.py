"""The same section measured in another tree of this project, by its own code and its own benchmark."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.benchmarks.ground import Failed
from tests.benchmarks.results import Found
from tests.support.processes import environment

RESULT = Path("build") / "benchmark.json"
"""Where a tree keeps what it measured."""
LONGEST_COMPLAINT = 500


def measured(tree: Path, section: str, numbers: Mapping[str, int | float]) -> Found:
    """What it finds there with these options; raises Failed where it cannot be measured."""
    options = [word for name, value in numbers.items() for word in (f"--{name}", str(value))]
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", "--only", section, *options],
        cwd=tree,
        env=environment({}) | {"PYTHONPATH": str(tree)},
        check=False,
        capture_output=True,
    )
    if done.returncode:
        raise Failed(f"{section} in {tree}: {done.stderr.decode()[-LONGEST_COMPLAINT:]}")
    return Found.from_json_dict(json.loads((tree / RESULT).read_text())[section])
