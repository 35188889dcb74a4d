"""Lets workers join: checks that they know the token, measures their clocks, and sends them their plan."""

from __future__ import annotations

import json
import logging
import math
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from gevent.event import Event as Signal
from locust.env import Environment
from locust.rpc import Message
from locust.runners import MasterRunner

from tocsin.harness.core.errors import StackError
from tocsin.harness.evidence.requests import OUTCOMES, RequestBuffer, RequestWriter
from tocsin.harness.traffic.locust import master_protocol
from tocsin.harness.traffic.locust.master_protocol import ClockProbe, SilenceTimer
from tocsin.harness.traffic.stdout_events import Event, clocks_of, emit
from tocsin.harness.traffic.worker_pool import WorkerPoolPlan

_BEFORE_JOINING = ("client_ready", master_protocol.HELLO, master_protocol.JOIN)
_TICK_S = 0.5
_log = logging.getLogger(__name__)


class AuthenticatedMaster(MasterRunner):
    """A MasterRunner that drops every message of a worker that is not in `admitted`, except those of joining.

    `on_message(client_id)` is called for each message of an admitted one. StackError if the place cannot be bound.
    """

    def __init__(self, environment: Environment, host: str, port: int, on_message: Callable[[str], None]) -> None:
        self.admitted: set[str] = set()
        self._on_message = on_message
        try:
            super().__init__(environment, host, port)
        except (SystemExit, Exception) as error:
            raise StackError(
                f"The master of the workers cannot listen on {host}:{port}: {error or 'in use'}.",
                hint="Name a free port of this machine with --bind.",
            ) from None
        self.server.socket.linger = 1000  # ms: a worker that is gone must not hold up the end
        environment.runner = self

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.server.port)

    def client_listener(self) -> NoReturn:
        """Listen for ever; a message that cannot be understood is logged and dropped."""
        while True:
            try:
                super().client_listener()
            except Exception as error:
                _log.warning("A message was not understood: %r", error)

    def handle_message(self, client_id: str, msg: Message) -> None:
        """Handle a message if its sender was admitted or wants to join; nobody may send in the name of another."""
        if msg.node_id != client_id:
            return
        if client_id in self.admitted:
            self._on_message(client_id)
        elif msg.type not in _BEFORE_JOINING:
            return
        super().handle_message(client_id, msg)

    def send_to(self, client_id: str, message: str, /, **content: object) -> None:
        """Send one of our messages to one worker."""
        self.send_message(message, content, client_id)


@dataclass(kw_only=True)
class JoinedWorker:
    """A worker that has joined. `number` as in the records; `local` workers write their records themselves.

    `heard_at` is when its last message came, by the master's clock; `lost` says why it is lost, or nothing.
    """

    client_id: str
    number: int
    local: bool
    host: str
    pid: int
    clock: ClockProbe
    writer: RequestBuffer = field(default_factory=RequestBuffer)
    heard_at: float = math.nan
    silence: SilenceTimer = field(default_factory=lambda: SilenceTimer(_TICK_S, master_protocol.SILENT_S))
    ready: Event = field(default_factory=dict)
    rate: Event = field(default_factory=dict)
    done: Event = field(default_factory=dict)
    lost: str = ""
    broken: bool = False

    @property
    def plays(self) -> bool:
        """Whether it has neither ended nor been lost."""
        return not self.done and not self.lost

    def about(self) -> Event:
        """Return what the engine's side is told of it: `recorded` is None if it never reported that it had ended."""
        recorded = sum(int(self.done.get(name, 0)) for name in OUTCOMES) if self.done else None
        return {
            "worker": self.number,
            "local": self.local,
            "host": self.host,
            "pid": self.pid,
            "offset_s": self.clock.offset_s,
            "uncertainty_s": self.clock.uncertainty_s,
            "recorded": recorded,
            "clocks": clocks_of(self.ready, self.done) if self.local else [],
            "done": self.done,
            "lost": self.lost,
        }


