"""Random faults: drawn from a seed, inside their window, never where they would end another one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tocsin.harness.declarations.guardrails import Budget, Reach, clashes, most_targets
from tocsin.harness.declarations.scenario import FaultPlan, Phase
from tocsin.harness.planning.random_faults import broken, drawn


def reach_of(kind: str, params: Mapping[str, Any]) -> Reach:
    role = str(params.get("role", "model"))
    return Reach(targets=(role,), roles=(role,), restarts=kind == "kill")


def draw(
    seed: int = 7, budget: Budget | None = None, others: tuple[dict[str, Any], ...] = (), **given: Any
) -> list[FaultPlan]:
    """Return what is drawn in an hour; `given` replaces parameters, `at` and `for_` the window."""
    place = {key: given.pop(key) for key in ("at", "name") if key in given}
    lasts = {"for": given.pop("window")} if "window" in given else {}
    params = {
        "from": [{"kill": {"role": "node"}}, {"model_raises": {"share": 0.2}}],
        "every": "10m",
        "for": "2m",
        **given,
    }
    plan = {"kind": "random", "params": params, "name": "random", **place, **lasts}
    phase = Phase.model_validate({"phase": "soak", "for": "1h", "faults": [*others, plan]})
    return [one for one, _ in drawn(phase, seed, reach_of, budget)]


def test_one_is_drawn_in_every_stretch_and_lies_inside_of_its_window() -> None:
    for seed in range(50):
        found = draw(seed, at="5m", window="50m")
        assert len(found) == 5
        for number, one in enumerate(found):
            assert one.name == f"random-{number + 1}-{one.kind}"
            assert one.lasts == 120
            assert 300 + 600 * number <= one.at <= 300 + 600 * (number + 1)
            assert one.at + 120 <= 3300


def test_the_same_seed_draws_the_same_and_another_one_does_not() -> None:
    assert draw(7) == draw(7)
    assert len({tuple((one.kind, one.at) for one in draw(seed)) for seed in range(20)}) == 20
    assert {one.kind for seed in range(5) for one in draw(seed)} == {"kill", "model_raises"}


def test_drawn_faults_never_end_one_another() -> None:
    own = {"kind": "kill", "params": {"role": "node"}, "at": "20m", "for": "20m", "name": "own"}
    skipped = 0
    for seed in range(30):
        every = [broken(one, 3600, reach_of) for one in draw(seed, others=(own,), every="3m", **{"for": "5m"})]
        assert not [(a, b) for a in every for b in every if a is not b and clashes(a, b)]
        skipped += 20 - (len(every) - 1)
    assert skipped, "with one kind taken for a third of the time, some stretches have nothing left to draw"


def test_a_draw_keeps_to_the_budget() -> None:
    budget = Budget.model_validate({"targets": 1, "for": "5m"})
    for seed in range(30):
        every = [broken(one, 3600, reach_of) for one in draw(seed, budget, every="3m", **{"for": "4m"})]
        assert all(most_targets([two for two in every if two is not one], one)[0] == 1 for one in every)


@pytest.mark.parametrize(
    ("given", "count"), [({"every": "1h"}, 1), ({"every": "25m"}, 2), ({"for": "1h", "every": "30m"}, 1)]
)
def test_how_many_are_drawn(given: dict[str, str], count: int) -> None:
    assert len(draw(**given)) == count


def test_what_is_not_random_stays_as_it_is() -> None:
    own = {"kind": "kill", "params": {"role": "node"}, "at": "20m", "for": "1m", "name": "own"}
    phase = Phase.model_validate({"phase": "soak", "for": "1h", "faults": [own]})
    assert drawn(phase, 1, reach_of) == ((phase.faults[0], 0),)
