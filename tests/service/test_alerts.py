"""What deploy/ asks of Prometheus: alerts and the dashboard speak of what is measured, by its names."""

import json
import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from contracts.messages import QUEUE_PARKED
from service.monitoring.alerts import ALERTS
from service.monitoring.vitals import LATE_MESSAGE_SECONDS
from service.web.labels import ALERT_NAMES
from tests.support.promql import NotPromQL, measured, mistakes, spoken, tokens
from tests.support.repository import ROOT
from tests.support.servers import absent

PROMETHEUS, GRAFANA = ROOT / "deploy" / "prometheus", ROOT / "deploy" / "grafana"
RULES: list[dict[str, Any]] = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"][0]["rules"]
DASHBOARD: dict[str, Any] = json.loads((GRAFANA / "calendar-sync.json").read_text(encoding="utf-8"))
QUERIES = [
    *(target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]),
    *(one["expr"] for one in DASHBOARD["annotations"]["list"]),
]
PLACEHOLDER = re.compile(r"\{\{\s*\$?(?:labels\.)?(\w+)\s*\}\}")


def plain(expression: str) -> str:
    """As Prometheus gets it, Grafana's own words put in."""
    return expression.replace("$__rate_interval", "5m")


@pytest.mark.parametrize("expression", [*(rule["expr"] for rule in RULES), *QUERIES])
def test_a_query_speaks_of_metrics_and_labels_that_exist(expression: str) -> None:
    """Or it would find nothing, and say for ever that all is well."""
    assert mistakes(plain(expression)) == []


@pytest.mark.parametrize(
    ("expression", "mistake"),
    [
        ("max(calendar_sync_queue_age)", "no metric calendar_sync_queue_age"),
        ("rate(calendar_sync_retries[5m])", "no metric calendar_sync_retries"),
        ('calendar_sync_budget_used{period="minute"}', "calendar_sync_budget_used has no label period"),
        ("sum by (status) (calendar_sync_open_letters)", "nothing has a label status"),
        ("sum(calendar_sync_open_letters) by (queue)", "nothing has a label queue"),
        ("1 > 0", "'1 > 0' speaks of no metric"),
    ],
)
def test_the_search_finds_what_is_not_measured(expression: str, mistake: str) -> None:
    assert mistakes(expression) == [mistake]


def test_the_tokens_of_an_expression_are_told_apart() -> None:
    """Names in texts are none, and what cannot stand in an expression is refused."""
    said = spoken('sum by (queue) (a{queue="not_b"}) > 2 * max(c offset 1h) unless on (job) rate(d[5m])')

    assert said.matched == {"a": {"queue"}, "c": frozenset(), "d": frozenset()}
    assert said.grouped == {"queue", "job"}
    assert tokens('"a b"') == [("text", '"a b"')]
    with pytest.raises(NotPromQL):
        tokens("max(a) ; b")


def test_every_metric_is_on_the_dashboard_or_wakes_somebody() -> None:
    """What nobody looks at need not be measured."""
    looked_at = {
        name for one in (*(rule["expr"] for rule in RULES), *QUERIES) for name in spoken(plain(one)).matched
    }
    bare = {re.sub("_(bucket|count|sum)$", "", name) for name in looked_at}

    assert {re.sub("_(bucket|count|sum)$", "", name) for name in measured()} - bare == set()


def test_what_is_said_names_labels_that_the_series_has() -> None:
    """A placeholder that nothing fills would be an empty word at night."""
    for rule in RULES:
        said = " ".join(rule["annotations"].values())
        assert set(PLACEHOLDER.findall(said)) - {"value"} <= spoken(rule["expr"]).grouped, rule["alert"]
        assert rule["labels"]["severity"] in {"warning", "critical"}
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            assert set(PLACEHOLDER.findall(target["legendFormat"])) <= spoken(plain(target["expr"])).grouped


def test_alerts_and_pages_mean_the_same_by_late_and_by_given_up() -> None:
    by_name = {rule["alert"]: rule["expr"] for rule in RULES}

    for late in ("queue_late", "outbox_late"):
        assert by_name[late].endswith(f"> {LATE_MESSAGE_SECONDS:g}")
    assert f'{{queue="{QUEUE_PARKED}"}}' in by_name["parked"]


def test_what_operations_shows_as_an_alert_is_one_here() -> None:
    """By the same name, so that whoever is woken by one finds it on the page, which shows some of them."""
    assert {*ALERTS} == {*ALERT_NAMES} < {rule["alert"] for rule in RULES}


def test_each_alert_stands_in_the_handbook_as_it_is() -> None:
    """And none that is not there; whoever is woken finds what to do."""
    page = (ROOT / "service" / "web" / "handbook" / "operating.md").read_text(encoding="utf-8")
    section = page.split("\n## Alerts\n")[1].split("\n## ")[0]
    told = re.findall(r"^\| `(\w+)` \| `(.+?)`(?: for (\w+))? \| .+ \| (\w+) \|$", section, re.MULTILINE)

    assert told == [
        (rule["alert"], rule["expr"], rule.get("for", ""), rule["labels"]["severity"]) for rule in RULES
    ]


def test_each_alert_is_tried_on_and_off() -> None:
    """By promtool's own tests, beside the rules."""
    cases = yaml.safe_load((PROMETHEUS / "alerts.test.yml").read_text())["tests"]
    tried = [case for one in cases for case in one["alert_rule_test"]]

    names = {rule["alert"] for rule in RULES}
    assert {case["alertname"] for case in tried if case.get("exp_alerts")} == names
    assert {case["alertname"] for case in tried if not case.get("exp_alerts")} == names


@pytest.mark.parametrize(
    "words",
    [
        ("check", "config", "prometheus.yml"),
        ("check", "rules", "--lint=all", "--lint-fatal", "alerts.yml"),
        ("test", "rules", "alerts.test.yml"),
    ],
)
def test_prometheus_itself_finds_nothing_wrong(words: tuple[str, ...]) -> None:
    """Its own tool reads what it would be given, and tries every alert."""
    promtool = shutil.which("promtool")
    if promtool is None:
        absent("promtool", "make prometheus, or install Prometheus")
    ended = subprocess.run(
        [promtool, *words], cwd=PROMETHEUS, capture_output=True, text=True, check=False, timeout=60
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_dashboard_is_drawn_from_the_source_that_is_provisioned() -> None:
    """And no panel lies over another."""
    (source,) = yaml.safe_load((GRAFANA / "datasources.yml").read_text())["datasources"]
    boxes = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    cells = [
        (x, y) for box in boxes
        for x in range(box["x"], box["x"] + box["w"]) for y in range(box["y"], box["y"] + box["h"])
    ]  # fmt: skip

    assert {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]} == {source["uid"]}
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(boxes)
