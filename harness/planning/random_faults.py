"""Draws the faults that a `random` one stands for: pure, so that the same seed gives the same drill."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import Field

from tocsin.harness.core.base_model import Frozen, Seconds
from tocsin.harness.declarations.guardrails import Broken, Budget, Reach, clashes, most_targets
from tocsin.harness.declarations.scenario import FaultPlan, Phase

RANDOM = "random"
"""The kind of fault that stands for others."""
ReachOf = Callable[[str, Mapping[str, Any]], Reach]


class Draws(Frozen):
    """One fault of `from` in every stretch of `every`, at a drawn time, `for` so long; production seconds."""

    choices: tuple[Mapping[str, Any], ...] = Field(alias="from", min_length=1)
    every: Seconds = Field(gt=0)
    lasts: Seconds = Field(alias="for", gt=0)


def drawn(
    phase: Phase, seed: int, reach_of: ReachOf, budget: Budget | None = None
) -> tuple[tuple[FaultPlan, int], ...]:
    """Return the faults of a phase, with those drawn in the place of each `random`, and where in the phase each stands.

    The first is called `random-1-kill`, if the `random` has no name of its own. A draw that clashes with a fault
    that is there at the same time, or would break more targets than the budget has, is given to the next choice, and
    left out if there is none.
    """
    written = [plan for plan in phase.faults if plan.kind != RANDOM]
    taken = [broken(plan, phase.lasts, reach_of) for plan in written]
    found: list[tuple[FaultPlan, int]] = []
    for place, plan in enumerate(phase.faults):
        if plan.kind != RANDOM:
            found.append((plan, place))
            continue
        for draw in _draws(plan, phase, seed, taken, reach_of, budget):
            found.append((draw, place))
            taken.append(broken(draw, phase.lasts, reach_of))
    return tuple(found)


def broken(plan: FaultPlan, phase_s: float, reach_of: ReachOf, since_s: float = 0.0) -> Broken:
    """Return a fault as guardrails see it; `since_s` is where its phase begins, `phase_s` how long that lasts."""
    return Broken(
        name=plan.name,
        kind=plan.kind,
        params=plan.params,
        reach=reach_of(plan.kind, plan.params),
        start_s=since_s + plan.at,
        end_s=since_s + (plan.at + plan.lasts if plan.lasts else phase_s),
    )


def window_s(plan: FaultPlan, phase_s: float) -> float:
    """Return how long a `random` draws: its own `for`, else the rest of its phase."""
    return plan.lasts if plan.lasts else phase_s - plan.at


def _draws(
    plan: FaultPlan, phase: Phase, seed: int, taken: Sequence[Broken], reach_of: ReachOf, budget: Budget | None
) -> Iterator[FaultPlan]:
    """Yield one fault per stretch. What is drawn does not depend on what is taken, so that a name keeps its meaning."""
    draws = Draws.model_validate(plan.params)
    generator = random.Random(f"{seed}/{phase.phase}/{plan.name}")
    end_s = plan.at + window_s(plan, phase.lasts)
    for number in range(1, int(window_s(plan, phase.lasts) / draws.every + 1e-9) + 1):
        start_s = plan.at + (number - 1) * draws.every
        latest_s = min(start_s + draws.every, end_s - draws.lasts)
        at_s = generator.uniform(start_s, max(latest_s, start_s))
        order = generator.sample(range(len(draws.choices)), k=len(draws.choices))
        if latest_s < start_s:
            continue
        for place in order:
            ((kind, params),) = draws.choices[place].items()
            draw = FaultPlan.model_validate(
                {
                    "kind": kind,
                    "params": params or {},
                    "at": min(round(at_s, 1), latest_s),
                    "for": draws.lasts,
                    "name": f"{plan.name}-{number}-{kind}",
                }
            )
            if _fits(broken(draw, phase.lasts, reach_of), taken, budget):
                yield draw
                break


def _fits(one: Broken, taken: Sequence[Broken], budget: Budget | None) -> bool:
    if any(clashes(one, other) for other in taken):
        return False
    return budget is None or most_targets(taken, one)[0] <= budget.targets
