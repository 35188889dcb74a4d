"""A worker: joins a master, gets its share of a load, and plays it like a traffic process of its own.

Started as `python -m tocsin.harness.traffic.locust.worker HOST:PORT [NUMBER]`, the token in TOCSIN_WORKER_TOKEN. With a
number it is one of the workers on the master's machine and writes its records itself; without, it sends them to the
master. It ends at the end of stdin, at SIGTERM, and when the master is lost.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
from collections import deque
from pathlib import Path

import gevent
import numpy as np
from gevent.event import Event
from locust.env import Environment
from locust.exception import RPCError
from locust.rpc import Message
from locust.runners import WorkerRunner
from zmq.error import ZMQError

from tocsin.harness.core.clock import RunClock
from tocsin.harness.core.errors import BROKEN, PASS, UNKNOWN, USAGE, StackError
from tocsin.harness.evidence.requests import RequestBuffer
from tocsin.harness.traffic.load_plan import TrafficPlan, read_plan
from tocsin.harness.traffic.locust import master_protocol
from tocsin.harness.traffic.locust.stdin_commands import follow_commands
from tocsin.harness.traffic.locust.traffic_process import LoadPlayer
from tocsin.harness.traffic.stdout_events import Event as Fields

_TICK_S = 0.5
_ROWS_EVERY_S = 0.1
_HELLO_S = 10.0
_FAREWELL_S = 20.0
_LINGER_MS = 2000
"""What was not sent by then is given up when the process ends."""


class RemoteRecords(RequestBuffer):
    """A RequestBuffer whose rows go to the master over Locust's protocol, from a greenlet of its own."""

    def __init__(self, runner: WorkerRunner) -> None:
        super().__init__()
        self._runner = runner
        self._waiting: deque[bytes] = deque()
        self._sending = gevent.spawn(self._send_for_ever)

    def _write(self, rows: np.ndarray) -> None:
        self._waiting.append(rows.tobytes())

    def _close(self) -> None:
        self._sending.kill()
        self._send()

    def _send_for_ever(self) -> None:
        while True:
            gevent.sleep(_ROWS_EVERY_S)
            self._send()

    def _send(self) -> None:
        while self._waiting:
            self._runner.send_message(master_protocol.ROWS, {"rows": self._waiting[0]})
            self._waiting.popleft()


