"""Faults of a simulated GPU: a hook of its exporter, and a scrape. No real device is touched."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from tocsin.harness.declarations.fault_contract import Params, Witness, cannot_tell, present_if
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.faults.bases.hook import HookFault
from tocsin.harness.faults.bases.metrics_page import labelled_samples, scrape

READ = "gpu_sample_timestamp_seconds"
"""The metric that the exporter has for every device that is there."""


class GpuParams(Params):
    """`gpu`: the number of a simulated device, 0 by default."""

    gpu: int = Field(default=0, ge=0, le=1023)


class GpuFault(HookFault):
    """Changes what a simulated device reports, under DCGM's names; the witness scrapes the exporter.

    Only samples labelled simulated="true" count: of a real device the witness never says that it is broken.
    """

    params: GpuParams
    metrics: ClassVar[tuple[str, ...]]

    @abstractmethod
    def shows(self, values: Mapping[str, float]) -> bool:
        """Tell from the values of `metrics` whether the device shows the fault."""

    def witness(self, live: LiveStack) -> Witness:
        """Read the device's values. A device that is not there, or is no simulated one, cannot tell."""
        device = f"simulated GPU {self.params.gpu}"
        values = self._values(live)
        if len(values) < len(self.metrics):
            return cannot_tell(f"{device} does not tell {', '.join(self.metrics)}")
        detail = f"{device}: " + ", ".join(f"{metric} is {value:g}" for metric, value in values.items())
        return present_if(self.shows(values), detail)

    def _values(self, live: LiveStack) -> dict[str, float]:
        """Return the device's value of each metric it has; none where the exporter answers with an error."""
        status, page = scrape(live, self.role(live.stack))
        values: dict[str, float] = {}
        if status != 200:
            return values
        for metric in self.metrics:
            for _, value in labelled_samples(page, metric, gpu=str(self.params.gpu), simulated="true"):
                values.setdefault(metric, value)
        return values
