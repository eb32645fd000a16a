"""The operator's handbook: part of the package, and whole without the repository around it."""

import tomllib

from service.broker.topology import PERMISSIONS
from service.monitoring.alerts import ALERTS
from service.settings import Settings
from service.web.labels import ALERT_NAMES
from tests.support.repository import ROOT
from tests.support.route_matrix import MAY

HANDBOOK = ROOT / "service" / "web" / "handbook"


def test_it_is_installed_with_the_service() -> None:
    """As data of the package."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert {"web/handbook/*.md", "web/handbook/pictures/*"} <= set(
        project["tool"]["setuptools"]["package-data"]["service"]
    )


def test_r43_who_may_do_what_is_said_as_it_is() -> None:
    """The matrix that every route is tried with, row by row and person by person."""
    page = (HANDBOOK / "security.md").read_text(encoding="utf-8")
    section = page.split("## Who may do what")[1].split("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.strip("| ").split("|")] for line in section.splitlines() if "|" in line
    ]
    people = ("owner", "colleague", "administrator", "operator", "nobody")

    said = {what: dict(zip(people, answers, strict=True)) for what, *answers in rows[2:]}

    assert said == {
        what: {person: "yes" if person in may else "no" for person in people} for what, may in MAY.items()
    }


def test_what_a_stolen_thing_allows_is_said_of_every_user_of_rabbitmq() -> None:
    """And of every setting that is a secret."""
    page = (HANDBOOK / "security.md").read_text(encoding="utf-8")
    section = page.split("## If something is stolen")[1].split("\n## ")[0]
    secrets = [name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)]

    assert [name for name in PERMISSIONS if f"RabbitMQ's `{name}`" not in section] == []
    assert secrets
    assert [name for name in secrets if name.upper() not in section] == []


def test_each_alert_of_the_page_says_what_to_do_first() -> None:
    """In the page's own words."""
    page = (HANDBOOK / "operating.md").read_text(encoding="utf-8")
    assert list(ALERT_NAMES) == list(ALERTS)
    assert [word for word in ALERT_NAMES.values() if f"| {word} | " not in page] == []
