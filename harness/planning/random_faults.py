"""Draws the faults that a `random` one stands for: pure, so that the same seed gives the same drill."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tocsin.harness.declarations.fault_contract import active_fault
from tocsin.harness.declarations.guardrails import ActiveFault, Budget, clashes, most_targets
from tocsin.harness.declarations.scenario import Draws, FaultPlan
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.planning.diagnostics import Where

RANDOM = "random"
"""The kind of fault that stands for others."""


@dataclass(frozen=True, kw_only=True)
class FaultPhase:
    """A phase as far as its faults are concerned; production seconds.

    `faults` are as written, `random` ones too, until they are drawn; `places` says where each stands in the file.
    """

    name: str
    length_s: float
    faults: Sequence[FaultPlan]
    start_s: float = 0.0
    places: Sequence[Where] = ()

    def active(self, plan: FaultPlan, stack: Stack) -> ActiveFault:
        """Return one of its faults as guardrails see it."""
        end_s = plan.at + plan.lasts if plan.lasts else self.length_s
        return active_fault(
            plan.fault, stack, name=plan.name, start_s=self.start_s + plan.at, end_s=self.start_s + end_s
        )

    def window_s(self, plan: FaultPlan) -> float:
        """Return how long a `random` draws: its own `for`, else the rest of the phase."""
        return plan.lasts or self.length_s - plan.at


def drawn(
    phase: FaultPhase, stack: Stack, seed: int, budget: Budget | None = None
) -> tuple[tuple[FaultPlan, int], ...]:
    """Return the faults of a phase, with those drawn in the place of each `random`, and where in the phase each stands.

    The first is called `random-1-kill`, if the `random` has no name of its own. A draw that clashes with a fault
    that is there at the same time, or would break more targets than the budget has, is given to the next choice, and
    left out if there is none.
    """
    taken = [phase.active(plan, stack) for plan in phase.faults if plan.draws is None]
    plans: list[tuple[FaultPlan, int]] = []
    for place, plan in enumerate(phase.faults):
        if plan.draws is None:
            plans.append((plan, place))
            continue
        for choices in _stretches(phase, plan, plan.draws, seed):
            for draw in choices:
                candidate = phase.active(draw, stack)
                if _fits(candidate, taken, budget):
                    plans.append((draw, place))
                    taken.append(candidate)
                    break
    return tuple(plans)


def _stretches(phase: FaultPhase, plan: FaultPlan, draws: Draws, seed: int) -> Iterator[Iterator[FaultPlan]]:
    """Yield the choices of each stretch, the first first. They do not depend on what is taken, so names stay."""
    generator = random.Random(f"{seed}/{phase.name}/{plan.name}")
    window_s = phase.window_s(plan)
    for number in range(1, int(window_s / draws.every + 1e-9) + 1):
        start_s = plan.at + (number - 1) * draws.every
        latest_s = min(start_s + draws.every, plan.at + window_s - draws.lasts)
        at_s = generator.uniform(start_s, max(latest_s, start_s))
        order = generator.sample(range(len(draws.choices)), k=len(draws.choices))
        if latest_s >= start_s:
            yield _choices(draws, order, min(round(at_s, 1), latest_s), f"{plan.name}-{number}")


def _choices(draws: Draws, order: Sequence[int], at_s: float, stem: str) -> Iterator[FaultPlan]:
    for place in order:
        ((kind, params),) = draws.choices[place].items()
        written = {"kind": kind, "params": params or {}, "at": at_s, "for": draws.lasts, "name": f"{stem}-{kind}"}
        yield FaultPlan.model_validate(written).with_parsed(draws.faults[place])


def _fits(candidate: ActiveFault, taken: Sequence[ActiveFault], budget: Budget | None) -> bool:
    if any(clashes(candidate, other) for other in taken):
        return False
    return budget is None or most_targets(taken, candidate)[0] <= budget.targets
