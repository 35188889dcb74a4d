"""The master process of several workers: lets them join, sets their clocks, starts them, adds up what they say.

Started as `python -m tocsin.harness.traffic.locust.master CREW.json`. stdin: `start <epoch seconds>`, `stop` (or its end).
stdout, JSON lines: `listening` with the port, `joined`, `stranger`, `ready`, `rate`, `worker_lost`, `worker_back`,
`done`, `error`.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import gevent
from gevent.event import Event
from gevent.fileobject import FileObject
from locust.env import Environment

from tocsin.harness.core.clock import RunClock
from tocsin.harness.core.errors import BROKEN, StackError, TocsinError
from tocsin.harness.traffic.load_plan import read_plan
from tocsin.harness.traffic.locust.authenticated_master import AuthenticatedMaster
from tocsin.harness.traffic.locust.events import say
from tocsin.harness.traffic.locust.join_handshake import JoinedWorker, JoinHandshake
from tocsin.harness.traffic.locust.master_protocol import BYE, EVENT, ROWS, START, STOP, TOKEN, summed
from tocsin.harness.traffic.worker_pool import WorkerPoolPlan

_TICK_S = 0.5
_LAST_WORDS_S = 6.0
"""Wall seconds that workers have to end after `stop`."""


class Master:
    """One run of several workers."""

    def __init__(self, crew: WorkerPoolPlan, token: str) -> None:
        self._crew = crew
        self._started = Event()
        self._stopped = Event()
        self._start = 0.0
        host, _, port = crew.bind.rpartition(":")
        self._gate = AuthenticatedMaster(Environment(), host, int(port), self._heard)
        self._reception = JoinHandshake(crew, token, self._gate, RunClock().now)
        self._gate.register_message(EVENT, self._event)
        self._gate.register_message(ROWS, self._rows)

    def run(self) -> int:
        """Play the crew's plan; return the exit code."""
        say("listening", port=self._gate.port)
        gevent.spawn(self._listen)
        gevent.wait([self._reception.complete, self._stopped], count=1)
        if self._reception.failure:
            return self._fail(self._reception.failure)
        self._ready()
        gevent.wait([self._started, self._stopped], count=1)
        self._play()
        for member in self._members:
            member.close()
        self._tell_all(BYE)
        self._done()
        gevent.sleep(0.1)  # the farewell leaves from a queue
        return 0

    @property
    def _members(self) -> list[JoinedWorker]:
        return self._reception.members

    def _ready(self) -> None:
        achieved = next((member.ready.get("achieved") for member in self._members), None)
        workers = [member.about() for member in self._members]
        say("ready", achieved=achieved or {}, workers=workers, wall=time.time(), monotonic=time.monotonic())

    def _fail(self, message: str) -> int:
        self._tell_all(STOP)
        self._tell_all(BYE)
        say("error", message=message)
        gevent.sleep(0.1)
        return StackError("").exit_code

    def _play(self) -> None:
        """Follow the workers until each has ended or is lost; say their rates each second."""
        if self._started.is_set():
            self._tell_all(START, at=self._start)
        ticks, told = 0, 0
        while any(member.plays for member in self._members) and not (told and ticks - told > _LAST_WORDS_S / _TICK_S):
            if told:
                gevent.sleep(_TICK_S)
            elif self._stopped.wait(_TICK_S):
                told = ticks + 1
                self._tell_all(STOP)
            ticks += 1
            self._watch(ticks)
        for member in self._members:
            if member.plays:
                self._lose(member, "it did not end when told to")

    def _tell_all(self, message: str, /, **content: object) -> None:
        for member in self._members:
            self._gate.tell(member.client_id, message, **content)

    def _watch(self, ticks: int) -> None:
        for member in self._members:
            member.flush()
            if member.plays and member.silence.tick():
                self._lose(member, f"nothing was heard of it for {member.silence.seconds:.1f} s")
        if ticks % 2 == 0:
            self._rate()

    def _rate(self) -> None:
        """Say the totals of all, and what only those show that still play."""
        ended = [_totals(member) for member in self._members if not member.plays]
        playing = [member.rate for member in self._members if member.plays and member.rate]
        if playing and not say("rate", **{**summed([*ended, *playing]), "at": self._reception.now()}):
            self._stopped.set()

    def _lose(self, member: JoinedWorker, reason: str) -> None:
        member.lost = reason
        more = {"worker": member.number, "share": round(1 / self._crew.workers, 4), "host": member.host}
        say("worker_lost", **more, since=member.heard_at, reason=reason)

    def _heard(self, client_id: str) -> None:
        member = self._reception.admitted.get(client_id)
        if member is None:
            return
        member.heard_at = self._reception.now()
        member.silence.heard()
        if member.lost and not member.done and not member.broken:
            member.lost = ""
            say("worker_back", worker=member.number, at=member.heard_at)

    def _event(self, environment: Environment, msg: Any) -> None:
        member, said = self._reception.admitted[msg.node_id], dict(msg.data)
        name = said.pop("event")
        if name == "rate":
            member.rate = said
        elif name == "done":
            member.done = said
        elif name == "ready":
            self._reception.prepared(member, said)
        elif name == "error":
            member.broken = True
            if self._started.is_set():
                self._lose(member, str(said.get("message")))
            else:
                self._reception.fail(f"Worker {member.number} cannot play: {said.get('message')}")

    def _rows(self, environment: Environment, msg: Any) -> None:
        self._reception.admitted[msg.node_id].keep(msg.data["rows"])

    def _done(self) -> None:
        whole = summed([member.done or member.rate for member in self._members])
        whole |= {"wall": time.time(), "monotonic": time.monotonic(), "stopped": self._stopped.is_set()}
        told = {name: value for name, value in whole.items() if not _of_now(name)}
        say("done", **told, workers=[member.about() for member in self._members])

    def _listen(self) -> None:
        for raw in FileObject(sys.stdin.fileno(), "rb", closefd=False):
            words = raw.decode("utf-8", "replace").split()
            if words[:1] == ["start"] and len(words) == 2 and not self._started.is_set():
                self._start = float(words[1])
                self._started.set()
            elif words == ["stop"]:
                break
        self._stopped.set()

    def stop(self) -> None:
        """End the run."""
        self._stopped.set()


def _totals(member: JoinedWorker) -> dict[str, Any]:
    """Return the last totals of a worker that plays no more."""
    return {name: member.done.get(name, said) for name, said in member.rate.items() if not _of_now(name)}


def _of_now(name: str) -> bool:
    return name in ("sent_per_s", "waiting") or name.startswith("latency_ms")


def main(argv: list[str]) -> int:
    """Play the crew file named in `argv`; return 0, or an exit code after an `error` event that says why."""
    if len(argv) != 1:
        say("error", message="usage: python -m tocsin.harness.traffic.locust.master CREW.json")
        return BROKEN
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; our parent decides
    try:
        master = Master(read_plan(WorkerPoolPlan, Path(argv[0])), os.environ.get(TOKEN, ""))
    except TocsinError as error:
        say("error", message=str(error))
        return error.exit_code
    gevent.signal_handler(signal.SIGTERM, master.stop)
    return master.run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
