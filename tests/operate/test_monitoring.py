# SPDX-License-Identifier: Apache-2.0
"""Dashboard and alert rules: good PromQL about metrics that the program has, and every alert explained."""
from __future__ import annotations

import json
import re

import pytest
import yaml

from lib.endpoint import serve
from lib.metrics import Scrape, promtool, scrape
from lib.program import TESTS

ROOT = TESTS.parent
FOLDER = ROOT / "manifests/monitoring"
METRIC = re.compile(r"\b((?:irsafs|process)_\w+)\b")
GRAFANA = {"$__rate_interval": "5m", "$namespace": ".*", "$pod": ".*"}


@pytest.fixture
def exported(world) -> Scrape:
    return scrape(serve(world).control)


def rules() -> list:
    document = yaml.safe_load((FOLDER / "alerts.yaml").read_text())
    assert (document["apiVersion"], document["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
    return [rule for group in document["spec"]["groups"] for rule in group["rules"]]


def rules_file(folder, expressions=()) -> str:
    """A plain rules file: the alerts, or these expressions as recording rules."""
    spec = yaml.safe_load((FOLDER / "alerts.yaml").read_text())["spec"]
    if expressions:
        recorded = [{"record": f"e:{i}", "expr": e} for i, e in enumerate(expressions)]
        spec = {"groups": [{"name": "e", "rules": recorded}]}
    path = folder / "rules.yaml"
    path.write_text(yaml.safe_dump(spec))
    return str(path)


def dashboard() -> dict:
    return json.loads((FOLDER / "dashboard.json").read_text())


def dashboard_expressions() -> list:
    found = []
    for target in (t for panel in dashboard()["panels"] for t in panel.get("targets", [])):
        expr = target["expr"]
        for variable, value in GRAFANA.items():
            expr = expr.replace(variable, value)
        assert "$" not in expr, expr
        found.append(expr)
    assert len(found) > 20
    return found


def unknown(expression: str, seen: Scrape) -> set:
    """Names of metrics in PromQL that are not exported; and histograms asked for without their suffix."""
    names = set()
    for name, type_ in seen.types.items():
        names |= {f"{name}_bucket", f"{name}_sum", f"{name}_count"} if type_ == "histogram" else {name}
    without_labels = re.sub(r"\{[^}]*\}", "", expression)
    return set(METRIC.findall(without_labels)) - names


def test_dashboard_and_alerts_ask_for_metrics_that_exist(exported):
    for expression in [rule["expr"] for rule in rules()] + dashboard_expressions():
        assert METRIC.search(expression), expression
        assert unknown(expression, exported) == set(), expression
    for variable in dashboard()["templating"]["list"]:
        assert unknown(variable.get("definition", ""), exported) == set()


@pytest.mark.parametrize("expression", [
    "irsafs_config_stael == 1", 'rate(irsafs_reads_total{pod="x"}[5m])', "irsafs_fetch_duration_seconds",
    "process_max_fds",
])
def test_a_metric_that_does_not_exist_is_found(exported, expression):
    assert unknown(expression, exported) != set()


def test_every_metric_is_on_the_dashboard(exported):
    shown = set(METRIC.findall(" ".join(dashboard_expressions())))
    shown = {re.sub(r"_(bucket|sum|count)$", "", name) for name in shown}
    of_no_use_there = {"process_virtual_memory_bytes", "process_start_time_seconds", "irsafs_config_generation"}
    assert set(exported.types) - shown == of_no_use_there


def test_labels_that_are_asked_for_exist(exported):
    """result="failed" and the like; namespace and pod are added by Prometheus."""
    values: dict = {}
    for _, pairs in exported.samples:
        for label, value in pairs:
            values.setdefault(label, set()).add(value)
    for expression in [rule["expr"] for rule in rules()] + dashboard_expressions():
        for label, operator, text in re.findall(r'(\w+)(=~?)"([^"]*)"', expression):
            wanted = set() if label in ("namespace", "pod") else set(text.split("|") if operator == "=~" else [text])
            assert wanted <= values.get(label, set()), expression


def test_promtool_takes_the_rules(world):
    assert promtool("check", "rules", rules_file(world.folder)) == ""
    assert promtool("check", "rules", rules_file(world.folder, dashboard_expressions())) == ""
    assert promtool("check", "rules", rules_file(world.folder, ["sum(rate(irsafs_fetches_total))"])) != ""


def test_alerts_fire_when_they_should(world):
    test = world.folder / "test.yaml"
    text = (TESTS / "data/alerts-test.yaml").read_text()
    test.write_text(text.replace("RULES", rules_file(world.folder)))
    assert promtool("test", "rules", str(test)) == ""
    tested = set(re.findall(r"\bIrsafs\w+", text))
    assert tested == {rule["alert"] for rule in rules()}


def test_every_alert_is_explained():
    manual = (ROOT / "docs/metrics.md").read_text()
    for rule in rules():
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        notes = rule["annotations"]
        assert all(notes[key] for key in ("summary", "description", "runbook"))
        assert f"\n### {rule['alert']}\n" in manual
        assert notes["runbook_url"] == f"docs/metrics.md#{rule['alert'].lower()}"
        for link in re.findall(r"docs/[\w./-]+\.md", " ".join(notes.values())):
            assert (ROOT / link).is_file(), link
    assert re.findall(r"^### (\w+)$", manual, re.M) == [rule["alert"] for rule in rules()]


def test_dashboard_can_be_imported():
    board = dashboard()
    assert board["schemaVersion"] >= 39 and board["uid"] and board["title"]
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    taken = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken and at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells
        if panel["type"] != "row":
            assert panel["datasource"]["uid"] == "${datasource}" and panel["title"] and panel["targets"]
