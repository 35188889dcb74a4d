"""Leaves a simulated device out of the exporter's metrics, as after it fell off the bus."""

from __future__ import annotations

from tocsin.harness.declarations.fault_contract import Witness, absent, cannot_tell, present
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.faults.bases.gpu import READ, GpuParams
from tocsin.harness.faults.bases.hook import HookFault
from tocsin.harness.faults.bases.metrics_page import labelled_samples, scrape


class GpuLost(HookFault):
    """A simulated GPU disappears from the metrics."""

    params: GpuParams

    def witness(self, live: LiveStack) -> Witness:
        """Look for the device in a good answer: not there is present, there is absent. A real one cannot tell."""
        status, page = scrape(live, self.role(live.stack))
        if status != 200:
            return cannot_tell(f"the exporter answers {status}")
        devices = labelled_samples(page, READ, gpu=str(self.params.gpu))
        if any(labels.get("simulated") != "true" for labels, _ in devices):
            return cannot_tell(f"GPU {self.params.gpu} is a real one")
        if devices:
            return absent(f"simulated GPU {self.params.gpu} is told of")
        return present(f"simulated GPU {self.params.gpu} is not told of")
