"""Every single mistake in rules and routes turns the drill red, with the right sentence. Many minutes: `make soak`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.drills import copy_stack, play
from tests.e2e.mutants import MUTANTS, Broken
from tests.e2e.series import play_series

pytestmark = pytest.mark.soak
GOOD = "the good stack"


def sentence(broken: Broken, answers: list[tuple[str, str]]) -> str:
    """Return the reason that names the mistake, else nothing."""
    return next((why for answer, why in answers if answer == broken.answer and broken.words in why), "")


def test_each_single_mistake_turns_the_drill_red(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    by_name = {broken.name: broken for broken in MUTANTS}

    def job(name: str) -> dict[str, Any]:
        folder = tmp_path / str([GOOD, *by_name].index(name))
        broken = by_name.get(name)
        played = play(folder / "runs", copy_stack(folder / "stack", broken.changes if broken else ()))
        if broken is None:
            return {"ok": played.code == 0, "code": played.code, "said": played.output[-2000:]}
        answers = played.answers(broken.check)
        why = sentence(broken, answers)
        said = why or json.dumps(answers) + played.output[-1500:]
        return {
            "ok": played.code == broken.code and bool(why),
            "code": played.code,
            "check": broken.check,
            "said": said,
        }

    good = play_series("mutants_good", [GOOD], job)
    assert good[GOOD]["ok"], good[GOOD]["said"]
    results = play_series("mutants", list(by_name), job)
    with capsys.disabled():
        print(f"\n{'mutant':36} {'code':>4}  check             said")
        for name, result in sorted(results.items()):
            print(f"{name:36} {result['code']:>4}  {result['check']:16}  {result['said'][:160]}")
        print(json.dumps({"mutants": len(results), "caught": sum(one["ok"] for one in results.values())}))
    assert {name for name, result in results.items() if not result["ok"]} == set()
