"""What the monitoring files of a stack declare."""

from pathlib import Path

import pytest

from tests.small_stack import ALERTMANAGER, PROMETHEUS, STACK, write_stack
from tocsin.harness.core.errors import UsageError
from tocsin.harness.monitoring.alert_routes import all_routes
from tocsin.harness.monitoring.monitoring_files import Monitoring, read_monitoring
from tocsin.harness.planning.loader import load_stack


def monitoring(folder: Path, **changed: str) -> Monitoring:
    return read_monitoring(load_stack(str(write_stack(folder, **changed))))


def test_every_rule_file_is_read_and_the_loaded_ones_marked(tmp_path: Path) -> None:
    rules = {(rule.name, rule.file, rule.for_s, rule.loaded) for rule in monitoring(tmp_path).alerts}
    assert rules == {("HighErrorRate", "service.yml", 120, True), ("FeatureDrift", "drift.yml", 60, False)}


@pytest.mark.parametrize(
    ("rule_files", "loaded"),
    [
        ("[rules/*.yml]", {"service.yml", "drift.yml"}),
        ("[/etc/prometheus/rules/drift.yml]", {"drift.yml"}),
        ("[]", set()),
        ("[rules/s*.yml]", {"service.yml"}),
        ("['rules/[^s]*.yml']", {"drift.yml"}),
        ("['rules/[!s]*.yml']", {"service.yml"}),
        ("[other/*.yml]", set()),
        ("[/elsewhere/rules/*.yml]", set()),
    ],
)
def test_a_rule_file_is_loaded_when_prometheus_names_it(tmp_path: Path, rule_files: str, loaded: set[str]) -> None:
    stack = STACK.replace("roles:", 'paths: {/etc/prometheus: "{config}/prometheus"}\nroles:', 1)
    found = monitoring(tmp_path, stack=stack, prometheus=PROMETHEUS.replace("[rules/service.yml]", rule_files))
    assert {rule.file for rule in found.alerts if rule.loaded} == loaded


def test_expressions_of_loaded_files_count_for_speed(tmp_path: Path) -> None:
    assert monitoring(tmp_path).expressions == (("service.yml", "rate(e[5m]) > 0.05"), ("service.yml", "rate(e[5m])"))


def test_intervals_are_production_seconds(tmp_path: Path) -> None:
    found = monitoring(tmp_path)
    assert (found.scrape_interval_s, found.evaluation_interval_s, found.group_interval_s) == (15, 30, 60)


def test_what_prometheus_leaves_out_has_its_default(tmp_path: Path) -> None:
    found = monitoring(tmp_path, prometheus="rule_files: []\n")
    assert (found.scrape_interval_s, found.evaluation_interval_s) == (60, 60)


@pytest.mark.parametrize(
    ("route", "waits", "interval_s"),
    [
        ("{receiver: a}", {"a": 30}, 300),
        ("{receiver: a, group_wait: 5s, routes: [{receiver: b}]}", {"a": 5, "b": 5}, 300),
        ("{receiver: a, routes: [{receiver: b, group_wait: 1s, group_interval: 10m}]}", {"a": 30, "b": 1}, 600),
        ("{receiver: a, group_interval: 1m, routes: [{group_wait: 50s}]}", {"a": 50}, 60),
    ],
)
def test_routes_inherit(tmp_path: Path, route: str, waits: dict[str, float], interval_s: float) -> None:
    found = monitoring(tmp_path, alertmanager=f"route: {route}\nreceivers: [{{name: a}}, {{name: b}}]\n")
    assert {route.receiver: route.group_wait_s for route in all_routes(found.route)} == waits
    assert found.group_interval_s == interval_s


def test_receivers_are_named(tmp_path: Path) -> None:
    assert monitoring(tmp_path, alertmanager=ALERTMANAGER).receivers == ("page", "ticket")


@pytest.mark.parametrize("stem", ["prometheus", "alertmanager", "service"])
def test_a_file_that_is_no_yaml_is_named(tmp_path: Path, stem: str) -> None:
    with pytest.raises(UsageError, match=f"{stem}.yml"):
        monitoring(tmp_path, **{stem: "a: [1"})


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    folder = write_stack(tmp_path)
    (folder / "alertmanager" / "alertmanager.yml").unlink()
    with pytest.raises(UsageError, match="alertmanager.yml"):
        read_monitoring(load_stack(str(folder)))
