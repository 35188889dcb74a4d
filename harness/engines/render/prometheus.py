"""prometheus.yml for one run: times divided, targets led to loopback, labels as in production."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from tocsin.harness.core.clock import format_duration, parse_duration
from tocsin.harness.core.errors import Mistake, StackError, UsageError

SHORTEST_SCRAPE_S = 0.1
_REFUSED = ("remote_write", "remote_read", "tracing", "scrape_config_files")
_FILE = "prometheus.yml"


def render_prometheus(
    content: Mapping[str, Any], *, addresses: Mapping[str, str], speed: float, roots: Sequence[str]
) -> dict[str, Any]:
    """Return prometheus.yml's content for a run at `speed`; `addresses` is declared `role:port` -> real address.

    `roots` are the folders in which rule files with an absolute path may lie.
    Targets stay `role:port`, so that relabelling and the `instance` label see what they see in production; a last
    relabelling step leads the connection elsewhere. StackError for what a drill must not do (remote write, service
    discovery, a target that is no role); UsageError for a scrape interval that the speed makes too short.
    """
    for name in _REFUSED:
        if content.get(name):
            raise StackError(
                f"{_FILE} has {name}, which a drill must not use.", hint="Keep it out of the stack folder."
            )
    rendered = dict(content)
    times = dict(content.get("global") or {})
    rendered["global"] = {**times, **_times(times, {}, speed, "global")}
    rendered["global"]["evaluation_interval"] = _divided(times.get("evaluation_interval", "1m"), speed)
    jobs = content.get("scrape_configs") or ()
    rendered["scrape_configs"] = [_job(job, times, addresses, speed) for job in jobs]
    if "alerting" in content:
        rendered["alerting"] = _alerting(content["alerting"] or {}, addresses)
    for pattern in content.get("rule_files") or ():
        if PurePosixPath(pattern).is_absolute() and not str(pattern).startswith(tuple(f"{root}/" for root in roots)):
            raise StackError(
                f"{_FILE} loads rules from {pattern}, which lies outside the stack folder.",
                hint="Name that folder in stack.yaml's paths.",
            )
    return rendered


def _divided(text: Any, speed: float) -> str:
    return format_duration(max(parse_duration(str(text)) / speed, 0.001))


def _times(own: Mapping[str, Any], default: Mapping[str, Any], speed: float, where: str) -> dict[str, str]:
    """The divided scrape interval and the timeout, which guards a real latency and is only capped."""
    interval_text = str(own.get("scrape_interval", default.get("scrape_interval", "1m")))
    interval_s = parse_duration(interval_text)
    if interval_s / speed < SHORTEST_SCRAPE_S:
        largest = interval_s / SHORTEST_SCRAPE_S
        raise UsageError(
            [
                Mistake(
                    file=_FILE,
                    line=0,
                    where=f"scrape_interval of {where}",
                    value=f"{interval_text} at speed {speed:g}",
                    expected=f"at least {SHORTEST_SCRAPE_S:g} s between scrapes",
                    hint=f"The largest speed for it is {largest:g}.",
                )
            ]
        )
    timeout_s = parse_duration(str(own.get("scrape_timeout", default.get("scrape_timeout", "10s"))))
    return {
        "scrape_interval": format_duration(interval_s / speed),
        "scrape_timeout": format_duration(min(timeout_s, interval_s / speed)),
    }


def _job(
    job: Mapping[str, Any], default: Mapping[str, Any], addresses: Mapping[str, str], speed: float
) -> dict[str, Any]:
    where = f"job {job.get('job_name')!r}"
    _check_targets(job, where, addresses)
    rendered = {**job, **_times(job, default, speed, where)}
    keep_instance = {
        "source_labels": ["instance", "__address__"],
        "regex": ";(.+)",
        "target_label": "instance",
        "replacement": "$1",
    }
    used = [address for address in addresses if address in _targets(job) or _relabelled(job)]
    rendered["relabel_configs"] = [*(job.get("relabel_configs") or ()), keep_instance, *_led_to(used, addresses)]
    return rendered


def _alerting(alerting: Mapping[str, Any], addresses: Mapping[str, str]) -> dict[str, Any]:
    managers = []
    for manager in alerting.get("alertmanagers") or ():
        _check_targets(manager, "alerting", addresses)
        used = [address for address in addresses if address in _targets(manager)]
        steps = [*(manager.get("relabel_configs") or ()), *_led_to(used, addresses)]
        managers.append({**manager, "relabel_configs": steps})
    return {**alerting, "alertmanagers": managers}


def _led_to(used: list[str], addresses: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "source_labels": ["__address__"],
            "regex": re.escape(address).replace(r"\-", "-"),  # RE2 refuses an escaped hyphen
            "target_label": "__address__",
            "replacement": addresses[address],
        }
        for address in used
        if addresses[address] != address
    ]


def _relabelled(job: Mapping[str, Any]) -> bool:
    return any(step.get("target_label") == "__address__" for step in job.get("relabel_configs") or ())


def _targets(job: Mapping[str, Any]) -> list[str]:
    return [str(target) for group in job.get("static_configs") or () for target in group.get("targets") or ()]


def _check_targets(job: Mapping[str, Any], where: str, addresses: Mapping[str, str]) -> None:
    for key in job:
        if key.endswith("_sd_configs"):
            raise StackError(
                f"{_FILE}, {where}: {key} is not supported, it may find what is not ours.", hint="Use static_configs."
            )
    for target in _targets(job):
        if target not in addresses:
            raise StackError(
                f"{_FILE}, {where}: target {target} is not a role that runs here; those are {', '.join(addresses)}.",
                hint="Name a role and its declared port, or declare it in stack.yaml.",
            )
