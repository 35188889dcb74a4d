"""What may be broken at once, for how long, and elsewhere: pure rules over what a fault reaches and when."""

from __future__ import annotations

from typing import Any

import pytest

from tocsin.harness.declarations.guardrails import (
    MACHINE,
    ActiveFault,
    Allowed,
    Budget,
    clashes,
    forbidden,
    most_targets,
    over_budget,
)


def broken(kind: str, *targets: str, at: float = 0, until: float = 10, params: Any = None, **reach: Any) -> ActiveFault:
    roles = tuple(target for target in targets if "->" not in target)
    reach |= {"targets": targets or (MACHINE,), "roles": roles, "params": params or {}}
    return ActiveFault(name=f"{kind}-{at:g}", kind=kind, start_s=at, end_s=until, **reach)


WAY = "prometheus -> model"
CLASHES = [
    ("the same kind on the same role", broken("pause", "model"), broken("pause", "model", at=5), True),
    ("one after the other", broken("pause", "model"), broken("pause", "model", at=10, until=20), False),
    ("the same kind elsewhere", broken("pause", "model"), broken("pause", "node"), False),
    ("two kinds on a role", broken("slow", "model"), broken("raises", "model"), False),
    (
        "one switch with other parameters",
        broken("raises", "model", params={"share": 1}),
        broken("raises", "model"),
        True,
    ),
    ("two kinds on an edge", broken("latency", WAY), broken("cut", WAY), True),
    ("two edges of a role", broken("latency", WAY), broken("cut", "clients -> model"), False),
    ("an edge and its role", broken("latency", WAY), broken("kill", "model", restarts=True), False),
    ("a restart takes the others with it", broken("raises", "model"), broken("kill", "model", restarts=True), True),
    ("a restart of another role", broken("raises", "model"), broken("kill", "node", restarts=True), False),
    (
        "separate ones",
        broken("silence", "alertmanager", params={"alert": "A"}, separate=True),
        broken("silence", "alertmanager", params={"alert": "B"}, separate=True),
        False,
    ),
    (
        "separate ones that are the same",
        broken("silence", "alertmanager", params={"alert": "A"}, separate=True),
        broken("silence", "alertmanager", params={"alert": "A"}, separate=True),
        True,
    ),
    ("two neighbours on one machine", broken("hog"), broken("hog", at=3), True),
]


@pytest.mark.parametrize(("name", "one", "other", "answer"), CLASHES, ids=[name for name, *_ in CLASHES])
def test_faults_that_would_end_each_other(name: str, one: ActiveFault, other: ActiveFault, answer: bool) -> None:
    assert clashes(one, other) is answer
    assert clashes(other, one) is answer


def test_the_most_targets_are_counted_over_the_whole_of_a_fault() -> None:
    others = [
        broken("a", "x", until=5),
        broken("b", "y", at=4, until=6),
        broken("c", "z", at=7),
        broken("d", "z", at=8),
    ]
    assert most_targets(others, broken("e", "w", at=1)) == (3, 4)
    assert most_targets(others, broken("e", "w", at=6, until=7)) == (1, 6)
    assert most_targets([], broken("e")) == (1, 0), "a fault that names nothing breaks the machine"


BUDGET = Budget.model_validate({"targets": 2, "for": "10s"})
OVER = [
    ([broken("a", "x"), broken("b", "y")], []),
    ([broken("a", "x"), broken("b", "y"), broken("c", "z", at=5)], ["3 targets broken at once, 5s into the drill"]),
    ([broken("a", "x"), broken("b", "y"), broken("c", "x", at=5)], []),
    ([broken("a", "x"), broken("b", "y"), broken("c", "z", at=10, until=20)], []),
    ([broken("a", "x", until=11)], ["`a-0` for 11s"]),
    ([broken("a", "x", "y", "z")], ["3 targets broken at once, 0s into the drill"]),
]


@pytest.mark.parametrize(("every", "words"), OVER)
def test_what_is_over_the_budget(every: list[ActiveFault], words: list[str]) -> None:
    found = list(over_budget(every, BUDGET))
    assert len(found) == len(words)
    for (_, value, expected), word in zip(found, words, strict=True):
        assert word in value
        assert expected.startswith("at most ")


KILL = broken("kill", "model")
MODEL = Allowed(role="model", faults=("kill",))
FORBIDDEN = [
    (KILL, (), True, False, ""),
    (KILL, (), False, True, "does not list kill (for model)."),
    (KILL, ("kill",), False, False, "--allow-faults was not given"),
    (KILL, (), False, False, "does not list kill (for model) and --allow-faults was not given"),
    (KILL, ("kill",), False, True, ""),
    (KILL, ("pause",), False, True, "does not list kill"),
    (KILL, (MODEL,), False, True, ""),
    (broken("kill", "node"), (MODEL,), False, True, "does not list kill (for node)"),
    (broken("pause", "model"), (MODEL,), False, True, "does not list pause"),
    (broken("kill", WAY), (MODEL,), False, True, ""),
    (broken("kill", "model -> node"), (MODEL,), False, True, "does not list"),
    (broken("kill"), (MODEL,), False, True, "does not list kill (for the machine)"),
    (broken("look", "model", harmless=True), (), False, False, ""),
]


@pytest.mark.parametrize(("fault", "allowed", "owns", "asked", "words"), FORBIDDEN)
def test_what_may_be_broken_on_a_stack_that_is_not_ours(
    fault: ActiveFault, allowed: tuple[str | Allowed, ...], owns: bool, asked: bool, words: str
) -> None:
    found = list(forbidden([fault], allowed, owns_stack=owns, allow_faults=asked))
    assert [one for one, _ in found] == ([fault] if words else [])
    assert all(words in sentence for _, sentence in found)
