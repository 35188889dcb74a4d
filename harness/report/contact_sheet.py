"""contact.svg: every panel of the stack's dashboards on one sheet, drawn from what was recorded; needs no Grafana.

Times are production minutes from the start of play. Phases are bands, faults are red, thresholds are dashed.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tocsin.harness.evidence.check_bounds import fault_interval
from tocsin.harness.evidence.evidence import Evidence
from tocsin.harness.evidence.interval import Interval
from tocsin.harness.evidence.panels import RecordedDashboard, RecordedPanel
from tocsin.harness.report.panel_units import axis_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FILE = "panels/contact.svg"
COLUMNS = 4
_WIDTH_IN, _ROW_IN, _HEAD_IN = 18.0, 2.15, 0.5
_NAMED = 9
"""Most entries of a legend; where there are more series, its last one counts them."""
_COLORS = ("#3274d9", "#e0752d", "#56a64b", "#a352cc", "#c4162a", "#8f8f00", "#1f9e9e", "#b877d9", "#705da0", "#6d6d6d")
_THRESHOLDS = {"red": "#d62728", "green": "#2ca02c", "orange": "#ff7f0e", "yellow": "#c9a400"}
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "tocsin",
    "font.family": "sans-serif",
    "font.size": 7,
    "axes.linewidth": 0.6,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
}


def draw(evidence: Evidence) -> Path | None:
    """Write the sheet into the run directory and return its path; None where no panel was recorded or play not begun.

    The same evidence gives the same file.
    """
    if evidence.play is None or not any(one.panels for one in evidence.panels):
        return None
    from matplotlib import rc_context

    path = evidence.folder / FILE
    with warnings.catch_warnings(), rc_context(_STYLE):
        warnings.simplefilter("ignore")  # a letter that the font lacks is no matter of the drill
        sheet(evidence).savefig(path, format="svg", metadata={"Date": None, "Creator": "Tocsin"})
    return path


def sheet(evidence: Evidence) -> Figure:
    """Return the figure: per dashboard a heading and rows of panels."""
    from matplotlib.figure import Figure

    boards = [(board, [one for one in board.panels if one.queries]) for board in evidence.panels if board.panels]
    rows = [-(-len(panels) // COLUMNS) for _, panels in boards]
    height = _HEAD_IN * (0.6 * len(boards) + 1) + _ROW_IN * sum(rows)
    figure = Figure(figsize=(_WIDTH_IN, height), facecolor="white")
    _title(figure, evidence, height)
    top = height - _HEAD_IN
    for (board, panels), count in zip(boards, rows, strict=True):
        _heading(figure, board, (top - 0.12) / height)
        top -= 0.6 * _HEAD_IN
        for place, panel in enumerate(panels):
            down, across = divmod(place, COLUMNS)
            axes = figure.add_axes(_box(across, top - _ROW_IN * (down + 1), height))
            _panel(axes, panel, evidence)
        top -= _ROW_IN * count
    return figure


def _box(across: int, bottom_in: float, height_in: float) -> tuple[float, float, float, float]:
    """Return (left, bottom, width, height) of a panel's axes in parts of the figure, with room for its words."""
    width = 1.0 / COLUMNS
    room = (0.12, 0.82, 0.24, 0.62)  # left, width, below and height, in parts of a cell
    left, bottom = across * width + room[0] * width, bottom_in + room[2] * _ROW_IN
    return left, bottom / height_in, room[1] * width, room[3] * _ROW_IN / height_in


def _title(figure: Figure, evidence: Evidence, height: float) -> None:
    run = evidence.run
    told = f"{run['scenario']['name']}, run {run['run_id']}, speed {evidence.speed:g}: what the dashboards showed"
    figure.text(0.012, 1 - 0.2 / height, told, fontsize=12, fontweight="bold", va="center")
    words = "Production minutes from the start of play. Bands: phases. Red: a fault. Dashed: a threshold of the panel."
    figure.text(0.012, 1 - 0.42 / height, words, fontsize=8, color="#555555", va="center")


def _heading(figure: Figure, board: RecordedDashboard, at: float) -> None:
    silent = [one.title for one in board.panels if not one.queries]
    more = f"   (asks nothing, not drawn: {', '.join(silent)})" if silent else ""
    chosen = "; ".join(f"${name} = {', '.join(values)}" for name, values in board.variables.items())
    figure.text(0.012, at, board.title, fontsize=11, fontweight="bold", va="top", color="#1f4e9e")
    figure.text(0.988, at, f"{chosen}{more}"[:200], fontsize=7, va="top", ha="right", color="#555555")


