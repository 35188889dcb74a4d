"""compose.yaml without Docker: pinned images, loopback, no root, no secrets, limits, health checks, start order."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tocsin.harness.planning.loader import load_stack

STACK = Path(__file__).resolve().parents[3] / "stacks" / "reference"
ROOT = STACK.parents[1]
ONE_SHOT = {"templates", "saved-objects"}
AS_ROOT = {"dcgm-exporter": "DCGM opens the devices as root"}


def load(name):
    """Read one file; Compose's tags `!override` and `!reset` change nothing while there is only one."""
    yaml = YAML(typ="safe", pure=True)
    yaml.constructor.add_multi_constructor("!", lambda constructor, _, node: untagged(constructor, node))
    return yaml.load((STACK / name).read_text())


def untagged(constructor, node):
    sequence = isinstance(node.value, list) and node.id == "sequence"
    return (constructor.construct_sequence if sequence else constructor.construct_mapping)(node, deep=True)


COMPOSE, RSYSLOG = load("compose.yaml"), load("compose.rsyslog.yaml")


def variant():
    """The services of both files together, as far as the rules below look."""
    return {name: service | RSYSLOG["services"].get(name, {}) for name, service in COMPOSE["services"].items()}


SERVICES = [(name, service) for name, service in COMPOSE["services"].items()]
SERVICES += [(name, service) for name, service in variant().items() if name in RSYSLOG["services"]]


def wrong(name, service):
    """Return a sentence per rule that a service breaks."""
    found = []
    image = re.fullmatch(r"\$\{([A-Z_]+)_IMAGE:-([^}]+)\}", str(service.get("image")))
    if not image:
        found.append("its image cannot be overridden by a variable *_IMAGE")
    elif not re.search(r":v?\d[\w.-]*$", image.group(2)):
        found.append(f"image {image.group(2)} is not pinned to a version")
    user = str(service.get("user", "0")).partition(":")[0]
    if user == "0" and name not in AS_ROOT:
        found.append("runs as root")
    for key, wanted in (("read_only", True), ("cap_drop", ["ALL"]), ("security_opt", ["no-new-privileges:true"])):
        if service.get(key) != wanted:
            found.append(f"{key} is {service.get(key)!r}")
    found += [f"has {key}" for key in ("privileged", "cap_add", "network_mode", "pid", "devices") if key in service]
    found += [f"has no {key}" for key in ("mem_limit", "cpus", "pids_limit", "logging") if not service.get(key)]
    if name not in ONE_SHOT and not service.get("healthcheck", {}).get("test"):
        found.append("has no health check")
    found += [f"publishes {port}" for port in service.get("ports", ()) if not str(port).startswith("127.0.0.1:${")]
    found += [f"mounts {mount} for writing" for mount in binds(service) if not mount.endswith(":ro")]
    found += [f"sets {key}" for key in service.get("environment") or {} if secret(key)]
    return found


def binds(service):
    return [mount for mount in service.get("volumes", ()) if mount.startswith((".", "/", "~"))]


def secret(name):
    return re.search(r"PASSWORD|SECRET|TOKEN|API_?KEY|CREDENTIAL", name.upper()) is not None


@pytest.mark.parametrize(("name", "service"), SERVICES, ids=[name for name, _ in SERVICES])
def test_every_service_keeps_the_rules(name, service):
    assert wrong(name, service) == []


@dataclass(frozen=True)
class Breach:
    change: dict
    says: str


@pytest.mark.parametrize(
    "breach",
    [
        Breach({"image": "prom/prometheus:v2.42.0"}, "overridden"),
        Breach({"image": "${PROMETHEUS_IMAGE:-prom/prometheus:latest}"}, "not pinned"),
        Breach({"image": "${PROMETHEUS_IMAGE:-prom/prometheus}"}, "not pinned"),
        Breach({"user": "0:0"}, "root"),
        Breach({"user": None}, "root"),
        Breach({"read_only": False}, "read_only"),
        Breach({"cap_drop": []}, "cap_drop"),
        Breach({"cap_add": ["SYS_ADMIN"]}, "cap_add"),
        Breach({"privileged": True}, "privileged"),
        Breach({"mem_limit": None}, "mem_limit"),
        Breach({"healthcheck": {}}, "health"),
        Breach({"ports": ["9090:9090"]}, "publishes"),
        Breach({"ports": ["0.0.0.0:${PROMETHEUS_PORT:-9090}:9090"]}, "publishes"),
        Breach({"volumes": ["./prometheus:/etc/prometheus"]}, "for writing"),
        Breach({"environment": {"GF_SECURITY_ADMIN_PASSWORD": "x"}}, "sets"),
    ],
    ids=lambda breach: next(iter(breach.change)),
)
def test_a_breach_is_found(breach):
    service = COMPOSE["services"]["prometheus"] | breach.change
    service = {key: value for key, value in service.items() if value is not None}
    assert [breach.says in sentence for sentence in wrong("prometheus", service)] == [True]


