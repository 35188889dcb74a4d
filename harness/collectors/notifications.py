"""Notifications: copies the pager's record into the run directory as it grows, so that a crash loses none."""

from __future__ import annotations

from pathlib import Path

from tocsin.harness.collectors.collector import CollectedRun, PeriodicThread, PolledCollector, in_words
from tocsin.harness.collectors.server_queries import Alertmanager
from tocsin.harness.core.journal import Journal
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.evidence.evidence import SettledWindow
from tocsin.harness.evidence.notifications import Notification, read_notifications

RECORD = "pager/notifications.jsonl"
"""Where the pager writes, below the work folder."""

_SLACK_S = 1.0
_AlertAtReceiver = tuple[str, str]
"""An alert's fingerprint and a receiver's name."""


class NotificationsCollector(PolledCollector):
    """Appends the pager's new whole lines to `notifications.jsonl` each `every_s` wall seconds.

    After an alert left Alertmanager its resolved notice may take another group interval. A receiver that gets no
    resolved notices costs that long once, when the drill settles.
    """

    name = "notifications"
    asks: tuple[str, ...] = ("alertmanager", "pager")

    def __init__(self, every_s: float = 0.5) -> None:
        self.every_s = every_s
        self.lines = 0
        self._offset = 0
        self._left: dict[_AlertAtReceiver, float] = {}

    def start(self, live: LiveStack, run: CollectedRun, journal: Journal) -> None:
        """Begin to follow; the pager's file need not exist yet."""
        self._source, self._target = live.work / RECORD, run.folder / "notifications.jsonl"
        self._target.touch()
        self._alertmanager = Alertmanager(live)
        self._ticker = PeriodicThread(self.name, self.every_s, self._copy, journal)
        self._ticker.start()

    @in_words
    def seen_canary(self, live: LiveStack, run: CollectedRun) -> tuple[bool, str]:
        """Tell whether a firing Watchdog was delivered to its receiver."""
        watchdog = live.stack.signals.watchdog
        if watchdog is None:
            return True, "signals.watchdog is not declared; checks on it are unknown"
        notices, last = self._notices(), "none yet"
        seen = any(n.delivered and n.receiver == watchdog.receiver and n.names(watchdog.alert) for n in notices)
        if notices:
            last = f"the last for {notices[-1].receiver}, answered {notices[-1].answered}"
        return seen, f"{len(notices)} notifications, {last}; awaited {watchdog.alert} for {watchdog.receiver}"

    @in_words
    def caught_up(self, live: LiveStack, run: CollectedRun, at: float) -> tuple[bool, str]:
        """Tell whether every active alert reached its receivers and every one that left was reported as resolved.

        Of those that left, only for as long as a resolved notice may take.
        """
        held, awaited = set(), []
        delivered = _last_delivered(self._notices())
        for alert in self._alertmanager.alerts():
            for receiver in alert["receivers"]:
                key = (alert["fingerprint"], receiver["name"])
                held.add(key)
                if alert["status"]["state"] == "active" and delivered.get(key) != "firing":
                    awaited.append(f"{alert['labels'].get('alertname')} at {receiver['name']}")
        gone = [key for key, status in delivered.items() if status == "firing" and key not in held]
        within_s = self._alertmanager.group_interval_s() + _SLACK_S if gone else 0.0
        now = run.clock.now()
        late = [key for key in gone if now - self._left.setdefault(key, now) < within_s]
        awaited += [f"a resolved notice at {receiver}" for _, receiver in late]
        if awaited:
            return False, f"awaited: {', '.join(awaited)}"
        return True, "every notification was delivered"

    def collect(self, live: LiveStack, window: SettledWindow, run: CollectedRun, journal: Journal) -> int:
        """Copy what is left and return how many lines there are."""
        self._ticker.once()
        self._alertmanager.close()
        return self.lines

    def _notices(self) -> tuple[Notification, ...]:
        self._ticker.once()
        return read_notifications(self._target)

    def _copy(self) -> None:
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


def _last_delivered(notices: tuple[Notification, ...]) -> dict[_AlertAtReceiver, str]:
    """Return the status that was last delivered for each alert and receiver."""
    last: dict[_AlertAtReceiver, str] = {}
    for notice in notices:
        if notice.delivered:
            last |= {(alert.fingerprint, notice.receiver): alert.status for alert in notice.alerts}
    return last
