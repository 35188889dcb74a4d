"""Long proofs, outside of CI: drills killed at random moments leave nothing behind. Resumable; `make soak`."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.killing import Victim, null_scenario, play_and_kill, reference_scenario
from tests.e2e.series import play_series

LONGEST_S = {"null": 11.0, "reference": 55.0}
"""Wall seconds from the start of the drill to its end, roughly: moments are drawn in between."""
COUNTS = {
    "null": {"harness": 32, "locust": 24, "both": 24, "guardian": 15, "interrupt": 10},
    "reference": {"harness": 10, "locust": 5, "both": 7, "guardian": 5, "interrupt": 5},
}
"""How often each is killed. `guardian`: it and then the harness, and what is left then is swept."""


def jobs(stack: str) -> list[str]:
    """Return the names of the runs, mixed, so that an interrupted soak has seen something of everything."""
    named = [(number / count, f"{who}-{number:02}") for who, count in COUNTS[stack].items() for number in range(count)]
    return [name for _, name in sorted(named)]


@pytest.mark.soak
@pytest.mark.parametrize("stack", COUNTS)
def test_nothing_is_left_of_a_killed_drill(stack: str, tmp_path: Path) -> None:
    scenario = null_scenario() if stack == "null" else reference_scenario(tmp_path)

    def play(job: str) -> dict[str, Any]:
        victim = Victim(stack=stack, who=job.partition("-")[0], scenario=scenario, longest_s=LONGEST_S[stack])
        row = play_and_kill(f"{stack} {job}", victim)
        print(f"{job:<14} after {row['moment_s']:>5.1f} s: {row['left'] or 'nothing'} left", flush=True)
        return row

    rows = play_series(f"killed-{stack}", jobs(stack), play)
    print(*table(rows), sep="\n")
    bad = {job: row["left"] for job, row in rows.items() if row["left"]}
    told = {"test": f"killed-{stack}", "runs": len(rows), "left": len(bad), **took(rows)}
    print(json.dumps(told))
    assert bad == {}
    assert sum(row.get("unswept", 0) for row in rows.values()) > 0, "a drill without a guardian must leave something"


def took(rows: dict[str, dict[str, Any]]) -> dict[str, float]:
    """Return the median and the most seconds from the kill of a harness until its guardian had cleaned up."""
    seconds = [row["gone_s"] for row in rows.values() if row["who"] in ("harness", "both")]
    return {"gone_s_median": statistics.median(seconds), "gone_s_max": max(seconds)} if seconds else {}


def table(rows: dict[str, dict[str, Any]]) -> list[str]:
    """Return a line for each way of killing: how often, at which stages, how long until nothing was left."""
    lines = [f"{'killed':<10} {'runs':>4} {'left':>4} {'median s':>8} {'most s':>7}  last facts before the kill"]
    for who in dict.fromkeys(row["who"] for row in rows.values()):
        mine = [row for row in rows.values() if row["who"] == who]
        stages = Counter(row["stage"] for row in mine)
        seconds = [row["gone_s"] for row in mine]
        seen = ", ".join(f"{stage} {count}" for stage, count in stages.most_common())
        bad = sum(bool(row["left"]) for row in mine)
        lines.append(
            f"{who:<10} {len(mine):>4} {bad:>4} {statistics.median(seconds):>8.2f} {max(seconds):>7.2f}  {seen}"
        )
    return lines


def test_the_soak_is_as_long_as_it_should_be() -> None:
    killed = Counter[str]()
    for stack, counts in COUNTS.items():
        killed[stack] = sum(counts[who] for who in ("harness", "locust", "both"))
    assert killed["null"] + killed["reference"] >= 100 and killed["reference"] >= 20
    assert sum(counts["guardian"] for counts in COUNTS.values()) >= 20
    assert all(len(set(jobs(stack))) == sum(COUNTS[stack].values()) for stack in COUNTS)
