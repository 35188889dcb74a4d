"""The plan files that the traffic process and the canary process are started with."""

from __future__ import annotations

import signal
import ssl
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, ValidationError, model_validator

from tocsin.harness.core.base_model import Frozen
from tocsin.harness.core.errors import BROKEN, StackError
from tocsin.harness.declarations.load_profile import OfferedLoad
from tocsin.harness.declarations.request_format import Shape, Tls
from tocsin.harness.traffic import USERS
from tocsin.harness.traffic.payloads.payload_kind import in_one_line
from tocsin.harness.traffic.stdout_events import emit


def _known_user(name: str) -> str:
    if name not in USERS and ".py:" not in name:
        raise ValueError(f"{name!r} is neither one of {', '.join(USERS)} nor FILE.py:CLASS")
    return name


class Sending(Frozen):
    """What both processes need: where to send, what, and where to write the records. Times are wall seconds."""

    run_id: str = Field(pattern=r"^[a-z0-9-]{1,24}$")
    address: str = Field(pattern=r"^[^:]+:\d+$")
    records: Path
    sample: Path
    reference: Path | None = None
    payload: Shape
    speed: float = Field(default=1.0, gt=0)
    seed: int = Field(default=0, ge=0)
    timeout_s: float = Field(default=10.0, gt=0)
    tls: Tls | None = None
    """None: plain http."""

    @property
    def tls_context(self) -> ssl.SSLContext | None:
        """How to speak https, None for plain http."""
        return None if self.tls is None else self.tls.context()


class CanaryPlan(Sending):
    """One canary each `every_s`."""

    every_s: float = Field(gt=0)


class Recording(Frozen):
    """A recorded sequence of arrivals: `from_s` production seconds of it are over when the phase begins."""

    path: Path
    from_s: float = Field(default=0.0, ge=0)
    speed: float = Field(default=1.0, gt=0)
    """Its times are divided by it, and one in so many is kept."""


class TrafficPhase(Frozen):
    """A phase in wall seconds from the start of play, and the load it asks for; `payload` as in the scenario.

    In short `rate_per_s` and `arrivals: poisson` (or constant) stand for a load that does not change.
    """

    name: str
    start_s: float = Field(ge=0)
    end_s: float
    asked: OfferedLoad
    recording: Recording | None = None
    payload: Mapping[str, object] = {}

    @model_validator(mode="before")
    @classmethod
    def _in_short(cls, phase: object) -> object:
        if not isinstance(phase, Mapping) or "rate_per_s" not in phase or "asked" in phase:
            return phase
        long = {key: value for key, value in phase.items() if key not in ("rate_per_s", "arrivals")}
        length_s, rate_per_s = float(phase["end_s"]) - float(phase["start_s"]), phase["rate_per_s"]
        steady = {"t_s": (0.0, length_s), "rate_per_s": (rate_per_s, rate_per_s)}
        return {**long, "asked": {**steady, "gaps": phase.get("arrivals", "poisson")}}


class TrafficPlan(Sending):
    """The load of a run. `users_max` bounds the open connections, `queue_max` the requests that wait for one."""

    worker: int = Field(default=1, ge=1, le=65535)
    workers: int = Field(default=1, ge=1, le=65535)
    """This process is number `worker` of `workers` and plays its share of the same load."""
    users: Annotated[str, AfterValidator(_known_user)] = "predict"
    client: Literal["keepalive", "fasthttp", "http"] = "keepalive"
    phases: tuple[TrafficPhase, ...] = Field(min_length=1)
    users_max: int = Field(default=2000, ge=1)
    queue_max: int = Field(default=20_000, ge=1)

    @model_validator(mode="after")
    def _one_of_them(self) -> TrafficPlan:
        if self.worker > self.workers:
            raise ValueError(f"worker {self.worker} of {self.workers}")
        return self


Plan = TypeVar("Plan", bound=Frozen)
Loaded = TypeVar("Loaded")


def read_plan(model: type[Plan], path: Path) -> Plan:
    """Read a plan file; StackError with every mistake if it is not one."""
    try:
        return model.model_validate_json(path.read_bytes())
    except OSError as error:
        raise StackError(f"{path} is not a plan: {error}.") from None
    except ValidationError as error:
        raise StackError(f"{path} is not a plan: {in_one_line(error)}.") from None


def load_or_report(usage: str, argv: Sequence[str], model: type[Plan], make: Callable[[Plan], Loaded]) -> Loaded | int:
    """Return what `make` makes of the plan file named in `argv`; else an exit code, after an `error` event.

    Ctrl-C, which reaches the whole process group, is ignored: the parent process decides when to end.
    """
    if len(argv) != 1:
        emit("error", message=f"usage: python -m {usage}")
        return BROKEN
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return make(read_plan(model, Path(argv[0])))
    except StackError as error:
        emit("error", message=str(error))
        return error.exit_code
