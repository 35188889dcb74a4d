"""Writes a draft of stack.yaml: what is known as values, what is not as comments with what to fill in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tocsin.harness.planning.stack_draft.compose_file import ComposeFile, read_compose
from tocsin.harness.planning.stack_draft.monitoring_findings import MonitoringFindings, read_findings
from tocsin.harness.planning.stack_draft.service_kinds import GPU, LABEL, MODEL, OTHER, DraftRole, of_kind, recognise

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_WORDS_OF_YAML = ("null", "true", "false", "yes", "no")
_PAGER_PORT = 9095


@dataclass(frozen=True, kw_only=True)
class Draft:
    """The text of a stack.yaml, what was found in words, and what was not, each with the next move."""

    text: str
    found: tuple[str, ...]
    missing: tuple[str, ...]


def draft(path: Path) -> Draft:
    """Return a draft for the compose file at `path`; UsageError if it cannot be read. Only files are looked at."""
    compose = read_compose(path)
    roles = recognise(compose.services)
    findings = read_findings(compose, roles)
    lines = [
        *_head(compose, roles, findings),
        *_roles(roles, findings),
        *_signals(roles, findings),
        "",
        *_payload(roles),
    ]
    return Draft(
        text="\n".join(lines) + "\n",
        found=tuple(_found(roles, findings)),
        missing=tuple(_missing(compose, roles, findings)),
    )


def _text(value: str) -> str:
    if _PLAIN.fullmatch(value) and value not in _WORDS_OF_YAML:
        return value
    return json.dumps(value)


def _list(values: Sequence[str]) -> str:
    return f"[{', '.join(_text(value) for value in values)}]"


def _mapping(values: Mapping[str, str]) -> str:
    return f"{{{', '.join(f'{_text(key)}: {_text(value)}' for key, value in values.items())}}}"


def _head(compose: ComposeFile, roles: Sequence[DraftRole], findings: MonitoringFindings) -> Iterator[str]:
    yield f"# A draft, made from {compose.path.name}. Lines that say FILL IN are what could not be found there."
    yield "# Tocsin refuses the file, naming them, until those of `payload` are filled in. A signal may stay out:"
    yield "# checks on it are unknown then, which is red."
    yield "version: 1"
    yield f"name: {_text(compose.path.resolve().parent.name)}"
    yield "summary: FILL IN, one sentence"
    yield ""
    files = f"files: {_list([compose.path.name])}"
    profiles = list(dict.fromkeys(profile for role in roles for profile in role.service.profiles if profile != GPU))
    if profiles:
        files = f"{files}, profiles: {_list(profiles)}"
    yield f"compose: {{{files}}}"
    if findings.render:
        yield f"render: {_list(findings.render)}"
    if findings.prometheus:
        yield f"prometheus: {_text(findings.prometheus)}"
    if findings.alertmanager:
        yield f"alertmanager: {_text(findings.alertmanager)}"
    yield ""


def _roles(roles: Sequence[DraftRole], findings: MonitoringFindings) -> Iterator[str]:
    yield "roles:"
    for role in roles:
        if role.port:
            yield f"  {_text(role.service.name)}:"
            yield f"    ports: {{http: {role.port}}}"
            yield f"    fixed_s: {role.fixed_s:g}"
            if role.health:
                yield f"    compose: {{health: {{http: {json.dumps(role.health)}}}}}"
    if findings.alertmanager:
        yield "  pager:    # Tocsin's own: every notification is led to it, none leaves the machine"
        yield f"    ports: {{http: {_PAGER_PORT}}}"
    yield ""
    if findings.edges:
        yield "edges:                                  # who calls whom"
        yield from (f"  - {edge}" for edge in findings.edges)
        yield ""


def _signals(roles: Sequence[DraftRole], findings: MonitoringFindings) -> Iterator[str]:
    yield "signals:"
    yield f"  jobs: {_mapping(findings.jobs)}"
    if findings.watchdog:
        yield f"  watchdog: {_mapping(findings.watchdog)}"
    if findings.prometheus:
        yield f"  # FILL IN one counter of requests with its label and three values{_seen(findings.counters)}:"
        yield "  # requests: {metric: NAME_total, label: status, answered: success, failed: error, refused: rejected}"
        yield f"  # FILL IN the histogram of latencies, without _bucket{_seen(findings.histograms)}:"
        yield "  # latency: {metric: NAME_seconds}"
        yield "  # FILL IN, if the service watches for drift:"
        yield "  # drift: {score: {metric: NAME, label: feature}, detected: {metric: NAME, label: feature},"
        yield "  #         checked: {metric: NAME_timestamp_seconds, every: 30s}, window: 5m, rows: 200}"
    store = of_kind(roles, "elasticsearch")
    if store:
        yield "  # FILL IN, if each request leaves a line in Elasticsearch; `paths:` then says where it is written:"
        yield f'  # logs: {{role: {store.service.name}, index: "NAME-*", unparsed: "OTHER-*", id: request_id,'
        yield '  #        time: "@timestamp", status: status, files: "{work}/model/logs/NAME.jsonl*"}'


def _seen(names: Sequence[str]) -> str:
    return f" (your rules read {', '.join(names)})" if names else ""


def _payload(roles: Sequence[DraftRole]) -> list[str]:
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


def _found(roles: Sequence[DraftRole], findings: MonitoringFindings) -> Iterator[str]:
    for role in roles:
        if role.port and role.kind != OTHER:
            health = f", health {role.health}" if role.health else ""
            yield f"{role.service.name}: {role.kind}, by {role.why}; port {role.port}{health}"
    for role in roles:
        if role.port and role.kind == OTHER:
            yield f"{role.service.name}: a service of yours, port {role.port}"
    if findings.prometheus:
        yield f"{findings.prometheus}: {len(findings.jobs)} jobs, {findings.alerts} alerts"
    if findings.alertmanager:
        yield f"{findings.alertmanager}: its receivers are led to the pager during a drill"


def _missing(compose: ComposeFile, roles: Sequence[DraftRole], findings: MonitoringFindings) -> Iterator[str]:
    for key in compose.refers_to:
        yield f"{compose.path.name} refers to other files ({key}). Start from what `docker compose config` prints."
    for role in roles:
        if role.port is None:
            yield f"{role.service.name}: no port is written down. Give it `expose:` or `ports:` if it listens on one."
    for kind in ("prometheus", "alertmanager"):
        server = of_kind(roles, kind)
        if server is None:
            yield f"{kind}: no service runs it (label {LABEL}: {kind} says so). Without it no alert can be judged."
        elif server.service.name != kind:
            yield f"{server.service.name} is {kind}. Rename the service to {kind}, also in the files that call it."
    if of_kind(roles, MODEL) is None:
        yield f"model: no service, or several, could be it. Label one of them `{LABEL}: {MODEL}`."
    yield from findings.problems
    if findings.prometheus and not findings.watchdog:
        yield "Watchdog: no alert that always fires and reaches a receiver. Add one (expr: vector(1))."
    yield "payload: the path, the rows and their features: FILL IN in stack.yaml."
    yield "signals: which metrics count and time requests, and where log lines end: FILL IN in stack.yaml."
