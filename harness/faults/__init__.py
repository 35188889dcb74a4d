"""Every fault by name. Adding one: its file, its test, its heading in README.md, and its name in `ALL`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tocsin.harness.declarations.stack import Stack
from tocsin.harness.faults.bases.fault import Fault, Params
from tocsin.harness.faults.blocked_loop import BlockedLoop
from tocsin.harness.faults.clock_offset import ClockOffset
from tocsin.harness.faults.cold_start import ColdStart
from tocsin.harness.faults.counter_backwards import CounterBackwards
from tocsin.harness.faults.cpu_hog import CpuHog
from tocsin.harness.faults.crash_loop import CrashLoop
from tocsin.harness.faults.disk_full import DiskFull
from tocsin.harness.faults.disk_slow import DiskSlow
from tocsin.harness.faults.elasticsearch_read_only import ElasticsearchReadOnly
from tocsin.harness.faults.exporter_error import ExporterError
from tocsin.harness.faults.exporter_stale import ExporterStale
from tocsin.harness.faults.fd_exhaustion import FdExhaustion
from tocsin.harness.faults.gpu_lost import GpuLost
from tocsin.harness.faults.gpu_memory import GpuMemory
from tocsin.harness.faults.gpu_temperature import GpuTemperature
from tocsin.harness.faults.gpu_throttling import GpuThrottling
from tocsin.harness.faults.gpu_xid import GpuXid
from tocsin.harness.faults.kill import Kill
from tocsin.harness.faults.log_malformed import LogMalformed
from tocsin.harness.faults.log_oversize import LogOversize
from tocsin.harness.faults.log_rotate import LogRotate
from tocsin.harness.faults.log_stop import LogStop
from tocsin.harness.faults.log_truncate import LogTruncate
from tocsin.harness.faults.memory_leak import MemoryLeak
from tocsin.harness.faults.memory_pressure import MemoryPressure
from tocsin.harness.faults.metrics_error import MetricsError
from tocsin.harness.faults.metrics_explode import MetricsExplode
from tocsin.harness.faults.metrics_hang import MetricsHang
from tocsin.harness.faults.metrics_missing import MetricsMissing
from tocsin.harness.faults.metrics_stale import MetricsStale
from tocsin.harness.faults.model_raises import ModelRaises
from tocsin.harness.faults.model_slow import ModelSlow
from tocsin.harness.faults.nan_output import NanOutput
from tocsin.harness.faults.net_bandwidth import NetBandwidth
from tocsin.harness.faults.net_cut import NetCut
from tocsin.harness.faults.net_disconnect import NetDisconnect
from tocsin.harness.faults.net_latency import NetLatency
from tocsin.harness.faults.net_partition import NetPartition
from tocsin.harness.faults.net_refuse import NetRefuse
from tocsin.harness.faults.net_reset import NetReset
from tocsin.harness.faults.net_slice import NetSlice
from tocsin.harness.faults.out_of_memory import OutOfMemory
from tocsin.harness.faults.pager_error import PagerError
from tocsin.harness.faults.pause import Pause
from tocsin.harness.faults.restart import Restart
from tocsin.harness.faults.routes_broken import RoutesBroken
from tocsin.harness.faults.rules_broken import RulesBroken
from tocsin.harness.faults.silence import Silence
from tocsin.harness.faults.slow_start import SlowStart
from tocsin.harness.faults.terminate import Terminate
from tocsin.harness.faults.wrong_answers import WrongAnswers
from tocsin.harness.faults.wrong_version import WrongVersion

ALL: tuple[type[Fault], ...] = (
    Kill,
    Terminate,
    Restart,
    CrashLoop,
    SlowStart,
    Pause,
    ModelRaises,
    ModelSlow,
    WrongAnswers,
    NanOutput,
    WrongVersion,
    BlockedLoop,
    ColdStart,
    MemoryLeak,
    MetricsHang,
    MetricsError,
    MetricsStale,
    MetricsMissing,
    MetricsExplode,
    CounterBackwards,
    LogMalformed,
    LogOversize,
    LogRotate,
    LogTruncate,
    LogStop,
    ClockOffset,
    Silence,
    CpuHog,
    MemoryPressure,
    OutOfMemory,
    DiskFull,
    DiskSlow,
    FdExhaustion,
    NetLatency,
    NetBandwidth,
    NetSlice,
    NetCut,
    NetReset,
    NetRefuse,
    NetPartition,
    NetDisconnect,
    GpuXid,
    GpuTemperature,
    GpuThrottling,
    GpuMemory,
    GpuLost,
    ExporterStale,
    ExporterError,
    PagerError,
    ElasticsearchReadOnly,
    RulesBroken,
    RoutesBroken,
)

WHY = {
    "disk": " (it takes the right to mount; containers must run on this machine)",
    "slow": " (it takes the right to mount, loop devices, mkfs.ext4, and control groups that we may write to)",
    "limit": " (it takes a kernel with control groups or prlimit, and write access to them)",
    "disconnect": " (it takes containers: `--engine compose`)",
}
"""What it usually takes, by the first word of a handle."""

Blinds = Callable[[Mapping[str, Any], Stack], tuple[tuple[str, str], ...]]


def by_kind() -> dict[str, type[Fault]]:
    """Return kind -> fault."""
    return {fault.kind: fault for fault in ALL}


def catalogue() -> dict[str, type[Params]]:
    """Return kind -> model of its parameters, for `Catalogue.faults`."""
    return {fault.kind: fault.Params for fault in ALL}


def make(kind: str, params: Mapping[str, Any]) -> Fault:
    """Return a fault with its parameters; ValidationError if they do not fit, KeyError for an unknown kind."""
    fault = by_kind()[kind]
    return fault(fault.Params.model_validate(dict(params)))


def blinds() -> dict[str, Blinds]:
    """Return kind -> function (params, stack) -> pairs (signal, role), for `Catalogue.blinds`."""
    return {kind: _blinds(kind) for kind in by_kind()}


def _blinds(kind: str) -> Blinds:
    return lambda params, stack: make(kind, params).blinds(stack)


def needs(kind: str, params: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what a fault needs: `hook:<name>`, `role:<name>`, `edge:<caller> -> <role>`, `handle:<name>`."""
    return make(kind, params).needs()


