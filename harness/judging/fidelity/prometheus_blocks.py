"""The real Prometheus as an oracle for rules over promtool's cap: stretched samples become blocks.

The expression is asked over them at every evaluation; a state machine does `for` and `keep_firing_for`. Backfilled
blocks carry no stale markers. A lookback of one scrape stands in for them: a series that is missing at the scrape after
its last sample is not seen any more.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import requests

from tocsin.harness.core.clock import format_duration
from tocsin.harness.core.errors import EvidenceError
from tocsin.harness.engines.common.ports import choose_ports
from tocsin.harness.judging.fidelity.promtool_oracle import FIRING, NONE, PENDING, Labels
from tocsin.harness.judging.fidelity.rule_groups import Group, Rule, labels_of, waits_s
from tocsin.harness.judging.fidelity.stretched_samples import Stretched, selector

BASE_S = 1_600_000_000 // 86_400 * 86_400
"""Epoch seconds that stand for production time 0: a midnight long past, so that no block lies in the future."""
_POINTS = 5_000
"""Evaluations asked for at once; Prometheus answers at most 11 000."""
_SLACK_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Blocks:
    """Prometheus and promtool, and the production seconds between scrapes. Calling it is the fallback of `examine`."""

    prometheus: Path
    promtool: Path
    scrape_interval_s: float
    within_s: float = 120.0

    def __call__(
        self, group: Group, alert: str, series: Sequence[Stretched], evaluations: int
    ) -> Mapping[Labels, np.ndarray]:
        """Return the states of one alert at every evaluation; EvidenceError if Prometheus cannot tell."""
        rules = group.rules_of(alert)
        if any("{{" in value for rule in rules for value in labels_of(rule).values()):
            raise EvidenceError(
                f"{alert} is over promtool's cap, and only promtool fills in the template of its label."
            )
        tracks: dict[Labels, np.ndarray] = {}
        with tempfile.TemporaryDirectory(prefix="tocsin-blocks-") as work:
            self._fill(Path(work), series)
            with self._server(Path(work)) as url:
                for rule in rules:
                    hold_s, keep_s = waits_s(rule)
                    for labels, true in _truths(url, rule, group.interval_s, evaluations, self.within_s).items():
                        own = {**dict(labels), **labels_of(rule), "alertname": alert}
                        track = states(true, hold_s / group.interval_s, keep_s / group.interval_s)
                        tracks[frozenset(own.items())] = track
        return tracks

    def _fill(self, work: Path, series: Sequence[Stretched]) -> None:
        path = work / "samples.om"
        path.write_text("".join(_openmetrics(series)) + "# EOF\n", encoding="utf-8")
        argv = [str(self.promtool), "tsdb", "create-blocks-from", "openmetrics", str(path), str(work / "tsdb")]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=self.within_s, check=False)
        if done.returncode:
            raise EvidenceError(f"promtool made no blocks: {' '.join(done.stderr.split())[:300]}")

    @contextmanager
    def _server(self, work: Path) -> Iterator[str]:
        (work / "prometheus.yml").write_text("{}\n", encoding="utf-8")
        (port,) = choose_ports(1)
        argv = [
            str(self.prometheus),
            f"--config.file={work / 'prometheus.yml'}",
            f"--storage.tsdb.path={work / 'tsdb'}",
            "--storage.tsdb.retention.time=100y",
            f"--web.listen-address=127.0.0.1:{port}",
            f"--query.lookback-delta={format_duration(self.scrape_interval_s + _SLACK_S)}",
            "--log.level=error",
        ]
        with (work / "prometheus.log").open("wb") as log:
            process = subprocess.Popen(argv, stdout=log, stderr=log)
        try:
            url = f"http://127.0.0.1:{port}"
            _await(process, url, work / "prometheus.log")
            yield url
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _openmetrics(series: Sequence[Stretched]) -> Iterator[str]:
    for one in sorted(series, key=lambda each: each.labels["__name__"]):
        name = selector(one.labels)
        times = np.round(one.t * 1000).astype(np.int64)
        for at, value in zip(times.tolist(), (one.v + BASE_S * one.moment).tolist(), strict=True):
            yield f"{name} {value!r} {BASE_S + at // 1000}.{at % 1000:03d}\n"


def _await(process: subprocess.Popen[bytes], url: str, log: Path, within_s: float = 30.0) -> None:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if requests.get(f"{url}/-/ready", timeout=2).ok:
                return
        except requests.ConnectionError:
            pass
        time.sleep(0.05)
    output = " ".join(log.read_text(encoding="utf-8", errors="replace").split())[-300:] or "it said nothing"
    raise EvidenceError(f"Prometheus was not ready on the blocks within {within_s:g} s: {output}")


def _truths(url: str, rule: Rule, step_s: float, evaluations: int, within_s: float) -> dict[Labels, np.ndarray]:
    """Return per label set of the rule's expression whether it was true at each evaluation."""
    truths: dict[Labels, np.ndarray] = {}
    for first in range(0, evaluations, _POINTS):
        last = min(first + _POINTS, evaluations) - 1
        query = {"query": rule["expr"], "start": BASE_S + first * step_s, "end": BASE_S + last * step_s, "step": step_s}
        answer = requests.post(f"{url}/api/v1/query_range", data=query, timeout=within_s).json()
        if answer.get("status") != "success":
            raise EvidenceError(f"Prometheus did not answer {rule['expr']!r}: {answer.get('error', 'no reason given')}")
        for result in answer["data"]["result"]:
            labels = frozenset((key, value) for key, value in result["metric"].items() if key != "__name__")
            true = truths.setdefault(labels, np.zeros(evaluations, dtype=bool))
            true[[round((float(at) - BASE_S) / step_s) for at, _ in result["values"]]] = True
    return truths


def states(true: np.ndarray, hold: float, keep: float = 0.0) -> np.ndarray:
    """Return the state of an alert at each evaluation from the truth of its expression.

    `hold` (`for`) and `keep` (`keep_firing_for`) are in evaluations. As in Prometheus's rules/alerting.go: an alert
    fires once its expression has been true for as long as `hold`; one that fires is kept until the expression has been
    false for as long as `keep`.
    """
    track = np.full(len(true), NONE, dtype=np.int8)
    since = kept = -1
    for at, now in enumerate(true.tolist()):
        if now:
            since, kept = _first(since, at), -1
        elif since >= 0 and keep and track[at - 1] == FIRING:
            kept = _first(kept, at)
            if at - kept >= keep - 1e-9:
                since = kept = -1
        else:
            since = kept = -1
        if since >= 0 and (kept >= 0 or at - since >= hold - 1e-9):
            track[at] = FIRING
        elif since >= 0:
            track[at] = PENDING
    return track


def _first(since: int, at: int) -> int:
    """Return since when something lasts: since before, or from now on if it did not (-1)."""
    return at if since < 0 else since
