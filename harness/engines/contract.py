"""What an engine is: it brings a stack up, gives it as a LiveStack, and takes it down on every way out."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from tocsin.harness.core.journal import Journal
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.declarations.timeline import Timeline
from tocsin.harness.engines.common.run_folders import Run


class Engine(Protocol):
    """Brings stacks up. A new engine is one of these, a `Backend` with its `RoleDriver`, and a name in the registry."""

    @property
    def owns_stack(self) -> bool:
        """Whether the stack is its own: elsewhere faults need `--allow-faults`, and time is not divided."""

    @property
    def around_play_s(self) -> int:
        """Wall seconds that starting, settling and collecting take beside play, roughly: of the reference stack."""

    def capabilities(self, stack: Stack) -> frozenset[str]:
        """Return what can be done to the roles of a stack here (`fault.CAPABILITIES`), known before anything is up."""

    def programs(self, stack: Stack) -> tuple[str, ...]:
        """Return the programs that must be on this machine to bring a stack up, sorted."""

    def up(self, timeline: Timeline, run: Run, journal: Journal) -> AbstractContextManager[LiveStack]:
        """Bring the stack up, give it, and take it down on every way out; the work folder goes with it.

        MissingProgram, StackError, RoleDied or WaitTimeout when it does not come up. Collect before leaving: the
        servers and the files in the work folder are gone afterwards.
        """
