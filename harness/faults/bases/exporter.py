"""Faults of an exporter: each of its roles has a hook of its own, named `<kind>/<role>`."""

from __future__ import annotations

from collections.abc import Mapping

from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.faults.bases.hook import HookFault
from tocsin.harness.faults.bases.role import RoleParams


class ExporterParams(RoleParams):
    """`role` of an exporter."""

    example = {"role": "gpu"}


class ExporterFault(HookFault):
    """Changes how an exporter answers scrapes; the witness scrapes it, too. What it tells or fails to tell is seen."""

    params: ExporterParams

    @property
    def hook_name(self) -> str:
        """The hook of this kind and role."""
        return f"{self.kind}/{self.params.role}"

    def needs(self) -> tuple[str, ...]:
        """Return the role and its hook."""
        return (f"role:{self.params.role}", *super().needs())

    def settings(self, live: LiveStack) -> Mapping[str, object]:
        """Return the parameters without the role, which the hook's name holds."""
        return self.params.model_dump(exclude={"role"})
