"""tocsin fidelity: would every alert of a compressed run have fired, ended and stayed silent so in production?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tocsin.harness.cli.console import plain_table, say, show, write
from tocsin.harness.cli.options import RunDirs
from tocsin.harness.core.errors import FAIL, PASS, UNKNOWN, EvidenceError, worst

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tocsin.harness.evidence.evidence import Evidence
    from tocsin.harness.judging.fidelity.assessment import Fidelity
    from tocsin.harness.judging.fidelity.comparison import Row, Stretch
    from tocsin.harness.provisioning.program_lookup import Program

_TELLING = ("job", "feature", "model_name", "gpu", "device")
"""Labels that tell one series of an alert from another."""
_STYLES = {"same": "green", "either way": "green", "exempt": "yellow", "different": "bold red"}
_ANSWERS = {0: "faithful", 1: "different", 2: "unknown"}


def fidelity(
    run_dirs: RunDirs, as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False
) -> int:
    """Check that alerts fired as they would have in production.

    Evaluates the original rules over the run's samples, stretched to production time, and compares onsets and ends:
    by promtool in virtual time, or for rules over its cap by Prometheus on backfilled blocks. Writes fidelity.json into
    each run directory. 0: faithful, 1: an alert differs, 2: unknown.
    """
    from tocsin.harness.provisioning.programs import cache_folder, find_all
    from tocsin.harness.report.verdicts_json import json_value

    programs = find_all(("prometheus", "promtool"), cache_folder())
    codes, documents = [], []
    for folder in run_dirs:
        try:
            evidence, comparison = _compare(folder, programs)
        except EvidenceError as error:
            say(f"tocsin: {error}")
            codes.append(error.exit_code)
            continue
        codes.append(_code(comparison))
        documents.append(json_value(document(evidence, comparison)))
        write(evidence.folder / "fidelity.json", _text(documents[-1]))
        if not as_json:
            show(*_parts(evidence, comparison))
    if as_json:
        typer.echo(_text(documents), nl=False)
    return worst(codes)


def _text(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def _compare(folder: Path, programs: Mapping[str, Program]) -> tuple[Evidence, Fidelity]:
    from tocsin.harness.evidence.evidence import read_evidence
    from tocsin.harness.judging.fidelity.assessment import examine
    from tocsin.harness.judging.fidelity.prometheus_blocks import Blocks

    evidence = read_evidence(folder.resolve())
    promtool, interval_s = programs["promtool"].path, float(evidence.run["scrape_interval_s"])
    blocks = Blocks(prometheus=programs["prometheus"].path, promtool=promtool, scrape_interval_s=interval_s)
    return evidence, examine(evidence, promtool, blocks)


def _code(comparison: Fidelity) -> int:
    if comparison.different:
        return FAIL
    if comparison.untold or not comparison.oracles:
        return UNKNOWN
    return PASS


def document(evidence: Evidence, comparison: Fidelity) -> dict[str, object]:
    """Return what fidelity.json holds: production seconds count from the start of play, `*_at` are epoch seconds."""
    return {
        "schema": 1,
        "run_id": evidence.run["run_id"],
        "scenario": evidence.run["scenario"]["name"],
        "speed": evidence.speed,
        "answer": _ANSWERS[_code(comparison)],
        "alerts": [_row(evidence, row) for row in comparison.rows],
        "silent": list(comparison.silent),
        "unknown": list(comparison.untold),
        "oracles": dict(comparison.oracles),
    }


def _row(evidence: Evidence, row: Row) -> dict[str, object]:
    times: dict[str, float | None] = {}
    for moment, live_s in _moments(row.pair.live).items():
        times[f"live_{moment}_s"] = _rounded(evidence, row, live_s)
        times[f"{moment}_at"] = None if live_s is None else row.origin + live_s / evidence.speed
    for moment, oracle_s in _moments(row.pair.oracle).items():
        times[f"oracle_{moment}_s"] = _rounded(evidence, row, oracle_s)
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


def _moments(stretch: Stretch | None) -> dict[str, float | None]:
    """Return the times of a stretch of firing, production seconds from its group's first evaluation."""
    if stretch is None:
        return dict.fromkeys(("pending", "start", "end"))
    return {"pending": stretch.pending, "start": stretch.start, "end": stretch.end}


def _rounded(evidence: Evidence, row: Row, at: float | None) -> float | None:
    return None if at is None else round(_played(evidence, row, at), 3)


def _played(evidence: Evidence, row: Row, at: float) -> float:
    """Return production seconds from the start of play for production seconds from a group's first evaluation."""
    began = evidence.play.start if evidence.play else row.origin
    return at - (began - row.origin) * evidence.speed


def _parts(evidence: Evidence, comparison: Fidelity) -> Iterator[RenderableType]:
    from tocsin.harness.report.verdict_table import relative

    name = f"{evidence.run['scenario']['name']} {relative(evidence.folder)}"
    yield f"\n{name}, speed {evidence.speed:g}; production time and [wall seconds] from the start of play"
    yield _table(evidence, comparison)
    oracles = " and ".join(sorted(set(comparison.oracles.values()))) or "no oracle"
    yield f"Silent in the run and by {oracles}: {len(comparison.silent)} alerts."
    for row in comparison.rows:
        if row.pair.reason:
            yield f"{row.alert}{_telling(row)}: {row.pair.reason}."
    yield from (f"unknown: {sentence}" for sentence in comparison.untold)
    yield _ANSWERS[_code(comparison)].upper()


def _table(evidence: Evidence, comparison: Fidelity) -> RenderableType:
    from rich.text import Text

    table = plain_table()
    table.add_column("alert", overflow="fold", ratio=1)
    table.add_column("", no_wrap=True)
    for title in ("run", "oracle", "off by", "allowed"):
        table.add_column(title, no_wrap=True, justify="right")
    table.add_column("answer", no_wrap=True)
    for row in comparison.rows:
        live, oracle = _moments(row.pair.live), _moments(row.pair.oracle)
        name = Text(row.alert).append(_telling(row), style="dim")
        answer = Text(row.pair.verdict, style=_STYLES[row.pair.verdict])
        table.add_row(name, "fires", *_times(evidence, row, live["start"], oracle["start"]), answer)
        table.add_row("", "ends", *_times(evidence, row, live["end"], oracle["end"]), "")
    return table


def _times(evidence: Evidence, row: Row, live: float | None, oracle: float | None) -> tuple[str, str, str, str]:
    """Return when something happened in the run and by the oracle, the difference, and the tolerance."""
    in_run = by_oracle = off_by = "-"
    if live is not None:
        played = _played(evidence, row, live)
        in_run = f"{played:.0f} s [{played / evidence.speed:.1f}]"
    if oracle is not None:
        by_oracle = f"{_played(evidence, row, oracle):.0f} s"
    if live is not None and oracle is not None:
        off_by = f"{live - oracle:+g} s"
    return in_run, by_oracle, off_by, f"{row.tolerance_s:g} s"


def _telling(row: Row) -> str:
    """Return what tells this series from others of its alert, and its oracle if it is not promtool."""
    words = ", ".join(value for label, value in row.labels.items() if label in _TELLING)
    if words:
        words = f" {words}"
    if row.oracle != "promtool":
        words += f" ({row.oracle})"
    return words
