"""Bases of the arguments of checks, and types for arguments that name something: a phase, a fault, an alert, ..."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from tocsin.harness.core.base_model import Frozen, Seconds


@dataclass(frozen=True, kw_only=True)
class Ref:
    """Marks an argument as a name: of an alert, dashboard, edge, fault, feature, kind, panel, phase, receiver, role."""

    kind: str


PhaseName = Annotated[str, Ref(kind="phase")]
FaultName = Annotated[str, Ref(kind="fault")]
AlertName = Annotated[str, Ref(kind="alert")]
FeatureName = Annotated[str, Ref(kind="feature")]
ReceiverName = Annotated[str, Ref(kind="receiver")]


Duration = Seconds
"""An argument in seconds, written as a duration (`200ms`). Whether a speed divides it is for the check to say."""


class Args(Frozen):
    """Base of a check's arguments: where it looks. `in` names a phase, `during` a fault; neither: the whole of play."""

    phase: PhaseName | None = Field(default=None, alias="in")
    during: FaultName | None = None


class Bounded(Args):
    """Arguments of a check with a bound, in production seconds; the loader refuses one that the drill cannot hold.

    With `during` the bound counts from the fault's beginning or, where `counts_from` is `end`, from its heal.
    """

    counts_from: ClassVar[Literal["begin", "end"]] = "begin"
    within: Seconds = Field(gt=0)


class AlertArgs(Args):
    """Arguments about one alert: its name, and labels it must carry; others are free."""

    alert: AlertName
    labels: Mapping[str, str] = {}


class AlertBound(AlertArgs, Bounded):
    """Arguments about one alert with a bound, and the receiver who must be told; None: nobody in particular."""

    delivered_to: ReceiverName | None = None


class Entry(Frozen):
    """Base of an entry in a list among a check's arguments."""


class SuiteArgs(Frozen):
    """Base of a suite check's arguments: it looks at drills as a whole."""