def test_profiles_start_order_and_volumes():
    services = variant()
    profiles = {name: set(service.get("profiles", ())) for name, service in services.items()}
    assert set().union(*profiles.values()) == {"logs", "dashboards", "gpu"}  # core is what has no profile
    for name, service in services.items():
        for other, condition in service.get("depends_on", {}).items():
            assert condition["condition"] == f"service_{'completed_successfully' if other in ONE_SHOT else 'healthy'}"
            assert not profiles[other] or profiles[name] <= profiles[other], f"{name} may start without {other}"
    named = {
        mount.partition(":")[0]
        for service in [*COMPOSE["services"].values(), *RSYSLOG["services"].values()]
        for mount in service.get("volumes", ())
        if not mount.startswith(".")
    }
    assert named == {*COMPOSE["volumes"], *RSYSLOG["volumes"]}


def test_services_are_called_as_the_configuration_calls_them():
    roles = load_stack("reference").roles
    assert set(roles) <= set(COMPOSE["services"])
    for name, role in roles.items():
        if name not in ("shipper", "pager"):  # Logstash's own port differs; the pager is Tocsin's in a drill
            text = json.dumps(COMPOSE["services"][name])
            assert str(role.ports[role.primary]) in text, name
    for mount in [mount for service in variant().values() for mount in binds(service)]:
        assert (STACK / mount.split(":")[0]).exists(), mount


def test_gpu_services_reserve_a_device_and_take_over_the_names():
    for name, alias in (("model-gpu", "model"), ("dcgm-exporter", "gpu")):
        service = COMPOSE["services"][name]
        assert service["profiles"] == ["gpu"]
        assert service["networks"]["default"]["aliases"] == [alias]
        (device,) = service["deploy"]["resources"]["reservations"]["devices"]
        assert device["driver"] == "nvidia" and "gpu" in device["capabilities"] and device["count"]


def test_the_example_environment_names_exactly_the_variables_that_are_read():
    text = (STACK / "compose.yaml").read_text() + (STACK / "compose.rsyslog.yaml").read_text()
    read = set(re.findall(r"\$\{([A-Z_]+)", text))
    told = set(re.findall(r"^# ([A-Z_]+)=", (STACK / ".env.example").read_text(), re.MULTILINE))
    assert told - {"COMPOSE_PROFILES"} == read


def test_versions_are_those_of_the_local_engine():
    from tocsin.harness.provisioning.program_manifest import ELASTICSEARCH

    text = (STACK / "compose.yaml").read_text()
    elastic = re.findall(r":-(?:elasticsearch|logstash|kibana):([\d.]+)", text)
    assert set(elastic) == {ELASTICSEARCH}
    pins = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (STACK / "requirements.txt").read_text(), re.MULTILINE))
    locked = re.findall(r"^([a-z0-9-]+)==(\S+)(.*)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    for name, version in pins.items():
        assert version in {each for other, each, _ in locked if other == name}, name


@pytest.mark.parametrize("name", ["service", "rsyslog"])
def test_dockerfiles_are_pinned_and_end_without_root(name):
    lines = (STACK / "docker" / f"{name}.Dockerfile").read_text().splitlines()
    bases = [line.partition("=")[2] for line in lines if line.startswith("ARG ")]
    assert bases and all(re.search(r":[\w.-]*\d", base) for base in bases)
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users == ["10001:10001"]
    assert not any(line.startswith("# syntax=") for line in lines)  # it would pull an image for each build
