"""What a plan knows of an alert: its rule as written, and when it can be seen at the soonest and at the latest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tocsin.harness.declarations.check_arguments import AlertBound


class Fire(AlertBound):
    """The arguments of `alerts/fire`: the alert, labels it must carry (others are free), the bound, and who is told."""


@dataclass(frozen=True, kw_only=True)
class AlertRule:
    """An alerting rule of the stack folder. `loaded`: prometheus.yml names its file. Production seconds."""

    name: str
    file: str
    expr: str
    for_s: float
    labels: Mapping[str, str]
    loaded: bool
    group: str = ""
    interval_s: float = 0.0
    """Between two evaluations of its group."""
    keep_firing_for_s: float = 0.0
    annotations: Mapping[str, str] = field(default_factory=dict)
    metrics: tuple[str, ...] = ()
    """The names its expression reads, scraped or recorded."""
    windows_s: tuple[float, ...] = ()
    """The ranges in its expression, ascending."""


@dataclass(frozen=True, kw_only=True)
class Floor:
    """When an expected alert can be seen: production seconds, made of `parts` at the soonest and `most` at the latest.

    `note` says what the part of the window rests on. `bound_s` is what was asked; `fixed_s` is added to it by the
    roles that the drill restarts. `cold_s`: by so much the time may come out shorter than in production, because the
    drill's history is shorter than the window. `hopeless` says why the alert cannot fire at all.
    """

    alert: str
    where: str
    parts: Mapping[str, float]
    bound_s: float
    most: Mapping[str, float] = field(default_factory=dict)
    fixed_s: float = 0.0
    cold_s: float = 0.0
    note: str = ""
    hopeless: str = ""

    @property
    def total_s(self) -> float:
        """The soonest: the sum of the parts. A witness that is late makes it sooner, never sooner than at once."""
        return max(sum(self.parts.values()), 0.0)

    @property
    def ceiling_s(self) -> float:
        """The latest: the sum of what each part may take at most."""
        return sum({**self.parts, **self.most}.values())

    @property
    def allowed_s(self) -> float:
        """The bound with what restarts add to it."""
        return self.bound_s + self.fixed_s
