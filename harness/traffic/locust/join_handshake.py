"""Where workers join: who they are, whether they know the token, how far their clocks are ahead, and their plan."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from gevent.event import Event
from locust.env import Environment

from tocsin.harness.evidence.requests import OUTCOMES, RECORD, RequestWriter
from tocsin.harness.traffic.locust import master_protocol
from tocsin.harness.traffic.locust.authenticated_master import AuthenticatedMaster
from tocsin.harness.traffic.locust.events import say
from tocsin.harness.traffic.locust.master_protocol import ClockProbe, SilenceTimer
from tocsin.harness.traffic.worker_pool import WorkerPoolPlan

_TICK_S = 0.5


@dataclass(kw_only=True)
class JoinedWorker:
    """A worker that has joined. `number` as in the records; `local` workers write their records themselves.

    `heard_at` is when something was heard of it, by the master's clock; `lost` says why it is lost, or nothing.
    """

    client_id: str
    number: int
    local: bool
    host: str
    pid: int
    clock: ClockProbe
    writer: RequestWriter | None = None
    heard_at: float = math.nan
    silence: SilenceTimer = field(default_factory=lambda: SilenceTimer(_TICK_S, master_protocol.SILENT_S))
    ready: dict[str, Any] = field(default_factory=dict)
    rate: dict[str, Any] = field(default_factory=dict)
    done: dict[str, Any] = field(default_factory=dict)
    lost: str = ""
    broken: bool = False

    @property
    def plays(self) -> bool:
        """It has neither ended nor been lost."""
        return not self.done and not self.lost

    def keep(self, rows: bytes) -> None:
        """Keep rows of a worker elsewhere."""
        if self.writer is not None:
            self.writer.append(np.frombuffer(rows, RECORD))

    def flush(self) -> None:
        """Write what was kept, so that a crash finds it."""
        if self.writer is not None:
            self.writer.flush()

    def close(self) -> None:
        """Write the rest."""
        if self.writer is not None:
            self.writer.close()

    def about(self) -> dict[str, Any]:
        """Return what the engine's side keeps of it: `recorded` is None if it never said that it had ended."""
        recorded = sum(int(self.done.get(name, 0)) for name in OUTCOMES) if self.done else None
        clocks = [said for said in (self.ready, self.done) if {"wall", "monotonic"} <= set(said)] if self.local else []
        return {
            "worker": self.number,
            "local": self.local,
            "host": self.host,
            "pid": self.pid,
            "offset_s": self.clock.offset_s,
            "uncertainty_s": self.clock.uncertainty_s,
            "recorded": recorded,
            "clocks": [{name: said[name] for name in ("wall", "monotonic")} for said in clocks],
            "done": self.done,
            "lost": self.lost,
        }


class JoinHandshake:
    """Lets workers join until the crew is complete. `now` is the master's clock, by which all records are kept."""

    def __init__(self, crew: WorkerPoolPlan, token: str, gate: AuthenticatedMaster, now: Callable[[], float]) -> None:
        self.now = now
        self.admitted: dict[str, JoinedWorker] = {}
        self.complete = Event()
        self.failure = ""
        self._crew = crew
        self._token = token
        self._gate = gate
        self._asked: dict[str, tuple[str, str]] = {}
        for message, listener in (
            (master_protocol.HELLO, self._hello),
            (master_protocol.JOIN, self._join),
            (master_protocol.PONG, self._pong),
        ):
            gate.register_message(message, listener)

    @property
    def members(self) -> list[JoinedWorker]:
        """Those who joined, by number."""
        return sorted(self.admitted.values(), key=lambda member: member.number)

    def prepared(self, member: JoinedWorker, said: dict[str, Any]) -> None:
        """Note that a worker can start."""
        member.ready = said
        if sum(bool(one.ready) for one in self.members) == self._crew.workers:
            self.complete.set()

    def fail(self, message: str) -> None:
        """Give up, with a sentence."""
        self.failure = self.failure or message
        self.complete.set()

    def _hello(self, environment: Environment, msg: Any) -> None:
        if len(self._asked) > 1000:
            self._asked.clear()
        ours, theirs = master_protocol.nonce(), str(msg.data["nonce"])
        self._asked[msg.node_id] = (ours, theirs)
        proof = master_protocol.proof(self._token, "master", theirs)
        self._gate.tell(msg.node_id, master_protocol.CHALLENGE, nonce=ours, proof=proof)

    def _join(self, environment: Environment, msg: Any) -> None:
        ours, theirs = self._asked.pop(msg.node_id, ("", ""))
        if not ours or not master_protocol.proved(msg.data["proof"], self._token, "worker", ours, msg.node_id):
            say("stranger", host=str(msg.data.get("host", ""))[:100])
            self._refuse(
                msg.node_id,
                f"it does not know the token of this run; set the same {master_protocol.TOKEN} on both sides",
            )
            return
        number = msg.data["number"]
        local = number is not None
        taken = {member.number for member in self.members}
        offered = [number] if local else range(self._crew.local + 1, self._crew.workers + 1)
        free = [one for one in offered if one not in taken and 0 < one <= self._crew.workers]
        if not free or self.complete.is_set():
            self._refuse(msg.node_id, f"this run has all its {self._crew.workers} workers")
            return
        member = JoinedWorker(
            client_id=msg.node_id,
            number=free[0],
            local=local,
            host=str(msg.data["host"]),
            pid=int(msg.data["pid"]),
            clock=ClockProbe(self.now),
            heard_at=self.now(),
        )
        self.admitted[msg.node_id] = member
        self._gate.admitted.add(msg.node_id)
        self._asked[msg.node_id] = ("", theirs)
        self._ping(member)

    def _refuse(self, client_id: str, why: str) -> None:
        self._gate.tell(client_id, master_protocol.REFUSED, message=f"The master refused this worker: {why}.")

    def _ping(self, member: JoinedWorker) -> None:
        self._gate.tell(member.client_id, master_protocol.PING, number=member.clock.ask())

    def _pong(self, environment: Environment, msg: Any) -> None:
        member = self.admitted[msg.node_id]
        if member.clock.answer(msg.data["number"], float(msg.data["at"])):
            self._send_plan(member)
        else:
            self._ping(member)

    def _send_plan(self, member: JoinedWorker) -> None:
        """Give a worker its plan; one elsewhere also the files that the plan names, and its clock's correction."""
        plan = {**self._crew.plan, "worker": member.number, "workers": self._crew.workers}
        files: dict[str, bytes] = {}
        if not member.local:
            member.writer = RequestWriter(Path(plan["records"]) / f"{member.number}.npy")
            files = {name: Path(name).read_bytes() for name in sorted(set(master_protocol.named_files(plan)))}
        text = json.dumps(plan, default=str)
        _, asked = self._asked.pop(member.client_id)
        more = {"offset_s": 0.0 if member.local else member.clock.offset_s, "files": files}
        proof = master_protocol.sealed_plan(self._token, asked, text, files)
        say("joined", **{key: value for key, value in member.about().items() if key not in ("done", "clocks")})
        self._gate.tell(member.client_id, master_protocol.PLAN, plan=text, proof=proof, **more)
