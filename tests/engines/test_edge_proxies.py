from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from tests.engines.tiny_stack import make_stack, make_timeline, new_run, role
from tocsin.harness.core.clock import RunClock
from tocsin.harness.core.errors import StackError
from tocsin.harness.core.http import call
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.declarations.timeline import PlannedFault, Timeline
from tocsin.harness.engines.common.edge_proxies import proxied_edges
from tocsin.harness.engines.common.placeholders import Places
from tocsin.harness.engines.kernel.run_processes import pids_of_run
from tocsin.harness.engines.local.engine import LocalEngine
from tocsin.harness.engines.render.stack_files import render
from tocsin.harness.faults import make

EDGE = "shop -> web"
ROLES = {
    "web": role(declared=8000),
    "shop": role(declared=9000, env={"WEB": "{address:web}", "SELF": "{address:shop}"}),
}


def broken(stack: Stack, *edges: str) -> Timeline:
    """A timeline whose faults break these edges."""
    faults = tuple(
        PlannedFault(
            name=f"f{n}",
            fault=make("net_refuse", {"edge": edge}),
            params={"edge": edge},
            phase="calm",
            inject_s=0,
            heal_s=1,
        )
        for n, edge in enumerate(edges)
    )
    return replace(make_timeline(stack), faults=faults)


def test_only_edges_that_a_fault_names_get_a_proxy_each_once(tmp_path: Path) -> None:
    stack = make_stack(tmp_path / "stack", ROLES, edges=[EDGE])
    assert proxied_edges(make_timeline(stack)) == ()
    assert proxied_edges(broken(stack, EDGE, "clients -> web", EDGE)) == (("shop", "web"), ("clients", "web"))
    assert stack.all_edges == (EDGE, "clients -> web")


def test_a_file_names_the_address_at_which_its_reader_calls(tmp_path: Path) -> None:
    roles = {**ROLES, "shop": role("{config}/shop/shop.conf", declared=9000)}
    stack = make_stack(tmp_path / "stack", roles, edges=[EDGE], render=["shop", "other"])
    for folder in ("shop", "other"):
        (stack.folder / folder).mkdir()
        (stack.folder / folder / f"{folder}.conf").write_text("web:8000 shop:9000")
    ports = {"web": {"http": 1001}, "shop": {"http": 1002}}
    places = Places(stack=stack, work=tmp_path, run_id="r", speed=1, ports=ports, edges={("shop", "web"): 2001})
    render(places)
    assert (places.config / "shop" / "shop.conf").read_text() == "127.0.0.1:2001 127.0.0.1:1002"
    assert (places.config / "other" / "other.conf").read_text() == "127.0.0.1:1001 127.0.0.1:1002"


@pytest.mark.e2e
def test_a_fault_on_an_edge_is_felt_by_its_caller_only(tmp_path: Path) -> None:
    stack = make_stack(tmp_path / "stack", ROLES, edges=[EDGE])
    run, journal = new_run(tmp_path)
    with LocalEngine().up(broken(stack, EDGE), run, journal) as live:
        proxy, fault = live.proxy(EDGE), make("net_refuse", {"edge": EDGE})
        assert live.address("web", caller="shop") == proxy.listens != proxy.calls == live.address("web")
        assert live.address("web", caller="clients") == proxy.calls
        assert f'"WEB": "{proxy.listens}"' in call("GET", live.address("shop"), "/")[1]
        assert call("GET", proxy.listens, "/")[0] == 200
        fault.inject(live)
        assert fault.witness(live).state == "present"
        assert call("GET", proxy.calls, "/")[0] == 200
        with pytest.raises(ConnectionRefusedError):
            call("GET", proxy.listens, "/")
        fault.heal(live)
        assert fault.witness(live).state == "absent"
        with pytest.raises(StackError, match="No proxy stands on 'clients -> web'; there are: shop -> web"):
            live.proxy("clients -> web")
    with pytest.raises(ConnectionRefusedError):
        call("GET", proxy.listens, "/")


@pytest.mark.e2e
def test_a_proxy_that_dies_is_named(tmp_path: Path) -> None:
    stack = make_stack(tmp_path / "stack", ROLES, edges=[EDGE])
    run, journal = new_run(tmp_path)
    clock = RunClock(1)
    with LocalEngine().up(broken(stack, EDGE), run, journal) as live:
        assert live.died() == {}
        roles = json.loads((run.work / "stack.json").read_text())["pids"].values()
        (proxy,) = set(pids_of_run(run.id)) - set(roles)
        os.kill(proxy, signal.SIGKILL)
        clock.wait_until(lambda: (bool(live.died()), "it lives"), awaited="its end", within_s=5)
        assert "proxy was ended by SIGKILL" in live.died()["proxy"]