def lacking(
    kind: str, params: Mapping[str, Any], stack: Stack, handles: frozenset[str] | None = None
) -> tuple[str, ...]:
    """Return a sentence for each need that the stack or the engine does not meet; empty: the fault can be played.

    `handles` is what the engine offers here; without it handles are not asked about.
    """
    return tuple(sentence for need in needs(kind, params) if (sentence := _lack(kind, need, stack, handles)))


def _lack(kind: str, need: str, stack: Stack, handles: frozenset[str] | None) -> str:
    what, _, name = need.partition(":")
    if what == "hook" and name not in stack.hooks:
        return f"Fault {kind} needs hook {name!r}; stack {stack.name!r} has {', '.join(stack.hooks) or 'none'}."
    if what == "role" and name not in stack.roles:
        return f"Fault {kind} needs role {name!r}; stack {stack.name!r} has {', '.join(stack.roles)}."
    if what == "edge" and name not in stack.all_edges:
        return f"Fault {kind} needs edge {name!r}; stack {stack.name!r} has {', '.join(stack.all_edges)}."
    if what == "handle":
        return _lacks_handle(kind, name, stack, handles)
    return ""


def _lacks_handle(kind: str, name: str, stack: Stack, handles: frozenset[str] | None) -> str:
    disk = name.removeprefix("disk:")
    if disk != name and disk not in stack.disks:
        return f"Fault {kind} needs disk {disk!r}; stack {stack.name!r} has {', '.join(stack.disks) or 'none'}."
    if handles is None or name in handles:
        return ""
    return f"Fault {kind} needs {name!r}, which cannot be had here{WHY.get(name.partition(':')[0], '')}."