class Worker:
    """One worker for one run. `number` None: it runs on another machine than the master. `clock` is this machine's."""

    def __init__(self, master: str, token: str, number: int | None = None, clock: RunClock | None = None) -> None:
        self._host, _, port = master.rpartition(":")
        self._port = int(port)
        self._token = token
        self._number = number
        self._clock = clock or RunClock()
        self._nonce = secrets.token_hex(16)
        self._silence = master_protocol.SilenceTimer(_TICK_S, master_protocol.MASTER_LOST_S)
        self._answered, self._planned, self._bye = Event(), Event(), Event()
        self._refused = ""
        self._given: Fields = {}
        self._process: LoadPlayer | None = None
        self._runner: WorkerRunner | None = None
        self._folder = ""
        self.failure = ""

    def run(self) -> int:
        """Join, play, report; return the exit code. `failure` says why if it is not 0."""
        connecting = gevent.spawn(self._connect)
        gevent.wait([connecting, self._bye], count=1)
        if self._bye.is_set():
            return PASS
        if self._runner is None:
            return self._fail(f"No master answered at {self._host}:{self._port}.", UNKNOWN)
        self._send(master_protocol.HELLO, nonce=self._nonce)
        gevent.wait([self._answered, self._bye], timeout=_HELLO_S, count=1)
        if not self._answered.is_set() and not self._bye.is_set():
            return self._fail("What answers there is a Locust master, but not one of Tocsin.", UNKNOWN)
        gevent.wait([self._planned, self._bye], count=1)
        if self._refused:
            return self._fail(self._refused, USAGE)
        return self._play() if self._given else PASS

    def stop(self) -> None:
        """End: what is under way is recorded, nothing more is sent."""
        if self._process:
            self._process.stop()
        self._bye.set()

    def _connect(self) -> None:
        try:
            runner = Environment().create_worker_runner(self._host, self._port)
        except (OSError, RPCError, ZMQError):
            return
        self._runner = runner
        runner.client.socket.linger = _LINGER_MS
        runner.register_message(master_protocol.CHALLENGE, self._challenge)
        runner.register_message(master_protocol.REFUSED, self._refuse)
        runner.register_message(master_protocol.PING, self._pong)
        runner.register_message(master_protocol.PLAN, self._plan)
        runner.register_message(master_protocol.START, self._start)
        runner.register_message(master_protocol.STOP, self._stop)
        runner.register_message(master_protocol.BYE, lambda **more: self._bye.set())
        runner.environment.events.heartbeat_received.add_listener(lambda **more: self._silence.heard())  # type: ignore[no-untyped-call]
        gevent.spawn(self._watch)

    def _watch(self) -> None:
        """End when nothing is heard of the master any more: nobody would read the events."""
        while not self._silence.tick():
            gevent.sleep(_TICK_S)
        self._fail(f"Nothing was heard of the master for {self._silence.seconds:.0f} s.", UNKNOWN)
        self.stop()
        gevent.sleep(2.0)  # records are written meanwhile
        sys.stderr.write(self.failure + "\n")
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
        os._exit(UNKNOWN)

    def _play(self) -> int:
        with tempfile.TemporaryDirectory(prefix="tocsin-worker-") as self._folder:
            try:
                self._process = self._player(Path(self._folder))
            except StackError as error:
                self._report("error", message=str(error))
                return self._fail(str(error), error.exit_code)
            code = self._process.run()
        gevent.wait([self._bye], timeout=_FAREWELL_S)
        if self.failure and code == PASS:
            return UNKNOWN
        return code

    def _player(self, folder: Path) -> LoadPlayer:
        """Return what plays the plan; on another machine by the master's clock, and with the records sent there."""
        plan = self._unpacked_plan(folder)
        if self._number is not None:
            return LoadPlayer(plan, report=self._report)
        assert self._runner
        self._clock.wall_start -= float(self._given["offset_s"])
        return LoadPlayer(plan, report=self._report, now=self._clock.now, writer=RemoteRecords(self._runner))

    def _unpacked_plan(self, folder: Path) -> TrafficPlan:
        """Write the files that came with the plan below `folder`, and return the plan that names them there."""
        text = self._given["plan"]
        for place, (name, content) in enumerate(sorted(self._given["files"].items())):
            path = folder / f"{place}-{Path(name).name}"
            path.write_bytes(content)
            text = text.replace(json.dumps(name)[1:-1], json.dumps(str(path))[1:-1])
        (folder / "plan.json").write_text(text, encoding="utf-8")
        return read_plan(TrafficPlan, folder / "plan.json")

    def _challenge(self, environment: Environment, msg: Message) -> None:
        self._answered.set()
        if not master_protocol.proved(msg.data["proof"], self._token, "master", self._nonce):
            self._refused = f"The master does not know our token; set the same {master_protocol.TOKEN} on both sides."
            self._planned.set()
        assert self._runner
        proof = master_protocol.proof(self._token, "worker", str(msg.data["nonce"]), self._runner.client_id)
        self._send(master_protocol.JOIN, proof=proof, number=self._number, host=socket.gethostname(), pid=os.getpid())

    def _refuse(self, environment: Environment, msg: Message) -> None:
        self._refused = self._refused or str(msg.data["message"])
        self._planned.set()

    def _pong(self, environment: Environment, msg: Message) -> None:
        self._send(master_protocol.PONG, number=msg.data["number"], at=self._clock.now())

    def _plan(self, environment: Environment, msg: Message) -> None:
        plan, files = str(msg.data["plan"]), dict(msg.data["files"])
        if msg.data["proof"] != master_protocol.sealed_plan(self._token, self._nonce, plan, files):
            self._refused = "The plan that came was not sealed by a master that knows our token."
        else:
            self._given = dict(msg.data)
        self._planned.set()

    def _start(self, environment: Environment, msg: Message) -> None:
        if self._process:
            self._process.start(float(msg.data["at"]))

    def _stop(self, environment: Environment, msg: Message) -> None:
        if self._process:
            self._process.stop()

    def _report(self, event: str, /, **fields: object) -> bool:
        """Send an event of the traffic process to the master."""
        self._send(master_protocol.EVENT, event=event, **fields)
        return True

    def _send(self, message: str, /, **content: object) -> None:
        assert self._runner
        self._runner.send_message(message, content)

    def _fail(self, why: str, code: int) -> int:
        self.failure = self.failure or why
        return code


def main(argv: list[str]) -> int:
    """Play one run as a worker of the master at `argv[0]`; return the exit code, say on stderr why it fails."""
    if len(argv) not in (1, 2):
        sys.stderr.write("usage: python -m tocsin.harness.traffic.locust.worker HOST:PORT [NUMBER]\n")
        return BROKEN
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; our parent decides
    number = int(argv[1]) if len(argv) == 2 else None
    worker = Worker(argv[0], os.environ.get(master_protocol.TOKEN, ""), number)
    gevent.signal_handler(signal.SIGTERM, worker.stop)
    gevent.spawn(follow_commands, lambda at: None, worker.stop)
    code = worker.run()
    if worker.failure:
        sys.stderr.write(f"{worker.failure}\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
