"""Metrics: copies every sample of every series from Prometheus into the run directory while the drill runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tocsin.harness.collectors.collector import CollectedRun, PeriodicThread, PolledCollector, in_words
from tocsin.harness.collectors.server_queries import JsonObject, Prometheus
from tocsin.harness.core.journal import Journal
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.evidence.evidence import SettledWindow
from tocsin.harness.evidence.metrics import write_segment

_BEFORE_S = 60.0
"""The first pull reaches back this far, to before the recorder was started."""
_MARGIN_S = 1.0
_SCRAPES_PER_PULL = 4
"""A slow scrape is not worth a file of its own: labels would outweigh samples."""


class MetricsCollector(PolledCollector):
    """Pulls each `every_s` wall seconds, in pieces of at most `piece_s`; an outage is caught up with.

    A pull begins one scrape before the last one ended: a sample carries the time its scrape began and is stored when
    it ends. Readers remove what is there twice.
    """

    name = "metrics"
    asks: tuple[str, ...] = ("prometheus",)

    def __init__(self, every_s: float = 5.0, piece_s: float = 30.0) -> None:
        self.every_s = every_s
        self.piece_s = piece_s
        self.samples = 0
        """Samples written so far, overlaps included."""
        self._covered = 0.0
        self._scrape_s = 0.0
        self._pieces = 0

    def start(self, live: LiveStack, run: CollectedRun, journal: Journal) -> None:
        """Begin to pull into `metrics/` of the run directory."""
        self._folder: Path = run.folder / "metrics"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._prometheus = Prometheus(live)
        self._covered = run.clock.now() - _BEFORE_S
        self._ticker = PeriodicThread(self.name, self.every_s, lambda: self._pull(run.clock.now()), journal)
        self._ticker.start()

    @in_words
    def seen_canary(self, live: LiveStack, run: CollectedRun) -> tuple[bool, str]:
        """Tell whether every job's `up` is 1 now."""
        up = _lowest(self._prometheus.values("up"))
        missing = [f"job {job} has no up" for job in live.stack.signals.jobs if job not in up]
        wrong = missing + [f"up is {up[job]:g} for job {job}" for job in live.stack.signals.jobs if up.get(job, 1) != 1]
        return not wrong, "; ".join(wrong) or "up is 1 for every job"

    @in_words
    def caught_up(self, live: LiveStack, run: CollectedRun, at: float) -> tuple[bool, str]:
        """Tell whether every job that has a target was scraped after `at`."""
        scraped = _lowest(self._prometheus.values("timestamp(up)"))
        behind = [f"{job} was last scraped {at - t:.1f} s before" for job, t in scraped.items() if t <= at]
        missing = [f"job {job} has no up" for job in live.stack.signals.jobs if job not in scraped]
        return not behind and not missing, "; ".join(behind + missing) or "every job was scraped since"

    def collect(self, live: LiveStack, window: SettledWindow, run: CollectedRun, journal: Journal) -> int:
        """Pull what is left until now, which is after the window; return the samples written."""
        self._ticker.once()
        self._prometheus.close()
        return self.samples

    def _pull(self, until: float) -> None:
        if not self._scrape_s:
            self._scrape_s = self._prometheus.scrape_interval_s()
            self._ticker.every_s = max(self.every_s, _SCRAPES_PER_PULL * self._scrape_s)
        while self._covered < until:
            end = min(self._covered + self.piece_s, until)
            series = self._prometheus.samples(end, end - self._covered + self._scrape_s + _MARGIN_S)
            self._write(series)
            self._covered = end

    def _write(self, series: list[JsonObject]) -> None:
        sampled = [each for each in series if each.get("values")]
        pairs = [(each["metric"], np.array(each["values"], dtype=np.float64)) for each in sampled]
        if pairs:
            self.samples += write_segment(self._folder / f"{self._pieces:04d}.npz", pairs)
            self._pieces += 1


def _lowest(values: list[tuple[Mapping[str, str], float]]) -> dict[str, float]:
    """Return per job the lowest value over its targets."""
    lowest: dict[str, float] = {}
    for labels, value in values:
        job = labels.get("job", "")
        lowest[job] = min(value, lowest.get(job, value))
    return lowest
