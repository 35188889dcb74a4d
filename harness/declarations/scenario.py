"""A scenario (what will be done and what is expected), its timeline, and the catalogue of names it may use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Literal, Protocol, TypeVar

from pydantic import BaseModel, BeforeValidator, Field, PrivateAttr

from tocsin.harness.core.base_model import Frozen, InFolder, Seconds
from tocsin.harness.declarations.fault_contract import Fault
from tocsin.harness.declarations.guardrails import Abort, Budget
from tocsin.harness.declarations.load_profile import Paced

_Arguments = TypeVar("_Arguments", bound=BaseModel)


def _name_or_one_key(value: object) -> object:
    if isinstance(value, str) or (isinstance(value, Mapping) and len(value) == 1):
        return value
    raise ValueError("a name such as `poisson`, or one name with its arguments, `{ramp: {to_per_s: 300}}`")


Arrivals = Annotated[str | Mapping[str, object], BeforeValidator(_name_or_one_key)]
"""A pacer by its name, or a mapping of one name to its arguments."""


def pacer_of(arrivals: str | Mapping[str, object]) -> tuple[str, object]:
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


class Draws(Frozen):
    """The parameters of a `random` fault: one of `from` in every stretch of `every`, for so long; production seconds.

    `faults` are the choices with their validated parameters, in the same order.
    """

    choices: tuple[Mapping[str, object], ...] = Field(alias="from", min_length=1)
    every: Seconds = Field(gt=0)
    lasts: Seconds = Field(alias="for", gt=0)
    _faults: tuple[Fault, ...] = PrivateAttr(default=())

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The choices as faults; none in a scenario read back from a run directory."""
        return self._faults

    def with_faults(self, faults: Iterable[Fault]) -> Draws:
        """Return the same with its choices as faults."""
        copy = self.model_copy()
        copy._faults = tuple(faults)
        return copy


class FaultPlan(Frozen):
    """One fault placed in a phase: `kind` with `params`, `at` into the phase, `for` how long (production seconds).

    The kind `random` stands for faults that tocsin.harness.planning.random_faults draws.
    """

    kind: str
    params: Mapping[str, object]
    at: Seconds = 0.0
    lasts: Seconds | None = Field(default=None, alias="for")
    name: str
    _parsed: Fault | Draws | None = PrivateAttr(default=None)

    @property
    def fault(self) -> Fault:
        """The fault with its validated parameters; ValueError for `random` and for one that was not loaded."""
        if not isinstance(self._parsed, Fault):
            raise ValueError(f"the fault {self.name} of kind {self.kind} has no validated parameters")
        return self._parsed

    @property
    def draws(self) -> Draws | None:
        """What a `random` fault draws from; None for every other kind."""
        return self._parsed if isinstance(self._parsed, Draws) else None

    def with_parsed(self, parsed: Fault | Draws) -> FaultPlan:
        """Return the same plan with its validated parameters."""
        copy = self.model_copy()
        copy._parsed = parsed
        return copy


class Phase(Frozen):
    """A window of the timeline, `for` so many production seconds."""

    phase: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    lasts: Seconds = Field(alias="for", gt=0)
    traffic: TrafficOverride = TrafficOverride()
    payload: Mapping[str, object] = {}
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
    args: Mapping[str, object]
    line: int = 0
    waive: Waiver | None = None
    _parsed: BaseModel | None = PrivateAttr(default=None)

    @property
    def parsed(self) -> BaseModel | None:
        """The validated arguments; None where they are wrong, and in a scenario read back from a run directory."""
        return self._parsed

    def arguments(self, model: type[_Arguments]) -> _Arguments:
        """Return the arguments of a check's model; those of a run read back are validated once. ValidationError."""
        if isinstance(self._parsed, model):
            return self._parsed
        parsed = model.model_validate(self.args)
        self._parsed = parsed
        return parsed

    def with_parsed(self, args: BaseModel | None) -> Expectation:
        """Return the same line with its validated arguments."""
        copy = self.model_copy()
        copy._parsed = args
        return copy


class Scenario(InFolder):
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


class Pacing(Protocol):
    """A pacer: how requests are spaced, by the name that `arrivals` gives it."""

    @property
    def args(self) -> type[BaseModel]:
        """The model of its arguments."""

    @property
    def wrong(self) -> Callable[..., Iterable[tuple[str, str, str]]]:
        """Returns what is wrong with valid arguments in a phase: (argument, value, what was expected)."""

    @property
    def plan(self) -> Callable[..., Paced]:
        """Returns the load of a phase."""


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """Every name a scenario may use: the loader needs nothing else.

    `checks` and `payloads` map a name to the model of its arguments; `users` are the names of those who can send;
    `kinds` is every kind of request that a payload can send.
    """

    checks: Mapping[str, type[BaseModel]]
    faults: Mapping[str, type[Fault]]
    payloads: Mapping[str, type[BaseModel]]
    users: tuple[str, ...]
    pacers: Mapping[str, Pacing] = field(default_factory=dict)
    kinds: tuple[str, ...] = ()
