"""The roles that Tocsin knows how to start on this machine: prometheus, alertmanager and pager."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

PROMETHEUS_DURATIONS: Mapping[str, str] = {
    "--query.lookback-delta": "5m",
    "--rules.alert.resend-delay": "1m",
    "--rules.alert.for-grace-period": "10m",
    "--rules.alert.for-outage-tolerance": "1h",
}
"""Durations of Prometheus that stand in no file but are flags, with their defaults."""


def with_builtin_starts(stack: object) -> object:
    """Return the content of a stack.yaml in which these roles have what they do not say themselves.

    A role takes the built-in start unless its `local` has an `argv` (then only the usual ports), or `external` says
    that somebody else runs it. Keys that the role or its `local` has stand.
    """
    if not isinstance(stack, Mapping) or not isinstance(roles := stack.get("roles"), Mapping):
        return stack
    return {**stack, "roles": {name: _completed(name, role, stack) for name, role in roles.items()}}


def _completed(name: object, role: object, stack: Mapping[object, object]) -> object:
    builtin = _builtin(stack).get(name)
    declared = {} if role is None else role
    if builtin is None or not isinstance(declared, Mapping):
        return role
    local = declared.get("local") or {}
    if declared.get("external") or not isinstance(local, Mapping):
        return declared
    if "argv" in local:
        return {"ports": builtin["ports"], **declared}
    start = builtin["local"]
    assert isinstance(start, Mapping)
    return {**builtin, **declared, "local": {**start, **local}}


def _builtin(stack: Mapping[object, object]) -> dict[object, dict[str, object]]:
    """Return role -> its content; the paths of configuration files are those of the stack."""
    prometheus_flags = [
        f"--config.file={{config}}/{stack.get('prometheus') or 'prometheus/prometheus.yml'}",
        "--storage.tsdb.path={data}/tsdb",
        "--web.listen-address=127.0.0.1:{port}",
        *(f"{flag}={{duration:{default}}}" for flag, default in PROMETHEUS_DURATIONS.items()),
    ]
    alertmanager_flags = [
        f"--config.file={{config}}/{stack.get('alertmanager') or 'alertmanager/alertmanager.yml'}",
        "--storage.path={data}",
        "--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    pager = {"argv": _pager(stack), "health": {"http": "/healthz", "within_s": 10}}
    return {
        "prometheus": _role(9090, 6, 120, _server("prometheus", prometheus_flags)),
        "alertmanager": _role(9093, 2, 30, _server("alertmanager", alertmanager_flags)),
        "pager": _role(9095, 1, 20, pager),
    }


def _role(port: int, fixed_s: float, memory_mib: int, local: Mapping[str, object]) -> dict[str, object]:
    return {"ports": {"http": port}, "fixed_s": fixed_s, "memory_mib": memory_mib, "local": local}


def _server(program: str, flags: Sequence[str]) -> dict[str, object]:
    argv = ["{program}", *flags, "--log.level=warn"]
    return {"program": program, "argv": argv, "health": {"http": "/-/ready", "within_s": 20}}


def _pager(stack: Mapping[object, object]) -> list[str]:
    argv = ["{python}", "-m", "tocsin.harness.sidecars.pager", "--port", "{port}"]
    argv += ["--record", "{work}/pager/notifications.jsonl"]
    hooks = stack.get("hooks")
    declared = hooks.values() if isinstance(hooks, Mapping) else ()
    if any(isinstance(hook, Mapping) and hook.get("role") == "pager" for hook in declared):
        argv.append("--faults")
    return argv
