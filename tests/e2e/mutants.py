"""Stacks that each differ from the good one in one thing, and the sentence with which the drill `proof` must say so."""

from __future__ import annotations

from dataclasses import dataclass

from tests.e2e.drills import Change


@dataclass(frozen=True, kw_only=True)
class Broken:
    """A stack that differs in one thing: its exit code, and a verdict (check, answer, words of the sentence)."""

    name: str
    changes: tuple[Change, ...]
    code: int
    check: str
    answer: str
    words: str


SERVICE = "prometheus/rules/service.yml"
PROMETHEUS = "prometheus/prometheus.yml"
ALERTMANAGER = "alertmanager/alertmanager.yml"
BEFORE = """      - alert: HighErrorRate
        expr: |
          sum by (model_name) (rate(ml_predictions_total{status="error"}[5m]))
            / (sum by (model_name) (rate(ml_predictions_total[5m])) > 0)
            > 0.05
        for: 2m
        labels: {severity: critical, service: inference}
        annotations:
          summary: More than 5 % of the requests to {{ $labels.model_name }} fail.
"""
CRITICAL = """    - receiver: page
      matchers: [severity="critical"]
      group_interval: 1m # an alert that comes back, and the end of one, must not wait for five
      repeat_interval: 4h
"""
INHIBITION = """  - source_matchers: [alertname=~"HighErrorRate|MostRequestsFail"] # the same cause, told already
    target_matchers: [alertname=~"ErrorBudgetBurn.*"]
    equal: [model_name]
"""


def rule(*replaced: str) -> tuple[Change, ...]:
    """Return the change of the rule HighErrorRate that replaces the first, third ... word by the next one."""
    new = BEFORE
    for old, other in zip(replaced[::2], replaced[1::2], strict=True):
        assert old in new, old
        new = new.replace(old, other)
    return (Change(file=SERVICE, old=BEFORE, new=new),)


def route(old: str, new: str) -> tuple[Change, ...]:
    """Return the change of the route for critical alerts."""
    assert old in CRITICAL, old
    return (Change(file=ALERTMANAGER, old=CRITICAL, new=CRITICAL.replace(old, new)),)


def fire(name: str, changes: tuple[Change, ...], words: str) -> Broken:
    """Return a mutant that alerts/fire finds."""
    return found(name, changes, "alerts/fire", words)


def found(name: str, changes: tuple[Change, ...], check: str, words: str) -> Broken:
    """Return a mutant that a check finds, as a failure."""
    return Broken(name=name, changes=changes, code=1, check=check, answer="fail", words=words)


def one(file: str, old: str, new: str) -> tuple[Change, ...]:
    """Return one change of a file."""
    return (Change(file=file, old=old, new=new),)


NO_RUNTIME = '{{ with query "no_such_metric" | first }}{{ . }}{{ end }}'
MUTANTS = (
    fire("threshold x 10", rule("> 0.05", "> 0.5"), "never seen, not even pending"),
    fire("`for` x 4", rule("for: 2m", "for: 8m"), "firing only"),
    fire("a window too short", rule("[5m]", "[15s]"), "never seen, not even pending"),
    found("wrong label in the route", route('severity="critical"', 'level="critical"'), "alerts/delivered", "ticket"),
    found("severity missing", rule("severity: critical, ", ""), "rules/valid", "HighErrorRate"),
    found(
        "annotation with a template error",
        rule("More than 5 % of the requests to {{ $labels.model_name }} fail.", f"'{NO_RUNTIME}'"),
        "alerts/delivered",
        "summary",
    ),
    found(
        "resolved notices off",
        one(ALERTMANAGER, "page\n        send_resolved: true", "page\n        send_resolved: false"),
        "alerts/resolve",
        "resolved notice",
    ),
    found("repeat interval 1 s", route("repeat_interval: 4h", "repeat_interval: 1s"), "alerts/once", "HighErrorRate"),
    found("inhibition removed", one(ALERTMANAGER, INHIBITION, ""), "alerts/inhibited", "ErrorBudgetBurnHour"),
    fire("route to the wrong receiver", route("receiver: page", "receiver: ticket"), "it went to ticket"),
    found(
        "a rule over a renamed metric",
        one(SERVICE, 'rate(ml_prediction_latency_seconds_bucket{le="0.1"}[5m])',
            'rate(ml_request_latency_seconds_bucket{le="0.1"}[5m])'),
        "rules/valid",
        "ml_request_latency_seconds_bucket",
    ),
    fire("`sum by` on the wrong label", rule("sum by (model_name)", "sum by (instance)"), "with other labels"),
    fire("rule group not loaded", one(PROMETHEUS, "rules/*.yml", "rules/[^s]*.yml"), "loaded"),
    fire(
        "evaluation interval x 10",
        one(PROMETHEUS, "evaluation_interval: 15s", "evaluation_interval: 150s"),
        "TargetDown",
    ),
)  # fmt: skip
"""Each stands for a mistake that no static check of the files finds, but for two that rules/valid names."""

SAMPLE = tuple(
    one for one in MUTANTS if one.name in ("threshold x 10", "route to the wrong receiver", "severity missing")
)
"""What is played with every change; all of them are played by `make soak`."""
