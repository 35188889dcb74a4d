"""The proof that it can fail: the same drill on the good stack and on stacks that each differ from it in one thing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.e2e.drills import Change, Played, copy_stack, play
from tests.e2e.mutants import SAMPLE, Broken

pytestmark = pytest.mark.e2e


SHIPPER = """    local:
      program: rsyslogd
      argv: ["{program}", "-n", "-f", "{config}/rsyslog/rsyslog.conf", "-i", "{data}/rsyslogd.pid"]
      modules_flag: "-M{modules}"
      folders: ["{data}/state"]
      stop_s: 3
      health: {file: "{data}/rsyslogd.log", within_s: 10}
"""
PAGER = """  pager:
    local:
      argv: ["{python}", "-m", "tocsin.harness.sidecars.pager", "--port", "{port}",
             "--record", "{work}/pager/notifications.jsonl", "--answer", "500"]
      health: {http: /healthz, within_s: 10}
"""
ALERTING = """alerting:
  alertmanagers:
    - static_configs:
        - targets: ["alertmanager:9093"]
"""
BROKEN = (
    *SAMPLE,
    Broken(
        name="Alertmanager not configured in Prometheus",
        changes=(Change(file="prometheus/prometheus.yml", old=ALERTING, new=""),),
        code=2,
        check="alerts/fire",
        answer="unknown",
        words="Watchdog",
    ),
    Broken(
        name="pager answers 500",
        changes=(Change(file="stack.yaml", old="  pager: {}\n", new=PAGER),),
        code=2,
        check="alerts/fire",
        answer="unknown",
        words="500",
    ),
    Broken(
        name="shipper not started",
        changes=(Change(file="stack.yaml", old=SHIPPER, new=""),),
        code=2,
        check="logs/ledger",
        answer="unknown",
        words="logs",
    ),
    Broken(
        name="drift gauge never cleared",
        changes=(
            Change(
                file="service/metrics.py",
                old="self._detected.labels(state.feature).set(state.detected)",
                new="self._detected.labels(state.feature).set(1) if state.detected else None",
            ),
        ),
        code=1,
        check="alerts/resolve",
        answer="fail",
        words="FeatureDrift",
    ),
    Broken(
        name="error counter not incremented",
        changes=(
            Change(
                file="service/inference.py",
                old="metrics.outcomes[model, answer.outcome].inc()",
                new="metrics.outcomes[model, answer.outcome].inc(answer.outcome != ERROR)",
            ),
        ),
        code=1,
        check="metrics/agree",
        answer="fail",
        words="error",
    ),
    Broken(
        name="latency not observed on exceptions",
        changes=(
            Change(
                file="service/inference.py",
                old="metrics.latency[model].observe(took_s)",
                new="answer.outcome != ERROR and metrics.latency[model].observe(took_s)",
            ),
        ),
        code=1,
        check="latency/metric_agrees",
        answer="fail",
        words="observations, clients account for",
    ),
)


def test_the_good_stack_passes_every_check(good: Played) -> None:
    assert good.code == 0, good.output
    assert {verdict["answer"] for verdict in good.verdicts} == {"pass"}
    assert len(good.verdicts) >= 10


@pytest.mark.parametrize("broken", BROKEN, ids=[broken.name for broken in BROKEN])
def test_each_single_defect_turns_the_drill_red_with_the_right_sentence(
    broken: Broken, good: Played, tmp_path: Path
) -> None:
    assert good.code == 0
    played = play(tmp_path / "runs", copy_stack(tmp_path / "stack", broken.changes))
    assert played.code == broken.code, played.output
    answers = played.answers(broken.check)
    assert any(answer == broken.answer and broken.words in reason for answer, reason in answers), played.output


def test_half_of_the_load_is_not_delivered(good: Played, tmp_path: Path) -> None:
    assert good.code == 0
    program = (sys.executable, str(Path(__file__).with_name("half_load.py")))
    played = play(tmp_path / "runs", copy_stack(tmp_path / "stack"), program=program)
    assert played.code == 1, played.output
    assert [answer for answer, _ in played.answers("load/delivered")] == ["fail"]
    gated = [
        answer for check in ("alerts/fire", "alerts/quiet", "metrics/agree") for answer, _ in played.answers(check)
    ]
    assert set(gated) <= {"unknown", "pass"} and "unknown" in gated, "what needs load cannot be told without it"
