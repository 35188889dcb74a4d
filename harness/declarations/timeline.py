"""A planned drill: its phases and faults in time, the load of each phase, and why a speed may not be honest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tocsin.harness.declarations.alert_timing import AlertRule, Floor
from tocsin.harness.declarations.fault_contract import Fault, active_fault
from tocsin.harness.declarations.guardrails import Abort, ActiveFault
from tocsin.harness.declarations.load_profile import Paced
from tocsin.harness.declarations.scenario import Scenario, Traffic
from tocsin.harness.declarations.stack import Stack


@dataclass(frozen=True, kw_only=True)
class PlannedPhase:
    """A phase with its place: `start_s` and `end_s` are production seconds from the start of play."""

    name: str
    start_s: float
    end_s: float
    traffic: Traffic
    payload: Mapping[str, object]
    paced: Paced


@dataclass(frozen=True, kw_only=True)
class PlannedFault:
    """A fault with its place, and what it blinds: pairs (signal, role). `params` are its parameters as written."""

    name: str
    fault: Fault
    params: Mapping[str, object]
    phase: str
    inject_s: float
    heal_s: float
    blinds: tuple[tuple[str, str], ...] = ()

    @property
    def kind(self) -> str:
        """The kind of the fault."""
        return self.fault.kind

    def active(self, stack: Stack) -> ActiveFault:
        """Return the fault as guardrails see it on this stack."""
        return active_fault(self.fault, stack, name=self.name, start_s=self.inject_s, end_s=self.heal_s)


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing play does, `at_s` production seconds after its start. Ordered by time, then as written."""

    at_s: float
    action: Literal["phase", "inject", "heal", "end"]
    name: str


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """The plan: a pure function of scenario, stack, seed and speed."""

    scenario: Scenario
    stack: Stack
    seed: int
    speed: float
    phases: tuple[PlannedPhase, ...]
    faults: tuple[PlannedFault, ...]
    steps: tuple[Step, ...]
    alerts: tuple[AlertRule, ...]
    floors: tuple[Floor, ...]
    scrape_interval_s: float
    """Production seconds between scrapes (the global one of prometheus.yml)."""
    evaluation_interval_s: float
    group_interval_s: float
    """The largest group_interval of Alertmanager's routes, production seconds."""
    aborts: tuple[tuple[Abort, str], ...] = ()
    """The conditions that end the drill, each with its expression as it is evaluated at this speed."""
    warnings: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    """Why this speed is not honest; empty when it is. `run` refuses a timeline with limits."""
    largest_speed: float = 1.0
    """The largest honest speed, rounded down to a whole number."""
    limited_by: str = ""
    """What keeps the speed from being larger, in words."""

    @property
    def length_s(self) -> float:
        """Production seconds of play."""
        return self.phases[-1].end_s

    @property
    def wall_s(self) -> float:
        """Wall seconds of play."""
        return self.length_s / self.speed
