"""A simulated GPU disappears: its exporter answers, and no longer tells of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.faults.bases.fault import Params, Witness
from tocsin.harness.faults.bases.gpu import READ, GpuFault, GpuParams
from tocsin.harness.faults.bases.scrape import page, samples


class GpuLost(GpuFault):
    """Leaves the device out of the metrics, as after a fall off the bus."""

    kind: ClassVar[str] = "gpu_lost"
    summary: ClassVar[str] = "A simulated GPU disappears from the metrics."
    Params: ClassVar[type[Params]] = GpuParams
    metrics = (READ,)

    def shows(self, values: Mapping[str, float]) -> bool:
        """Say no: whoever tells its values is there."""
        return False

    def witness(self, live: LiveStack) -> Witness:
        """Look for the device in a good answer: not there is present, there is absent. A real one cannot tell."""
        status, text = page(live, live.stack.hooks[self.kind].role)
        if status != 200:
            return Witness(state="cannot_tell", detail=f"the exporter answers {status}")
        found = samples(text, READ, gpu=str(self.params.gpu))
        if any(labels.get("simulated") != "true" for labels, _ in found):
            return Witness(state="cannot_tell", detail=f"GPU {self.params.gpu} is a real one")
        told = "is told of" if found else "is not told of"
        return Witness(state="absent" if found else "present", detail=f"simulated GPU {self.params.gpu} {told}")
