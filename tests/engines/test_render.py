from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.engines.tiny_stack import make_stack, role
from tocsin.harness.core.errors import StackError, UsageError
from tocsin.harness.engines.common.placeholders import Places
from tocsin.harness.engines.render.alertmanager import SEND_RESOLVED, render_alertmanager
from tocsin.harness.engines.render.prometheus import render_prometheus
from tocsin.harness.engines.render.stack_files import (
    declared_addresses,
    keep_copy,
    render,
    replace_addresses,
    replace_paths,
    replace_text,
)

ADDRESSES = {"model:8000": "127.0.0.1:20001", "alertmanager:9093": "127.0.0.1:20002", "node-2:9100": "127.0.0.1:20003"}
PATHS = {"/etc/prometheus": "/w/config/prometheus", "/etc/prometheus/extra": "/w/extra", "/var/log/ml": "/w/model"}

TEXTS = [
    ("http://model:8000/predict", "http://127.0.0.1:20001/predict"),
    ('server="model:8000"', 'server="127.0.0.1:20001"'),
    ("model:80001 model:800 othermodel:8000 the-model:8000 a.model:8000", None),
    ("node-2:9100,model:8000", "127.0.0.1:20003,127.0.0.1:20001"),
    ("/etc/prometheus", "/w/config/prometheus"),
    ("/etc/prometheus/rules/*.yml", "/w/config/prometheus/rules/*.yml"),
    ("/etc/prometheus/extra/a", "/w/extra/a"),
    ("/etc/prometheus-old/a /usr/etc/prometheus /var/log/mlx", None),
    ('file="/var/log/ml/requests.jsonl*"', 'file="/w/model/requests.jsonl*"'),
]


@pytest.mark.parametrize(("text", "expected"), TEXTS)
def test_plain_text_has_whole_names_and_paths_replaced(text: str, expected: str | None) -> None:
    assert replace_text(text, ADDRESSES, PATHS) == (text if expected is None else expected)


def test_nothing_declared_changes_nothing() -> None:
    assert replace_addresses("model:8000", {}) == "model:8000"
    assert replace_paths("/etc/prometheus", {}) == "/etc/prometheus"


def prometheus(text: str, speed: float = 30.0) -> dict[str, Any]:
    content = YAML(typ="safe").load(text)
    return render_prometheus(content, addresses=ADDRESSES, speed=speed, roots=("/w/config",))


TIMES = [
    # global and job as written, speed -> global (interval, timeout, evaluation), job (interval, timeout)
    ("{}", "", 30, ("2s", "2s", "2s"), ("2s", "2s")),
    ("{}", "", 1, ("1m", "10s", "1m"), ("1m", "10s")),
    ("{scrape_interval: 15s, evaluation_interval: 30s}", "", 30, ("500ms", "500ms", "1s"), ("500ms", "500ms")),
    ("{scrape_interval: 15s, scrape_timeout: 200ms}", "", 30, ("500ms", "200ms", "2s"), ("500ms", "200ms")),
    ("{scrape_interval: 15s}", "scrape_interval: 1m", 30, ("500ms", "500ms", "2s"), ("2s", "2s")),
    ("{scrape_interval: 15s}", "scrape_timeout: 100ms", 30, ("500ms", "500ms", "2s"), ("500ms", "100ms")),
    ("{scrape_interval: 15s}", "scrape_interval: 1h", 30, ("500ms", "500ms", "2s"), ("2m", "10s")),
    ("{scrape_interval: 15s}", "", 150, ("100ms", "100ms", "400ms"), ("100ms", "100ms")),
]


@pytest.mark.parametrize(("settings", "job", "speed", "whole", "own"), TIMES)
def test_times_of_prometheus_are_divided_and_timeouts_capped(
    settings: str, job: str, speed: float, whole: tuple[str, ...], own: tuple[str, ...]
) -> None:
    rendered = prometheus(f"global: {settings}\nscrape_configs:\n- job_name: a\n  {job}\n", speed)
    times = rendered["global"]
    assert (times["scrape_interval"], times["scrape_timeout"], times["evaluation_interval"]) == whole
    (scraped,) = rendered["scrape_configs"]
    assert (scraped["scrape_interval"], scraped["scrape_timeout"]) == own


def test_a_scrape_interval_that_gets_too_short_is_refused_with_the_largest_speed() -> None:
    with pytest.raises(UsageError, match="scrape_interval of job 'a': got 5s at speed 60.*largest speed for it is 50"):
        prometheus("scrape_configs: [{job_name: a, scrape_interval: 5s}]", 60)


