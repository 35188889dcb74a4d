"""A stack that is up in containers: what faults, recorders and stages are given."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import docker

from tocsin.harness.core.errors import StackError
from tocsin.harness.core.journal import Journal
from tocsin.harness.declarations.live_stack import EdgeProxy
from tocsin.harness.engines.common.background_loops import Repeats
from tocsin.harness.engines.common.child_processes import Child, Nursery, end_all
from tocsin.harness.engines.common.edge_proxies import standing
from tocsin.harness.engines.common.live_stack_base import Attended, wait_for_all
from tocsin.harness.engines.common.placeholders import Places
from tocsin.harness.engines.common.run_folders import Run
from tocsin.harness.engines.common.stack_state import described, write_down
from tocsin.harness.engines.compose import networks as compose_networks
from tocsin.harness.engines.compose.contained_proxy import ContainedProxy
from tocsin.harness.engines.compose.container import Container, containers
from tocsin.harness.engines.compose.container_places import PROXY
from tocsin.harness.engines.compose.role_limits import Limits
from tocsin.harness.engines.compose.take_down import take_down
from tocsin.harness.engines.guardian.guard_record import GUARD, Record

DOWN_S = 20.0
_LOOK_S = 0.25
_ENDED = ("exited", "dead")


class ComposeStack(Attended):
    """Implements `tocsin.harness.declarations.live_stack.LiveStack`. `take_over` and `down` are the engine's."""

    engine = "compose"

    def __init__(
        self,
        *,
        places: Places,
        run: Run,
        journal: Journal,
        written: Mapping[str, Any],
        record: Record | None = None,
    ) -> None:
        """`written` is the content of engine.json."""
        super().__init__(record or Record(run.work / GUARD), run.clock.now)
        self.stack = places.stack
        self.work = run.work
        self.run_id = run.id
        self.speed = places.speed
        self.handles = frozenset(written.get("handles", ()))
        self._places, self._run, self._journal, self._written = places, run, journal, written
        self._api = docker.APIClient(base_url=str(written["docker_host"]), timeout=30)
        self._nursery = Nursery(run_id=run.id, logs=run.folder / "stack-logs")
        self._spawned: list[Child] = []
        self._containers: dict[str, Container] = {}
        self._repeats = Repeats(journal=journal)
        self._asked: set[str] = set()
        self._limited: set[str] = set()
        self._seen: tuple[float, dict[str, str]] = (0.0, {})
        self._looking = threading.Lock()

    @property
    def places(self) -> Places:
        """What placeholders and addresses stand for on this machine."""
        return self._places

    def take_over(self, *, all_of_them: bool = True) -> None:
        """Find the containers of the run; StackError if a role has none, unless some are enough."""
        rows = containers(self._api, self.run_id)
        self._containers = {
            name: self._container(name, row["Id"]) for name, row in rows.items() if name in self._places.ports
        }
        absent = sorted(set(self._places.ports) - set(self._containers))
        if absent and all_of_them:
            raise StackError(f"No container was made for {', '.join(absent)}.", hint="See stack-logs/compose.log.")

    def write_down(self) -> None:
        """Write down how another process reaches the stack."""
        content = described(self._places, folder=self._run.folder, pids={})
        write_down(self.work, content | {"engine": self.engine, "written": dict(self._written)})

    def wait_for_all(self) -> None:
        """Wait until every role is healthy; raise the first failure at once."""
        wait_for_all(self._containers, self._wait_and_note)

    def _wait_and_note(self, name: str, given_up: threading.Event | None = None) -> float:
        took_s = self._role(name).wait(given_up)
        self._journal.note("role_healthy", role=name, took_s=round(took_s, 3))
        return took_s

    def down(self) -> None:
        """End what was spawned, and remove every container, network and volume. StackError names what is left."""
        self._repeats.end_all()
        end_all(self._spawned)
        left = take_down(self._written, self.run_id, DOWN_S)
        self._api.close()
        if left:
            raise StackError(" ".join(left), hint="Run `tocsin sweep`.")

    def address(self, role: str, port: str | None = None, *, caller: str | None = None) -> str:
        """Return `127.0.0.1:port` at which a role is published; it stays the same over a restart."""
        return self._places.address(role, port, caller=caller)

    def proxy(self, edge: str) -> EdgeProxy:
        """Return the proxy on an edge (`caller -> role`); StackError where the plan put none."""
        found, row = standing(self._places, edge), containers(self._api, self.run_id).get(PROXY, {})
        return ContainedProxy(**asdict(found), container=self._container(PROXY, row.get("Id", "gone")))

    def spawn(self, argv: Sequence[str], *, name: str, **popen: Any) -> subprocess.Popen[bytes]:
        """Start a child on this machine that carries the run id and ends with the stack."""
        child = self._nursery.start(argv, name=name, env=popen.pop("env", None), **popen)
        self._spawned.append(child)
        return child.process

    def stop(self, role: str, *, kill: bool = False) -> None:
        """End a role on purpose: SIGTERM and patience, or SIGKILL."""
        self.expect_end(role)
        self._role(role).stop(kill=kill)

    def restart(self, role: str, *, wait: bool = True) -> None:
        """Start a role again on the same ports unless it runs, and wait until it is healthy if asked to."""
        chosen = self._role(role)
        if not chosen.alive:
            chosen.start()
            self._asked.discard(role)
            self._seen = (0.0, {})
        if wait:
            self._wait_and_note(role)

    def repeat(self, name: str, do: Callable[[], float]) -> None:
        """Call `do` again and again in the background; it returns the wall seconds to the next call."""
        self._repeats.start(name, do)

    def cease(self, name: str) -> None:
        """End what repeats under this name."""
        self._repeats.cease(name)

    def alive(self, role: str) -> bool:
        """Tell whether the role's container runs."""
        return self._role(role).alive

    def died(self) -> dict[str, str]:
        """Return role or service -> sentence with the log's tail, for each that ended unasked; looks 4 times a second.

        A service that is no role may end with status 0: it had something to do once.
        """
        with self._looking:
            at, dead = self._seen
            if time.monotonic() - at >= _LOOK_S:
                dead = self._dead()
                self._seen = (time.monotonic(), dead)
        expected = self._asked | self._limited
        return {name: sentence for name, sentence in dead.items() if name not in expected}

    def _dead(self) -> dict[str, str]:
        dead = {}
        for name, row in containers(self._api, self.run_id).items():
            finished = name not in self._containers and str(row.get("Status", "")).startswith("Exited (0)")
            if row.get("State") in _ENDED and not finished and name not in self._asked | self._limited:
                found = self._container(name, row["Id"])
                if not found.alive:
                    dead[name] = found.ended()
        return dead

    def expect_end(self, role: str) -> None:
        """Take the end of the role's present container, whenever it comes, as asked for."""
        self._role(role)
        self._asked.add(role)

    def signal(self, role: str, number: int) -> int:
        """Send a signal to a role; return how many processes or containers got it."""
        return self._role(role).signal(number)

    def frozen(self, role: str) -> tuple[int, int]:
        """Return (frozen, all) of a role's containers, as the engine tells."""
        chosen = self._role(role)
        return int(chosen.frozen), int(chosen.alive)

    def limit(self, role: str, **limits: float) -> None:
        """Limit `memory_mib`, `open_files` or `writes_per_s` of a role; without any, lift every limit.

        StackError for another.
        """
        chosen = self._limits(role)
        if limits:
            self._limited.add(role)
            chosen.set(limits)
        else:
            chosen.lift()
            if self.alive(role):
                self._limited.discard(role)

    def usage(self, role: str) -> Mapping[str, float]:
        """Return what the engine says of a role, and the kernel, where it can be asked."""
        return self._limits(role).usage()

    def disconnect(self, role: str) -> None:
        """Take a role off every network; which they were is written into the work folder before."""
        compose_networks.leave(self._role(role), self._networks(role))

    def reconnect(self, role: str) -> None:
        """Put a role on every network again that it was taken off; nothing where it was not."""
        compose_networks.rejoin(self._role(role), self._networks(role))

    def networks(self, role: str) -> tuple[str, ...]:
        """Return the networks that a role is on, as the engine tells."""
        return tuple(compose_networks.joined(self._role(role)))

    def run_in(self, role: str, argv: Sequence[str], *, within_s: float = 5.0) -> tuple[int, str]:
        """Run a short command in the role's container as its user; return its exit status and output."""
        return self._role(role).run(argv, within_s=within_s)

    def disk(self, name: str) -> str:
        """Return where a role's container has a disk; StackError if it is no file system of its own in this run."""
        if name not in self._mounts:
            raise StackError(f"Disk {name!r} is none of its own; those: {', '.join(self._mounts) or 'none'}.")
        return str(self.stack.disks[name].inside)

    @property
    def _mounts(self) -> dict[str, Path]:
        """Disk -> where it lies on this machine, for those that the plan asked for."""
        return {name: Path(place) for name, place in self._written.get("disks", {}).items()}

    def _limits(self, role: str) -> Limits:
        folders = tuple(place for name, place in self._mounts.items() if self.stack.disks[name].role == role)
        return Limits(container=self._role(role), work=self.work, folders=folders)

    def _networks(self, role: str) -> Path:
        return self.work / f"networks-{role}.json"

    def _container(self, name: str, identity: str) -> Container:
        return Container(name=name, id=identity, api=self._api, places=self._places, clock=self._run.clock)

    def _role(self, role: str) -> Container:
        self._places.address(role)  # says which roles there are
        return self._containers[role]
