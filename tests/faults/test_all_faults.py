"""What holds for every fault, and the helpers that find them by name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.faults.fake_live import HANDLES, FakeLive, fault_stack
from tocsin.harness import faults
from tocsin.harness.faults.bases.fault import HANDLES as HANDLES_KNOWN
from tocsin.harness.faults.bases.fault import Params

EXAMPLES: dict[str, dict[str, Any]] = {
    "kill": {"role": "model"},
    "terminate": {"role": "model"},
    "restart": {"role": "model"},
    "crash_loop": {"role": "model", "up": "1m", "down": "20s"},
    "slow_start": {"role": "model"},
    "pause": {"role": "model"},
    "model_raises": {"share": 0.5},
    "model_slow": {"delay_ms": 200, "share": 0.5},
    "wrong_answers": {"share": 0.5},
    "nan_output": {"share": 0.5},
    "wrong_version": {},
    "blocked_loop": {"block_ms": 200},
    "cold_start": {"delay_ms": 300},
    "memory_leak": {"mib_per_s": 100, "most_mib": 64},
    "metrics_hang": {},
    "metrics_error": {},
    "metrics_stale": {},
    "metrics_missing": {"metric": "ml_predictions_total"},
    "metrics_explode": {"series": 10000},
    "counter_backwards": {"metric": "ml_predictions_total"},
    "log_malformed": {"share": 0.5},
    "log_oversize": {"share": 0.02},
    "log_rotate": {},
    "log_truncate": {},
    "log_stop": {},
    "clock_offset": {"offset_s": -120},
    "silence": {"alert": "HighErrorRate"},
    "cpu_hog": {"processes": 1},
    "memory_pressure": {"role": "model"},
    "out_of_memory": {"role": "model", "share": 0.5},
    "disk_full": {"disk": "log", "share": 1.0},
    "disk_slow": {"disk": "log", "writes_per_s": 10},
    "fd_exhaustion": {"role": "model", "files": 5},
    "net_latency": {"edge": "prometheus -> model", "delay_ms": 500},
    "net_bandwidth": {"edge": "prometheus -> model", "bytes_per_s": 1000},
    "net_slice": {"edge": "prometheus -> model", "bytes": 100, "gap_ms": 10},
    "net_cut": {"edge": "prometheus -> model", "after_bytes": 20},
    "net_reset": {"edge": "alertmanager -> pager"},
    "net_refuse": {"edge": "prometheus -> alertmanager"},
    "net_partition": {"edge": "shipper -> elasticsearch"},
    "net_disconnect": {"role": "model"},
    "gpu_xid": {"code": 79},
    "gpu_temperature": {"celsius": 92},
    "gpu_throttling": {"reason": "hw_thermal"},
    "gpu_memory": {"share": 0.98},
    "gpu_lost": {},
    "exporter_stale": {"role": "node"},
    "exporter_error": {"role": "node"},
    "pager_error": {"status": 429},
    "elasticsearch_read_only": {},
    "rules_broken": {"alert": "HighErrorRate"},
    "routes_broken": {},
}


def test_every_fault_has_an_example_a_heading_and_a_file_of_its_own() -> None:
    folder = Path(faults.__file__).parent
    headings = re.findall(r"^## (\S+)$", (folder / "README.md").read_text(), re.MULTILINE)
    assert sorted(EXAMPLES) == sorted(fault.kind for fault in faults.ALL) == sorted(headings)
    for fault in faults.ALL:
        assert (folder / f"{fault.kind}.py").is_file()


def test_every_handle_that_a_fault_asks_for_is_one_of_the_list() -> None:
    needed = {need for kind, params in EXAMPLES.items() for need in faults.needs(kind, params)}
    handles = {need.removeprefix("handle:") for need in needed if need.startswith("handle:")}
    known = {handle.replace("log", "<name>") for handle in handles}
    assert known == set(HANDLES_KNOWN)


@pytest.mark.parametrize("kind", EXAMPLES)
def test_every_fault_keeps_the_promises_of_its_protocol(kind: str) -> None:
    fault = faults.make(kind, EXAMPLES[kind])
    assert fault.kind == kind and fault.summary.endswith(".")
    assert issubclass(faults.catalogue()[kind], Params)
    assert faults.blinds()[kind](EXAMPLES[kind], fault_stack()) == fault.blinds(fault_stack())
    assert faults.needs(kind, EXAMPLES[kind]) == fault.needs()
    assert faults.lacking(kind, EXAMPLES[kind], fault_stack(), HANDLES) == ()
    with pytest.raises(ValueError, match="nonsense"):
        faults.make(kind, {**EXAMPLES[kind], "nonsense": 1})


@pytest.mark.parametrize("kind", EXAMPLES)
def test_healing_what_was_never_injected_is_fine(kind: str, tmp_path: Path) -> None:
    needs = faults.needs(kind, EXAMPLES[kind])
    live = FakeLive("127.0.0.1:1", runs="handle:start" in needs and not any(need.startswith("hook:") for need in needs))
    live.work = tmp_path
    faults.make(kind, EXAMPLES[kind]).heal(live)
    assert live.done == []


LACKING = [
    ("kill", {"role": "cat"}, "needs role 'cat'; stack 'faulty' has model"),
    ("disk_full", {"disk": "attic"}, "needs disk 'attic'; stack 'faulty' has log."),
    ("disk_full", {"disk": "log"}, "needs 'disk:log', which cannot be had here (it takes the right to mount; "),
    ("out_of_memory", {"role": "model"}, "needs 'limit:memory', which cannot be had here (it takes a kernel with"),
    ("fd_exhaustion", {"role": "model"}, "needs 'limit:open_files', which cannot be had here (it takes a kernel"),
]


@pytest.mark.parametrize(("kind", "params", "words"), LACKING)
def test_what_is_lacking_is_said(kind: str, params: dict[str, Any], words: str) -> None:
    (sentence,) = faults.lacking(kind, params, fault_stack(), frozenset({"start", "run_in"}))
    assert f"Fault {kind} {words}" in sentence


def test_a_hook_that_the_stack_lacks_is_said() -> None:
    bare = fault_stack().model_copy(update={"hooks": {}})
    assert faults.lacking("model_raises", {"share": 1}, bare) == (
        "Fault model_raises needs hook 'model_raises'; stack 'faulty' has none.",
    )


def test_an_unknown_kind_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        faults.make("earthquake", {})
