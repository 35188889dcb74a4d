"""What becomes of a stack's compose file in a run: tables of one service, one mount, one refusal each."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.engines.tiny_stack import make_stack
from tocsin.harness.core.errors import StackError
from tocsin.harness.engines.common.placeholders import Places
from tocsin.harness.engines.compose.compose_validation import refusals
from tocsin.harness.engines.compose.container_places import PROXY, ContainerPlaces, readers
from tocsin.harness.engines.compose.run_compose_file import (
    PUBLISHING,
    Transform,
    knows_start_interval,
    make_folders,
    with_args,
)
from tocsin.harness.engines.compose.sidecar_containers import CODE, copy_code
from tocsin.harness.engines.render.stack_files import keep_copy, render

WORK = Path("/w")
ROLES: dict[str, Any] = {
    "web": {
        "ports": {"http": 8000, "control": 8001},
        "compose": {"env": {"FAULTS": "1", "FAR": "{address:watch}"}, "args": ["--every={duration:5m}"]},
    },
    "watch": {"ports": {"http": 9090}},
    "pager": {"ports": {"http": 9095}},
}
PORTS = {"web": {"http": 20001, "control": 20002}, "watch": {"http": 20003}, "pager": {"http": 20004}}


def places_of(folder: Path, *, edges: dict[tuple[str, str], int] | None = None, work: Path = WORK) -> Places:
    stack = make_stack(
        folder / "stack",
        ROLES,
        render=["prometheus"],
        paths={"/etc/prometheus": "{config}/prometheus", "/var/log/web": "{work}/web/logs"},
        timers={"web": {"WINDOW_S": "5m"}},
    )
    return Places(
        stack=stack, work=work, run_id="r-1", speed=30, ports=PORTS, edges=edges or {}, proxy_control=20009
    )  # fmt: skip


def transformed(folder: Path, service: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The run's compose file for a stack whose service `web` is as given."""
    edges = more.pop("edges", None)
    places = places_of(folder, edges=edges)
    config = {
        "name": "r-1",
        "services": {"web": {"image": "web:1", **service}, "watch": {"image": "watch:1"}, **more.pop("services", {})},
        "networks": {"default": {"name": "r-1_default"}},
        "volumes": more.pop("volumes", {}),
    }
    inside = ContainerPlaces.of(places, readers(config, places))
    return Transform(places=places, inside=inside, python_image="py:1", **more).apply(config)


SERVICES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("never restarts", {"restart": "always"}, {"restart": "no"}),
    ("has the project's name", {"container_name": "mine"}, {"container_name": None}),
    ("is labelled", {"labels": {"a": "b"}}, {"labels": {"a": "b", "tocsin.run_id": "r-1"}}),
    ("labels as a list", {"labels": ["a=b"]}, {"labels": {"a": "b", "tocsin.run_id": "r-1"}}),
    ("logs to a file", {"logging": {"driver": "gelf"}}, {"logging.driver": "json-file"}),
    ("is not built", {"build": {"context": "."}}, {"build": None, "image": "web:1", "pull_policy": "never"}),
    ("divides timers", {"environment": {"WINDOW_S": "300", "A": "1"}},
     {"environment": {"WINDOW_S": "10", "A": "1", "FAULTS": "1", "FAR": "watch:9090"}}),
    ("adds arguments", {"command": ["serve", "--every=5m", "-v"]}, {"command": ["serve", "-v", "--every=10s"]}),
    ("keeps limits", {"mem_limit": "64m", "deploy": {"replicas": 1, "resources": {"limits": {}},
     "restart_policy": {}}}, {"mem_limit": "64m", "deploy": {"resources": {"limits": {}}}}),
    ("reads the rendered copy", {"volumes": [{"type": "bind", "source": "STACK/prometheus/a.yml", "target": "/a.yml"}]},
     {"volumes.0.source": "/w/config/prometheus/a.yml", "volumes.0.target": "/a.yml"}),
    ("keeps other files", {"volumes": [{"type": "bind", "source": "/etc/hosts", "target": "/h", "read_only": True}]},
     {"volumes.0.source": "/etc/hosts", "volumes.0.read_only": True}),
    ("writes where it is read", {"volumes": [{"type": "volume", "source": "logs", "target": "/var/log/web/"}]},
     {"volumes.0.type": "bind", "volumes.0.source": "/w/web/logs"}),
    ("does not wait for a pager", {"depends_on": {"pager": {}, "watch": {}}}, {"depends_on": {"watch": {}}}),
    ("is checked often, then no more", {"healthcheck": {"test": ["CMD", "true"], "interval": "2s", "retries": 30,
     "start_period": "1m0s", "timeout": "3s"}},
     {"healthcheck": {"test": ["CMD", "true"], "interval": "24h", "retries": 1, "start_period": "2m",
      "start_interval": "500ms", "timeout": "3s"}}),
    ("is checked as Docker does by itself", {"healthcheck": {"test": ["CMD", "true"]}},
     {"healthcheck.start_period": "1m30s", "healthcheck.interval": "24h", "healthcheck.start_interval": "500ms"}),
    ("is checked often from the start", {"healthcheck": {"test": ["CMD", "true"], "interval": "1m"}},
     {"healthcheck.start_period": "3m", "healthcheck.start_interval": "500ms"}),
    ("is never checked", {"healthcheck": {"disable": True}}, {"healthcheck": {"disable": True}}),
    ("opens no more files than here", {"ulimits": {"nofile": {"soft": 10, "hard": 65535}, "core": 0}},
     {"ulimits": {"nofile": {"soft": 10, "hard": 2000}, "core": 0}}),
]  # fmt: skip


