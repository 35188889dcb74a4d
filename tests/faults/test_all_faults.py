"""What holds for every fault, and the helpers that find them by name."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from harness import faults
from harness.faults.base import Params
from tests.faults.fake_live import FakeLive, fault_stack

EXAMPLES: dict[str, dict[str, Any]] = {
    "kill": {"role": "model"},
    "restart": {"role": "model"},
    "pause": {"role": "model"},
    "model_raises": {"share": 0.5},
    "model_slow": {"delay_ms": 200, "share": 0.5},
    "wrong_answers": {"share": 0.5},
    "silence": {"alert": "HighErrorRate"},
    "cpu_hog": {"processes": 1},
    "net_latency": {"edge": "prometheus -> model", "delay_ms": 500},
    "net_bandwidth": {"edge": "prometheus -> model", "bytes_per_s": 1000},
    "net_slice": {"edge": "prometheus -> model", "bytes": 100, "gap_ms": 10},
    "net_cut": {"edge": "prometheus -> model", "after_bytes": 20},
    "net_reset": {"edge": "alertmanager -> pager"},
    "net_refuse": {"edge": "prometheus -> alertmanager"},
    "net_partition": {"edge": "shipper -> elasticsearch"},
}


def test_every_fault_has_an_example_a_heading_and_a_file_of_its_own() -> None:
    folder = Path(faults.__file__).parent
    headings = re.findall(r"^## (\S+)$", (folder / "README.md").read_text(), re.MULTILINE)
    assert sorted(EXAMPLES) == sorted(fault.kind for fault in faults.ALL) == sorted(headings)
    for fault in faults.ALL:
        assert (folder / f"{fault.kind}.py").is_file()


@pytest.mark.parametrize("kind", EXAMPLES)
def test_every_fault_keeps_the_promises_of_its_protocol(kind: str) -> None:
    fault = faults.make(kind, EXAMPLES[kind])
    assert fault.kind == kind and fault.summary.endswith(".")
    assert issubclass(faults.catalogue()[kind], Params)
    assert faults.blinds()[kind](EXAMPLES[kind], fault_stack()) == fault.blinds(fault_stack())
    assert faults.needs(kind, EXAMPLES[kind]) == fault.needs()
    assert faults.lacking(kind, EXAMPLES[kind], fault_stack()) == ()
    with pytest.raises(ValueError, match="nonsense"):
        faults.make(kind, {**EXAMPLES[kind], "nonsense": 1})


@pytest.mark.parametrize("kind", EXAMPLES)
def test_healing_what_was_never_injected_is_fine(kind: str, tmp_path: Path) -> None:
    live = FakeLive("127.0.0.1:1", runs=kind in ("kill", "restart"))
    live.work = tmp_path
    (tmp_path / "stack.json").write_text('{"pids": {}}')
    faults.make(kind, EXAMPLES[kind]).heal(live)
    assert live.done == []


def test_what_is_lacking_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "needs role 'cat'; stack 'faulty' has model" in faults.lacking("kill", {"role": "cat"}, fault_stack())[0]
    bare = fault_stack().model_copy(update={"hooks": {}})
    assert faults.lacking("model_raises", {"share": 1}, bare) == (
        "Fault model_raises needs hook 'model_raises'; stack 'faulty' has none.",
    )
    monkeypatch.setattr(faults.Kill, "needs", lambda _: ("root",))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert faults.lacking("kill", {"role": "model"}, bare) == ("Fault kill needs root; this is uid 1000.",)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert faults.lacking("kill", {"role": "model"}, bare) == ()


def test_an_unknown_kind_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        faults.make("earthquake", {})
