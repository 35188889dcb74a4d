"""Every fault keeps the contract on a real stack; a sample of them in CI, all of them in `make soak`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.contract import EVERY_POINT, kept, killed, points
from tests.e2e.series import play_series
from tests.e2e.shared_stack import Shared, lacking, reference, shared_stack
from tests.faults.test_all_faults import EXAMPLES as PARAMS

SAMPLE = ("kill", "pause", "model_raises", "net_partition", "silence", "fd_exhaustion", "disk_full")
SAMPLE_POINTS = ("injected", "within heal")
KINDS = tuple(PARAMS)


def not_played() -> dict[str, str]:
    """Return fault -> why it cannot be played on this machine."""
    stack = reference()
    return {kind: why for kind in KINDS if (why := lacking(kind, PARAMS[kind], stack))}


@pytest.fixture(scope="module")
def sample_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    with shared_stack(tmp_path_factory.mktemp("contract"), {kind: PARAMS[kind] for kind in SAMPLE}) as shared:
        yield shared


def played_here(kind: str) -> None:
    if why := not_played().get(kind):
        pytest.skip(f"not played: {why}")


@pytest.mark.e2e
@pytest.mark.parametrize("kind", SAMPLE)
def test_a_fault_keeps_its_contract(kind: str, sample_stack: Shared) -> None:
    played_here(kind)
    assert kept(kind, PARAMS[kind], sample_stack)["wrong"] == []


@pytest.mark.e2e
@pytest.mark.parametrize("point", SAMPLE_POINTS)
@pytest.mark.parametrize("kind", SAMPLE)
def test_a_killed_holders_fault_is_healed(kind: str, point: str, sample_stack: Shared) -> None:
    played_here(kind)
    assert killed(kind, PARAMS[kind], point, sample_stack)["wrong"] == []


@pytest.mark.soak
def test_every_fault_keeps_its_contract(tmp_path: Path) -> None:
    skipped = not_played()
    kinds = [kind for kind in KINDS if kind not in skipped]
    jobs = [job for kind in kinds for job in (kind, *(f"{kind} @ {point}" for point in points(kind)))]
    stack: list[Any] = []

    def play(job: str) -> dict[str, Any]:
        if not stack:  # nobody brings it up where every result is known
            entered = shared_stack(tmp_path, {kind: PARAMS[kind] for kind in kinds})
            stack.extend((entered.__enter__(), entered))
        kind, _, point = job.partition(" @ ")
        row = killed(kind, PARAMS[kind], point, stack[0]) if point else kept(kind, PARAMS[kind], stack[0])
        print(f"{job:<40} {'; '.join(row['wrong']) or 'kept'}", flush=True)
        return row

    try:
        rows = play_series("contract", jobs, play, at_once=1)
    finally:
        if stack:
            stack[1].__exit__(None, None, None)
    print(*table(rows, skipped), sep="\n")
    bad = {job: row["wrong"] for job, row in rows.items() if row["wrong"]}
    took = [row["guardian_s"] for row in rows.values() if "guardian_s" in row]
    told = {
        "test": "contract",
        "faults": len(kinds),
        "not_played": len(skipped),
        "kill_points": len(took),
        "wrong": len(bad),
        "guardian_s_max": max(took, default=None),
    }
    print(json.dumps(told))
    assert bad == {}


def table(rows: dict[str, dict[str, Any]], skipped: dict[str, str]) -> list[str]:
    """Return a line for each fault, and one for each that is not played."""
    lines = [f"{'fault':<24} {'present':>8} {'absent':>8}  {'holder killed':<16} {'healed':>7} {'bound':>6}  wrong"]
    for job, row in rows.items():
        times = row.get("times", {})
        seen = [f"{times[name]:.1f}" if name in times else "" for name in ("inject", "heal")]
        guardian = [f"{row[name]:.1f}" if name in row else "" for name in ("guardian_s", "bound_s")]
        wrong = "; ".join(row["wrong"]) or "-"
        kind, _, point = job.partition(" @ ")
        lines.append(f"{kind:<24} {seen[0]:>8} {seen[1]:>8}  {point:<16} {guardian[0]:>7} {guardian[1]:>6}  {wrong}")
    return lines + [f"{kind:<24} not played: {why}" for kind, why in skipped.items()]


def test_every_kind_of_undo_is_one_of_the_faults() -> None:
    assert set(EVERY_POINT) <= set(KINDS)
    assert set(SAMPLE) <= set(EVERY_POINT)
    assert all(len(points(kind)) == 1 for kind in KINDS if kind not in EVERY_POINT)
