"""Random faults: drawn from a seed, inside their window, never where they would end another one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.small_stack import Kill, Raises, write_stack
from tocsin.harness.declarations.guardrails import Budget, clashes, most_targets
from tocsin.harness.declarations.scenario import Draws, FaultPlan
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.planning.loader import load_stack
from tocsin.harness.planning.random_faults import FaultPhase, drawn

HOUR_S = 3600.0
KINDS = {"kill": Kill, "model_raises": Raises}
CHOICES = [{"kill": {"role": "node"}}, {"model_raises": {"share": 0.2}}]
OWN = {"kind": "kill", "params": {"role": "node"}, "at": "20m", "for": "20m", "name": "own"}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Stack:
    folder: Path = tmp_path_factory.mktemp("stack")
    return load_stack(str(write_stack(folder)))


def hour(*plans: dict[str, object], every: str = "10m", lasts: str = "2m", **place: str) -> FaultPhase:
    """Return an hour with some faults and a random one."""
    faults = [FaultPlan.model_validate(plan) for plan in plans]
    faults = [plan.with_parsed(KINDS[plan.kind].of(plan.params)) for plan in faults]
    params = {"from": CHOICES, "every": every, "for": lasts}
    draws = Draws.model_validate(params).with_faults(
        KINDS[kind].of(params) for choice in CHOICES for kind, params in choice.items()
    )
    plan = FaultPlan.model_validate({"kind": "random", "params": params, "name": "random", **place})
    return FaultPhase(name="soak", length_s=HOUR_S, faults=[*faults, plan.with_parsed(draws)])


def draw(phase: FaultPhase, stack: Stack, seed: int = 7, budget: Budget | None = None) -> Sequence[FaultPlan]:
    return [plan for plan, _ in drawn(phase, stack, seed, budget)]


def test_one_is_drawn_in_every_stretch_and_lies_inside_of_its_window(stack: Stack) -> None:
    for seed in range(50):
        plans = draw(hour(at="5m", **{"for": "50m"}), stack, seed)
        assert len(plans) == 5
        for number, plan in enumerate(plans):
            assert plan.name == f"random-{number + 1}-{plan.kind}"
            assert plan.lasts == 120
            assert 300 + 600 * number <= plan.at <= 300 + 600 * (number + 1)
            assert plan.at + 120 <= 3300


def test_the_same_seed_draws_the_same_and_another_one_does_not(stack: Stack) -> None:
    assert draw(hour(), stack, 7) == draw(hour(), stack, 7)
    draws = [draw(hour(), stack, seed) for seed in range(20)]
    assert len({tuple((plan.kind, plan.at) for plan in plans) for plans in draws}) == 20
    assert {plan.kind for plans in draws[:5] for plan in plans} == {"kill", "model_raises"}


def test_drawn_faults_never_end_one_another(stack: Stack) -> None:
    skipped = 0
    phase = hour(OWN, every="3m", lasts="5m")
    for seed in range(30):
        faults = [phase.active(plan, stack) for plan in draw(phase, stack, seed)]
        assert not [(a, b) for a in faults for b in faults if a is not b and clashes(a, b)]
        skipped += 20 - (len(faults) - 1)
    assert skipped, "with one kind taken for a third of the time, some stretches have nothing left to draw"


def test_a_draw_keeps_to_the_budget(stack: Stack) -> None:
    budget = Budget.model_validate({"targets": 1, "for": "5m"})
    phase = hour(every="3m", lasts="4m")
    for seed in range(30):
        faults = [phase.active(plan, stack) for plan in draw(phase, stack, seed, budget)]
        for fault in faults:
            assert most_targets([other for other in faults if other is not fault], fault)[0] == 1


@pytest.mark.parametrize(("every", "lasts", "count"), [("1h", "2m", 1), ("25m", "2m", 2), ("30m", "1h", 1)])
def test_how_many_are_drawn(stack: Stack, every: str, lasts: str, count: int) -> None:
    assert len(draw(hour(every=every, lasts=lasts), stack)) == count


def test_what_is_not_random_stays_as_it_is(stack: Stack) -> None:
    own, _ = hour(OWN).faults
    phase = FaultPhase(name="soak", length_s=HOUR_S, faults=[own])
    assert drawn(phase, stack, 1) == ((own, 0),)
