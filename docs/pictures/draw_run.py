"""Draws a run for the README: load, faults, alerts and pages on one time axis.

.venv/bin/python docs/pictures/draw_run.py runs/tour/latest docs/pictures/tour.svg
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from tocsin.harness.evidence.evidence import Evidence, read_evidence
from tocsin.harness.evidence.requests import OUTCOMES

plt.switch_backend("svg")

BIN_S = 60.0
"""Production seconds per point of the load curve."""
GREEN, RED, BLUE, GREY, AMBER = "#2e7d32", "#c62828", "#1565c0", "#9e9e9e", "#f9a825"


def minutes(evidence: Evidence, at: float | np.ndarray) -> float | np.ndarray:
    """Return production minutes of play for epoch seconds."""
    assert evidence.play
    return (at - evidence.play.start) * evidence.speed / 60


def draw_load(axes: plt.Axes, evidence: Evidence) -> None:
    """Draw requests per second, and those that failed."""
    rows = evidence.requests
    ends = np.arange(0, minutes(evidence, evidence.play.end) * 60 + BIN_S, BIN_S)
    width_s = BIN_S / evidence.speed
    sent, _ = np.histogram(minutes(evidence, rows["intended"]) * 60, ends)
    refused = (rows["outcome"] != OUTCOMES.index("answered")) | (rows["status"] >= 500)
    failed, _ = np.histogram(minutes(evidence, rows["intended"][refused]) * 60, ends)
    axes.fill_between(ends[:-1] / 60, sent / width_s, step="post", color=BLUE, alpha=0.25, label="requests/s")
    axes.fill_between(ends[:-1] / 60, failed / width_s, step="post", color=RED, alpha=0.7, label="failed/s")
    axes.set_ylabel("load")
    axes.legend(loc="lower right", frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def draw_alerts(axes: plt.Axes, evidence: Evidence, names: list[str]) -> None:
    """Draw pending and firing as bars, delivered pages as triangles, resolved notices as dots."""
    last = evidence.play.end
    for row, name in enumerate(names):
        for episode in evidence.alerts.episodes(name):
            start, end = minutes(evidence, episode.start), minutes(evidence, episode.end or last)
            begun = start if episode.pending_at is None else minutes(evidence, episode.pending_at)
            axes.barh(row, start - begun, left=begun, height=0.5, color=AMBER)
            axes.barh(row, end - start, left=start, height=0.5, color=RED)
        for status, mark, colour in (("firing", "v", "black"), ("resolved", "o", GREEN)):
            times = [n.at for n in evidence.notifications if n.delivered and n.names(name, status=status)]
            axes.plot([minutes(evidence, at) for at in times], [row + 0.42] * len(times), mark, color=colour, ms=5)
    axes.set_yticks(range(len(names)), names, fontsize=9)
    axes.set_ylim(-0.6, len(names) - 0.2)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_xlabel("production minutes", fontsize=9)
    marks = [Patch(color=AMBER, label="pending"), Patch(color=RED, label="firing")]
    marks.append(Line2D([], [], marker="v", color="black", ls="", ms=5, label="page delivered"))
    marks.append(Line2D([], [], marker="o", color=GREEN, ls="", ms=5, label="resolved notice"))
    marks.append(Patch(color=RED, alpha=0.12, label="fault in effect"))
    axes.legend(handles=marks, ncols=5, loc="upper center", bbox_to_anchor=(0.5, -0.45), frameon=False, fontsize=8)


def main(folder: Path, target: Path) -> None:
    """Draw the run of `folder` into `target`."""
    evidence = read_evidence(folder)
    fired = sorted({episode.alert for episode in evidence.alerts.all} - {evidence.signals.watchdog.alert})
    names = [name for name in fired if not name.startswith("ErrorBudget")][::-1]
    figure, (load, alerts) = plt.subplots(2, 1, sharex=True, figsize=(9, 4.2), height_ratios=(2, 1), layout="tight")
    draw_load(load, evidence)
    draw_alerts(alerts, evidence, names)
    for name, phase in evidence.phases.items():
        load.axvline(minutes(evidence, phase.start), color=GREY, lw=0.7)
        load.text(minutes(evidence, phase.start) + 0.3, load.get_ylim()[1], name, fontsize=8, va="bottom")
    for fault in evidence.faults.values():
        span = minutes(evidence, fault.effective_at), minutes(evidence, fault.gone_at)
        for axes in (load, alerts):
            axes.axvspan(*span, color=RED, alpha=0.08)
    alerts.set_xlim(0, minutes(evidence, evidence.play.end))
    plt.rcParams["svg.hashsalt"] = "tocsin"
    figure.savefig(target, metadata={"Date": None})


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
