"""Faults of /metrics: what a scraper gets, while requests are served as ever."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping

from service.faults.base import METRIC, SHARE, Fault
from service.requestlog import RequestLog

_SAMPLE = re.compile(rb"^(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?P<labels>\{.*\})? (?P<value>\S+)$", re.MULTILINE)


class MetricsHang(Fault):
    """/metrics is accepted and not answered until the fault ends."""

    def __init__(self, given: Mapping[str, object]) -> None:
        super().__init__(given)
        self._over = asyncio.Event()

    async def page(self, page: bytes) -> bytes | None:
        """Wait for the end."""
        await self._over.wait()
        return page

    def end(self, log: RequestLog) -> None:
        """Let those who wait go on."""
        self._over.set()


class MetricsError(Fault):
    """/metrics answers 500."""

    async def page(self, page: bytes) -> bytes | None:
        """Return no page."""
        return None


class MetricsStale(Fault):
    """/metrics answers with the same page for ever: the first one that is asked for."""

    def __init__(self, given: Mapping[str, object]) -> None:
        super().__init__(given)
        self._kept: bytes | None = None

    async def page(self, page: bytes) -> bytes | None:
        """Return the first page."""
        if self._kept is None:
            self._kept = page
        return self._kept


class MetricsMissing(Fault):
    """A metric is not on the page any more; of a histogram all its series."""

    texts = {"metric": METRIC}

    async def page(self, page: bytes) -> bytes | None:
        """Return the page without it."""
        name = re.escape(self.text["metric"])
        return re.sub(rf"^(?:# \w+ )?{name}(?:_bucket|_sum|_count)?[ {{].*\n".encode(), b"", page, flags=re.MULTILINE)


class MetricsExplode(Fault):
    """A label with a value per user: `series` more series on the page."""

    numbers = {"series": (0, 50_000)}

    def __init__(self, given: Mapping[str, object]) -> None:
        super().__init__(given)
        head = "# TYPE ml_requests_by_user_total counter\n"
        users = range(int(self.number["series"]))
        self._more = (head + "".join(f'ml_requests_by_user_total{{user="{user}"}} 1\n' for user in users)).encode()

    async def page(self, page: bytes) -> bytes | None:
        """Return the page with them."""
        return page + self._more


class CounterBackwards(Fault):
    """Every other page shows a counter lower by a share, as several workers with a registry each behind one port do."""

    numbers = {"share": SHARE}
    texts = {"metric": METRIC}

    def __init__(self, given: Mapping[str, object]) -> None:
        super().__init__(given)
        self._pages = 0

    async def page(self, page: bytes) -> bytes | None:
        """Return the page, every other time with the lower counter."""
        self._pages += 1
        return page if self._pages % 2 else _SAMPLE.sub(self._lowered, page)

    def _lowered(self, sample: re.Match[bytes]) -> bytes:
        if sample["name"].decode() != self.text["metric"]:
            return sample.group()
        value = int(float(sample["value"]) * (1 - self.number["share"]))
        return sample["name"] + (sample["labels"] or b"") + f" {value}".encode()

    def state(self) -> dict[str, object]:
        """Return the parameters, and how many pages were asked for."""
        return {**self.number, **self.text, "pages": self._pages}
