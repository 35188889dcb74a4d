"""Long proofs of the compose engine, outside of CI: it agrees with the local one, and leaves nothing when killed.

Resumable; `make soak`. Skipped, with the reason, where no Docker engine is.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.containers import NULL, SHORT, SPEED, engine, kill, moment, run_id_of, until
from tests.e2e.drills import ROOT, finished, start
from tests.e2e.series import play_series
from tocsin.harness import faults
from tocsin.harness.cli.engine_registry import engine as engine_named
from tocsin.harness.cli.load_catalogue import catalogue
from tocsin.harness.planning.loader import load, load_stack
from tocsin.harness.planning.planner import plan

ENGINES = ("local", "compose:rsyslog")
MOMENTS = {"null": (14, 14.0), "reference": (6, 60.0)}
"""Stack -> how many drills are killed, and until which wall second a moment is drawn."""
STAGES = (
    ("start", "run_started", "stack_up"),
    ("drill", "stack_up", "collected"),
    ("stop", "collected", "stack_down"),
)


def drills() -> dict[str, dict[str, str]]:
    """Return every drill of the suite -> engine -> why it cannot be played on it; empty where it can."""
    found: dict[str, dict[str, str]] = {}
    known, reference = catalogue(), load_stack("reference")
    offered = {name: engine_named(name).capabilities(reference) for name in ENGINES}
    for path in sorted((ROOT / "scenarios").glob("*.yaml")):
        if path.stem == "suite":
            continue
        scenario, stack = load(path, known, None)
        planned = plan(scenario, stack, known, None, float(SPEED)).faults
        found[path.stem] = {
            name: " ".join(sentence for one in planned for sentence in faults.lacking(one.fault, stack, able))
            for name, able in offered.items()
        }
    return found


def times(folder: Path) -> dict[str, float]:
    """Return wall seconds from the journal: start (images here, until all is healthy), drill, and stop."""
    facts = [json.loads(line) for line in (folder / "journal.jsonl").read_text(encoding="utf-8").splitlines() if line]
    at: dict[str, float] = {}
    for fact in facts:
        if fact["fact"] not in at or fact["fact"] == "collected":
            at[fact["fact"]] = float(fact["monotonic"])
    return {name: round(at[end] - at[begin], 1) for name, begin, end in STAGES if begin in at and end in at}


def played(drill: str, name: str, runs: Path) -> dict[str, Any]:
    """Play a drill on an engine; return its exit code, the answer of every check in order, and its times."""
    argv = ("run", f"scenarios/{drill}.yaml", "--engine", name, "--speed", SPEED)
    done = finished(start(runs, *argv), runs, drill, within_s=600.0)
    answers = [f"{verdict['check']}: {verdict['answer']}" for verdict in done.verdicts]
    reasons = [f"{verdict['check']}: {verdict['reason']}" for verdict in done.verdicts if verdict["answer"] != "pass"]
    return {
        "code": done.code,
        "answers": answers,
        "reasons": reasons or ([] if done.verdicts else [done.output[-500:]]),
        "times": times(done.folder) if done.folder else {},
    }


@pytest.mark.soak
def test_both_engines_give_the_same_verdicts(tmp_path: Path) -> None:
    engine()
    lacking = drills()
    both = [drill for drill, why in lacking.items() if not any(why.values())]

    def play(job: str) -> dict[str, Any]:
        drill, _, name = job.partition(" @ ")
        row = played(drill, name, tmp_path / name.replace(":", "-"))
        print(f"{job:<44} exit {row['code']} {row['times']}", flush=True)
        return row

    rows = play_series("engines-agree", [f"{drill} @ {name}" for drill in both for name in ENGINES], play, at_once=1)
    apart = {drill: differing(*(rows[f"{drill} @ {name}"] for name in ENGINES)) for drill in both}
    apart = {drill: answers for drill, answers in apart.items() if answers}
    print(*table(both, rows), sep="\n")
    for drill, why in lacking.items():
        print(*(f"{drill}: not played on {name}: {reason}" for name, reason in why.items() if reason), sep="\n")
    told = {"test": "engines-agree", "drills": len(both), "apart": sorted(apart), "not_both": len(lacking) - len(both)}
    print(json.dumps(told))
    assert apart == {}


def differing(local: Mapping[str, Any], compose: Mapping[str, Any]) -> list[str]:
    """Return the answers that only one engine gave, with why where it was none of `pass`."""
    if local["answers"] == compose["answers"] and local["code"] == compose["code"]:
        return []
    only = set(local["answers"]) ^ set(compose["answers"])
    return [*sorted(only), *local["reasons"], *compose["reasons"]] or [f"exit {local['code']} and {compose['code']}"]


def table(both: list[str], rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return a line for each drill: exit codes, and the start, drill and stop times of both engines in seconds."""
    lines = [f"{'drill':<28} {'exit':<7} {'start s':>13} {'drill s':>15} {'stop s':>13}   (local / compose)"]
    for drill in both:
        local, compose = (rows[f"{drill} @ {name}"] for name in ENGINES)
        cells = [f"{local['times'].get(name, 0):.1f} / {compose['times'].get(name, 0):.1f}" for name, *_ in STAGES]
        codes = f"{local['code']} / {compose['code']}"
        lines.append(f"{drill:<28} {codes:<7} {cells[0]:>13} {cells[1]:>15} {cells[2]:>13}")
    return lines


@pytest.mark.soak
@pytest.mark.parametrize("stack", MOMENTS)
def test_nothing_is_left_of_a_killed_drill_in_containers(stack: str, tmp_path: Path) -> None:
    docker, (count, longest_s) = engine(), MOMENTS[stack]
    scenario = NULL
    if stack == "reference":
        scenario = tmp_path / "contained.yaml"
        scenario.write_text(json.dumps(SHORT), encoding="utf-8")

    def play(job: str) -> dict[str, Any]:
        name = "compose:rsyslog" if stack == "reference" else "compose"
        row = kill(docker, scenario, lambda runs, _: run_id_of(runs), extra_s=moment(job, longest_s), engine=name)
        print(f"{job:<14} after {row['moment_s']:>5.1f} s, {row['were']}: {row['left'] or 'nothing'} left", flush=True)
        return row

    rows = play_series(f"killed-compose-{stack}", [f"{stack}-{number:02}" for number in range(count)], play, at_once=1)
    bad = {job: row["left"] for job, row in rows.items() if row["left"]}
    gone = [row["gone_s"] for row in rows.values()]
    told = {"test": f"killed-compose-{stack}", "runs": len(rows), "left": len(bad)}
    print(json.dumps({**told, "gone_s_median": statistics.median(gone), "gone_s_max": max(gone)}))
    assert bad == {}
    assert any(row["were"] for row in rows.values()), "nothing was ever up when it was killed"


def test_so_many_moments_are_drawn_and_each_is_the_same_again() -> None:
    assert sum(count for count, _ in MOMENTS.values()) == 20
    assert moment("null-01", 14.0) == moment("null-01", 14.0) != moment("null-02", 14.0)


def test_a_wait_is_bounded() -> None:
    assert until(lambda: False, 0.05) >= 0.05 and until(lambda: True, 5.0) < 1.0