def _panel(axes: Axes, panel: RecordedPanel, evidence: Evidence) -> None:
    assert evidence.play is not None
    start, speed = evidence.play.start, evidence.speed
    minutes = (panel.t - start) * speed / 60
    inside = panel.within(evidence.play)
    lines = [(one.name, one.values[inside]) for query in panel.queries for one in query.series]
    if panel.stacked:
        sums = np.cumsum([np.nan_to_num(values) for _, values in lines], axis=0)
        lines = [(name, row) for (name, _), row in zip(lines, sums, strict=True)]
    axis = axis_of(panel.unit, [values for _, values in lines])
    title = f"{panel.title} (stacked)" if panel.stacked else panel.title
    axes.set_title(title, fontsize=8.5, loc="left", pad=3, fontweight="bold")
    _times(axes, evidence)
    named = len(lines) if len(lines) <= _NAMED and not _left_out(panel) else _NAMED - 1
    for place, (name, values) in enumerate(lines):
        color = _COLORS[place % len(_COLORS)]
        label = name if place < named else None
        axes.plot(minutes[inside], values / axis.divisor, color=color, linewidth=1.0, label=label)
    _limits(axes, [values / axis.divisor for _, values in lines], panel.thresholds, axis.divisor)
    axes.set_ylabel(axis.label, fontsize=7, labelpad=2)
    axes.tick_params(labelsize=6.5, length=2, pad=1.5)
    _words(axes, panel, lines)


def _times(axes: Axes, evidence: Evidence) -> None:
    """Shade phases and faults, name them at the top, and set the axis of time."""
    for place, (name, phase) in enumerate(evidence.phases.items()):
        begin, end = _minutes(phase, evidence)
        axes.axvspan(begin, end, color="#f2f4f7" if place % 2 else "#ffffff", zorder=0, linewidth=0)
        axes.text(begin, 0.985, f" {name}", transform=axes.get_xaxis_transform(), fontsize=5.5, va="top",
                  color="#8a8a8a", zorder=5, clip_on=True)  # fmt: skip
    for fault in evidence.faults.values():
        lasted = fault_interval(evidence, fault)
        if lasted is not None:
            begin, end = _minutes(lasted, evidence)
            axes.axvspan(begin, end, color="#d62728", alpha=0.10, zorder=1, linewidth=0)
            axes.text(begin, 0.02, f" {fault.name}", transform=axes.get_xaxis_transform(), fontsize=5.5, va="bottom",
                      color="#d62728", zorder=5, clip_on=True)  # fmt: skip
    assert evidence.play is not None
    axes.set_xlim(*_minutes(evidence.play, evidence))
    axes.text(1.005, -0.03, "min", transform=axes.transAxes, fontsize=6.5, va="top")


def _minutes(interval: Interval, evidence: Evidence) -> tuple[float, float]:
    assert evidence.play is not None
    return tuple((at - evidence.play.start) * evidence.speed / 60 for at in (interval.start, interval.end))  # type: ignore[return-value]


def _limits(axes: Axes, lines: Sequence[np.ndarray], thresholds: Sequence[tuple[float, str]], divisor: float) -> None:
    """Set the axis of values, from 0 where nothing is below it; a threshold far above the data is told in words."""
    finite = [values[np.isfinite(values)] for values in lines]
    known = np.concatenate([np.empty(0), *finite])
    low, high = (min(0.0, float(known.min())), float(known.max())) if len(known) else (0.0, 0.0)
    for value, color in thresholds:
        at, shade = value / divisor, _THRESHOLDS.get(color, color)
        if high == low or at <= 3 * high:
            axes.axhline(at, color=shade, linestyle="--", linewidth=0.8, zorder=2)
            high = max(high, at)
        else:
            box = {"facecolor": "white", "edgecolor": "none", "pad": 1}
            axes.text(0.99, 0.86, f"threshold {at:g}, above", transform=axes.transAxes, fontsize=5.5, color=shade,
                      ha="right", va="top", zorder=6, bbox=box)  # fmt: skip
    room = (high - low) or 1.0
    axes.set_ylim(low - 0.03 * room, high + 0.18 * room)


def _words(axes: Axes, panel: RecordedPanel, lines: Sequence[tuple[str, Any]]) -> None:
    """Write what a panel has to say besides its lines: a legend, that there is nothing, or what the server said."""
    said = [f"{query.failed}: {query.says}" for query in panel.queries if query.failed]
    if said:
        axes.text(0.5, 0.5, said[0][:90], transform=axes.transAxes, ha="center", fontsize=6, color="#d62728", wrap=True)
    elif not any(np.isfinite(values).any() for _, values in lines):
        axes.text(0.5, 0.5, "no data", transform=axes.transAxes, ha="center", fontsize=9, color="#999999")
    elif len(lines) > 1:
        left = len(lines) - len(axes.get_legend_handles_labels()[0]) + _left_out(panel)
        if left:
            axes.plot([], [], " ", label=f"and {left} more")
        axes.legend(loc="upper left", bbox_to_anchor=(-0.02, -0.11), ncols=3, fontsize=5.5, frameon=False,
                    handlelength=1.2, columnspacing=1.0, labelspacing=0.2, borderpad=0)  # fmt: skip


def _left_out(panel: RecordedPanel) -> int:
    return sum(query.left_out for query in panel.queries)
