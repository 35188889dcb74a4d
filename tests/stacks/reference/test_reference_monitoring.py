"""The monitoring's files: rules that can be routed and acted upon, routes that lead somewhere, mappings that fit."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

STACK = Path(__file__).resolve().parents[3] / "stacks" / "reference"
RULE_FILES = sorted((STACK / "prometheus" / "rules").glob("*.yml"))
ADDRESSES = {
    "model:8000", "prometheus:9090", "alertmanager:9093", "node:9100", "gpu:9400", "shipper-exporter:9481",
    "pager:9095", "elasticsearch:9200",
}  # fmt: skip
RECEIVERS = {"critical": "page", "warning": "ticket", "none": "watchdog"}


def load(path):
    return YAML(typ="safe").load(path.read_text())


def groups():
    return [group for path in RULE_FILES for group in load(path)["groups"]]


ALERTS = [rule for group in groups() for rule in group["rules"] if "alert" in rule]


def tool(name):
    from tocsin.harness.provisioning import programs

    found = programs.find(name, programs.cache_folder())
    if found is None:
        pytest.skip(f"{name} is not on this machine")
    return found


def run(program, *arguments):
    return subprocess.run([program.path, *map(str, arguments)], capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_every_alert_can_be_routed_and_acted_upon(rule):
    assert rule["labels"]["severity"] in ("critical", "warning", "none")
    assert {"summary", "description", "runbook_url"} <= set(rule["annotations"])
    page = STACK / rule["annotations"]["runbook_url"]
    assert page.name == f"{rule['alert']}.md"
    text = page.read_text()
    assert text.startswith(f"# {rule['alert']}\n") and len(text.split()) > 60


def test_alert_names_are_unique_and_every_runbook_belongs_to_one():
    names = [rule["alert"] for rule in ALERTS]
    assert len(set(names)) == len(names)
    assert {page.stem for page in (STACK / "runbooks").glob("*.md")} == set(names)


def test_every_group_records_when_it_was_evaluated():
    for group in groups():
        records = [rule for rule in group["rules"] if rule.get("record") == "eval_ts"]
        assert [(rule["expr"], rule["labels"]) for rule in records] == [
            ("vector(time())", {"rule_group": group["name"]})
        ]


def test_what_shares_a_file():
    files = {
        path.name: [rule["alert"] for group in load(path)["groups"] for rule in group["rules"] if "alert" in rule]
        for path in RULE_FILES
    }
    assert files["watchdog.yml"] == ["Watchdog"]
    assert files["service.yml"][:2] == ["HighErrorRate", "HighPredictionLatency"]


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_expressions_keep_their_meaning_when_time_is_divided(rule):
    assert not re.search(r"@|hour\(|day_of|predict_linear|deriv|delta\(|holt_winters|increase\(", rule["expr"])
    assert "time()" not in rule["expr"] or re.fullmatch(r"time\(\) - \w+_timestamp_seconds > \d+", rule["expr"])


def test_every_metric_of_our_own_in_a_rule_is_exported(service):
    from exporters.fields import FIELDS
    from exporters.shipper import _COUNTERS

    exported = {sample.name for family in service.parts.metrics.registry.collect() for sample in family.samples}
    exported |= set(FIELDS) | {"gpu_sample_timestamp_seconds", "shipper_queue_size", "shipper_stats_timestamp_seconds"}
    exported |= {"shipper_delivered_up_to_timestamp_seconds", "shipper_unparsed_total", "ml_model_accuracy"}
    exported |= {f"stack_filesystem_{what}" for what in ("size_bytes", "avail_bytes", "own_mount")}
    exported |= {f"shipper_{counter[0]}_total" for counter in _COUNTERS} | {"ml_drift_last_check_timestamp_seconds"}
    used = {name for rule in ALERTS for name in re.findall(r"\b(?:ml|drift|shipper|stack|gpu|DCGM)_\w+", rule["expr"])}
    assert used <= exported


def test_addresses_are_written_in_one_form_only():
    paths = [
        path
        for folder in ("prometheus", "alertmanager", "rsyslog", "elasticsearch")
        for path in (STACK / folder).rglob("*.*")
    ]
    text = "\n".join(path.read_text() for path in paths if path.is_file())
    found = set(re.findall(r"\b[a-z][a-z-]*:\d{4,5}\b", text))
    assert found == ADDRESSES
    assert not re.search(r"127\.0\.0\.1:\d|localhost", text)


def test_jobs_are_scraped_and_missed():
    scraped = [job["job_name"] for job in load(STACK / "prometheus/prometheus.yml")["scrape_configs"]]
    assert scraped == ["ml-inference", "node-exporter", "gpu-metrics", "prometheus", "alertmanager", "shipper"]
    absent = next(rule["expr"] for rule in ALERTS if rule["alert"] == "JobAbsent")
    assert re.findall(r'up\{job="([^"]+)"\}', absent) == scraped


@pytest.mark.parametrize("path", RULE_FILES, ids=lambda path: path.name)
def test_promtool_finds_nothing(path):
    done = run(tool("promtool"), "check", "rules", "--lint=all", "--lint-fatal", path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_amtool_finds_nothing():
    done = run(tool("amtool"), "check-config", STACK / "alertmanager/alertmanager.yml")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (["alertname=Watchdog", "severity=none"], "watchdog"),
        (["alertname=FeatureDrift", "severity=critical", "feature=f3"], "page"),
        (["alertname=TargetDown", "severity=critical", "job=node-exporter"], "page"),
        (["alertname=DriftCheckStale", "severity=warning"], "ticket"),
        (["alertname=SomethingNew"], "ticket"),
        *[([f"alertname={rule['alert']}", f"severity={rule['labels']['severity']}"],
           RECEIVERS[rule["labels"]["severity"]]) for rule in ALERTS],
    ],
)  # fmt: skip
def test_routes_lead_where_they_should(labels, receiver):
    config = STACK / "alertmanager/alertmanager.yml"
    done = run(tool("amtool"), "config", "routes", "test", f"--config.file={config}", *labels)
    assert done.stdout.split() == [receiver], done.stdout + done.stderr


def test_inhibition_names_alerts_that_exist():
    names = {alert["alert"] for alert in ALERTS}
    rules = load(STACK / "alertmanager/alertmanager.yml")["inhibit_rules"]
    for rule in rules:
        sources, targets = matched(rule["source_matchers"][0], names), matched(rule["target_matchers"][0], names)
        assert sources and targets and not sources & targets
    assert "HighErrorRate" in matched(rules[0]["target_matchers"][0], names)
    assert rules[1]["equal"] == ["model_name"]


def matched(matcher, names):
    """Return the alerts that a matcher of alertname names; each of its alternatives must name one."""
    patterns = re.fullmatch(r'alertname=~?"(.*)"', matcher).group(1).split("|")
    found = {pattern: {name for name in names if re.fullmatch(pattern, name)} for pattern in patterns}
    assert all(found.values()), found
    return set().union(*found.values())


def test_everything_belongs_to_a_service_and_is_grouped_by_it():
    services = {"inference", "machine", "gpu", "monitoring", "logs"}
    by_target = {"TargetDown", "TargetFlapping"}
    for rule in ALERTS:
        assert (rule["alert"] in by_target) != (rule["labels"].get("service") in services), rule["alert"]
    for job in load(STACK / "prometheus/prometheus.yml")["scrape_configs"]:
        assert {config["labels"]["service"] for config in job["static_configs"]} <= services
    route = load(STACK / "alertmanager/alertmanager.yml")["route"]
    assert route["group_by"] == ["service"] and not any("group_by" in child for child in route["routes"])


def test_every_receiver_tells_when_an_alert_ends():
    for receiver in load(STACK / "alertmanager/alertmanager.yml")["receivers"]:
        [webhook] = receiver["webhook_configs"]
        assert webhook == {"url": f"http://pager:9095/{receiver['name']}", "send_resolved": True}


def test_the_mapping_holds_exactly_the_fields_of_a_log_line(service):
    service.post("/predict", {"features": [50, 21, 77, 0, 28, 0, 27, 48, 22]})
    mapping = json.loads((STACK / "elasticsearch/index-template.json").read_text())["template"]["mappings"]
    assert mapping["dynamic"] == "strict"
    assert set(mapping["properties"]) == set(service.lines()[0])


def test_the_shipper_reads_and_spools_where_stack_yaml_says():
    text = (STACK / "rsyslog/rsyslog.conf").read_text()
    paths = load(STACK / "stack.yaml")["paths"]
    for place in (
        "/var/log/ml-inference/requests.jsonl*",
        "/var/spool/ml-shipper/state",
        "/var/spool/ml-shipper/stats.json",
    ):
        assert f'"{place}"' in text and any(place.startswith(path) for path in paths)
