"""contact.svg: every panel of the stack's dashboards on one sheet, drawn from what was recorded; needs no Grafana.

Times are production minutes from the start of play. Phases are bands, faults are red, thresholds are dashed.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import chain, cycle, repeat
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tocsin.harness.evidence.check_bounds import fault_interval, phase_interval
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
_BANDS = ("#ffffff", "#f2f4f7")
_THRESHOLDS = {"red": "#d62728", "green": "#2ca02c", "orange": "#ff7f0e", "yellow": "#c9a400"}
_STYLE: dict[str, object] = {
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
    if evidence.play is None or not any(board.panels for board in evidence.panels):
        return None
    from matplotlib import rc_context

    path = evidence.folder / FILE
    with warnings.catch_warnings(), rc_context(_STYLE):  # type: ignore[arg-type]
        warnings.simplefilter("ignore")  # a letter that the font lacks has nothing to do with the drill
        sheet(evidence).savefig(path, format="svg", metadata={"Date": None, "Creator": "Tocsin"})
    return path


def sheet(evidence: Evidence) -> Figure:
    """Return the figure: per dashboard a heading and rows of panels."""
    from matplotlib.figure import Figure

    boards = [(board, [panel for panel in board.panels if panel.queries]) for board in evidence.panels if board.panels]
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
    """Return (left, bottom, width, height) of a panel's axes in parts of the figure, with room for its texts."""
    width = 1.0 / COLUMNS
    room = (0.12, 0.82, 0.24, 0.62)  # left, width, below and height, in parts of a cell
    left, bottom = across * width + room[0] * width, bottom_in + room[2] * _ROW_IN
    return left, bottom / height_in, room[1] * width, room[3] * _ROW_IN / height_in


def _title(figure: Figure, evidence: Evidence, height: float) -> None:
    run = evidence.run
    title = f"{run['scenario']['name']}, run {run['run_id']}, speed {evidence.speed:g}: what the dashboards showed"
    figure.text(0.012, 1 - 0.2 / height, title, fontsize=12, fontweight="bold", va="center")
    key = "Production minutes from the start of play. Bands: phases. Red: a fault. Dashed: a threshold of the panel."
    figure.text(0.012, 1 - 0.42 / height, key, fontsize=8, color="#555555", va="center")


def _heading(figure: Figure, board: RecordedDashboard, at: float) -> None:
    note = "; ".join(f"${name} = {', '.join(values)}" for name, values in board.variables.items())
    without_query = [panel.title for panel in board.panels if not panel.queries]
    if without_query:
        note += f"   (no query, not drawn: {', '.join(without_query)})"
    figure.text(0.012, at, board.title, fontsize=11, fontweight="bold", va="top", color="#1f4e9e")
    figure.text(0.988, at, note[:200], fontsize=7, va="top", ha="right", color="#555555")


def _panel(axes: Axes, panel: RecordedPanel, evidence: Evidence) -> None:
    play = phase_interval(evidence, None)
    inside = panel.within(play)
    minutes = (panel.t[inside] - play.start) * evidence.speed / 60
    series = [one for query in panel.queries for one in query.series]
    lines = [one.values[inside] for one in series]
    title = panel.title
    if panel.stacked:
        lines = list(np.cumsum([np.nan_to_num(values) for values in lines], axis=0))
        title += " (stacked)"
    axis = axis_of(panel.unit, lines)
    lines = [values / axis.divisor for values in lines]
    axes.set_title(title, fontsize=8.5, loc="left", pad=3, fontweight="bold")
    _times(axes, evidence)
    left_out = sum(query.left_out for query in panel.queries)
    labels = [one.name for one in series]
    if len(labels) > _NAMED or left_out:
        labels = labels[: _NAMED - 1]
    for values, label, color in zip(lines, chain(labels, repeat(None)), cycle(_COLORS), strict=False):
        axes.plot(minutes, values, color=color, linewidth=1.0, label=label)
    _limits(axes, lines, panel.thresholds, axis.divisor)
    axes.set_ylabel(axis.label, fontsize=7, labelpad=2)
    axes.tick_params(labelsize=6.5, length=2, pad=1.5)
    _texts(axes, panel, lines, unnamed=len(lines) - len(labels) + left_out)


def _times(axes: Axes, evidence: Evidence) -> None:
    """Shade phases and faults, name them at the top, and set the axis of time."""
    for (name, phase), color in zip(evidence.phases.items(), cycle(_BANDS), strict=False):
        begin, end = _minutes(phase, evidence)
        axes.axvspan(begin, end, color=color, zorder=0, linewidth=0)
        axes.text(begin, 0.985, f" {name}", transform=axes.get_xaxis_transform(), fontsize=5.5, va="top",
                  color="#8a8a8a", zorder=5, clip_on=True)  # fmt: skip
    for fault in evidence.faults.values():
        active = fault_interval(evidence, fault)
        if active is not None:
            begin, end = _minutes(active, evidence)
            axes.axvspan(begin, end, color="#d62728", alpha=0.10, zorder=1, linewidth=0)
            axes.text(begin, 0.02, f" {fault.name}", transform=axes.get_xaxis_transform(), fontsize=5.5, va="bottom",
                      color="#d62728", zorder=5, clip_on=True)  # fmt: skip
    axes.set_xlim(*_minutes(phase_interval(evidence, None), evidence))
    axes.text(1.005, -0.03, "min", transform=axes.transAxes, fontsize=6.5, va="top")


def _minutes(interval: Interval, evidence: Evidence) -> tuple[float, float]:
    """Return start and end as production minutes from the start of play."""
    start, scale = phase_interval(evidence, None).start, evidence.speed / 60
    return (interval.start - start) * scale, (interval.end - start) * scale


def _limits(axes: Axes, lines: Sequence[np.ndarray], thresholds: Sequence[tuple[float, str]], divisor: float) -> None:
    """Set the axis of values, from 0 where nothing is below it; a threshold far above the data is a text."""
    values = np.concatenate([np.empty(0), *lines])
    finite = values[np.isfinite(values)].tolist()
    low, high = min([0.0, *finite]), max(finite, default=0.0)
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


def _texts(axes: Axes, panel: RecordedPanel, lines: Sequence[np.ndarray], *, unnamed: int) -> None:
    """Write the legend, or that there is no data, or what the server said. `unnamed` lines are not in the legend."""
    errors = [f"{query.failed}: {query.says}" for query in panel.queries if query.failed]
    if errors:
        text = errors[0][:90]
        axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", fontsize=6, color="#d62728", wrap=True)
    elif not any(np.isfinite(values).any() for values in lines):
        axes.text(0.5, 0.5, "no data", transform=axes.transAxes, ha="center", fontsize=9, color="#999999")
    elif len(lines) > 1:
        if unnamed:
            axes.plot([], [], " ", label=f"and {unnamed} more")
        axes.legend(loc="upper left", bbox_to_anchor=(-0.02, -0.11), ncols=3, fontsize=5.5, frameon=False,
                    handlelength=1.2, columnspacing=1.0, labelspacing=0.2, borderpad=0)  # fmt: skip