def at(value: Any, path: str) -> Any:
    for part in path.split("."):
        value = value[int(part)] if part.isdigit() else value.get(part)
    return value


@pytest.mark.parametrize(("name", "service", "expected"), SERVICES, ids=[row[0] for row in SERVICES])
def test_a_service_in_a_run(name: str, service: dict[str, Any], expected: dict[str, Any], tmp_path: Path) -> None:
    given = {"command": ["serve"], **service}
    for mount in given.get("volumes", ()):
        mount["source"] = mount["source"].replace("STACK", str(tmp_path / "stack"))
    web = transformed(tmp_path, given, most_files=2000, checked_once=True)["services"]["web"]
    assert {path: at(web, path) for path in expected} == expected


def test_only_what_a_role_declares_is_published_and_only_on_loopback(tmp_path: Path) -> None:
    ports = [{"target": 22, "published": "22", "host_ip": "0.0.0.0"}]
    made = transformed(tmp_path, {"command": ["serve"], "ports": ports}, services={"extra": {"ports": ports}})
    published = [
        (name, port["host_ip"], port["published"], port["target"])
        for name, service in made["services"].items()
        for port in service.get("ports", ())
    ]
    assert sorted(published) == [
        ("pager", "127.0.0.1", "20004", 9095),
        ("watch", "127.0.0.1", "20003", 9090),
        ("web", "127.0.0.1", "20001", 8000),
        ("web", "127.0.0.1", "20002", 8001),
    ]


def test_a_role_on_internal_networks_only_joins_one_that_publishes(tmp_path: Path) -> None:
    places = places_of(tmp_path)
    config = {
        "services": {
            "web": {"command": ["serve"], "networks": {"inner": None}},
            "watch": {"networks": {"outer": None}},
        },
        "networks": {"inner": {"internal": True, "name": "shared"}, "outer": {}},
    }
    made = Transform(places=places, inside=ContainerPlaces.of(places, {})).apply(config)
    assert set(made["services"]["web"]["networks"]) == {"inner", PUBLISHING}
    assert set(made["services"]["watch"]["networks"]) == {"outer"}
    assert made["networks"]["inner"] == {"internal": True, "labels": {"tocsin.run_id": "r-1"}}


def test_volumes_are_the_runs_own_and_unused_ones_are_left_out(tmp_path: Path) -> None:
    placed = [("kept", "/k"), ("logs", "/l"), ("logs", "/var/log/web")]
    mounts = [{"type": "volume", "source": source, "target": target} for source, target in placed]
    made = transformed(
        tmp_path, {"command": ["serve"], "volumes": mounts}, volumes={"kept": {"name": "x"}, "logs": {}, "idle": {}}
    )
    assert made["volumes"] == {"kept": {"labels": {"tocsin.run_id": "r-1"}}}
    sources = [mount["source"] for mount in made["services"]["web"]["volumes"]]
    assert sources == ["kept", "/w/web/logs", "/w/web/logs"]


def test_a_proxy_stands_on_the_edges_of_the_plan_and_is_reached_from_everywhere(tmp_path: Path) -> None:
    made = transformed(tmp_path, {"command": ["serve"]}, edges={("watch", "web"): 20007, ("clients", "web"): 20008})
    proxy = made["services"][PROXY]
    told = proxy["entrypoint"]
    assert told[told.index("--edge") :] == ["--edge", "watch -> web", "20007", "web:8000",
                                            "--edge", "clients -> web", "20008", "web:8000"]  # fmt: skip
    assert sorted(int(port["published"]) for port in proxy["ports"]) == [20007, 20008, 20009]
    assert set(proxy["networks"]) == {"default"} and proxy["read_only"] and proxy["cap_drop"] == ["ALL"]
    assert PROXY not in transformed(tmp_path, {"command": ["serve"]})["services"]


def test_arguments_without_a_command_to_add_them_to_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="'web' further args.*Spell the command out"):
        transformed(tmp_path, {})


