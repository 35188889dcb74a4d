"""A scenario (what will be done and what is expected), its timeline, and the catalogue of names it may use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, Field

from harness.stack import Frozen, Seconds, Stack


class Traffic(Frozen):
    """Who sends, how many requests per wall second, and how they are spaced."""

    users: str = "predict"
    rate_per_s: float = Field(default=100.0, gt=0, le=100_000)
    arrivals: Literal["poisson", "constant"] = "poisson"


class TrafficOverride(Frozen):
    """What a phase changes of the scenario's traffic."""

    rate_per_s: float | None = Field(default=None, gt=0, le=100_000)
    arrivals: Literal["poisson", "constant"] | None = None


class FaultPlan(Frozen):
    """One fault placed in a phase: `kind` with `params`, `at` into the phase, `for` how long (production seconds)."""

    kind: str
    params: Mapping[str, Any]
    at: Seconds = 0.0
    lasts: Seconds | None = Field(default=None, alias="for")
    name: str


class Phase(Frozen):
    """A window of the timeline, `for` so many production seconds."""

    phase: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    lasts: Seconds = Field(alias="for", gt=0)
    traffic: TrafficOverride = TrafficOverride()
    payload: Mapping[str, Any] = {}
    faults: tuple[FaultPlan, ...] = ()


class Expectation(Frozen):
    """One line of `expect`: a check's id and its arguments as written; `line` in the scenario file."""

    check: str
    args: Mapping[str, Any]
    line: int = 0


class Scenario(Frozen):
    """A drill as data. Times are production seconds."""

    version: Literal[1]
    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    summary: str
    stack: str = "reference"
    seed: int = 0
    traffic: Traffic = Traffic()
    timeline: tuple[Phase, ...] = Field(min_length=1)
    expect: tuple[Expectation, ...] = Field(min_length=1)


@dataclass(frozen=True, kw_only=True)
class PlannedPhase:
    """A phase with its place: `start_s` and `end_s` are production seconds from the start of play."""

    name: str
    start_s: float
    end_s: float
    traffic: Traffic
    payload: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class PlannedFault:
    """A fault with its place, and what it blinds: pairs (signal, role)."""

    name: str
    kind: str
    params: Mapping[str, Any]
    phase: str
    inject_s: float
    heal_s: float
    blinds: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing play does, `at_s` production seconds after its start. Ordered by time, then as written."""

    at_s: float
    action: Literal["phase", "inject", "heal", "end"]
    name: str


@dataclass(frozen=True, kw_only=True)
class AlertRule:
    """An alerting rule of the stack folder. `loaded`: prometheus.yml names its file. Production seconds."""

    name: str
    file: str
    expr: str
    for_s: float
    labels: Mapping[str, str]
    loaded: bool


@dataclass(frozen=True, kw_only=True)
class Floor:
    """The soonest an expected alert can be seen: the parts in production seconds, and the bound asked."""

    alert: str
    where: str
    parts: Mapping[str, float]
    bound_s: float

    @property
    def total_s(self) -> float:
        """The sum of the parts."""
        return sum(self.parts.values())


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
    warnings: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    """Why this speed is not honest; empty when it is. `run` refuses a timeline with limits."""

    @property
    def length_s(self) -> float:
        """Production seconds of play."""
        return self.phases[-1].end_s

    @property
    def wall_s(self) -> float:
        """Wall seconds of play."""
        return self.length_s / self.speed


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """Every name a scenario may use, with its argument model: the loader needs nothing else.

    `checks`, `faults` and `payloads` map a name to the pydantic model of its arguments; `users` are the names
    of those who can send.
    """

    checks: Mapping[str, type[BaseModel]]
    faults: Mapping[str, type[BaseModel]]
    payloads: Mapping[str, type[BaseModel]]
    users: tuple[str, ...]
    kinds: tuple[str, ...] = ()
    """Every kind of request that a payload can send."""
    blinds: Mapping[str, Any] = field(default_factory=dict)
    """Fault kind -> function (params, stack) -> pairs (signal, role)."""
