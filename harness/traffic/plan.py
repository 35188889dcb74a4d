"""The plan files that the traffic process and the canary process are started with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, Field, ValidationError

from harness.errors import StackError
from harness.stack import Frozen
from harness.traffic import USERS
from harness.traffic.pacers import ALL as PACERS
from harness.traffic.payloads.base import in_one_line


def _known_user(name: str) -> str:
    if name not in USERS:
        raise ValueError(f"users of your own ({name!r}) cannot be played yet; use one of {', '.join(USERS)}")
    return name


def _known_pacer(name: str) -> str:
    if name not in PACERS:
        raise ValueError(f"{name!r} is not one of {', '.join(PACERS)}")
    return name


class Shape(Frozen):
    """What a request looks like, as stack.yaml's `payload` says."""

    path: str
    body: str
    features: tuple[str, ...]
    integers: bool = False


class Sending(Frozen):
    """What both processes need: where to send, what, and where to keep the records. Times are wall seconds."""

    run_id: str = Field(pattern=r"^[a-z0-9-]{1,24}$")
    address: str = Field(pattern=r"^[^:]+:\d+$")
    records: Path
    sample: Path
    payload: Shape
    seed: int = Field(default=0, ge=0)
    timeout_s: float = Field(default=10.0, gt=0)


class CanaryPlan(Sending):
    """One canary each `every_s`."""

    every_s: float = Field(gt=0)


class TrafficPhase(Frozen):
    """A phase in wall seconds from the start of play; `payload` as in the scenario."""

    name: str
    start_s: float = Field(ge=0)
    end_s: float
    rate_per_s: float = Field(gt=0)
    arrivals: Annotated[str, AfterValidator(_known_pacer)]
    payload: Mapping[str, Any] = {}


class TrafficPlan(Sending):
    """The load of a run. `users_max` bounds the open connections, `queue_max` the requests that wait for one."""

    worker: int = Field(default=1, ge=1, le=65535)
    users: Annotated[str, AfterValidator(_known_user)] = "predict"
    phases: tuple[TrafficPhase, ...] = Field(min_length=1)
    users_max: int = Field(default=2000, ge=1)
    queue_max: int = Field(default=20_000, ge=1)


Plan = TypeVar("Plan", bound=Sending)


def read_plan(model: type[Plan], path: Path) -> Plan:
    """Read a plan file; StackError with every mistake if it is not one."""
    try:
        return model.model_validate_json(path.read_bytes())
    except OSError as error:
        raise StackError(f"{path} is not a plan: {error}.") from None
    except ValidationError as error:
        raise StackError(f"{path} is not a plan: {in_one_line(error)}.") from None
