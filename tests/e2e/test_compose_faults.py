"""Every fault keeps its contract under Compose, or is refused with a sentence: a sample in CI, all in `make soak`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.containers import engine
from tests.e2e.contract import kept, killed
from tests.e2e.series import play_series
from tests.e2e.shared_stack import Shared, lacking, reference, shared_stack
from tests.e2e.test_contract import PARAMS
from tocsin.harness import faults
from tocsin.harness.engines.compose.engine import ComposeEngine

SAMPLE = ("kill", "pause", "model_raises", "net_refuse", "net_disconnect")
SAMPLE += ("out_of_memory", "fd_exhaustion", "disk_full", "disk_slow")
UNDER_LOAD = ("memory_pressure",)
"""Seen only while requests ask for memory: its drill plays it, scenarios/memory_pressure.yaml."""
KINDS = list(faults.by_kind())
ENGINE = ComposeEngine(variant="rsyslog")


def not_played() -> dict[str, str]:
    """Return fault -> why the compose engine refuses it here."""
    stack = reference()
    return {kind: why for kind in KINDS if (why := lacking(kind, PARAMS[kind], stack, ENGINE))}


@pytest.fixture(scope="module")
def sample_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    engine()
    examples = {kind: PARAMS[kind] for kind in SAMPLE}
    with shared_stack(tmp_path_factory.mktemp("contract"), examples, ENGINE) as shared:
        yield shared


@pytest.mark.e2e
@pytest.mark.parametrize("kind", SAMPLE)
def test_a_fault_keeps_its_contract_under_compose(kind: str, sample_stack: Shared) -> None:
    assert kept(kind, PARAMS[kind], sample_stack)["wrong"] == []


@pytest.mark.e2e
def test_a_killed_holders_fault_is_healed_under_compose(sample_stack: Shared) -> None:
    assert killed("pause", PARAMS["pause"], "injected", sample_stack)["wrong"] == []


@pytest.mark.soak
def test_every_fault_keeps_its_contract_under_compose(tmp_path: Path) -> None:
    engine()
    skipped = not_played()
    kinds = [kind for kind in KINDS if kind not in skipped and kind not in UNDER_LOAD]
    stack: list[Any] = []

    def play(kind: str) -> dict[str, Any]:
        if not stack:  # nobody brings it up where every result is known
            entered = shared_stack(tmp_path, {kind: PARAMS[kind] for kind in kinds}, ENGINE)
            stack.extend((entered.__enter__(), entered))
        row = kept(kind, PARAMS[kind], stack[0])
        print(f"{kind:<24} {'; '.join(row['wrong']) or 'kept'}", flush=True)
        return row

    try:
        rows = play_series("contract-compose", kinds, play, at_once=1)
    finally:
        if stack:
            stack[1].__exit__(None, None, None)
    print(*(f"{kind:<24} not played: {why}" for kind, why in skipped.items()), sep="\n")
    bad = {kind: row["wrong"] for kind, row in rows.items() if row["wrong"]}
    told = {"test": "contract-compose", "faults": len(kinds), "not_played": len(skipped), "wrong": len(bad)}
    print(json.dumps(told))
    assert bad == {}
