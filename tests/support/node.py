"""Programs of Node, from the versions that tests/standards pins."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.support.servers import absent

STANDARDS = Path(__file__).parents[1] / "standards"
INSTALLED = STANDARDS.parents[1] / "build" / "standards"
MODULES = INSTALLED / "node_modules"
REMEDY = "install Node 20.19 or newer with npm, and run make standards"


def node() -> str:
    """Where it is; without it, or without the modules, the test is left out, loudly."""
    found = shutil.which("node")
    if found is None or not (INSTALLED / "installed.lock").exists():
        absent("Node with the readers of AsyncAPI and OpenAPI", REMEDY)
    return found


def run_node(*words: str, folder: Path = STANDARDS, **given: str) -> subprocess.CompletedProcess[str]:
    """Run a script with the pinned modules; nothing is told to anybody outside."""
    quiet = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true", "NO_COLOR": "1"}
    return subprocess.run(
        [node(), *words],
        cwd=folder,
        env={**os.environ, **quiet, "NODE_PATH": str(MODULES), **given},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
