"""What is seen while a drill plays: one panel on a terminal, a heartbeat line every 10 s elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING

from tocsin.harness.cli.console import say
from tocsin.harness.core.clock import format_duration

if TYPE_CHECKING:
    from rich.live import Live
    from rich.panel import Panel

    from tocsin.harness.runner.play import Progress

HEARTBEAT_S = 10.0


class State:
    """The latest updates of a drill, and the words for them."""

    def __init__(self, name: str, speed: float) -> None:
        self.name = name
        self.speed = speed
        self.began = time.monotonic()
        self._known: Progress = {}

    def update(self, progress: Progress) -> None:
        """Take in an update. It replaces the whole state, so that readers in other threads need no lock."""
        self._known = {**self._known, **progress}

    def since_s(self) -> float:
        """Return the wall seconds since the drill began."""
        return time.monotonic() - self.began

    @property
    def playing(self) -> bool:
        """Whether load is on."""
        return self._known.get("stage", "play") == "play"

    def position(self) -> str:
        """Where the drill stands, and while it plays, what is left of it in both clocks."""
        length_s = self._known.get("length_s")
        if not self.playing or not length_s:
            words = [self._known.get("stage", "starting"), self._known.get("note", "")]
            return ", ".join(filter(None, words))
        elapsed_s = min(self._known.get("elapsed_s", 0.0), length_s)
        left_s = length_s - elapsed_s
        times = [format_duration(round(time_s)) for time_s in (elapsed_s, length_s, left_s, left_s / self.speed)]
        elapsed, length, left, wall = times
        phase = self._known.get("phase") or "play"
        return f"{phase}: {elapsed} of {length} played, {left} left ({wall} of wall time)"

    def load(self) -> str:
        """Rate and errors while load is on, from the generator's last report."""
        rate = self._known.get("rate")
        if not self.playing or not rate:
            return ""
        words = f"{rate.get('sent_per_s', 0):.0f} requests/s, {rate.get('errors_5xx', 0)} answered 5xx"
        lost = rate.get("failed", 0) + rate.get("unknown", 0)
        if lost:
            words += f", {lost} without an answer"
        return words

    def broken(self) -> str:
        """The faults that are in force now."""
        return ", ".join(self._known.get("faults", ()))

    def firing(self) -> str:
        """The alerts that fire now."""
        return ", ".join(self._known.get("firing", ()))

    def line(self) -> str:
        """All of it in one line."""
        parts = [self.position(), self.load()]
        if self.broken():
            parts.append(f"fault: {self.broken()}")
        if self.firing():
            parts.append(f"firing: {self.firing()}")
        return f"[{self.since_s():4.0f} s] {self.name}: {'; '.join(filter(None, parts))}"


class Heartbeat:
    """A line on stderr when stage or phase changes, and at least every `every_s` wall seconds."""

    def __init__(self, state: State, every_s: float = HEARTBEAT_S) -> None:
        self._state = state
        self._every_s = every_s
        self._place: tuple[str | None, str | None] | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __call__(self, progress: Progress) -> None:
        """Take in an update."""
        self._state.update(progress)
        place = (progress.get("stage"), progress.get("phase"))
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

    def __call__(self, progress: Progress) -> None:
        """Take in an update."""
        self._state.update(progress)

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
        body = Text(state.position())
        if state.load():
            body.append(f"\n{state.load()}")
        if state.broken():
            body.append("\nfault: ").append(state.broken(), style="yellow")
        if state.firing():
            body.append("\nfiring: ").append(state.firing(), style="bold red")
        title = f"{state.name}, speed {state.speed:g}, {state.since_s():.0f} s"
        return Panel(body, title=title, title_align="left", padding=(0, 1))


def view(name: str, speed: float) -> Screen | Heartbeat:
    """Return the panel if stderr is a terminal, else the heartbeat."""
    state = State(name, speed)
    return Screen(state) if sys.stderr.isatty() else Heartbeat(state)
