"""What every `payload` of a phase may hold, whatever it sends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from tocsin.harness.core.base_model import Frozen, Seconds
from tocsin.harness.declarations.request_format import Shape


class FeedbackArgs(Frozen):
    """Send the truth of `share` of the predictions, `delay` (production time) after each."""

    share: float = Field(gt=0, le=1)
    delay: Seconds = Field(gt=0)


class PayloadArgs(Frozen):
    """By which protocol requests are sent, and whether truth follows them."""

    protocol: Literal["plain", "v2"] = "plain"
    feedback: FeedbackArgs | None = None

    def unfit(self, shape: Shape) -> Iterator[tuple[str, str]]:
        """Yield (argument, what would be needed) for what this stack cannot be sent, before any row is read."""
        if self.protocol == "v2" and shape.v2 is None:
            yield "protocol", "plain, as the stack declares no `payload.v2`"
        if self.feedback and shape.feedback is None:
            yield "feedback", "nothing, as the stack declares no `payload.feedback`"


class NormalArgs(PayloadArgs):
    """Normal rows."""
