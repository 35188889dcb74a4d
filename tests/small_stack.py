"""A stack folder and a catalogue as small as they can be, for tests that need names and nothing that runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from tocsin.harness.core.base_model import Frozen
from tocsin.harness.declarations.alert_timing import Fire
from tocsin.harness.declarations.check_arguments import Args, FeatureName, Ref
from tocsin.harness.declarations.fault_contract import Fault, Params, Witness
from tocsin.harness.declarations.scenario import Catalogue
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.traffic.pacers import CATALOGUE as PACERS

STACK = """
version: 1
name: small
prometheus: prometheus/prometheus.yml
alertmanager: alertmanager/alertmanager.yml
roles:
  model: {ports: {http: 8000}, fixed_s: 2}
  prometheus: {fixed_s: 0, memory_mib: 50}
signals:
  jobs: {ml: model}
payload: {role: model, sample: sample.npz, features: [f1, f2, f3], path: /predict, body: '{"features": $row}'}
"""
PROMETHEUS = """
global: {scrape_interval: 15s, evaluation_interval: 30s}
rule_files: [rules/service.yml]
"""
SERVICE = """
groups:
  - name: service
    rules:
      - {alert: HighErrorRate, expr: 'rate(e[5m]) > 0.05', for: 2m, labels: {severity: critical}}
      - {record: ratio, expr: 'rate(e[5m])'}
"""
DRIFT = """
groups:
  - {name: drift, rules: [{alert: FeatureDrift, expr: 'drift == 1', for: 1m}]}
"""
ALERTMANAGER = """
route: {receiver: ticket, group_wait: 10s, group_interval: 1m, routes: [{receiver: page, matchers: ['a="b"']}]}
receivers: [{name: page}, {name: ticket}]
"""


class End(Fire):
    """Arguments like those of `alerts/resolve`."""

    counts_from: ClassVar[Literal["begin", "end"]] = "end"


class Flat(Args):
    """Arguments like those of `drift/flat`."""

    excluded: tuple[FeatureName, ...] = Field(default=(), alias="except")


class Ledger(Args):
    """Arguments like those of `logs/ledger`."""

    lost: int = 0


class RaisesParams(Params):
    """Parameters like those of `model_raises`."""

    share: float = Field(gt=0, le=1)


class KillParams(Params):
    """Parameters like those of `kill`."""

    role: Annotated[str, Ref(kind="role")]


class Planned(Fault):
    """A fault that is planned and never played."""

    params: Params

    def inject(self, live: LiveStack) -> None:
        raise NotImplementedError

    def heal(self, live: LiveStack) -> None:
        raise NotImplementedError

    def witness(self, live: LiveStack) -> Witness:
        raise NotImplementedError


class Raises(Planned):
    """A fault like `model_raises`."""

    kind = "model_raises"
    params: RaisesParams

    def needs(self) -> tuple[str, ...]:
        return ("role:model",)


class Kill(Planned):
    """A fault like `kill`."""

    kind = "kill"
    params: KillParams
    restarts_role = "at_heal"

    def needs(self) -> tuple[str, ...]:
        return (f"role:{self.params.role}",)

    def blinds(self, stack: Stack) -> tuple[tuple[str, str], ...]:
        return (("logs", self.params.role), ("notifications", self.params.role))


class Shift(Frozen):
    """Arguments like those of the payload `shift`."""

    shift: Literal["mean"]
    features: tuple[FeatureName, ...]
    by_sd: float


CATALOGUE = Catalogue(
    pacers=PACERS,
    checks={"alerts/fire": Fire, "alerts/end": End, "drift/flat": Flat, "logs/ledger": Ledger, "alerts/quiet": Args},
    faults={"model_raises": Raises, "kill": Kill},
    payloads={"shift": Shift},
    users=("predict",),
)

SCENARIO = """\
version: 1
name: sample
summary: A sample.
stack: STACK
timeline:
  - {phase: baseline, for: 5m}
  - phase: trouble
    for: 10m
    payload: {shift: mean, features: [f1], by_sd: 0.5}
    faults: [{model_raises: {share: 0.3}, at: 2m, for: 5m, name: failing}]
  - {phase: recovery, for: 5m, traffic: {rate_per_s: 10}}
expect:
  - alerts/fire: {alert: HighErrorRate, in: trouble, within: 6m, delivered_to: page}
  - alerts/quiet: {}
"""


def write_stack(folder: Path, **changed: str) -> Path:
    """Write the small stack below `folder`; `changed` replaces a file by its stem. Return the folder."""
    files = {
        "stack": ("stack.yaml", STACK),
        "prometheus": ("prometheus/prometheus.yml", PROMETHEUS),
        "service": ("prometheus/rules/service.yml", SERVICE),
        "drift": ("prometheus/rules/drift.yml", DRIFT),
        "alertmanager": ("alertmanager/alertmanager.yml", ALERTMANAGER),
    }
    for stem, (name, text) in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(changed.get(stem, text))
    return folder


def write_scenario(folder: Path, *changes: tuple[str, str], **changed: str) -> Path:
    """Write the small stack and the sample scenario with each (old, new) replaced; return the scenario's path."""
    stack = write_stack(folder / "small", **changed)
    text = SCENARIO.replace("STACK", str(stack))
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    path = folder / "sample.yaml"
    path.write_text(text)
    return path
