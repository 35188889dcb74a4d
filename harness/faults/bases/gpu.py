"""What faults of a simulated GPU share: a hook of its exporter, and a scrape. No real device is touched."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.faults.bases.fault import Params, Witness
from tocsin.harness.faults.bases.hook import HookFault, turn_on
from tocsin.harness.faults.bases.scrape import page, samples

READ = "gpu_sample_timestamp_seconds"
"""What the exporter tells of every device that is there."""


class GpuParams(Params):
    """`gpu`: the number of a simulated device, 0 by default."""

    gpu: int = Field(default=0, ge=0, le=1023)


class GpuFault(HookFault, ABC):
    """Changes what a simulated device tells, under DCGM's names; the witness scrapes the exporter.

    Only samples labelled simulated="true" count: of a real device the witness never says that it is broken.
    """

    metrics: ClassVar[tuple[str, ...]]

    def told(self) -> Mapping[str, Any]:
        """Return what the hook is told: the parameters as they stand."""
        return dict(self.params.model_dump())

    @abstractmethod
    def shows(self, values: Mapping[str, float]) -> bool:
        """Tell from the values of `metrics` whether the device shows the fault."""

    def inject(self, live: LiveStack) -> None:
        """Turn the hook on; StackError if the exporter does not take it."""
        turn_on(live, self.kind, self.told())

    def witness(self, live: LiveStack) -> Witness:
        """Read the device's values. A device that is not there, or is no simulated one, cannot tell."""
        device = f"simulated GPU {self.params.gpu}"
        text = scraped(live, self.kind)
        values = {metric: value for metric in self.metrics if (value := self._value(text, metric)) is not None}
        if set(values) != set(self.metrics):
            return Witness(state="cannot_tell", detail=f"{device} does not tell {', '.join(self.metrics)}")
        detail = f"{device}: " + ", ".join(f"{metric} is {value:g}" for metric, value in values.items())
        return Witness(state="present" if self.shows(values) else "absent", detail=detail)

    def _value(self, text: str, metric: str) -> float | None:
        found = samples(text, metric, gpu=str(self.params.gpu), simulated="true")
        return found[0][1] if found else None


def scraped(live: LiveStack, hook: str) -> str:
    """Return the metrics of the exporter that a hook belongs to; an error page counts as none."""
    status, text = page(live, live.stack.hooks[hook].role)
    return text if status == 200 else ""
