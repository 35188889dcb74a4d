"""What faults reach, told by what they need."""

from __future__ import annotations

from typing import Any

import pytest

from tocsin.harness.declarations.fault_contract import active_fault, touched
from tocsin.harness.faults import make
from tocsin.harness.planning.loader import load_stack

TARGETS = [
    ("kill", {"role": "node"}, ("node",), ("node",), True),
    ("pause", {"role": "node"}, ("node",), ("node",), False),
    ("model_raises", {"share": 0.5}, ("model",), ("model",), False),
    ("net_refuse", {"edge": "prometheus -> model"}, ("prometheus -> model",), (), False),
    ("cpu_hog", {}, ("the machine",), (), False),
]


@pytest.mark.parametrize(("kind", "params", "targets", "roles", "restarts"), TARGETS)
def test_what_a_fault_reaches(
    kind: str, params: dict[str, Any], targets: tuple[str, ...], roles: tuple[str, ...], restarts: bool
) -> None:
    found = active_fault(make(kind, params), load_stack("reference"), name=kind, start_s=0, end_s=1)
    assert (found.targets, found.roles, found.restarts) == (targets, roles, restarts)


def test_a_hook_that_the_stack_does_not_have_reaches_nothing() -> None:
    roles_and_edges = touched(make("model_raises", {"share": 0.5}), load_stack("null").model_copy(update={"hooks": {}}))
    assert roles_and_edges == ((), ())


@pytest.mark.parametrize(("kind", "params", "separate"), [("silence", {"alert": "A"}, True), ("cpu_hog", {}, False)])
def test_what_a_fault_declares_of_itself(kind: str, params: dict[str, Any], separate: bool) -> None:
    found = active_fault(make(kind, params), load_stack("reference"), name=kind, start_s=0, end_s=1)
    assert (found.separate, found.harmless) == (separate, False)
