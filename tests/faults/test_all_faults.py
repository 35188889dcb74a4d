"""What holds for every fault, and the helpers that find them by name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.faults.fake_live import ABLE, DISKS, FakeLive, fault_stack
from tocsin.harness import faults
from tocsin.harness.declarations.fault_contract import CAPABILITIES, Fault
from tocsin.harness.declarations.restarting_faults import RESTARTS

FAULTS = faults.by_kind()
EXAMPLES: dict[str, dict[str, Any]] = {kind: dict(fault.params_model.example) for kind, fault in FAULTS.items()}


def example(kind: str) -> Fault:
    return faults.make(kind, EXAMPLES[kind])


def test_every_fault_has_a_heading_and_a_file_of_its_own() -> None:
    folder = Path(faults.__file__).parent
    headings = re.findall(r"^## (\S+)$", (folder / "README.md").read_text(), re.MULTILINE)
    assert sorted(FAULTS) == sorted(headings)
    assert [fault.kind for fault in FAULTS.values()] == list(FAULTS)


def test_a_file_that_defines_no_fault_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "earthquake.py").write_text("from tocsin.harness.faults.kill import Kill\n")
    monkeypatch.setattr(faults, "__path__", [str(tmp_path)])
    with pytest.raises(TypeError, match="earthquake defines 0 faults; expected one"):
        faults.by_kind.__wrapped__()


def test_every_capability_that_a_fault_needs_is_one_of_the_list() -> None:
    needs = {need.partition(":")[::2] for kind in FAULTS for need in example(kind).needs()}
    capabilities = {name for sort, name in needs if sort == "capability"}
    assert {re.sub("|".join(DISKS), "<name>", name) for name in capabilities} == set(CAPABILITIES)


@pytest.mark.parametrize("kind", FAULTS)
def test_every_fault_keeps_the_promises_of_its_contract(kind: str) -> None:
    fault = example(kind)
    assert fault.kind == kind and fault.summary.endswith(".")
    assert faults.lacking(fault, fault_stack(), ABLE) == ()
    assert {signal for signal, _ in fault.blinds(fault_stack())} <= {
        "metrics",
        "alerts",
        "notifications",
        "drift",
        "logs",
    }
    with pytest.raises(ValueError, match="nonsense"):
        faults.make(kind, {**EXAMPLES[kind], "nonsense": 1})


def test_old_evidence_knows_which_faults_restart_a_role() -> None:
    restarting = {kind: fault.restarts_role for kind, fault in FAULTS.items() if fault.restarts_role}
    assert restarting == RESTARTS, "declarations/restarting_faults.py reads evidence by kind; add yours there"


@pytest.mark.parametrize("kind", FAULTS)
def test_healing_what_was_never_injected_is_fine(kind: str, tmp_path: Path) -> None:
    needs = example(kind).needs()
    runs = "capability:start" in needs and not any(need.startswith("hook:") for need in needs)
    live = FakeLive("127.0.0.1:1", runs=runs)
    live.work = tmp_path
    example(kind).heal(live)
    assert live.done == []


LACKING = [
    ("kill", {"role": "cat"}, "needs role 'cat'; stack 'faulty' has model"),
    ("disk_full", {"disk": "attic"}, "needs disk 'attic'; stack 'faulty' has request-log, shipper-spool."),
    (
        "disk_full",
        {"disk": "request-log"},
        "needs 'disk:request-log', which this engine cannot do here (that req",
    ),
    ("out_of_memory", {"role": "model"}, "needs 'limit:memory', which this engine cannot do here (that requires a"),
    (
        "fd_exhaustion",
        {"role": "model"},
        "needs 'limit:open_files', which this engine cannot do here (that requires a",
    ),
    ("net_cut", {"edge": "a -> b", "after_bytes": 9}, "needs edge 'a -> b'; stack 'faulty' has prometheus -> model, "),
]


@pytest.mark.parametrize(("kind", "params", "words"), LACKING)
def test_what_is_lacking_is_said(kind: str, params: dict[str, Any], words: str) -> None:
    (sentence,) = faults.lacking(faults.make(kind, params), fault_stack(), frozenset({"start", "run_in"}))
    assert f"Fault {kind} {words}" in sentence


def test_a_hook_that_the_stack_lacks_is_said() -> None:
    bare = fault_stack().model_copy(update={"hooks": {}})
    assert faults.lacking(example("model_raises"), bare) == (
        "Fault model_raises needs hook 'model_raises'; stack 'faulty' has none.",
    )


def test_an_unknown_kind_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        faults.make("earthquake", {})
