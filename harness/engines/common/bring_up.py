"""Brings a stack up for one run and takes it down again, whichever engine: ports, a second try, what is left."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Protocol, TypeVar

from tocsin.harness.core.journal import Journal
from tocsin.harness.declarations.timeline import Timeline
from tocsin.harness.engines.common import host_cleanup
from tocsin.harness.engines.common.edge_proxies import proxied_edges
from tocsin.harness.engines.common.placeholders import Places
from tocsin.harness.engines.common.ports import choose_ports
from tocsin.harness.engines.common.role_driver import Backend
from tocsin.harness.engines.common.run_folders import Run
from tocsin.harness.engines.common.running_stack import RunningStack
from tocsin.harness.engines.guardian.guard_record import GUARD_FILE, GuardRecord
from tocsin.harness.engines.kernel.run_processes import remove_folder
from tocsin.harness.provisioning.program_lookup import Program

B = TypeVar("B", bound=Backend)


class Attempt(Protocol[B]):
    """How an engine brings a stack up for one run."""

    def prepare(self) -> B:
        """Choose ports and write what the stack needs; nothing is started yet."""

    def start(self, backend: B, live: RunningStack) -> None:
        """Start what was prepared, and wait until every role is healthy."""

    def port_taken(self, error: BaseException) -> bool:
        """Tell whether a start failed because another process took one of our ports."""


@contextmanager
def running(attempt: Attempt[B], run: Run, journal: Journal) -> Iterator[RunningStack]:
    """Bring a stack up, give it, and take it down on every way out; the work folder goes with it."""
    with closing(run):
        live = _bring_up(attempt, run, journal, tries=2)
        try:
            yield live
        finally:
            take_down(live, run, journal)


def _bring_up(attempt: Attempt[B], run: Run, journal: Journal, *, tries: int) -> RunningStack:
    backend = attempt.prepare()
    live = RunningStack(backend, run=run, journal=journal)
    run.guard.needed = True
    began = run.clock.now()
    try:
        attempt.start(backend, live)
    except BaseException as error:
        if tries == 1 or not attempt.port_taken(error):
            take_down(live, run, journal)
            raise
        live.down()
        host_cleanup.take_away(run.work)
        journal.note("error", message=str(error))
    else:
        journal.note("stack_up", took_s=round(run.clock.now() - began, 3))
        return live
    return _bring_up(attempt, run, journal, tries=tries - 1)


def take_down(live: RunningStack, run: Run, journal: Journal) -> None:
    """Take a stack down with all that was made for it. What is left is noted, and the guardian and its folder stay."""
    live.down()
    left = [f"{place} is left." for place in host_cleanup.take_away(run.work)]
    unhealed = GuardRecord(run.work / GUARD_FILE).unhealed()
    left += [f"Fault {fault.name} is not healed." for fault in unhealed if fault.outlives]
    for sentence in left:
        journal.note("error", message=f"{sentence} The guardian tries again.")
    if not left:  # had this been interrupted, the guardian would finish it
        remove_folder(run.work)
        run.guard.needed = False
    journal.note("stack_down")


def allot_ports(
    timeline: Timeline, run: Run, roles: Iterable[str], programs: Mapping[str, Program] | None = None
) -> Places:
    """Return where a run lies, with a free port for each port of these roles, each proxied edge, and its control."""
    names = [(role, port) for role in roles for port in timeline.stack.roles[role].ports]
    edges = proxied_edges(timeline)
    numbers = choose_ports(len(names) + len(edges) + 1)
    ports: dict[str, dict[str, int]] = {role: {} for role, _ in names}
    for (role, port), number in zip(names, numbers, strict=False):
        ports[role][port] = number
    return Places(
        stack=timeline.stack,
        work=run.work,
        run_id=run.id,
        speed=timeline.speed,
        ports=ports,
        programs=programs or {},
        edges=dict(zip(edges, numbers[len(names) :], strict=False)),
        proxy_control=numbers[-1],
    )
