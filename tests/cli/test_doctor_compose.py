"""What `tocsin doctor --engine compose` says of docker, of the engine and of each image, on a made-up engine."""

import json
from dataclasses import dataclass, field

import pytest

from tocsin.harness.cli import main
from tocsin.harness.cli.doctor_compose import HERE, TO_BUILD, TO_PULL, Image, images_of
from tocsin.harness.core.errors import MissingProgram, StackError
from tocsin.harness.engines.compose.docker_engine import CliFailed

WRITTEN = {
    "services": {
        "model": {"image": "${SERVICE_IMAGE:-service:1}", "build": {"context": "."}},
        "prometheus": {"image": "${PROMETHEUS_IMAGE:-prom/prometheus:v2.42.0}"},
        "elasticsearch": {"image": "elastic:8", "profiles": ["logs", "dashboards"]},
        "templates": {"image": "elastic:8", "profiles": ["logs"]},
    }
}


def resolved(environ):
    names = {"model": "SERVICE_IMAGE", "prometheus": "PROMETHEUS_IMAGE"}
    services = {}
    for name, service in WRITTEN["services"].items():
        default = service["image"].partition(":-")[2].rstrip("}") or service["image"]
        services[name] = service | {"image": environ.get(names.get(name), default)}
    return {"services": services}


@pytest.mark.parametrize(
    ("environ", "services", "state", "origin"),
    [
        ({}, ("model",), TO_BUILD, "compose file; SERVICE_IMAGE overrides"),
        ({"SERVICE_IMAGE": "mine:2"}, ("model",), TO_PULL, "environment (SERVICE_IMAGE)"),
        ({}, ("prometheus",), TO_PULL, "compose file; PROMETHEUS_IMAGE overrides"),
        ({}, ("elasticsearch", "templates"), TO_PULL, "compose file"),
        ({}, ("Tocsin's pager, proxies",), TO_PULL, "compose file; PYTHON_IMAGE overrides"),
        ({"PYTHON_IMAGE": "p:3"}, ("Tocsin's pager, proxies",), TO_PULL, "environment (PYTHON_IMAGE)"),
    ],
)
def test_images(environ, services, state, origin):
    images = images_of(resolved(environ)["services"], WRITTEN["services"], environ)
    (found,) = [image for image in images if image.services == services]
    assert (found.state, found.origin) == (state, origin)


def test_an_image_is_listed_once_with_the_profiles_of_its_services():
    names = [(image.name, image.profiles) for image in images_of(resolved({})["services"], WRITTEN["services"], {})]
    assert names[:3] == [("service:1", ()), ("prom/prometheus:v2.42.0", ()), ("elastic:8", ("dashboards", "logs"))]


@dataclass
class FakeDocker:
    """Has the images in `here`; a registry gives those in `offered`."""

    here: set[str]
    offered: set[str] = field(default_factory=set)
    cli: str = "/usr/bin/docker"
    host: str = "unix:///run/docker.sock"
    compose: str = "2.26.1"
    engine: str = "26.1.5"
    rootless: bool = False
    environment: dict = field(default_factory=dict)

    def run(self, argv, *, within_s, **_):
        if argv[0] == "compose":
            return json.dumps(WRITTEN if "--no-interpolate" in argv else resolved({}))
        if argv[0] == "pull":
            if argv[-1] not in self.offered:
                raise CliFailed("no such host")
            self.here.add(argv[-1])
        elif argv[-1] not in self.here:
            raise CliFailed("No such image")
        return "2097152\n"


ALL = {"prom/prometheus:v2.42.0", "elastic:8", "python:3.13-slim"}


@pytest.mark.parametrize(
    ("here", "offered", "argv", "code", "words"),
    [
        (ALL, set(), [], 0, "The engine can play stack reference."),
        (set(), set(), [], 0, "3 image(s) are not here; a run pulls those it needs."),
        (set(), ALL, ["--pull"], 0, "The engine can play stack reference."),
        ({"elastic:8"}, set(), ["--pull"], 2, "prom/prometheus:v2.42.0 cannot be pulled: no such host"),
    ],
)
def test_doctor_of_an_engine(monkeypatch, capsys, here, offered, argv, code, words):
    docker = FakeDocker(here=set(here), offered=set(offered))
    monkeypatch.setattr("tocsin.harness.engines.compose.docker_engine.find_docker", lambda: docker)
    monkeypatch.setattr("tocsin.harness.provisioning.programs.memory_mib", lambda: 99_999)
    monkeypatch.setattr("tocsin.harness.provisioning.programs.disk_free_mib", lambda path: 99_999)
    assert main(["doctor", "--engine", "compose", *argv]) == code
    told = " ".join(capsys.readouterr().out.split())
    assert words in told and "26.1.5" in told
    assert (f"{HERE}, 2 MiB" in told) == bool(docker.here)


@pytest.mark.parametrize(
    "refusal",
    [MissingProgram("There is no `docker` on the PATH.", hint="Install one."), StackError("It is on another machine.")],
)
def test_doctor_without_an_engine_of_this_machine(monkeypatch, capsys, refusal):
    def find():
        raise refusal

    monkeypatch.setattr("tocsin.harness.engines.compose.docker_engine.find_docker", find)
    assert main(["doctor", "--engine", "compose"]) == 2
    told = " ".join(capsys.readouterr().out.split())
    assert str(refusal) in told and "NOT USABLE" in told


def test_an_unknown_engine_is_refused(capsys):
    assert main(["doctor", "--engine", "compost"]) == 64


def test_rows_name_the_profile():
    image = Image(name="a:1", services=("kibana",), profiles=("dashboards",))
    assert image.row == ("kibana (profile dashboards)", TO_PULL, "compose file", "a:1")
