"""A draft of stack.yaml: what is recognised, what is named as missing, and that it loads once filled in."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from tocsin.harness.cli import main
from tocsin.harness.core.errors import UsageError
from tocsin.harness.planning.loader import load_stack
from tocsin.harness.planning.stack_draft.compose_file import read_compose
from tocsin.harness.planning.stack_draft.draft_writer import draft
from tocsin.harness.planning.stack_draft.service_kinds import recognise

ROOT = Path(__file__).resolve().parent.parent.parent
REFERENCE = ROOT / "stacks" / "reference"


def compose_file(folder: Path, services: str) -> Path:
    path = folder / "compose.yaml"
    path.write_text("services:\n" + services, encoding="utf-8")
    return path


@dataclass(frozen=True, kw_only=True)
class Case:
    name: str
    services: str
    kinds: dict[str, str]
    port: dict[str, int]


CASES = (
    Case(
        name="images",
        services="""
  prometheus: {image: "prom/prometheus:v2.42.0@sha256:0123"}
  metrics: {image: grafana/grafana-oss, ports: ["127.0.0.1:3001:3000"]}
  logs: {image: "${SHIPPER:-fluent/fluent-bit:3}", expose: [2020]}
  triton: {image: nvcr.example/nvidia/tritonserver:24.01-py3}
""",
        kinds={"prometheus": "prometheus", "metrics": "grafana", "logs": "shipper", "triton": "model"},
        port={"prometheus": 9090, "metrics": 3000, "logs": 2020, "triton": 8000},
    ),
    Case(
        name="a label outweighs the image, and a health check tells port and path",
        services="""
  api:
    build: .
    ports: ["80:8000"]
  scorer:
    image: registry.example/scorer
    labels: ["tocsin.role=model"]
    ports: [{target: 9000, published: 1}, {target: 9001}]
    healthcheck: {test: [CMD, curl, -f, "http://localhost:9001/live"]}
""",
        kinds={"api": "other", "scorer": "model"},
        port={"api": 8000, "scorer": 9001},
    ),
    Case(
        name="the only service built here is the model",
        services="""
  thing: {build: {context: .}, ports: ["8000"]}
  cache: {image: redis, ports: ["6379:6379/tcp"]}
""",
        kinds={"thing": "model", "cache": "other"},
        port={"thing": 8000, "cache": 6379},
    ),
    Case(
        name="two that could be it are neither",
        services="""
  one: {build: ., ports: ["8000"]}
  two: {build: ., ports: ["8000"]}
""",
        kinds={"one": "other", "two": "other"},
        port={"one": 8000, "two": 8000},
    ),
    Case(
        name="what a drill does not have is left out",
        services="""
  app: {build: ., ports: ["8000-8001:8000-8001"]}
  migrate: {build: ., restart: "no"}
  pager: {image: busybox, expose: [9095]}
  app-gpu: {build: ., ports: ["8000"], profiles: [gpu]}
""",
        kinds={"app": "model"},
        port={"app": 8000},
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_services_are_recognised(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHIPPER", raising=False)
    found = recognise(read_compose(compose_file(tmp_path, case.services)).services)
    assert {one.service.name: one.kind for one in found} == case.kinds
    assert {one.service.name: one.port for one in found} == case.port


@pytest.mark.parametrize(
    ("services", "sentence"),
    [
        ("  prom: {image: prom/prometheus}\n", "prom is prometheus. Rename the service to prometheus"),
        ("  prometheus: {image: prom/prometheus}\n", "prometheus: no mount of the compose file holds /etc/prometheus/"),
        ("  web: {image: nginx, expose: [80]}\n", "alertmanager: no service runs it"),
        ("  a: {build: ., expose: [1]}\n  b: {build: ., expose: [1]}\n", "model: no service, or several, could be it"),
        ("  web: {image: nginx}\n", "web: no port is written down"),
        ("  web: {extends: {file: other.yaml, service: web}}\n", "refers to other files (web: extends)"),
    ],
)
def test_what_is_not_found_is_said(services: str, sentence: str, tmp_path: Path) -> None:
    assert any(sentence in line for line in draft(compose_file(tmp_path, services)).missing)


@dataclass(frozen=True, kw_only=True)
class Monitoring:
    """One thing wrong in the monitoring's own files, and the sentence that names it."""

    file: str
    before: str
    after: str
    sentence: str


