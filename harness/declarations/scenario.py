"""A scenario (what will be done and what is expected), its timeline, and the catalogue of names it may use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, PrivateAttr

from tocsin.harness.core.base_model import Frozen, Seconds
from tocsin.harness.declarations.alert_plan import AlertRule as AlertRule
from tocsin.harness.declarations.alert_plan import Floor as Floor
from tocsin.harness.declarations.guardrails import Abort, Budget
from tocsin.harness.declarations.stack import Stack

if TYPE_CHECKING:
    from tocsin.harness.declarations.offered_load import Asked


def _name_or_one_key(value: object) -> object:
    if isinstance(value, str) or (isinstance(value, Mapping) and len(value) == 1):
        return value
    raise ValueError("a name such as `poisson`, or one name with its arguments, `{ramp: {to_per_s: 300}}`")


Arrivals = Annotated[str | Mapping[str, Any], BeforeValidator(_name_or_one_key)]
"""A pacer by its name, or a mapping of one name to its arguments."""


def pacer_of(arrivals: str | Mapping[str, Any]) -> tuple[str, Any]:
    """Return the pacer's name and its arguments as written, none: an empty mapping."""
    if isinstance(arrivals, str):
        return arrivals, {}
    name, args = next(iter(arrivals.items()))
    return name, {} if args is None else args


class Traffic(Frozen):
    """Who sends, how, from how many processes, how many requests per wall second, and how they are spaced."""

    users: str = "predict"
    client: Literal["keepalive", "fasthttp", "http"] = "keepalive"
    workers: int = Field(default=1, ge=1, le=64)
    rate_per_s: float = Field(default=100.0, gt=0, le=100_000)
    arrivals: Arrivals = "poisson"


class TrafficOverride(Frozen):
    """What a phase changes of the scenario's traffic."""

    rate_per_s: float | None = Field(default=None, gt=0, le=100_000)
    arrivals: Arrivals | None = None


class FaultPlan(Frozen):
    """One fault placed in a phase: `kind` with `params`, `at` into the phase, `for` how long (production seconds).

    The kind `random` stands for faults that tocsin.harness.planning.random_faults draws.
    """

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


def _day(value: object) -> object:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        raise ValueError("a date such as 2027-01-31") from None


class Waiver(Frozen):
    """A known gap: until the end of this day (UTC) a line of `expect` may fail, for this reason."""

    until: Annotated[date, BeforeValidator(_day)]
    reason: str = Field(min_length=1)


class Expectation(Frozen):
    """One line of `expect`: a check's id and its arguments as written; `line` in the scenario file."""

    check: str
    args: Mapping[str, Any]
    line: int = 0
    waive: Waiver | None = None
    _parsed: BaseModel | None = PrivateAttr(default=None)

    @property
    def parsed(self) -> BaseModel | None:
        """The validated arguments; None where they are wrong, and in a scenario read back from a run directory."""
        return self._parsed

    def with_parsed(self, args: BaseModel | None) -> Expectation:
        """Return the same line with its validated arguments."""
        copy = self.model_copy()
        copy._parsed = args
        return copy


class Scenario(Frozen):
    """A drill as data. Times are production seconds."""

    version: Literal[1]
    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    summary: str
    stack: str = "reference"
    seed: int = 0
    traffic: Traffic = Traffic()
    budget: Budget | None = None
    abort: tuple[Abort, ...] = ()
    timeline: tuple[Phase, ...] = Field(min_length=1)
    expect: tuple[Expectation, ...] = Field(min_length=1)
    _folder: Path = PrivateAttr(default=Path())

    @property
    def folder(self) -> Path:
        """The folder of the scenario file."""
        return self._folder

    def at(self, folder: Path) -> Scenario:
        """Return the same scenario, knowing where its file lies."""
        copy = self.model_copy()
        copy._folder = folder
        return copy


@dataclass(frozen=True, kw_only=True)
class Paced:
    """The load of one phase as its pacer plans it: `asked` in wall seconds, `words` for a plan.

    `args` are the pacer's, validated; `from_s` production seconds of its shape are over when the phase begins.
    """

    asked: Asked
    words: str
    args: BaseModel
    from_s: float = 0.0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PlannedPhase:
    """A phase with its place: `start_s` and `end_s` are production seconds from the start of play."""

    name: str
    start_s: float
    end_s: float
    traffic: Traffic
    payload: Mapping[str, Any]
    paced: Paced


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
    pacers: Mapping[str, Any] = field(default_factory=dict)
    """Name -> tocsin.harness.traffic.pacers.Pacer: `args` (model), `wrong`, `plan`."""
    kinds: tuple[str, ...] = ()
    """Every kind of request that a payload can send."""
    blinds: Mapping[str, Any] = field(default_factory=dict)
    """Fault kind -> function (params, stack) -> pairs (signal, role)."""
    reach: Mapping[str, Any] = field(default_factory=dict)
    """Fault kind -> function (params, stack) -> tocsin.harness.declarations.guardrails.Reach."""
