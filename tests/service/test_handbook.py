"""The operator's handbook: part of the package, and whole without the repository around it."""

import re
import tomllib

from tests.support.repository import ROOT

HANDBOOK = ROOT / "service" / "web" / "handbook"
LINK = re.compile(r"\]\(([^)#]+)")


def test_its_pages_lead_only_to_each_other() -> None:
    """An installed service has no README beside it."""
    pages = {page.name for page in HANDBOOK.iterdir()}
    linked = {link for page in HANDBOOK.iterdir() for link in LINK.findall(page.read_text(encoding="utf-8"))}

    assert pages >= {"operating.md", "sizing.md"}
    assert linked <= pages


def test_it_is_installed_with_the_service() -> None:
    """As data of the package."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "web/handbook/*.md" in project["tool"]["setuptools"]["package-data"]["service"]
