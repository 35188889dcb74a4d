"""A stack that is up on this machine: what faults, recorders and stages are given."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from harness.engines.children import Child, Nursery, end_all
from harness.engines.health import Abandoned
from harness.engines.placeholders import Places
from harness.engines.processes import kill_carriers
from harness.engines.proxies import Proxies
from harness.engines.render import keep_copy, render
from harness.engines.role import RoleProcess
from harness.engines.run import Run
from harness.errors import StackError
from harness.journal import Journal
from harness.stack import EdgeProxy, Prober


class LocalStack:
    """Implements `harness.stack.LiveStack`. `start` and `down` are the engine's; the rest may be called meanwhile."""

    def __init__(self, *, places: Places, run: Run, journal: Journal) -> None:
        self.stack = places.stack
        self.work = run.work
        self.run_id = run.id
        self.speed = places.speed
        self._places = places
        self._run = run
        self._journal = journal
        self._nursery = Nursery(run_id=run.id, logs=run.folder / "stack-logs")
        self._roles = {
            name: RoleProcess(name=name, places=places, nursery=self._nursery, clock=run.clock) for name in places.ports
        }
        self._spawned: list[Child] = []
        self._proxies = Proxies(places, self._nursery, run.clock)
        self._guarding = threading.Lock()
        self._prober: Prober | None = None

    def start(self) -> None:
        """Render the configuration, start all roles side by side and wait until all are healthy."""
        began = self._run.clock.now()
        render(self._places)
        keep_copy(self._places.config, self._run.folder / "config")
        self._proxies.start()
        for role in self._roles.values():
            role.prepare()
        for role in self._roles.values():
            role.start()
        self._write_down()
        self._wait_for_all()
        self._journal.note("stack_up", took_s=round(self._run.clock.now() - began, 3))

    def _wait_for_all(self) -> None:
        """Raise the first failure at once; the waits for other roles are given up then."""
        given_up = threading.Event()
        with ThreadPoolExecutor(max_workers=max(len(self._roles), 1)) as pool:
            try:
                waits = [pool.submit(self._wait_and_note, name, given_up) for name in self._roles]
                wait(waits, return_when=FIRST_EXCEPTION)
            finally:
                given_up.set()
        failures = [error for done in waits if (error := done.exception())]
        failures.sort(key=lambda error: isinstance(error, Abandoned))
        if failures:
            raise failures[0]

    def _wait_and_note(self, name: str, given_up: threading.Event | None = None) -> float:
        took_s = self._roles[name].wait(given_up)
        self._journal.note("role_healthy", role=name, took_s=round(took_s, 3))
        return took_s

    def down(self) -> None:
        """End every process of the run, side by side. May be called again, and from a half-started stack."""
        for role in self._roles.values():
            role.expect_end()
        children = [role.child for role in self._roles.values() if role.child] + self._spawned
        children += [self._proxies.child] if self._proxies.child else []
        end_all(children)
        kill_carriers(self.run_id, within_s=5.0, reap=lambda: _reap(children))

    def address(self, role: str, port: str | None = None, *, caller: str | None = None) -> str:
        """Return `127.0.0.1:port` of a role (its primary port by default); it stays the same over a restart."""
        return self._places.address(role, port, caller=caller)

    def proxy(self, edge: str) -> EdgeProxy:
        """Return the proxy on an edge (`caller -> role`); StackError where the plan put none."""
        return self._proxies.on(edge)

    def fill(self, text: str, role: str | None = None) -> str:
        """Return text of stack.yaml with its placeholders filled in."""
        return self._places.fill(text, role)

    def spawn(self, argv: Sequence[str], *, name: str, **popen: Any) -> subprocess.Popen[bytes]:
        """Start a child that carries the run id and ends with the stack; `env` given is added to ours."""
        child = self._nursery.start(argv, name=name, env=popen.pop("env", None), **popen)
        self._spawned.append(child)
        return child.process

    def stop(self, role: str, *, kill: bool = False) -> None:
        """End a role on purpose: SIGTERM and patience, or SIGKILL."""
        self._role(role).stop(kill=kill)
        self._write_down()

    def restart(self, role: str) -> None:
        """Start a role again on the same ports and wait until it is healthy; one that runs is only waited for."""
        chosen = self._role(role)
        if not chosen.alive:
            chosen.start()
            self._write_down()
        self._wait_and_note(role)

    def wait(self, role: str) -> float:
        """Wait until a role is healthy and return the wall seconds since its start."""
        return self._role(role).wait()

    def alive(self, role: str) -> bool:
        """Tell whether the role's process runs."""
        return self._role(role).alive

    def died(self) -> dict[str, str]:
        """Return role -> sentence with the log's tail, for each role that ended unasked."""
        dead = {name: sentence for name, role in self._roles.items() if (sentence := role.died())}
        return {**dead, **self._proxies.died()}

    def guard(self, fault: str, params: Mapping[str, object]) -> None:
        """Write down in `<work>/guard.jsonl`, before it is done, what is about to be broken; safe on disk on return."""
        line = {"fault": fault, "params": dict(params), "at": self._run.clock.now()}
        with self._guarding, (self.work / "guard.jsonl").open("a", encoding="utf-8") as record:
            record.write(json.dumps(line, default=str) + "\n")
            record.flush()
            os.fsync(record.fileno())

    def attach_prober(self, prober: Prober) -> None:
        """Say which canary process witnesses may ask."""
        self._prober = prober

    @property
    def prober(self) -> Prober:
        """The canary process of this run; StackError before one was attached."""
        if self._prober is None:
            raise StackError("No canary process is attached to this stack.", hint="Call attach_prober first.")
        return self._prober

    def _role(self, role: str) -> RoleProcess:
        self._places.address(role)  # says which roles there are
        return self._roles[role]

    def _write_down(self) -> None:
        content = {
            "run_id": self.run_id,
            "speed": self.speed,
            "stack": str(self.stack.folder.absolute()),
            "addresses": {
                role: {port: f"127.0.0.1:{number}" for port, number in ports.items()}
                for role, ports in self._places.ports.items()
            },
            "pids": {name: role.child.process.pid for name, role in self._roles.items() if role.child and role.alive},
        }
        fresh = self.work / f".stack-{threading.get_ident()}.json"
        fresh.write_text(json.dumps(content, indent=2), encoding="utf-8")
        os.replace(fresh, self.work / Path("stack.json"))


def _reap(children: list[Child]) -> None:
    for child in children:
        child.process.poll()
