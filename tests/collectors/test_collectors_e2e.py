"""The recorders against a real Prometheus, a real Alertmanager and the pager: what they write is what these hold."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import requests

from tests.collectors.servers import Rig, ended, eventually, free_port
from tests.evidence.build import build
from tests.evidence.written_runs import SIGNALS
from tocsin.harness.collectors import AlertsCollector, MetricsCollector, NotificationsCollector
from tocsin.harness.evidence.evidence import read_evidence
from tocsin.harness.evidence.stream_coverage import blind_intervals
from tocsin.harness.provisioning.programs import cache_folder, find_all

PROMETHEUS = """
global: {{scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 200ms}}
rule_files: [{folder}/rules.yml]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ["{alertmanager}"]}}]}}]}}
scrape_configs:
- {{job_name: ml-inference, static_configs: [{{targets: ["{alertmanager}"]}}]}}
- {{job_name: prometheus, static_configs: [{{targets: ["{prometheus}"]}}]}}
"""
RULES = (
    "groups: [{name: w, rules: [{alert: Watchdog, expr: vector(1)}]}, {name: o, rules: [{alert: Odd, expr: 'up > 0'}]}]"
)
ALERTMANAGER = """
route: {{receiver: watchdog, group_wait: 0s, group_interval: 1s, repeat_interval: 1s, group_by: [alertname]}}
inhibit_rules: [{{source_matchers: [alertname="Watchdog"], target_matchers: [alertname="Odd"]}}]
receivers: [{{name: watchdog, webhook_configs: [{{url: "http://{pager}/watchdog"}}]}}]
"""


@pytest.fixture
def rig(tmp_path):
    programs = find_all(["prometheus", "alertmanager"], cache_folder())
    at = {role: f"127.0.0.1:{free_port()}" for role in ("prometheus", "alertmanager", "pager")}
    rig = Rig(tmp_path, at)
    for name, text in (("prometheus", PROMETHEUS), ("alertmanager", ALERTMANAGER)):
        (tmp_path / f"{name}.yml").write_text(text.format(folder=tmp_path, **at))
    (tmp_path / "rules.yml").write_text(RULES)
    record = rig.work / "pager/notifications.jsonl"
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "tocsin.harness.sidecars.pager", "--port", at["pager"][10:], "--record", str(record)]
        ),
        _started(programs["alertmanager"], tmp_path, at, f"--storage.path={tmp_path}/am", "--cluster.listen-address="),
        _started(
            programs["prometheus"],
            tmp_path,
            at,
            f"--storage.tsdb.path={tmp_path}/tsdb",
            "--rules.alert.resend-delay=1s",
        ),
    ]
    try:
        yield rig
    finally:
        for process in started:
            ended(process)


def _started(program, folder, at, *more):
    config, listen = f"--config.file={folder}/{program.name}.yml", f"--web.listen-address={at[program.name]}"
    environment = {**os.environ, **program.environment}
    return subprocess.Popen([str(program.path), config, listen, "--log.level=error", *more], env=environment)


def healthy(url):
    try:
        return requests.get(url, timeout=1).status_code == 200
    except requests.RequestException:
        return False


@pytest.mark.e2e
def test_recorders_write_down_what_the_servers_hold(rig):
    for role, path in (("prometheus", "/-/ready"), ("alertmanager", "/-/ready"), ("pager", "/healthz")):
        eventually(lambda role=role, path=path: healthy(f"http://{rig.addresses[role]}{path}"), within_s=30)
    metrics, alerts, notifications = recorders = [
        MetricsCollector(every_s=0.5),
        AlertsCollector(every_s=0.1),
        NotificationsCollector(every_s=0.1),
    ]
    for recorder in recorders:
        rig.start(recorder)
    for recorder in recorders:
        eventually(lambda recorder=recorder: recorder.seen_canary(rig.live, rig.run)[0], within_s=30)
    start = rig.run.clock.now()
    rig.run.clock.sleep(3)
    at = rig.run.clock.now()
    for recorder in recorders:
        eventually(lambda recorder=recorder: recorder.caught_up(rig.live, rig.run, at)[0])
    query = {"query": f'up{{job="prometheus"}}[{int((at - start) * 1000)}ms]', "time": f"{at:.3f}"}
    asked = requests.get(f"http://{rig.addresses['prometheus']}/api/v1/query", params=query, timeout=5).json()
    assert all(rig.collect(recorder) > 0 for recorder in recorders)
    assert rig.facts("stream_lost") == []

    evidence = _evidence(rig)
    (up,) = evidence.metrics.select("up", job="prometheus")
    (truth,) = asked["data"]["result"]
    held = np.array(truth["values"], dtype=float)
    assert len(held) >= 10
    assert up.t[(up.t >= held[0, 0]) & (up.t <= held[-1, 0])].tolist() == held[:, 0].tolist()
    (watchdog,) = evidence.alerts.episodes("Watchdog")
    assert watchdog.end is None
    assert watchdog.inhibited == ()
    odd = evidence.alerts.episodes("Odd")
    assert {one.labels["job"] for one in odd} == {"ml-inference", "prometheus"}
    assert all(one.inhibited[-1].end == evidence.alerts.last_evaluation for one in odd)
    assert any(one.delivered and one.names("Watchdog") for one in evidence.notifications)
    window = type(evidence.play)(start=start, end=at)
    assert [
        found
        for stream in ("metrics", "alerts", "notifications")
        for found in blind_intervals(evidence, stream, window)
    ] == []


def _evidence(rig):
    """Put a run.json beside what was recorded."""
    run = {"signals": {**SIGNALS, "watchdog": {"alert": "Watchdog", "receiver": "watchdog", "every": 1}}}
    intervals = {"scrape_interval_s": 0.2, "evaluation_interval_s": 0.2}
    build(rig.folder.parent / "built", run={**run, **intervals})
    for name in ("run.json", "journal.jsonl"):
        (rig.folder / name).write_bytes((rig.folder.parent / "built" / name).read_bytes())
    assert json.loads((rig.folder / "run.json").read_text())["schema"]
    return read_evidence(rig.folder)
