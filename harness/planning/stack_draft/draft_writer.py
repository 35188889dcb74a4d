"""Writes a draft of stack.yaml: what is known as values, what is not as comments with what to fill in."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tocsin.harness.planning.stack_draft.compose_file import Composed
from tocsin.harness.planning.stack_draft.monitoring_findings import Declared
from tocsin.harness.planning.stack_draft.service_kinds import GPU, LABEL, MODEL, OTHER, Recognised, of_kind

if TYPE_CHECKING:
    from tocsin.harness.planning.stack_draft import Draft

_ONE_OF_A_KIND = ("prometheus", "alertmanager")
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_PAGER_PORT = 9095


def document(composed: Composed, roles: Sequence[Recognised], declared: Declared) -> Draft:
    """Return the draft: its text, what was found, and what was not."""
    from tocsin.harness.planning.stack_draft import Draft

    lines = [
        f"# A draft, made from {composed.path.name}. Lines that say FILL IN are what could not be found there.",
        "# Tocsin refuses the file, naming them, until those of `payload` are filled in. A signal may stay out: checks",
        "# on it are unknown then, which is red.",
        "version: 1",
        f"name: {_text(composed.path.resolve().parent.name)}",
        "summary: FILL IN, one sentence",
        "",
        f"compose: {{files: [{_text(composed.path.name)}]{_profiles(roles)}}}",
    ]
    if declared.render:
        lines.append(f"render: [{', '.join(_text(one) for one in declared.render)}]")
    lines += [f"{name}: {_text(place)}" for name in _ONE_OF_A_KIND if (place := getattr(declared, name))]
    lines += ["", "roles:", *(line for one in roles if one.port for line in _role(one))]
    if declared.alertmanager:
        lines += ["  pager:    # Tocsin's own: every notification is led to it, none leaves the machine",
                  f"    ports: {{http: {_PAGER_PORT}}}"]  # fmt: skip
    if declared.edges:
        lines += [
            "",
            "edges:                                  # who calls whom",
            *(f"  - {one}" for one in declared.edges),
        ]
    lines += ["", *_signals(roles, declared), "", *_payload(roles)]
    return Draft(
        text="\n".join(lines) + "\n",
        found=tuple(_found(roles, declared)),
        missing=tuple(_missing(composed, roles, declared)),
    )


def _text(value: str) -> str:
    return (
        value if _PLAIN.fullmatch(value) and value not in ("null", "true", "false", "yes", "no") else json.dumps(value)
    )


def _profiles(roles: Sequence[Recognised]) -> str:
    profiles = dict.fromkeys(profile for one in roles for profile in one.service.profiles if profile != GPU)
    return f", profiles: [{', '.join(_text(one) for one in profiles)}]" if profiles else ""


def _role(one: Recognised) -> list[str]:
    lines = [f"  {_text(one.service.name)}:", f"    ports: {{http: {one.port}}}", f"    fixed_s: {one.fixed_s:g}"]
    if one.health:
        lines.append(f"    compose: {{health: {{http: {json.dumps(one.health)}}}}}")
    return lines


def _signals(roles: Sequence[Recognised], declared: Declared) -> list[str]:
    lines = ["signals:"]
    jobs = ", ".join(f"{_text(job)}: {_text(role)}" for job, role in declared.jobs.items())
    lines.append(f"  jobs: {{{jobs}}}")
    if declared.watchdog:
        watchdog = ", ".join(f"{key}: {_text(one)}" for key, one in declared.watchdog.items())
        lines.append(f"  watchdog: {{{watchdog}}}")
    if declared.prometheus:
        lines += [
            f"  # FILL IN one counter of requests with its label and three values{_seen(declared.counters)}:",
            "  # requests: {metric: NAME_total, label: status, answered: success, failed: error, refused: rejected}",
            f"  # FILL IN the histogram of latencies, without _bucket{_seen(declared.histograms)}:",
            "  # latency: {metric: NAME_seconds}",
            "  # FILL IN, if the service watches for drift:",
            "  # drift: {score: {metric: NAME, label: feature}, detected: {metric: NAME, label: feature},",
            "  #         checked: {metric: NAME_timestamp_seconds, every: 30s}, window: 5m, rows: 200}",
        ]
    if store := of_kind(roles, "elasticsearch"):
        lines += [
            "  # FILL IN, if each request leaves a line in Elasticsearch; `paths:` then says where it is written:",
            f'  # logs: {{role: {store.service.name}, index: "NAME-*", unparsed: "OTHER-*", id: request_id,',
            '  #        time: "@timestamp", status: status, files: "{work}/model/logs/NAME.jsonl*"}',
        ]
    return lines


def _seen(names: Sequence[str]) -> str:
    return f" (your rules read {', '.join(names)})" if names else ""


def _payload(roles: Sequence[Recognised]) -> list[str]:
    model = of_kind(roles, MODEL)
    return [
        "payload:",
        f"  role: {_text(model.service.name) if model else '# FILL IN: the service that answers requests'}",
        "  path:                          # FILL IN: where it takes a prediction request, such as /predict",
        '  body: \'{"features": $row}\'     # CHECK: the JSON of a request; $row is an array, "$name" one value',
        "  source:                        # FILL IN: a .csv, .jsonl or .parquet of normal rows, beside this file",
        "  features: []                   # FILL IN: its columns",
        "  response: {}                   # fields of a good answer, as JSON pointers: {prediction: /prediction}",
    ]


def _found(roles: Sequence[Recognised], declared: Declared) -> list[str]:
    lines = [
        f"{one.service.name}: {one.kind}, by {one.why}; port {one.port}{f', health {one.health}' if one.health else ''}"
        for one in roles
        if one.port and one.kind != OTHER
    ]
    lines += [
        f"{one.service.name}: a service of yours, port {one.port}" for one in roles if one.port and one.kind == OTHER
    ]
    if declared.prometheus:
        lines.append(f"{declared.prometheus}: {len(declared.jobs)} jobs, {declared.alerts} alerts")
    if declared.alertmanager:
        lines.append(f"{declared.alertmanager}: its receivers are led to the pager during a drill")
    return lines


def _missing(composed: Composed, roles: Sequence[Recognised], declared: Declared) -> list[str]:
    known = {one.kind for one in roles}
    lines = [
        f"{composed.path.name} refers to other files ({one}). Start from what `docker compose config` prints."
        for one in composed.elsewhere
    ]
    lines += [f"{one.service.name}: no port is written down. Give it `expose:` or `ports:` if it listens on one."
              for one in roles if one.port is None]  # fmt: skip
    for kind in _ONE_OF_A_KIND:
        one = next((one for one in roles if one.kind == kind), None)
        if one is not None and one.service.name != kind:
            lines.append(f"{one.service.name} is {kind}. Rename the service to {kind}, also in the files that call it.")
        if one is None:
            lines.append(
                f"{kind}: no service runs it (label {LABEL}: {kind} says so). Without it no alert can be judged."
            )
    if MODEL not in known:
        lines.append(f"model: no service, or several, could be it. Label one of them `{LABEL}: {MODEL}`.")
    lines += declared.problems
    if declared.prometheus and not declared.watchdog:
        lines.append("Watchdog: no alert that always fires and reaches a receiver. Add one (expr: vector(1)).")
    lines.append("payload: the path, the rows and their features: FILL IN in stack.yaml.")
    lines.append("signals: which metrics count and time requests, and where log lines end: FILL IN in stack.yaml.")
    return lines
