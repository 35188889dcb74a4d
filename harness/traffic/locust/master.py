"""The master process of several workers: lets them join, measures their clocks, starts them, sums their figures.

Started as `python -m tocsin.harness.traffic.locust.master POOL.json`. stdin: `start <epoch seconds>`, `stop` (or its
end). Events on stdout: `listening` with the port, `joined`, `stranger`, `ready`, `rate`, `worker_lost`, `worker_back`,
`done`, `error`.
"""

from __future__ import annotations

import math
import os
import signal
import sys

import gevent
import numpy as np
from locust.env import Environment
from locust.rpc import Message

from tocsin.harness.core.clock import RunClock
from tocsin.harness.core.errors import UNKNOWN
from tocsin.harness.evidence.requests import RECORD
from tocsin.harness.traffic.load_plan import load_or_report
from tocsin.harness.traffic.locust.join_handshake import AuthenticatedMaster, JoinedWorker, JoinHandshake
from tocsin.harness.traffic.locust.master_protocol import BYE, EVENT, ROWS, START, STOP, TOKEN, summed
from tocsin.harness.traffic.locust.stdin_commands import Startable, follow_commands
from tocsin.harness.traffic.stdout_events import Event, both_clocks, emit
from tocsin.harness.traffic.worker_pool import WorkerPoolPlan

_TICK_S = 0.5
_STOP_S = 6.0
"""Wall seconds that workers have to end after `stop`."""


class Master(Startable):
    """One run of several workers."""

    def __init__(self, plan: WorkerPoolPlan, token: str) -> None:
        super().__init__()
        self._plan = plan
        host, _, port = plan.bind.rpartition(":")
        self._master = AuthenticatedMaster(Environment(), host, int(port), self._on_message)
        self._joining = JoinHandshake(plan, token, self._master, RunClock().now)
        self._master.register_message(EVENT, self._event)
        self._master.register_message(ROWS, self._rows)

    def run(self) -> int:
        """Play the plan; return the exit code."""
        emit("listening", port=self._master.port)
        gevent.spawn(follow_commands, self.start, self.stop)
        gevent.wait([self._joining.complete, self._stopped], count=1)
        if self._joining.failure:
            return self._fail(self._joining.failure)
        self._ready()
        gevent.wait([self._started, self._stopped], count=1)
        self._play()
        for member in self._members:
            member.writer.close()
        self._tell_all(BYE)
        self._done()
        gevent.sleep(0.1)  # the farewell is sent from a queue
        return 0

    @property
    def _members(self) -> list[JoinedWorker]:
        return self._joining.members

    def _ready(self) -> None:
        emit("ready", workers=[member.about() for member in self._members], **both_clocks())

    def _fail(self, message: str) -> int:
        self._tell_all(STOP)
        self._tell_all(BYE)
        emit("error", message=message)
        gevent.sleep(0.1)
        return UNKNOWN

    def _play(self) -> None:
        """Follow the workers until each has ended or is lost; report their rates each second."""
        if self._started.is_set():
            self._tell_all(START, at=self._start)
        ticks, last_tick = 0, math.inf
        while any(member.plays for member in self._members) and ticks <= last_tick:
            if last_tick < math.inf:
                gevent.sleep(_TICK_S)
            elif self._stopped.wait(_TICK_S):
                last_tick = ticks + 1 + _STOP_S / _TICK_S
                self._tell_all(STOP)
            ticks += 1
            self._watch(ticks)
        for member in self._members:
            if member.plays:
                self._lose(member, "it did not end when told to")

    def _tell_all(self, message: str, /, **content: object) -> None:
        for member in self._members:
            self._master.send_to(member.client_id, message, **content)

    def _watch(self, ticks: int) -> None:
        for member in self._members:
            member.writer.flush()  # so that a crash finds the records
            if member.plays and member.silence.tick():
                self._lose(member, f"nothing was heard of it for {member.silence.seconds:.1f} s")
        if ticks % 2 == 0:
            self._rate()

    def _rate(self) -> None:
        """Report the totals of all, and the figures of the moment of those that still play."""
        ended = [_totals(member) for member in self._members if not member.plays]
        playing = [member.rate for member in self._members if member.plays and member.rate]
        if playing and not emit("rate", **{**summed([*ended, *playing]), "at": self._joining.now()}):
            self._stopped.set()

    def _lose(self, member: JoinedWorker, reason: str) -> None:
        member.lost = reason
        share = round(1 / self._plan.workers, 4)
        lost = {"worker": member.number, "share": share, "host": member.host, "since": member.heard_at}
        emit("worker_lost", **lost, reason=reason)

    def _on_message(self, client_id: str) -> None:
        member = self._joining.admitted.get(client_id)
        if member is None:
            return
        member.heard_at = self._joining.now()
        member.silence.heard()
        if member.lost and not member.done and not member.broken:
            member.lost = ""
            emit("worker_back", worker=member.number, at=member.heard_at)

    def _event(self, environment: Environment, msg: Message) -> None:
        member, event = self._joining.admitted[msg.node_id], dict(msg.data)
        name = event.pop("event")
        if name == "rate":
            member.rate = event
        elif name == "done":
            member.done = event
        elif name == "ready":
            self._joining.prepared(member, event)
        elif name == "error":
            member.broken = True
            if self._started.is_set():
                self._lose(member, str(event.get("message")))
            else:
                self._joining.fail(f"Worker {member.number} cannot play: {event.get('message')}")

    def _rows(self, environment: Environment, msg: Message) -> None:
        self._joining.admitted[msg.node_id].writer.append(np.frombuffer(msg.data["rows"], RECORD))

    def _done(self) -> None:
        sums = summed(member.done or member.rate for member in self._members)
        totals = {name: value for name, value in sums.items() if not _of_now(name)}
        totals |= {**both_clocks(), "stopped": self._stopped.is_set()}
        emit("done", **totals, workers=[member.about() for member in self._members])


def _totals(member: JoinedWorker) -> Event:
    """Return the last totals of a worker that plays no more."""
    return {name: member.done.get(name, last) for name, last in member.rate.items() if not _of_now(name)}


def _of_now(name: str) -> bool:
    return name in ("sent_per_s", "waiting") or name.startswith("latency_ms")


def main(argv: list[str]) -> int:
    """Play the pool file named in `argv`; return 0, or an exit code after an `error` event."""
    master = load_or_report("tocsin.harness.traffic.locust.master POOL.json", argv, WorkerPoolPlan, _master)
    if isinstance(master, int):
        return master
    gevent.signal_handler(signal.SIGTERM, master.stop)
    return master.run()


def _master(plan: WorkerPoolPlan) -> Master:
    return Master(plan, os.environ.get(TOKEN, ""))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
