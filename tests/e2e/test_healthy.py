"""No false alarm: the healthy drill with thirty seeds. Many minutes: `make soak`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.drills import play
from tests.e2e.series import play_series
from tocsin.harness.core.statistics import clopper_pearson

pytestmark = pytest.mark.soak
SEEDS = tuple(range(1, 31))


def test_thirty_healthy_drills_are_green(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def job(seed: str) -> dict[str, Any]:
        played = play(tmp_path / seed, scenario="healthy", more=("--seed", seed))
        red = [f"{one['check']}: {one['reason']}" for one in played.verdicts if one["answer"] != "pass"]
        return {"ok": played.code == 0, "code": played.code, "said": "; ".join(red) or played.output[-1000:]}

    results = play_series("healthy", [str(seed) for seed in SEEDS], job)
    false = {seed: result["said"] for seed, result in results.items() if not result["ok"]}
    _, most = clopper_pearson(len(false), len(results), 0.90)
    with capsys.disabled():
        print(f"\n{len(false)} of {len(results)} false reds: rate below {most:.1%} at 95 %")
        print(json.dumps({"healthy": len(results), "false_reds": len(false), "rate_below": round(most, 4)}))
    assert false == {}
    assert most < 0.10