def test_instance_stays_as_in_production_and_the_connection_goes_to_loopback() -> None:
    rendered = prometheus(
        """
        scrape_configs:
          - job_name: a
            honor_labels: true
            static_configs: [{targets: ["model:8000"], labels: {team: x}}]
            relabel_configs: [{source_labels: [__address__], target_label: host}]
        """
    )
    (job,) = rendered["scrape_configs"]
    assert job["static_configs"] == [{"targets": ["model:8000"], "labels": {"team": "x"}}]
    assert job["honor_labels"] is True
    own, instance, address = job["relabel_configs"]
    assert own == {"source_labels": ["__address__"], "target_label": "host"}
    assert instance == {
        "source_labels": ["instance", "__address__"],
        "regex": ";(.+)",
        "target_label": "instance",
        "replacement": "$1",
    }
    assert address == {
        "source_labels": ["__address__"],
        "regex": r"model:8000",
        "target_label": "__address__",
        "replacement": "127.0.0.1:20001",
    }


def test_a_job_that_relabels_addresses_may_end_at_any_role() -> None:
    rendered = prometheus(
        """
        scrape_configs:
          - job_name: a
            static_configs: [{targets: ["model:8000"]}]
            relabel_configs: [{target_label: __address__, replacement: "node-2:9100"}]
        """
    )
    steps = rendered["scrape_configs"][0]["relabel_configs"]
    assert {step["regex"]: step["replacement"] for step in steps[2:]} == ADDRESSES


def test_alertmanagers_are_led_to_loopback_and_relabelling_of_alerts_stays() -> None:
    rendered = prometheus(
        """
        alerting:
          alert_relabel_configs: [{regex: replica, action: labeldrop}]
          alertmanagers: [{timeout: 7s, static_configs: [{targets: ["alertmanager:9093"]}]}]
        """
    )
    assert rendered["alerting"]["alert_relabel_configs"] == [{"regex": "replica", "action": "labeldrop"}]
    (manager,) = rendered["alerting"]["alertmanagers"]
    assert manager["timeout"] == "7s"
    assert [step["replacement"] for step in manager["relabel_configs"]] == ["127.0.0.1:20002"]


REFUSED = [
    ("remote_write: [{url: 'http://far/'}]", "remote_write"),
    ("remote_read: [{url: 'http://far/'}]", "remote_read"),
    ("tracing: {endpoint: far}", "tracing"),
    ("scrape_config_files: [a.yml]", "scrape_config_files"),
    ("scrape_configs: [{job_name: a, kubernetes_sd_configs: [{role: pod}]}]", "job 'a': kubernetes_sd_configs"),
    ("scrape_configs: [{job_name: a, file_sd_configs: [{files: [x]}]}]", "job 'a': file_sd_configs"),
    ("alerting: {alertmanagers: [{dns_sd_configs: [{names: [x]}]}]}", "alerting: dns_sd_configs"),
    (
        "alerting: {alertmanagers: [{static_configs: [{targets: ['am.prod:9093']}]}]}",
        "target am.prod:9093 is not a role",
    ),
    ("scrape_configs: [{job_name: a, static_configs: [{targets: ['localhost:9090']}]}]", "target localhost:9090"),
    ("rule_files: [/srv/rules/*.yml]", "loads rules from /srv/rules/"),
]


@pytest.mark.parametrize(("text", "words"), REFUSED)
@pytest.mark.parametrize("speed", [1, 30])
def test_what_a_drill_must_not_touch_is_refused_by_name(text: str, words: str, speed: float) -> None:
    with pytest.raises(StackError, match=words.replace("*", r"\*")):
        prometheus(text, speed)


def test_rules_within_the_rendered_folder_are_welcome() -> None:
    assert prometheus("rule_files: [rules/*.yml, /w/config/x.yml]")["rule_files"] == ["rules/*.yml", "/w/config/x.yml"]


def alertmanager(text: str, speed: float = 30.0) -> dict[str, Any]:
    return render_alertmanager(YAML(typ="safe").load(text), pager="127.0.0.1:20009", speed=speed)


