"""Wakes the loop at a point in time.

The loop's own timers are good to 1 ms, since libev waits in whole milliseconds. Linux's timerfd is a file that becomes
readable at a time given in nanoseconds, so the loop wakes within some 0.05 ms. Other systems use the loop's own timer.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from gevent import get_hub

_MONOTONIC = 1
_ABSOLUTE = 1
_FLAGS = os.O_NONBLOCK | os.O_CLOEXEC if sys.platform == "linux" else 0
_READABLE = 1


class _Setting(ctypes.Structure):
    """struct itimerspec of a 64-bit system: the interval, then the time; seconds and nanoseconds each."""

    _fields_ = [(name, ctypes.c_long) for name in ("interval_s", "interval_ns", "value_s", "value_ns")]


def wake_up(call: Callable[[], None]) -> FileTimer | LoopTimer:
    """Return the best timer of this system; it calls `call` in the loop, where nothing may wait."""
    return FileTimer(call) if sys.platform == "linux" else LoopTimer(call)


class FileTimer:
    """A timerfd. `arm(at)` replaces what was armed before; `at` is in seconds of `time.monotonic`."""

    def __init__(self, call: Callable[[], None]) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._settime = libc.timerfd_settime
        self._settime.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
        self._file = libc.timerfd_create(_MONOTONIC, _FLAGS)
        if self._file < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create failed")
        self._setting = _Setting()
        self._place = ctypes.addressof(self._setting)
        self._call = call
        self._armed = False
        self._watcher = get_hub().loop.io(self._file, _READABLE)
        self._watcher.start(self._woken)

    def arm(self, at: float) -> None:
        """Call at `at`, or at once if that is past."""
        self._armed = True
        seconds = int(at)
        self._setting.value_s, self._setting.value_ns = seconds, int((at - seconds) * 1e9) or 1
        self._settime(self._file, _ABSOLUTE, self._place, None)

    def disarm(self) -> None:
        """Call no more."""
        self._setting.value_s = self._setting.value_ns = 0
        self._settime(self._file, 0, self._place, None)

    def close(self) -> None:
        """Give the file back."""
        self._watcher.stop()
        self._watcher.close()
        os.close(self._file)

    def _woken(self) -> None:
        self._armed = False
        try:
            self._call()
        finally:
            if not self._armed:  # the file stays readable until it is set again
                self.disarm()


class LoopTimer:
    """The loop's own timer, with the same methods."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call
        self._timer: Any = None

    def arm(self, at: float) -> None:
        """Call at `at`, or at once if that is past."""
        self.disarm()
        loop = get_hub().loop
        loop.update_now()
        self._timer = loop.timer(max(at - time.monotonic(), 0.0))
        self._timer.start(self._call)

    def disarm(self) -> None:
        """Call no more."""
        if self._timer:
            self._timer.stop()
            self._timer.close()
            self._timer = None

    close = disarm
