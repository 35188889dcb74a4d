"""tocsin fidelity: would every alert of a compressed run have fired, ended and stayed silent so in production?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from tocsin.harness.evidence.evidence import Evidence
    from tocsin.harness.judging.fidelity.assessment import Fidelity, Row

_TELLING = ("job", "feature", "model_name", "gpu", "device")
"""Labels that tell one series of an alert from another."""
_STYLES = {"same": "green", "either way": "green", "exempt": "yellow", "different": "bold red"}


def fidelity(
    run_dirs: Annotated[
        list[Path], typer.Argument(metavar="RUN_DIR...", help="Run directories, such as runs/tour/latest.")
    ],
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> int:
    """Compare a run's alerts with what the original rules say of its samples, stretched to production time.

    The oracle is promtool in virtual time; for rules over its cap, Prometheus on backfilled blocks. Writes
    fidelity.json into each run directory. 0: faithful, 1: an alert differs, 2: nobody can tell.
    """
    import json as as_json

    from tocsin.harness.cli.console import say, show
    from tocsin.harness.core.errors import EvidenceError, worst
    from tocsin.harness.provisioning.programs import cache_folder, find_all
    from tocsin.harness.report.verdicts_json import json_value

    programs = find_all(("prometheus", "promtool"), cache_folder())
    codes, documents = [], []
    for folder in run_dirs:
        try:
            evidence, found = _examined(folder, programs)
        except EvidenceError as error:
            say(f"tocsin: {error}")
            codes.append(error.exit_code)
            continue
        codes.append(_code(found))
        documents.append(json_value(document(evidence, found)))
        _write(evidence.folder / "fidelity.json", as_json.dumps(documents[-1], indent=1, ensure_ascii=False) + "\n")
        if not json:
            show(*_shown(evidence, found))
    if json:
        typer.echo(as_json.dumps(documents, indent=1, ensure_ascii=False))
    return worst(codes)


def _examined(folder: Path, programs: Any) -> tuple[Evidence, Fidelity]:
    from tocsin.harness.evidence.evidence import read_evidence
    from tocsin.harness.judging.fidelity.assessment import examine
    from tocsin.harness.judging.fidelity.prometheus_blocks import Blocks

    evidence = read_evidence(folder.resolve() if folder.exists() else folder)
    blocks = Blocks(
        prometheus=programs["prometheus"].path,
        promtool=programs["promtool"].path,
        scrape_interval_s=float(evidence.run["scrape_interval_s"]),
    )
    return evidence, examine(evidence, programs["promtool"].path, blocks)


def _code(found: Fidelity) -> int:
    from tocsin.harness.core.errors import FAIL, PASS, UNKNOWN

    return FAIL if found.different else UNKNOWN if found.untold or not found.oracles else PASS


def _write(path: Path, text: str) -> None:
    from tocsin.harness.cli.console import say

    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        say(f"tocsin: {path} could not be written: {error.strerror}.")


def document(evidence: Evidence, found: Fidelity) -> dict[str, Any]:
    """Return what fidelity.json holds: production seconds count from the start of play, `*_at` are epoch seconds."""
    return {
        "schema": 1,
        "run_id": evidence.run["run_id"],
        "scenario": evidence.run["scenario"]["name"],
        "speed": evidence.speed,
        "answer": {0: "faithful", 1: "different", 2: "unknown"}[_code(found)],
        "alerts": [_row(evidence, row) for row in found.rows],
        "silent": list(found.silent),
        "unknown": list(found.untold),
        "oracles": dict(found.oracles),
    }


def _row(evidence: Evidence, row: Row) -> dict[str, Any]:
    sides = {"live": row.pair.live, "oracle": row.pair.oracle}
    times: dict[str, Any] = {}
    for side, one in sides.items():
        for what in ("pending", "start", "end"):
            at = getattr(one, what) if one else None
            times[f"{side}_{what}_s"] = None if at is None else round(_played(evidence, row, at), 3)
            if side == "live":
                times[f"{what}_at"] = None if at is None else row.origin + at / evidence.speed
    return {
        "alert": row.alert,
        "labels": dict(row.labels),
        "group": row.group,
        "oracle": row.oracle,
        "tolerance_s": row.tolerance_s,
        **times,
        "verdict": row.pair.verdict,
        "reason": row.pair.reason,
    }


def _played(evidence: Evidence, row: Row, at: float) -> float:
    """Return production seconds from the start of play for production seconds from a group's first evaluation."""
    began = evidence.play.start if evidence.play else row.origin
    return at - (began - row.origin) * evidence.speed


def _shown(evidence: Evidence, found: Fidelity) -> list[Any]:
    from tocsin.harness.report.verdict_table import relative

    name = f"{evidence.run['scenario']['name']} {relative(evidence.folder)}"
    speed = f"speed {evidence.speed:g}; production time and, in brackets, wall seconds from the start of play"
    parts: list[Any] = [f"\n{name}, {speed}", _table(evidence, found)]
    oracles = sorted(set(found.oracles.values()))
    silent = len(found.silent)
    parts.append(f"Silent in the run and by {' and '.join(oracles) or 'no oracle'}: {silent} alerts.")
    parts += [f"{row.alert}{_telling(row)}: {row.pair.reason}." for row in found.rows if row.pair.reason]
    parts += [f"unknown: {sentence}" for sentence in found.untold]
    parts.append({0: "FAITHFUL", 1: "DIFFERENT", 2: "UNKNOWN"}[_code(found)])
    return parts


def _table(evidence: Evidence, found: Fidelity) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("alert", overflow="fold", ratio=1)
    for title in ("", "run", "oracle", "off by", "allowed"):
        table.add_column(title, no_wrap=True, justify="left" if not title else "right")
    table.add_column("answer", no_wrap=True)
    for row in found.rows:
        about = Text(row.alert).append(_telling(row), style="dim")
        for what in ("start", "end"):
            live, due = getattr(row.pair.live, what, None), getattr(row.pair.oracle, what, None)
            times = [_time(evidence, row, live), _time(evidence, row, due, wall=False)]
            off = "-" if live is None or due is None else f"{live - due:+g} s"
            answer = Text(row.pair.verdict, style=_STYLES[row.pair.verdict]) if what == "start" else Text("")
            named = "fires" if what == "start" else "ends"
            table.add_row(about, named, *times, off, f"{row.tolerance_s:g} s", answer)
            about = Text("")
    return table


def _telling(row: Row) -> str:
    """Return what tells this series from others of its alert, and its oracle if it is not promtool."""
    kept = [value for key, value in row.labels.items() if key in _TELLING]
    told = f" {', '.join(kept)}" if kept else ""
    return told if row.oracle == "promtool" else f"{told} ({row.oracle})"


def _time(evidence: Evidence, row: Row, at: float | None, *, wall: bool = True) -> str:
    if at is None:
        return "-"
    played = _played(evidence, row, at)
    text = f"{played:.0f} s"
    return f"{text} [{played / evidence.speed:.1f}]" if wall else text
