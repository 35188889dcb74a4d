from __future__ import annotations

from typing import Any

import pytest

from tests.engines.tiny_stack import make_stack
from tocsin.harness.declarations.builtin_roles import with_builtin_starts
from tocsin.harness.declarations.stack import Role

ARGV = {"argv": ["{program}", "--my.flag"]}
BUILTIN = "--config.file={config}/prometheus/prometheus.yml"


def prometheus(folder: Any, role: Any, **more: Any) -> Role:
    roles = {"web": {"ports": {"http": 8000}}, "prometheus": role}
    return make_stack(folder, roles, **more).roles["prometheus"]


@pytest.mark.parametrize("role", [None, {}, {"ports": {"http": 9090}}, {"local": {}}])
def test_a_role_without_a_start_takes_the_builtin_one(role: Any, tmp_path: Any) -> None:
    taken = prometheus(tmp_path, role)
    assert taken.local and (taken.local.program, taken.local.argv[1]) == ("prometheus", BUILTIN)
    assert (taken.ports, taken.fixed_s, taken.memory_mib, taken.health.http) == ({"http": 9090}, 6, 120, "/-/ready")


CHANGED: list[tuple[dict[str, Any], str, Any]] = [
    ({"ports": {"web": 9999}}, "ports", {"web": 9999}),
    ({"memory_mib": 500}, "memory_mib", 500),
    ({"local": {"stop_s": 9}}, "local.stop_s", 9),
    ({"local": {"health": {"http": "/mine"}}}, "local.health.http", "/mine"),
    ({"local": ARGV}, "local.argv", ("{program}", "--my.flag")),
    ({"local": ARGV, "ports": {"http": 1}}, "local.health.http", None),
    ({"external": {"http": "there:9090"}, "ports": {"http": 9090}}, "local", None),
]


@pytest.mark.parametrize(("role", "path", "expected"), CHANGED)
def test_a_role_names_only_what_differs_and_a_start_of_its_own_stands_as_a_whole(
    role: dict[str, Any], path: str, expected: Any, tmp_path: Any
) -> None:
    value: Any = prometheus(tmp_path, {"ports": {"http": 1}, **role})
    for name in path.split("."):
        value = getattr(value, name)
    assert value == expected


def test_a_start_of_its_own_keeps_the_usual_ports(tmp_path: Any) -> None:
    assert prometheus(tmp_path, {"local": ARGV}).ports == {"http": 9090}


@pytest.mark.parametrize("hooks", [{"pager_error": "pager"}, ["pager_error"], "pager"])
def test_hooks_that_are_none_are_told_by_the_loader(hooks: Any) -> None:
    stack = with_builtin_starts({"roles": {"pager": {}}, "hooks": hooks})
    assert isinstance(stack, dict) and "pager" in stack["roles"]


def test_the_configuration_is_where_the_stack_has_it(tmp_path: Any) -> None:
    taken = prometheus(tmp_path, {}, prometheus="monitoring/prom.yml")
    assert taken.local and taken.local.argv[1] == "--config.file={config}/monitoring/prom.yml"


@pytest.mark.parametrize(("hooks", "faults"), [({}, False), ({"pager_error": "pager"}, True), ({"slow": "web"}, False)])
def test_the_pager_takes_faults_only_if_a_hook_is_there(hooks: dict[str, str], faults: bool, tmp_path: Any) -> None:
    declared = {name: {"role": role, "port": "http", "path": "/"} for name, role in hooks.items()}
    stack = make_stack(tmp_path, {"web": {"ports": {"http": 8000}}, "pager": {}}, hooks=declared)
    start = stack.roles["pager"].local
    assert start and ("--faults" in start.argv) is faults