REFUSED = [
    ({"services": {"a": {"privileged": True}}}, "Service a is privileged."),
    ({"services": {"a": {"network_mode": "host"}}}, "Service a has network_mode: host."),
    ({"services": {"a": {"pid": "container:b"}}}, "Service a has pid: container:b."),
    ({"services": {"a": {"deploy": {"replicas": 3}}}}, "Service a has 3 replicas; a role is one container."),
    ({"services": {"a": {"volumes": [{"source": "/var/run/docker.sock"}]}}}, "Service a mounts the engine's socket."),
    ({"networks": {"n": {"external": True}}}, "Network n is external, so it is others' too."),
    ({"volumes": {"v": {"external": True}}}, "Volume v is external, so it is others' too."),
]


@pytest.mark.parametrize(("config", "sentence"), REFUSED, ids=[sentence for _, sentence in REFUSED])
def test_what_reaches_beyond_the_run_is_refused(config: dict[str, Any], sentence: str) -> None:
    assert refusals(config) == [sentence]


def test_what_stays_within_the_run_is_not_refused() -> None:
    services = {"a": {"network_mode": "none", "deploy": {"replicas": 1}, "volumes": [{"source": "/data"}]}}
    assert refusals({"services": services, "networks": {"n": None}, "volumes": {"v": {}}}) == []


COMMANDS = [
    (["a", "--x=1"], ["--x=2"], ["a", "--x=2"]),
    ("a --y=1", ["--x=2"], ["a", "--y=1", "--x=2"]),
    (["a", "--xy=1"], ["--x=2"], ["a", "--xy=1", "--x=2"]),
    (["a", "b"], ["b"], ["a", "b", "b"]),
]


@pytest.mark.parametrize(("command", "args", "expected"), COMMANDS)
def test_a_flag_is_said_once(command: Any, args: list[str], expected: list[str]) -> None:
    assert with_args(command, args) == expected


def test_files_say_where_their_reader_finds_things_inside(tmp_path: Path) -> None:
    places = places_of(tmp_path, edges={("watch", "web"): 20007}, work=tmp_path / "work")
    folder = places.stack.folder / "prometheus"
    folder.mkdir()
    (folder / "prometheus.yml").write_text(
        "rule_files: [/etc/prometheus/r.yml]\nscrape_configs:\n"
        "  - {job_name: web, static_configs: [{targets: ['web:8000', 'watch:9090']}]}\n"
    )
    mount = {"type": "bind", "source": str(folder), "target": "/etc/prometheus"}
    config = {"services": {"other": {}, "watch": {"volumes": [mount]}}}
    assert readers(config, places) == {"prometheus": "watch"}
    render(ContainerPlaces.of(places, readers(config, places)))
    text = (places.config / "prometheus" / "prometheus.yml").read_text()
    assert f"replacement: {PROXY}:20007" in text and "/etc/prometheus/r.yml" in text
    assert "replacement: watch:9090" not in text and "127.0.0.1" not in text
    keep_copy(places.config, tmp_path / "kept", places.paths())  # tools of this machine look where it lies here
    kept = (tmp_path / "kept" / "prometheus" / "prometheus.yml").read_text()
    assert f"{places.config}/prometheus/r.yml" in kept and "/etc/prometheus" not in kept


def test_folders_to_write_into_are_open_to_every_user_and_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    mounts = [{"type": "bind", "source": str(tmp_path / name)} for name in ("logs", "file")]
    make_folders({"services": {"a": {"volumes": [*mounts, {"type": "bind", "source": "/elsewhere/x"}]}}}, tmp_path)
    assert (tmp_path / "logs").stat().st_mode & 0o777 == 0o777 and (tmp_path / "file").is_file()


@pytest.mark.parametrize(
    ("version", "able"), [("26.1.5+dfsg1", True), ("25.0.0", True), ("24.0.7", False), ("", False)]
)
def test_only_engines_that_know_the_start_of_a_container_cease_to_check_it(version: str, able: bool) -> None:
    assert knows_start_interval(version) is able


def test_an_older_engine_gets_the_health_check_as_it_stands(tmp_path: Path) -> None:
    check = {"test": ["CMD", "true"], "interval": "2s"}
    assert transformed(tmp_path, {"healthcheck": check, "command": ["x"]})["services"]["web"]["healthcheck"] == check


def test_the_code_of_our_containers_runs_alone_and_without_packages(tmp_path: Path) -> None:
    copy_code(tmp_path)
    script = "import sys; sys.path.append(sys.argv[1]); from tocsin.harness.sidecars import pager;"
    script += "from tocsin.harness.sidecars.proxy import __main__, probe; print(pager.__file__)"
    argv = [sys.executable, "-I", "-S", "-c", script, str(tmp_path / CODE)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.startswith(str(tmp_path / CODE))
