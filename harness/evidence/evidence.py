"""Evidence: what a run leaves in its directory, frozen, with one pure reader per stream. No network, no server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError

from tocsin.harness.core.errors import EvidenceError
from tocsin.harness.core.journal import Fact, read_journal
from tocsin.harness.declarations.alert_timing import Fire
from tocsin.harness.declarations.restarting_faults import restarted
from tocsin.harness.declarations.scenario import Scenario
from tocsin.harness.declarations.stack_signals import Signals
from tocsin.harness.evidence.alert_episodes import Alerts
from tocsin.harness.evidence.alertmanager_states import AlertState, read_alert_states
from tocsin.harness.evidence.interval import Interval
from tocsin.harness.evidence.logs import Logs
from tocsin.harness.evidence.metrics import Metrics
from tocsin.harness.evidence.notifications import Notification, read_notifications
from tocsin.harness.evidence.panels import RecordedDashboard, read_panels
from tocsin.harness.evidence.rendered_config import RenderedConfig
from tocsin.harness.evidence.requests import read_requests
from tocsin.harness.evidence.run_json import FaultJson, RunJson, read_run_json

_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True, kw_only=True)
class PlayedFault:
    """What became of a planned fault. Epoch seconds, None where it did not happen or was not seen.

    `injected_at` and `heal_began_at` are the starts of both acts, `inject_done_at` and `healed_at` their ends.
    `effective_at` is the witness's first `present` before the heal, `gone_at` its first `absent` after the heal.
    `restarted_role` is the role that the fault ends and that starts anew, empty if none does.
    """

    name: str
    kind: str
    phase: str
    params: Mapping[str, object]
    blinds: tuple[tuple[str, str], ...]
    restarted_role: str = ""
    injected_at: float | None = None
    inject_done_at: float | None = None
    effective_at: float | None = None
    heal_began_at: float | None = None
    healed_at: float | None = None
    gone_at: float | None = None
    last_state: str = ""

    @property
    def over_at(self) -> float | None:
        """When it was seen to be gone, else when it was healed."""
        return self.gone_at or self.healed_at


@dataclass(frozen=True, kw_only=True)
class SettledWindow:
    """What settle leaves: when play began and ended, and per signal whether it caught up, in words (empty: it did)."""

    play: Interval
    settled_at: float
    behind: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """A run directory, read. `run` is run.json. Each stream is read once, when it is first asked for."""

    folder: Path
    run: RunJson
    journal: tuple[Fact, ...]

    @property
    def speed(self) -> float:
        """Production seconds per wall second."""
        return float(self.run["speed"])

    @cached_property
    def scenario(self) -> Scenario:
        """The scenario as it was played."""
        return _validated(Scenario, self.run["scenario"], self.folder)

    @cached_property
    def expected_alerts(self) -> tuple[Fire, ...]:
        """The arguments of every `alerts/fire` of the drill."""
        lines = [line.args for line in self.scenario.expect if line.check == "alerts/fire"]
        return tuple(_validated(Fire, args, self.folder) for args in lines)

    @cached_property
    def signals(self) -> Signals:
        """The names of metrics, logs and alerts, from the stack that was up."""
        return _validated(Signals, self.run["signals"], self.folder)

    def facts(self, name: str) -> list[Fact]:
        """Return the facts of one name, in order."""
        return [fact for fact in self.journal if fact.fact == name]

    def evaluation_s(self, alert: str | None = None) -> float:
        """Return the wall seconds between two evaluations of an alert: its group's interval, else the global one."""
        return self.configuration.evaluation_s(alert) or self.run["evaluation_interval_s"] / self.speed

    def scrape_s(self, job: str) -> float:
        """Return the wall seconds between two scrapes of a job: its own interval, else the global one."""
        return self.configuration.scrape_interval_s.get(job) or self.run["scrape_interval_s"] / self.speed

    def start_s(self, role: str) -> float:
        """Return the wall seconds that a role needs to start; 0 for an unknown one."""
        return float(self.run["fixed_s"].get(role, 0.0))

    @cached_property
    def play(self) -> Interval | None:
        """From the first phase's start to the end of play; None if play never began."""
        starts = self.facts("phase_started")
        if not starts:
            return None
        ends = self.facts("play_ended") or self.journal
        return Interval(start=starts[0].at, end=ends[-1].at)

    @cached_property
    def traffic_start(self) -> float | None:
        """Epoch seconds at which the load was due to start; None if it never did."""
        starts = (fact.more["starts_at"] for fact in self.facts("traffic_started") if "starts_at" in fact.more)
        return next(map(float, starts), None)

    @cached_property
    def phases(self) -> Mapping[str, Interval]:
        """Phase name -> when it was played. One cut short ends where the journal does; one never begun is absent.

        A phase begins when its traffic does, which keeps to the plan also while a heal holds the journal up.
        """
        if self.play is None:
            return {}
        facts = self.facts("phase_started")
        starts = [min(fact.at, self._planned_start(fact.more["phase"], fact.at)) for fact in facts]
        ends = [*starts[1:], self.play.end]
        intervals = [Interval(start=start, end=end) for start, end in zip(starts, ends, strict=True)]
        return {fact.more["phase"]: interval for fact, interval in zip(facts, intervals, strict=True)}

    def _planned_start(self, name: str, default: float) -> float:
        """Return when a later phase's traffic was due to start (epoch seconds), `default` if that is not known."""
        for phase in self.run["phases"]:
            if phase["name"] == name and phase["start_s"] and self.traffic_start is not None:
                return self.traffic_start + phase["start_s"] / self.speed
        return default

    @cached_property
    def faults(self) -> Mapping[str, PlayedFault]:
        """Fault name -> its record, from the plan and the journal."""
        return {plan["name"]: self._fault(plan) for plan in self.run["faults"]}

    def _fault(self, plan: FaultJson) -> PlayedFault:
        facts = [fact for fact in self.journal if fact.more.get("fault") == plan["name"]]
        witnessed = [fact for fact in facts if fact.fact == "witness"]
        healed_at = _first_at(facts, "healed")
        before = [fact for fact in witnessed if healed_at is None or fact.at <= healed_at]
        after = [fact for fact in witnessed if healed_at is not None and fact.at >= healed_at]
        return PlayedFault(
            name=plan["name"],
            kind=plan["kind"],
            phase=plan["phase"],
            params=plan["params"],
            blinds=tuple((stream, role) for stream, role in plan["blinds"]),
            restarted_role=restarted(plan["kind"], plan["params"], self.run.get("payload_role", "")),
            injected_at=_first_at(facts, "inject"),
            inject_done_at=_first_at(facts, "injected"),
            effective_at=_first_seen(before, "present"),
            heal_began_at=_first_at(facts, "heal"),
            healed_at=healed_at,
            gone_at=_first_seen(after, "absent"),
            last_state=next((str(fact.more["state"]) for fact in reversed(witnessed)), ""),
        )

    @cached_property
    def requests(self) -> np.ndarray:
        """Every request sent, canaries and witness requests included: rows of `evidence.requests.RECORD`."""
        return read_requests(self.folder / "requests")

    @cached_property
    def metrics(self) -> Metrics:
        """Every series that Prometheus held."""
        return Metrics.read(self.folder / "metrics")

    @cached_property
    def alert_states(self) -> tuple[AlertState, ...]:
        """Each change of an alert that Alertmanager held."""
        return read_alert_states(self.folder / "alerts.jsonl")

    @cached_property
    def alerts(self) -> Alerts:
        """When each alert was pending and firing, and when it was silenced or inhibited."""
        return Alerts.read(self.metrics, self.alert_states, self.evaluation_s)

    @cached_property
    def notifications(self) -> tuple[Notification, ...]:
        """Every attempt that reached the pager."""
        return read_notifications(self.folder / "notifications.jsonl")

    @cached_property
    def configuration(self) -> RenderedConfig:
        """The rendered files that Prometheus and Alertmanager read."""
        return RenderedConfig.read(self.folder)

    @cached_property
    def panels(self) -> tuple[RecordedDashboard, ...]:
        """What the panels of the stack's dashboards showed."""
        return read_panels(self.folder / "panels")

    @cached_property
    def logs(self) -> Logs:
        """The lines at their source and the documents at the far end."""
        return Logs.read(self.folder / "logs")


def _first_at(facts: Iterable[Fact], name: str) -> float | None:
    return next((fact.at for fact in facts if fact.fact == name), None)


def _first_seen(witnessed: Iterable[Fact], state: str) -> float | None:
    return next((fact.at for fact in witnessed if fact.more.get("state") == state), None)


def _validated(model: type[_Model], content: object, folder: Path) -> _Model:
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
    return Evidence(folder=folder, run=read_run_json(folder), journal=read_journal(folder / "journal.jsonl"))
