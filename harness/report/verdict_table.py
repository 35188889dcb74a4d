"""Verdicts as a table for people: at most 100 columns when piped, sentences wrapped and never cut."""

from __future__ import annotations

from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tocsin.harness.core.clock import format_duration
from tocsin.harness.judging.check import NEVER_BEGAN, Answer, Verdict
from tocsin.harness.report import contact_sheet, detection_table
from tocsin.harness.report.drill_figures import Summary

_STYLES = {Answer.PASS: "green", Answer.FAIL: "bold red", Answer.UNKNOWN: "bold yellow"}
_CHECK_WIDTH = 32


def drill(summary: Summary) -> RenderableType:
    """Return the verdict table of one drill, with what went wrong above it and the overall line below."""
    parts: list[RenderableType] = [Text("")]
    if summary.trouble:
        parts.append(Text(summary.trouble, style="bold yellow"))
    never_began = _why_never_began(summary)
    if never_began:
        parts.append(Text(never_began, style="bold yellow"))
    if summary.verdicts:
        parts.append(_table(summary.verdicts))
    stages = detection_table.table(summary.detections)
    if stages is not None:
        parts.append(stages)
    return Group(*parts, overall(summary), evidence_paths(summary.folder))


def suite_verdicts(summary: Summary) -> RenderableType:
    """Return the verdicts of a suite file, which are about several drills."""
    line = Text(f"\n{summary.answer.value.upper()}", style=_STYLES[summary.answer])
    line.append(f"  all drills together: {counts(summary)}.", style="not bold default")
    return Group(Text(""), _table(summary.verdicts), line)


def _why_never_began(summary: Summary) -> str:
    """Return why play never began, which every row would repeat; empty if it began or the trouble says the same."""
    reasons = sorted({verdict.reason for verdict in summary.verdicts if verdict.reason.startswith(NEVER_BEGAN)})
    if len(reasons) == 1:
        why = reasons[0].partition(": ")[2].rstrip(".")
        if why.lower() in summary.trouble.lower():
            return ""
    return "\n".join(reasons)


def _new_table() -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("answer", no_wrap=True)
    return table


def _table(verdicts: tuple[Verdict, ...]) -> Table:
    table = _new_table()
    table.add_column("check", width=_CHECK_WIDTH, overflow="fold")
    table.add_column("why", ratio=1, overflow="fold")
    for verdict in verdicts:
        answer = Text(verdict.answer.value.upper(), style=_STYLES[verdict.answer])
        if verdict.waived:
            answer = Text("WAIVED", style="yellow")
        table.add_row(answer, _name(verdict), _why(verdict))
    return table


def _name(verdict: Verdict) -> Text:
    """Return the check's id, and below it its arguments as the scenario writes them, without the braces."""
    args = verdict.title.removeprefix(verdict.check).strip().removeprefix("{").removesuffix("}")
    name = Text(verdict.check)
    if args:
        name.append(f"\n{args}", style="dim")
    return name


def _why(verdict: Verdict) -> Text:
    if verdict.reason.startswith(NEVER_BEGAN):
        return Text(f"{NEVER_BEGAN}, see above.")
    why = Text(verdict.reason)
    if verdict.waiver:
        why.append(f"\n{verdict.waiver}", style="yellow")
    if verdict.files and verdict.answer is not Answer.PASS:
        why.append(f"\nSee {', '.join(verdict.files)}.", style="dim")
    return why


def overall(summary: Summary) -> Text:
    """Return the overall line: the answer, the counts, both times."""
    line = Text(f"\n{summary.answer.value.upper()}", style=_STYLES[summary.answer])
    line.append(f"  {summary.scenario}: {counts(summary)}; {times(summary)}.", style="not bold default")
    return line


def counts(summary: Summary) -> str:
    """Return `9 pass, 1 fail, 0 unknown`."""
    return ", ".join(f"{count} {answer}" for answer, count in summary.counts.items())


def times(summary: Summary) -> str:
    """Return the production time of the drill and the wall time it took, start and end included."""
    production, wall = format_duration(round(summary.production_s)), format_duration(round(summary.wall_s))
    if summary.trouble:
        return f"{production} of production time planned at speed {summary.speed:g}, ended after {wall}"
    return f"{production} of production time in {wall} at speed {summary.speed:g}"


def evidence_paths(folder: Path) -> Text:
    """Return where the run directory and its contact sheet lie."""
    paths = f"Evidence: {relative(folder)}"
    if (folder / contact_sheet.FILE).is_file():
        paths += f"\nDashboards: {relative(folder / contact_sheet.FILE)}"
    return Text(paths, style="dim", overflow="fold")


def relative(folder: Path) -> str:
    """Return the path from the current folder if it is below it, else the absolute one."""
    path, here = folder.resolve(), Path.cwd()
    if path.is_relative_to(here):
        path = path.relative_to(here)
    return str(path)


def suite(lines: list[tuple[str, Answer | None, str]]) -> RenderableType:
    """Return one line per drill: (name, answer or None when it was not played, a sentence)."""
    table = _new_table()
    table.add_column("drill", no_wrap=True)
    table.add_column("", ratio=1, overflow="fold")
    for name, answer, sentence in lines:
        word = Text("NOT PLAYED", style="dim")
        if answer is not None:
            word = Text(answer.value.upper(), style=_STYLES[answer])
        table.add_row(word, Text(name), Text(sentence))
    played = sum(answer is not None for _, answer, _ in lines)
    return Group(Text(""), table, Text(f"\n{played} of {len(lines)} drills played."))
