"""One reference stack for many faults: up with the canary, a few labelled requests, and all that any fault may need."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import numpy as np

from tests.e2e.drills import ROOT
from tocsin.harness import faults
from tocsin.harness.cli.up import idle
from tocsin.harness.core.clock import RunClock
from tocsin.harness.core.journal import Journal
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.declarations.timeline import PlannedFault, Timeline
from tocsin.harness.engines.common.attach import attach
from tocsin.harness.engines.common.run_folders import make_run
from tocsin.harness.engines.local.engine import LocalEngine
from tocsin.harness.planning.loader import load_stack
from tocsin.harness.provisioning.programs import cache_folder, find_all
from tocsin.harness.runner.load_control import start_canary

SPEED = 30.0


def reference() -> Stack:
    """Return the reference stack."""
    return load_stack(str(ROOT / "stacks" / "reference"))


def lacking(kind: str, params: Mapping[str, Any], stack: Stack, engine: Any = None) -> str:
    """Return why a fault cannot be played here, on the local engine or another, or nothing."""
    return " ".join(faults.lacking(faults.make(kind, params), stack, (engine or LocalEngine()).capabilities(stack)))


def planned(examples: Mapping[str, Mapping[str, Any]], engine: Any = None) -> Timeline:
    """Return an idle timeline that names every playable fault, so that the engine makes what each needs."""
    stack = reference()
    named = tuple(
        PlannedFault(name=kind, fault=faults.make(kind, params), params=params, phase="idle", inject_s=0.0, heal_s=1.0)
        for kind, params in examples.items()
        if not lacking(kind, params, stack, engine)
    )
    return replace(idle(stack, SPEED), faults=named)


@dataclass(kw_only=True)
class Shared:
    """The stack while it is up. What happens to it is done in other processes too, so nobody keeps a view of it."""

    owner: Any
    canary: Any
    folder: Path

    @property
    def work(self) -> Path:
        """Its work folder."""
        return Path(self.owner.work)

    def view(self) -> Any:
        """Return the stack as it is now, by what is written down."""
        live: Any = attach(self.work, record=self.folder / "witness.jsonl")
        live.attach_prober(self.canary)
        return live

    def mend(self) -> None:
        """Start what does not run and open every edge, so that one fault's failure does not cost the next ones."""
        live = self.view()
        for role in live.stack.roles:
            live.signal(role, 18)  # SIGCONT
            if not live.alive(role):
                live.restart(role)


class Labels(threading.Thread):
    """Asks the service ten times a second and tells it the truth at once: without labels it knows no accuracy."""

    def __init__(self, stack: Stack, address: str) -> None:
        super().__init__(daemon=True)
        sample = np.load(stack.folder / stack.payload.rows)
        self._rows, self._truth = sample["live"].tolist(), sample["live_labels"].tolist()
        self._address, self._over = address, threading.Event()

    def run(self) -> None:
        """Ask until told to end; what is refused or late is passed over."""
        for number in itertools.count():
            if self._over.wait(0.1):
                return
            turn, name = number % len(self._rows), f"label-{number}"
            with suppress(OSError):
                self._tell("/predict", name, {"features": self._rows[turn]})
                self._tell("/feedback", name, {"request_id": name, "label": self._truth[turn]})

    def end(self) -> None:
        """End, and wait for it."""
        self._over.set()
        self.join(5)

    def _tell(self, path: str, name: str, body: Mapping[str, Any]) -> None:
        headers = {"Content-Type": "application/json", "x-request-id": name}
        request = Request(f"http://{self._address}{path}", json.dumps(body).encode(), headers)
        urlopen(request, timeout=1.0).close()


@contextmanager
def shared_stack(folder: Path, examples: Mapping[str, Mapping[str, Any]], engine: Any = None) -> Iterator[Shared]:
    """Bring it up on the local engine or another, wait until it scrapes and ships, give it, and take it down."""
    timeline = planned(examples, engine)
    programs = find_all((engine or LocalEngine()).programs(timeline.stack), cache_folder())
    run = make_run("contract", runs=folder / "runs", clock=RunClock(SPEED), programs=programs)
    journal = Journal(run.folder / "journal.jsonl", run.clock)
    with closing(journal), (engine or LocalEngine()).up(timeline, run, journal) as live:
        canary = start_canary(timeline, run, live)
        live.attach_prober(canary)
        canary.ready()
        labels = Labels(live.stack, live.address("model"))
        labels.start()
        try:
            yield Shared(owner=live, canary=canary, folder=run.folder)
        finally:
            labels.end()