class JoinHandshake:
    """Lets workers join until the pool is complete. `now` is the master's clock, by which all records are kept."""

    def __init__(self, plan: WorkerPoolPlan, token: str, master: AuthenticatedMaster, now: Callable[[], float]) -> None:
        self.now = now
        self.admitted: dict[str, JoinedWorker] = {}
        self.complete = Signal()
        self.failure = ""
        self._plan = plan
        self._token = token
        self._master = master
        self._nonces: dict[str, tuple[str, str]] = {}
        master.register_message(master_protocol.HELLO, self._hello)
        master.register_message(master_protocol.JOIN, self._join)
        master.register_message(master_protocol.PONG, self._pong)

    @property
    def members(self) -> list[JoinedWorker]:
        """Those who joined, by number."""
        return sorted(self.admitted.values(), key=lambda member: member.number)

    def prepared(self, member: JoinedWorker, ready: Event) -> None:
        """Note that a worker can start."""
        member.ready = ready
        if sum(bool(member.ready) for member in self.members) == self._plan.workers:
            self.complete.set()

    def fail(self, message: str) -> None:
        """Give up, with a sentence."""
        self.failure = self.failure or message
        self.complete.set()

    def _hello(self, environment: Environment, msg: Message) -> None:
        if len(self._nonces) > 1000:
            self._nonces.clear()
        ours, theirs = secrets.token_hex(16), str(msg.data["nonce"])
        self._nonces[msg.node_id] = (ours, theirs)
        proof = master_protocol.proof(self._token, "master", theirs)
        self._master.send_to(msg.node_id, master_protocol.CHALLENGE, nonce=ours, proof=proof)

    def _join(self, environment: Environment, msg: Message) -> None:
        ours, theirs = self._nonces.pop(msg.node_id, ("", ""))
        if not ours or not master_protocol.proved(msg.data["proof"], self._token, "worker", ours, msg.node_id):
            emit("stranger", host=str(msg.data.get("host", ""))[:100])
            self._refuse(
                msg.node_id,
                f"it does not know the token of this run; set the same {master_protocol.TOKEN} on both sides",
            )
            return
        number = self._free_number(msg.data["number"])
        if number is None:
            self._refuse(msg.node_id, f"this run has all its {self._plan.workers} workers")
            return
        member = JoinedWorker(
            client_id=msg.node_id,
            number=number,
            local=msg.data["number"] is not None,
            host=str(msg.data["host"]),
            pid=int(msg.data["pid"]),
            clock=ClockProbe(self.now),
            heard_at=self.now(),
        )
        self.admitted[msg.node_id] = member
        self._master.admitted.add(msg.node_id)
        self._nonces[msg.node_id] = ("", theirs)
        self._ping(member)

    def _free_number(self, number: int | None) -> int | None:
        """Return the number for a worker that brings this one (None: a remote worker); None if there is no place."""
        if self.complete.is_set():
            return None
        candidates = range(self._plan.local + 1, self._plan.workers + 1)
        if number is not None:
            candidates = range(number, number + 1)
        taken = {member.number for member in self.members}
        return next((free for free in candidates if free not in taken and 0 < free <= self._plan.workers), None)

    def _refuse(self, client_id: str, why: str) -> None:
        self._master.send_to(client_id, master_protocol.REFUSED, message=f"The master refused this worker: {why}.")

    def _ping(self, member: JoinedWorker) -> None:
        self._master.send_to(member.client_id, master_protocol.PING, number=member.clock.ask())

    def _pong(self, environment: Environment, msg: Message) -> None:
        member = self.admitted[msg.node_id]
        if member.clock.answer(msg.data["number"], float(msg.data["at"])):
            self._send_plan(member)
        else:
            self._ping(member)

    def _send_plan(self, member: JoinedWorker) -> None:
        """Give a worker its plan; a remote one also the files that the plan names, and its clock's correction."""
        plan = {**self._plan.plan, "worker": member.number, "workers": self._plan.workers}
        files: dict[str, bytes] = {}
        offset_s = 0.0
        if not member.local:
            member.writer = RequestWriter(Path(str(plan["records"])) / f"{member.number}.npy")
            files = {name: Path(name).read_bytes() for name in sorted(set(master_protocol.named_files(plan)))}
            offset_s = member.clock.offset_s
        text = json.dumps(plan, default=str)
        _, theirs = self._nonces.pop(member.client_id)
        proof = master_protocol.sealed_plan(self._token, theirs, text, files)
        emit("joined", **{key: value for key, value in member.about().items() if key not in ("done", "clocks")})
        self._master.send_to(
            member.client_id, master_protocol.PLAN, plan=text, proof=proof, offset_s=offset_s, files=files
        )
