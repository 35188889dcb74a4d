"""What is seen while a drill plays: one panel on a terminal, a heartbeat line every 10 s elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from tocsin.harness.cli.console import say
from tocsin.harness.core.clock import format_duration

if TYPE_CHECKING:
    from rich.live import Live
    from rich.panel import Panel

HEARTBEAT_S = 10.0


class View(Protocol):
    """Receives updates from the stages, from any thread, and shows them while entered."""

    def __call__(self, update: Mapping[str, Any]) -> None:
        """Take in an update; keys left out keep their last value."""

    def __enter__(self) -> View: ...

    def __exit__(self, *error: object) -> None: ...


class State:
    """The latest updates of a drill, and the words for them."""

    def __init__(self, name: str, speed: float) -> None:
        self.name = name
        self.speed = speed
        self.began = time.monotonic()
        self._known: dict[str, Any] = {}

    def update(self, news: Mapping[str, Any]) -> None:
        """Take in an update; one replacement of the whole, so that readers in other threads need no lock."""
        self._known = {**self._known, **news}

    def since_s(self) -> float:
        """Wall seconds since the drill began."""
        return time.monotonic() - self.began

    def progress(self) -> str:
        """Where the drill stands, and what is left in both clocks while it plays."""
        known = self._known
        length_s = known.get("length_s")
        if known.get("stage", "play") != "play" or not length_s:
            return f"{known.get('stage', 'starting')}, {self.note()}".rstrip(", ")
        elapsed_s = min(float(known.get("elapsed_s") or 0.0), float(length_s))
        left_s = float(length_s) - elapsed_s
        whole, left, wall = (format_duration(round(value)) for value in (length_s, left_s, left_s / self.speed))
        phase = known.get("phase") or "play"
        return f"{phase}: {format_duration(round(elapsed_s))} of {whole} played, {left} left ({wall} on the wall)"

    def load(self) -> str:
        """Rate and errors while load is on: `rate` is the generator's last report."""
        rate = self._known.get("rate") or {}
        if self._known.get("stage", "play") != "play" or not rate:
            return ""
        lost = rate.get("failed", 0) + rate.get("unknown", 0)
        told = [f"{rate.get('sent_per_s', 0):.0f} requests/s", f"{rate.get('errors_5xx', 0)} answered 5xx"]
        return ", ".join([*told, f"{lost} without an answer"] if lost else told)

    def broken(self) -> str:
        """The faults that are in now."""
        return ", ".join(str(fault) for fault in self._known.get("faults") or ())

    def firing(self) -> str:
        """The alerts that fire now."""
        return ", ".join(str(alert) for alert in self._known.get("firing") or ())

    def note(self) -> str:
        """The last remark of a stage."""
        return str(self._known.get("note") or "")

    def line(self) -> str:
        """All of it in one line."""
        broken = f"fault: {self.broken()}" if self.broken() else ""
        firing = f"firing: {self.firing()}" if self.firing() else ""
        parts = [part for part in (self.progress(), self.load(), broken, firing) if part]
        return f"[{self.since_s():4.0f} s] {self.name}: {'; '.join(parts)}"


class Heartbeat:
    """A line on stderr when stage or phase changes, and at least every `every_s` wall seconds."""

    def __init__(self, state: State, every_s: float = HEARTBEAT_S) -> None:
        self._state = state
        self._every_s = every_s
        self._place: object = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __call__(self, update: Mapping[str, Any]) -> None:
        """Take in an update."""
        self._state.update(update)
        place = (update.get("stage"), update.get("phase"))
        if place != self._place:
            self._place = place
            say(self._state.line())

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join(timeout=2.0)

    def _beat(self) -> None:
        while not self._ended.wait(self._every_s):
            say(self._state.line())


class Screen:
    """A panel on stderr, redrawn four times a second and gone at the end."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._live: Live | None = None

    def __call__(self, update: Mapping[str, Any]) -> None:
        """Take in an update."""
        self._state.update(update)

    def __enter__(self) -> Screen:
        from rich.live import Live

        from tocsin.harness.cli.console import console

        self._live = Live(
            get_renderable=self._panel, console=console(sys.stderr), refresh_per_second=4, transient=True,
            redirect_stdout=False, redirect_stderr=False,
        )  # fmt: skip
        self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._live is not None:
            self._live.stop()

    def _panel(self) -> Panel:
        from rich.panel import Panel
        from rich.text import Text

        state = self._state
        body = Text(state.progress())
        if state.load():
            body.append(f"\n{state.load()}")
        if state.broken():
            body.append("\nfault: ").append(state.broken(), style="yellow")
        if state.firing():
            body.append("\nfiring: ").append(state.firing(), style="bold red")
        title = f"{state.name}, speed {state.speed:g}, {state.since_s():.0f} s"
        return Panel(body, title=title, title_align="left", padding=(0, 1))


def view(name: str, speed: float) -> View:
    """Return the panel if stderr is a terminal, else the heartbeat."""
    state = State(name, speed)
    return Screen(state) if sys.stderr.isatty() else Heartbeat(state)
