"""What faults of an exporter share: a hook for each kind and role, named `<kind>/<role>`."""

from __future__ import annotations

from typing import Any, ClassVar

from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.faults.bases.hook import turn_off, turn_on


class ExporterFault:
    """Changes how an exporter answers scrapes; the witness, which scrapes it too, is left to say."""

    kind: ClassVar[str]

    def __init__(self, params: Any) -> None:
        self.params = params

    @property
    def hook(self) -> str:
        """The hook it works through."""
        return f"{self.kind}/{self.params.role}"

    def needs(self) -> tuple[str, ...]:
        """Return the role and its hook."""
        return (f"role:{self.params.role}", f"hook:{self.hook}")

    def blinds(self, stack: Stack) -> tuple[tuple[str, str], ...]:
        """Return nothing: what an exporter tells, or fails to tell, is seen."""
        return ()

    def inject(self, live: LiveStack) -> None:
        """Turn the hook on; StackError if the exporter does not take it."""
        turn_on(live, self.hook, self.params.model_dump(exclude={"role"}))

    def heal(self, live: LiveStack) -> None:
        """Turn the hook off; HealError if an exporter that is up refuses."""
        turn_off(live, self.hook)