@pytest.mark.parametrize("kind", SEND_RESOLVED)
@pytest.mark.parametrize("said", [None, True, False])
def test_every_integration_becomes_a_webhook_with_its_effective_send_resolved(kind: str, said: bool | None) -> None:
    integration = {"api_key": "secret", **({} if said is None else {"send_resolved": said})}
    content = {"route": {"receiver": "on call"}, "receivers": [{"name": "on call", kind: [integration]}]}
    rendered = render_alertmanager(content, pager="127.0.0.1:20009", speed=30)
    effective = {"email_configs": False, "slack_configs": False, "wechat_configs": False, "rocketchat_configs": False}
    expected = effective.get(kind, True) if said is None else said
    webhook = {"url": "http://127.0.0.1:20009/on%20call", "send_resolved": expected}
    assert rendered["receivers"] == [{"name": "on call", "webhook_configs": [webhook]}]
    assert "secret" not in str(rendered)


def test_a_receiver_keeps_as_many_webhooks_as_it_had_integrations() -> None:
    receivers = alertmanager(
        "route: {receiver: a}\n"
        "receivers: [{name: a, email_configs: [{to: x}, {to: y}], webhook_configs: [{url: z}]}, {name: nobody}]"
    )["receivers"]
    assert [hook["send_resolved"] for hook in receivers[0]["webhook_configs"]] == [False, False, True]
    assert receivers[1] == {"name": "nobody"}


def test_an_unknown_integration_is_refused_by_name() -> None:
    with pytest.raises(StackError, match="receiver 'a' has carrier_pigeon_configs"):
        alertmanager("route: {receiver: a}\nreceivers: [{name: a, carrier_pigeon_configs: [{}]}]")


TIMERS = [
    ("{}", 30, ("1s", "10s", "8m")),
    ("{}", 1, ("30s", "5m", "4h")),
    ("{group_wait: 0s, group_interval: 1m, repeat_interval: 1m}", 30, ("0s", "2s", "2s")),
    ("{group_interval: 1s}", 5000, ("6ms", "1ms", "2s880ms")),
]


@pytest.mark.parametrize(("route", "speed", "expected"), TIMERS)
def test_timers_of_routes_are_divided_and_stay_above_zero(route: str, speed: float, expected: tuple[str, ...]) -> None:
    rendered = alertmanager(f"route: {route}", speed)["route"]
    assert (rendered["group_wait"], rendered["group_interval"], rendered["repeat_interval"]) == expected


def test_nested_routes_inherit_what_they_do_not_say() -> None:
    rendered = alertmanager(
        """
        global: {resolve_timeout: 10m, smtp_auth_password: secret, slack_api_url: "https://hooks/secret"}
        route:
          receiver: a
          group_by: [alertname]
          routes:
            - {matchers: ['instance="model:8000"'], continue: true, routes: [{group_wait: 1m, receiver: a}]}
        inhibit_rules: [{source_matchers: [a="b"], equal: [job]}]
        templates: [/etc/alertmanager/*.tmpl]
        """
    )
    assert rendered["global"] == {"resolve_timeout": "20s"}
    (child,) = rendered["route"]["routes"]
    assert child == {
        "matchers": ['instance="model:8000"'],
        "continue": True,
        "routes": [{"group_wait": "2s", "receiver": "a"}],
    }
    assert rendered["inhibit_rules"] == [{"source_matchers": ['a="b"'], "equal": ["job"]}]
    assert rendered["templates"] == ["/etc/alertmanager/*.tmpl"]
    assert "secret" not in str(rendered)


@pytest.mark.parametrize("name", ["mute_time_intervals", "active_time_intervals"])
def test_a_time_of_day_is_kept_at_speed_1_and_refused_above(name: str) -> None:
    text = f"route: {{receiver: a, routes: [{{{name}: [nights]}}]}}"
    assert alertmanager(text, 1)["route"]["routes"] == [{name: ["nights"]}]
    with pytest.raises(StackError, match=name):
        alertmanager(text, 2)


RULES = """\
groups:
  - name: a
    rules:
      - alert: Down
        expr: up{instance="web:8000"} == 0
        for: 1m
        annotations: {summary: "{{ $labels.instance }} is down, see /etc/prometheus"}
"""


