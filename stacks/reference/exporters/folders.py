"""How full the file systems of the stack's folders are, and whether these are the stack's own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


class FolderCollector(Collector):
    """Exports size and free room of the file system under each folder, by name. A folder not there yet is left out."""

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self._folders = dict(folders)

    def collect(self) -> Iterator[Metric]:
        """Yield three gauges, all with names that start with `stack_filesystem_`."""
        size = GaugeMetricFamily("stack_filesystem_size_bytes", "Size of the file system.", labels=["folder"])
        free = GaugeMetricFamily("stack_filesystem_avail_bytes", "Room that an ordinary user has.", labels=["folder"])
        own = GaugeMetricFamily(
            "stack_filesystem_own_mount",
            "1 if the folder is a mount of its own, 0 if it shares the machine's disk.",
            labels=["folder"],
        )
        for name, path in self._folders.items():
            try:
                room = os.statvfs(path)
            except OSError:
                continue
            size.add_metric([name], room.f_blocks * room.f_frsize)
            free.add_metric([name], room.f_bavail * room.f_frsize)
            own.add_metric([name], float(os.path.ismount(path)))
        yield from (size, free, own)