BROKEN = (
    Monitoring(file="prometheus.yml", before="static_configs", after="dns_sd_configs", sentence="uses dns_sd_configs"),
    Monitoring(file="prometheus.yml", before="app:8000", after="elsewhere:8000", sentence="scrapes elsewhere:8000"),
    Monitoring(file="prometheus.yml", before="/rules/", after="/other/", sentence="no rule file fits"),
    Monitoring(file="rules/all.yml", before="groups: [", after="groups: ", sentence="rule file all.yml is no YAML"),
    Monitoring(file="rules/all.yml", before="vector(1)", after="up == 0", sentence="Watchdog: no alert that always"),
)


def monitored(folder: Path) -> Path:
    (folder / "prometheus" / "rules").mkdir(parents=True)
    (folder / "prometheus" / "prometheus.yml").write_text(
        "rule_files: [/etc/prometheus/rules/*.yml]\n"
        "alerting: {alertmanagers: [{static_configs: [{targets: ['alertmanager:9093']}]}]}\n"
        "scrape_configs: [{job_name: app, static_configs: [{targets: ['app:8000']}]}]\n"
    )
    (folder / "prometheus" / "rules" / "all.yml").write_text(
        "groups: [{name: g, rules: [{alert: Alive, expr: vector(1)}, {alert: Slow, expr: 'rate(x_bucket[5m]) > 1'}]}]\n"
    )
    (folder / "alertmanager").mkdir()
    (folder / "alertmanager" / "alertmanager.yml").write_text(
        "route: {receiver: team, repeat_interval: 1h}\nreceivers: [{name: team}]\n"
    )
    return compose_file(
        folder,
        """
  app: {build: ., ports: ["8000"]}
  prometheus: {image: prom/prometheus, volumes: ["./prometheus:/etc/prometheus:ro"]}
  alertmanager: {image: prom/alertmanager, volumes: ["./alertmanager:/etc/alertmanager:ro"]}
""",
    )


def test_the_monitoring_is_read(tmp_path: Path) -> None:
    made = draft(monitored(tmp_path))
    for line in (
        "render: [prometheus, alertmanager]",
        "prometheus: prometheus/prometheus.yml",
        "  - prometheus -> app",
        "  - alertmanager -> pager",
        "  jobs: {app: app}",
    ):
        assert line in made.text.splitlines()
    assert "  watchdog: {alert: Alive, receiver: team, every: " in made.text
    assert "your rules read x" in made.text
    assert [line for line in made.missing if not line.startswith(("payload", "signals"))] == []


@pytest.mark.parametrize("wrong", BROKEN, ids=lambda wrong: wrong.sentence)
def test_what_the_monitoring_lacks_is_said(wrong: Monitoring, tmp_path: Path) -> None:
    path = monitored(tmp_path)
    file = tmp_path / "prometheus" / wrong.file
    assert wrong.before in file.read_text()
    file.write_text(file.read_text().replace(wrong.before, wrong.after))
    assert any(wrong.sentence in line for line in draft(path).missing)


def test_the_reference_compose_file_gives_a_stack_that_loads_once_filled_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("prometheus", "alertmanager"):
        shutil.copytree(REFERENCE / name, tmp_path / name)
    shutil.copy(REFERENCE / "compose.yaml", tmp_path)
    assert main(["init", "--from", str(tmp_path / "compose.yaml")]) == 0
    assert "Not found:" in capsys.readouterr().out
    with pytest.raises(UsageError) as refused:
        load_stack(str(tmp_path))
    assert {mistake.where for mistake in refused.value.mistakes} == {"payload.path", "payload.features"}
    target = tmp_path / "stack.yaml"
    filled = target.read_text().replace("  path: ", "  path: /predict #").replace("[]  ", "[a] #", 1)
    target.write_text(filled.replace("  source: ", "  source: rows.csv #"))
    stack = load_stack(str(tmp_path))
    assert stack.payload.role == "model"
    assert set(stack.signals.jobs.values()) <= set(stack.roles)
    assert stack.signals.watchdog and stack.signals.watchdog.receiver == "watchdog"


def test_a_stack_that_is_there_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = compose_file(tmp_path, "  app: {build: ., ports: ['8000']}\n")
    (tmp_path / "stack.yaml").write_text("mine")
    assert main(["init", "--from", str(path)]) == 64
    assert "--force replaces it" in capsys.readouterr().err
    assert (tmp_path / "stack.yaml").read_text() == "mine"
    assert main(["init", "--from", str(path), "--force"]) == 0
    assert "role: app" in (tmp_path / "stack.yaml").read_text()


@pytest.mark.parametrize("text", ["", "services: []", "a: [", "\x00"])
def test_what_is_no_compose_file_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "compose.yaml"
    path.write_text(text)
    with pytest.raises(UsageError):
        read_compose(path)
    with pytest.raises(UsageError):
        read_compose(tmp_path / "none.yaml")
