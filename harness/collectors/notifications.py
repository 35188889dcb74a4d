"""Notifications: follows the pager's record into the run directory, so that a crash loses none."""

from __future__ import annotations

import threading
from pathlib import Path

from tocsin.harness.collectors.collector import Run, in_words
from tocsin.harness.collectors.periodic_thread import PeriodicThread
from tocsin.harness.collectors.server_queries import Alertmanager
from tocsin.harness.core.journal import Journal
from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.evidence.evidence import Window
from tocsin.harness.evidence.notifications import Notification, read_notifications

RECORD = "pager/notifications.jsonl"
"""Where the pager writes, below the work folder."""

_SLACK_S = 1.0


class Notifications:
    """Appends the pager's new whole lines to `notifications.jsonl` each `every_s` wall seconds.

    After an alert left Alertmanager its resolved notice may take another group interval. A receiver that is told of no
    end costs that long once, when the drill settles.
    """

    name = "notifications"
    asks: tuple[str, ...] = ("alertmanager", "pager")

    def __init__(self, every_s: float = 0.5) -> None:
        self.every_s = every_s
        self.lines = 0
        self._offset = 0
        self._left: dict[tuple[str, str], float] = {}
        self._copying = threading.Lock()

    def start(self, live: LiveStack, run: Run, journal: Journal) -> None:
        """Begin to follow; the pager's file need not exist yet."""
        self._source, self._target = live.work / RECORD, run.folder / "notifications.jsonl"
        self._target.touch()
        self._alertmanager = Alertmanager(live)
        self._ticker = PeriodicThread(self.name, self.every_s, self._copy, journal)
        self._ticker.start()

    def stop(self) -> None:
        """End the thread; `collect` still works."""
        self._ticker.stop()

    @in_words
    def seen_canary(self, live: LiveStack, run: Run) -> tuple[bool, str]:
        """Tell whether a firing Watchdog was delivered to its receiver."""
        watchdog = live.stack.signals.watchdog
        if watchdog is None:
            return True, "signals.watchdog is not declared; checks on it are unknown"
        came = self._came()
        seen = any(n.delivered and n.receiver == watchdog.receiver and n.names(watchdog.alert) for n in came)
        last = f"the last for {came[-1].receiver}, answered {came[-1].answered}" if came else "none yet"
        return seen, f"{len(came)} notifications, {last}; awaited {watchdog.alert} for {watchdog.receiver}"

    @in_words
    def caught_up(self, live: LiveStack, run: Run, at: float) -> tuple[bool, str]:
        """Tell whether every active alert reached its receivers and every one that left was reported as resolved.

        Of those that left, only for as long as a resolved notice may take.
        """
        held = self._alertmanager.alerts()
        told = _told(self._came())
        kept = {(alert["fingerprint"], one["name"]): alert for alert in held for one in alert["receivers"]}
        awaited = [
            f"{alert['labels'].get('alertname')} at {receiver}"
            for (fingerprint, receiver), alert in kept.items()
            if alert["status"]["state"] == "active" and told.get((fingerprint, receiver)) != "firing"
        ]
        now = run.clock.now()
        left = [key for key, status in told.items() if status == "firing" and key not in kept]
        within_s = self._alertmanager.group_interval_s() + _SLACK_S if left else 0.0
        late = [key for key in left if now - self._left.setdefault(key, now) < within_s]
        awaited += [f"a resolved notice at {receiver}" for _, receiver in late]
        return not awaited, f"awaited: {', '.join(awaited)}" if awaited else "nobody is still to be told"

    def collect(self, live: LiveStack, window: Window, run: Run, journal: Journal) -> int:
        """Copy what is left and return how many lines there are."""
        self._ticker.once()
        self._alertmanager.close()
        return self.lines

    def _came(self) -> tuple[Notification, ...]:
        self._ticker.once()
        return read_notifications(self._target)

    def _copy(self) -> None:
        with self._copying:
            new = _new_lines(self._source, self._offset)
            if not new:
                return
            with self._target.open("ab") as file:
                file.write(new)
            self._offset += len(new)
            self.lines += new.count(b"\n")


def _new_lines(path: Path, offset: int) -> bytes:
    """Return the whole lines from `offset` on; a last line without its end waits."""
    if not path.is_file() or path.stat().st_size <= offset:
        return b""
    with path.open("rb") as file:
        file.seek(offset)
        new = file.read()
    return new[: new.rfind(b"\n") + 1]


def _told(came: tuple[Notification, ...]) -> dict[tuple[str, str], str]:
    """Return (fingerprint, receiver) -> the status last delivered."""
    return {(one.fingerprint, n.receiver): one.status for n in came if n.delivered for one in n.alerts}