@pytest.fixture
def places(tmp_path: Path) -> Places:
    roles = {"web": role(declared=8000), "pager": role(declared=9095), "far": {"ports": {"http": 7000}}}
    paths = {"/etc/prometheus": "{config}/prometheus", "/var/log/web": "{work}/web"}
    stack = make_stack(tmp_path / "stack", roles, render=["prometheus", "alertmanager", "other"], paths=paths)
    files = {
        "prometheus/prometheus.yml": "rule_files: [/etc/prometheus/rules/*.yml]\n"
        "scrape_configs: [{job_name: web, static_configs: [{targets: ['web:8000']}]}]\n",
        "prometheus/rules/a.yml": RULES,
        "alertmanager/alertmanager.yml": "route: {receiver: a}\nreceivers: [{name: a, email_configs: [{to: x}]}]\n",
        "alertmanager/a.tmpl": '{{ define "a" }}web:8000{{ end }}',
        "other/deep/plain.conf": "to web:8000 far:7000 from /var/log/web/a.log\n",
    }
    for name, text in files.items():
        (stack.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (stack.folder / name).write_text(text)
    (stack.folder / "other" / "logo.png").write_bytes(b"\xff\x00web:8000")
    ports = {"web": {"http": 20001}, "pager": {"http": 20002}}
    return Places(stack=stack, work=tmp_path / "work", run_id="r", speed=30, ports=ports)


def test_the_declared_folders_are_written_for_everybody_to_read(places: Places) -> None:
    old = os.umask(0o077)
    try:
        render(places)
    finally:
        os.umask(old)
    config = places.config
    assert (config / "other/deep/plain.conf").read_text() == (
        f"to 127.0.0.1:20001 far:7000 from {places.work}/web/a.log\n"
    )
    assert (config / "other/logo.png").read_bytes() == b"\xff\x00web:8000"
    assert str(config / "prometheus/rules/*.yml") in (config / "prometheus/prometheus.yml").read_text()
    assert "http://127.0.0.1:20002/a" in (config / "alertmanager/alertmanager.yml").read_text()
    for path in (config, *config.rglob("*")):
        assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644)


def test_rule_files_are_compressed_and_keep_labels_and_templates(places: Places) -> None:
    render(places)
    (group,) = YAML(typ="safe").load((places.config / "prometheus/rules/a.yml").read_text())["groups"]
    (rule,) = group["rules"]
    assert rule["for"] == "2s"
    assert rule["expr"] == 'up{instance="web:8000"} == 0'
    assert rule["annotations"] == {"summary": "{{ $labels.instance }} is down, see /etc/prometheus"}


def test_at_speed_1_rule_files_stay_as_they_are(places: Places) -> None:
    render(Places(**{**vars(places), "speed": 1.0}))
    assert (places.config / "prometheus/rules/a.yml").read_text() == RULES


def test_addresses_are_those_of_roles_that_run_here(places: Places) -> None:
    assert declared_addresses(places) == {"web:8000": "127.0.0.1:20001", "pager:9095": "127.0.0.1:20002"}


BROKEN = [
    ("prometheus/prometheus.yml", "a: [", "prometheus/prometheus.yml is not YAML"),
    ("alertmanager/alertmanager.yml", "just words", "alertmanager/alertmanager.yml holds no mapping"),
]


@pytest.mark.parametrize(("name", "text", "words"), BROKEN)
def test_a_broken_file_is_named(places: Places, name: str, text: str, words: str) -> None:
    (places.stack.folder / name).write_text(text)
    with pytest.raises(StackError, match=words):
        render(Places(**{**vars(places), "speed": 1.0}))


def test_a_missing_folder_and_a_missing_pager_are_named(places: Places) -> None:
    gone = places.stack.model_copy(update={"render": ("nowhere",)}).at(places.stack.folder)
    with pytest.raises(StackError, match="render names nowhere"):
        render(Places(**{**vars(places), "stack": gone}))
    roles = {name: role for name, role in places.stack.roles.items() if name != "pager"}
    mute = places.stack.model_copy(update={"roles": roles}).at(places.stack.folder)
    with pytest.raises(StackError, match="no role 'pager'"):
        render(Places(**{**vars(places), "stack": mute, "ports": {"web": {"http": 20001}}}))


def test_the_copy_that_is_kept_holds_no_secret(places: Places, tmp_path: Path) -> None:
    job = "job_name: web, basic_auth: {username: me, password: '{{ hush }}'}, authorization: {credentials: hush}"
    (places.stack.folder / "prometheus/prometheus.yml").write_text(f"scrape_configs: [{{{job}}}]\n")
    render(places)
    keep_copy(places.config, tmp_path / "kept")
    assert "hush" in (places.config / "prometheus/prometheus.yml").read_text()
    kept = (tmp_path / "kept/prometheus/prometheus.yml").read_text()
    assert "hush" not in kept and kept.count("<secret>") == 2 and "username: me" in kept
    assert (tmp_path / "kept/other/logo.png").read_bytes() == b"\xff\x00web:8000"
