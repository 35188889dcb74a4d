"""prometheus.yml for one run: times divided, targets led to loopback, labels as in production."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from tocsin.harness.core.clock import format_duration, parse_duration
from tocsin.harness.core.errors import Mistake, StackError, UsageError
from tocsin.harness.core.untyped_data import items, mapping, mappings

SHORTEST_SCRAPE_S = 0.1
_REFUSED = ("remote_write", "remote_read", "tracing", "scrape_config_files")
_FILE = "prometheus.yml"


def render_prometheus(
    content: Mapping[str, object], *, addresses: Mapping[str, str], speed: float, roots: Sequence[str]
) -> dict[str, object]:
    """Return prometheus.yml's content for a run at `speed`; `addresses` is declared `role:port` -> real address.

    `roots` are the folders in which rule files with an absolute path may lie.
    Targets stay `role:port`, so that relabelling and the `instance` label see what they see in production; a last
    relabelling step leads the connection elsewhere. StackError for what a drill must not do (remote write, service
    discovery, a target that is no role); UsageError for a scrape interval that the speed makes too short.
    """
    _refuse(content, roots)
    times = mapping(content.get("global"))
    evaluation_s = parse_duration(str(times.get("evaluation_interval", "1m")))
    jobs = [_job(job, times, addresses, speed) for job in mappings(content.get("scrape_configs"))]
    rendered = {**content, "scrape_configs": jobs}
    evaluation = format_duration(max(evaluation_s / speed, 0.001))
    rendered["global"] = {**times, **_times(times, {}, speed, "global"), "evaluation_interval": evaluation}
    if "alerting" in content:
        rendered["alerting"] = _alerting(mapping(content["alerting"]), addresses)
    return rendered


def _refuse(content: Mapping[str, object], roots: Sequence[str]) -> None:
    for name in _REFUSED:
        if content.get(name):
            hint = "Keep it out of the stack folder."
            raise StackError(f"{_FILE} has {name}, which a drill must not use.", hint=hint)
    inside = tuple(f"{root}/" for root in roots)
    for pattern in map(str, items(content.get("rule_files"))):
        if PurePosixPath(pattern).is_absolute() and not pattern.startswith(inside):
            hint = "Name that folder in stack.yaml's paths."
            raise StackError(f"{_FILE} loads rules from {pattern}, which lies outside the stack folder.", hint=hint)


def _times(
    declared: Mapping[str, object], default: Mapping[str, object], speed: float, where: str
) -> dict[str, object]:
    """Return the divided scrape interval, and the timeout: it guards a real latency and is only capped."""
    interval_text = str(declared.get("scrape_interval", default.get("scrape_interval", "1m")))
    interval_s = parse_duration(interval_text)
    if interval_s / speed < SHORTEST_SCRAPE_S:
        key, value = f"scrape_interval of {where}", f"{interval_text} at speed {speed:g}"
        expected = f"at least {SHORTEST_SCRAPE_S:g} s between scrapes"
        hint = f"The largest speed for it is {interval_s / SHORTEST_SCRAPE_S:g}."
        raise UsageError([Mistake(file=_FILE, line=0, where=key, value=value, expected=expected, hint=hint)])
    timeout_s = parse_duration(str(declared.get("scrape_timeout", default.get("scrape_timeout", "10s"))))
    return {
        "scrape_interval": format_duration(interval_s / speed),
        "scrape_timeout": format_duration(min(timeout_s, interval_s / speed)),
    }


def _job(
    job: Mapping[str, object], default: Mapping[str, object], addresses: Mapping[str, str], speed: float
) -> dict[str, object]:
    where = f"job {job.get('job_name')!r}"
    _check_targets(job, where, addresses)
    keep_instance = {
        "source_labels": ["instance", "__address__"],
        "regex": ";(.+)",
        "target_label": "instance",
        "replacement": "$1",
    }
    steps = mappings(job.get("relabel_configs"))
    used = _targets(job)
    if any(step.get("target_label") == "__address__" for step in steps):
        used = list(addresses)
    steps += [keep_instance, *_led_to(used, addresses)]
    return {**job, **_times(job, default, speed, where), "relabel_configs": steps}


def _alerting(alerting: Mapping[str, object], addresses: Mapping[str, str]) -> dict[str, object]:
    managers = []
    for manager in mappings(alerting.get("alertmanagers")):
        _check_targets(manager, "alerting", addresses)
        steps = [*mappings(manager.get("relabel_configs")), *_led_to(_targets(manager), addresses)]
        managers.append({**manager, "relabel_configs": steps})
    return {**alerting, "alertmanagers": managers}


def _led_to(used: list[str], addresses: Mapping[str, str]) -> list[dict[str, object]]:
    return [
        {
            "source_labels": ["__address__"],
            "regex": re.escape(address).replace(r"\-", "-"),  # RE2 refuses an escaped hyphen
            "target_label": "__address__",
            "replacement": real,
        }
        for address, real in addresses.items()
        if address in used and real != address
    ]


def _targets(job: Mapping[str, object]) -> list[str]:
    groups = mappings(job.get("static_configs"))
    return [str(target) for group in groups for target in items(group.get("targets"))]


def _check_targets(job: Mapping[str, object], where: str, addresses: Mapping[str, str]) -> None:
    for key in job:
        if key.endswith("_sd_configs"):
            hint = "Use static_configs."
            raise StackError(f"{_FILE}, {where}: {key} is not supported, it may find what is not ours.", hint=hint)
    for target in _targets(job):
        if target not in addresses:
            raise StackError(
                f"{_FILE}, {where}: target {target} is not a role that runs here; those are {', '.join(addresses)}.",
                hint="Name a role and its declared port, or declare it in stack.yaml.",
            )
