"""Evidence: what a run leaves in its directory, frozen, with one pure reader per stream. No network, no server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from tocsin.harness.core.errors import EvidenceError
from tocsin.harness.core.journal import Fact, read_journal
from tocsin.harness.declarations.scenario import Scenario
from tocsin.harness.declarations.signal_names import Signals
from tocsin.harness.evidence.interval import Interval

if TYPE_CHECKING:
    import numpy as np

    from tocsin.harness.evidence.alerts import Alerts
    from tocsin.harness.evidence.logs import Logs
    from tocsin.harness.evidence.metrics import Metrics
    from tocsin.harness.evidence.notifications import Notification
    from tocsin.harness.evidence.panels import RecordedDashboard
    from tocsin.harness.evidence.rendered_config import RenderedConfig

SCHEMA = 1
_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True, kw_only=True)
class FaultRecord:
    """What became of a planned fault; epoch seconds, None where it did not happen or was not seen.

    `effective_at` is the witness's first `present` before the heal, `gone_at` its first `absent` after the heal.
    """

    name: str
    kind: str
    phase: str
    params: Mapping[str, Any]
    blinds: tuple[tuple[str, str], ...]
    injected_at: float | None = None
    effective_at: float | None = None
    healed_at: float | None = None
    gone_at: float | None = None
    last_state: str = ""


@dataclass(frozen=True, kw_only=True)
class Window:
    """What settle leaves: when play began and ended, and per signal whether it caught up, in words (empty: it did)."""

    play: Interval
    settled_at: float
    behind: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """A run directory, read. Streams are read when first asked for.

    `run` is run.json: run_id, scenario, speed, seed, signals, jobs (job -> role), scrape_interval_s and
    evaluation_interval_s and group_interval_s (production seconds), fixed_s (role -> wall seconds), alerts (rules),
    kinds (payload kind -> declaration), phases (planned, production seconds), faults (planned), features.
    """

    folder: Path
    run: Mapping[str, Any]
    journal: tuple[Fact, ...]

    @property
    def speed(self) -> float:
        """K: production seconds per wall second."""
        return float(self.run["speed"])

    @cached_property
    def scenario(self) -> Scenario:
        """The scenario as it was played."""
        return _declared(Scenario, self.run["scenario"], self.folder)

    @cached_property
    def signals(self) -> Signals:
        """The names of everything, from the stack that was up."""
        return _declared(Signals, self.run["signals"], self.folder)

    def facts(self, name: str) -> list[Fact]:
        """Return the facts of one name, in order."""
        return [fact for fact in self.journal if fact.fact == name]

    @cached_property
    def play(self) -> Interval | None:
        """From the first phase's start to the end of play; None if play never began."""
        starts, ends = self.facts("phase_started"), self.facts("play_ended")
        if not starts:
            return None
        return Interval(start=starts[0].at, end=ends[-1].at if ends else self.journal[-1].at)

    @cached_property
    def phases(self) -> Mapping[str, Interval]:
        """Phase name -> when it was played. One cut short ends where the journal does; one never begun is absent.

        A phase begins when its traffic does, which keeps to the plan also while a heal holds the journal up.
        """
        starts = [(fact.more["phase"], self._begun(fact)) for fact in self.facts("phase_started")]
        if not starts or self.play is None:
            return {}
        ends = [at for _, at in starts[1:]] + [self.play.end]
        return {name: Interval(start=at, end=end) for (name, at), end in zip(starts, ends, strict=True)}

    def _begun(self, fact: Fact) -> float:
        loads = [one.more["starts_at"] for one in self.facts("traffic_started") if "starts_at" in one.more]
        due = [one["start_s"] for one in self.run["phases"] if one["name"] == fact.more["phase"] and one["start_s"]]
        return min([fact.at, *(float(loads[0]) + float(start_s) / self.speed for start_s in due if loads)])

    @cached_property
    def faults(self) -> Mapping[str, FaultRecord]:
        """Fault name -> its record, from the plan and the journal."""
        return {plan["name"]: self._fault(plan) for plan in self.run["faults"]}

    def _fault(self, plan: Mapping[str, Any]) -> FaultRecord:
        mine = [fact for fact in self.journal if fact.more.get("fault") == plan["name"]]

        def first(name: str, state: str | None = None, after: float = 0.0) -> float | None:
            hits = [f.at for f in mine if f.fact == name and state in (None, f.more.get("state")) and f.at >= after]
            return hits[0] if hits else None

        healed, present = first("healed"), first("witness", "present")
        states = [fact.more["state"] for fact in mine if fact.fact == "witness"]
        return FaultRecord(
            name=plan["name"],
            kind=plan["kind"],
            phase=plan["phase"],
            params=plan["params"],
            blinds=tuple((signal, role) for signal, role in plan["blinds"]),
            injected_at=first("inject"),
            effective_at=None if healed and present and present > healed else present,
            healed_at=healed,
            gone_at=first("witness", "absent", after=healed) if healed else None,
            last_state=states[-1] if states else "",
        )

    @cached_property
    def requests(self) -> np.ndarray:
        """Every request sent, canaries and witness requests included: rows of `evidence.requests.RECORD`."""
        from tocsin.harness.evidence.requests import read_requests

        return read_requests(self.folder / "requests")

    @cached_property
    def metrics(self) -> Metrics:
        """Every series that Prometheus held."""
        from tocsin.harness.evidence.metrics import Metrics

        return Metrics.read(self.folder / "metrics")

    @cached_property
    def alerts(self) -> Alerts:
        """When each alert was pending and firing, and when it was silenced or inhibited."""
        from tocsin.harness.evidence.alerts import Alerts

        return Alerts.read(self.metrics, self.alert_rows, self.evaluation_s)

    @cached_property
    def alert_rows(self) -> tuple[Mapping[str, Any], ...]:
        """The lines of alerts.jsonl: each change of an alert that Alertmanager held."""
        from tocsin.harness.evidence.notifications import read_lines

        return tuple(read_lines(self.folder / "alerts.jsonl"))

    def evaluation_s(self, alert: str | None = None) -> float:
        """Return the wall seconds between two evaluations of an alert: its group's interval, else the global one."""
        return self.configuration.evaluation_s(alert) or float(self.run["evaluation_interval_s"]) / self.speed

    def scrape_s(self, job: str) -> float:
        """Return the wall seconds between two scrapes of a job: its own interval, else the global one."""
        own_s = self.configuration.scrape_interval_s.get(job)
        return own_s or float(self.run["scrape_interval_s"]) / self.speed

    @cached_property
    def notifications(self) -> tuple[Notification, ...]:
        """Every attempt that reached the pager."""
        from tocsin.harness.evidence.notifications import read_notifications

        return read_notifications(self.folder / "notifications.jsonl")

    @cached_property
    def configuration(self) -> RenderedConfig:
        """The rendered files that Prometheus and Alertmanager read."""
        from tocsin.harness.evidence.rendered_config import RenderedConfig

        return RenderedConfig.read(self.folder)

    @cached_property
    def panels(self) -> tuple[RecordedDashboard, ...]:
        """What the panels of the stack's dashboards showed."""
        from tocsin.harness.evidence.panels import read_panels

        return read_panels(self.folder / "panels")

    @cached_property
    def logs(self) -> Logs:
        """The lines at their source and the documents at the far end."""
        from tocsin.harness.evidence.logs import Logs

        return Logs.read(self.folder / "logs")


def _declared(model: type[_Model], content: Any, folder: Path) -> _Model:
    try:
        return model.model_validate(content)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise EvidenceError(
            f"{folder / 'run.json'} holds a {model.__name__.lower()} that this version does not read, at {where}.",
            hint="Judge it with the version that wrote it.",
        ) from None


def read_evidence(folder: Path) -> Evidence:
    """Read a run directory; EvidenceError if it is not one, or of a schema this version does not know."""
    path = folder / "run.json"
    if not path.is_file():
        raise EvidenceError(f"{folder} holds no run.json.", hint="Name a run directory such as runs/<scenario>/latest.")
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise EvidenceError(f"{path} is not JSON: {error}.", hint="Copy the run directory again.") from None
    if run.get("schema") != SCHEMA:
        raise EvidenceError(f"{path} has schema {run.get('schema')}; this version reads {SCHEMA}.")
    return Evidence(folder=folder, run=run, journal=read_journal(folder / "journal.jsonl"))
