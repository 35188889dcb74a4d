"""The proxy of an edge in a container: asked from inside, since the published port accepts what the proxy refuses."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tocsin.harness.core.errors import StackError
from tocsin.harness.engines.common.edge_proxies import StandingProxy
from tocsin.harness.engines.compose.container import Container

_START_S = 5.0


@dataclass(kw_only=True)
class ContainedProxy(StandingProxy):
    """A proxy that a witness asks from inside its container, as callers in the stack's network do."""

    container: Container = field(repr=False)

    def ask(self, path: str, within_s: float, padding: str = "") -> dict[str, Any]:
        """Ask once over the edge; return `how`, `took_s` and `size` (tocsin.harness.sidecars.proxy.ask_once). OSError if nobody can ask."""
        inside = f"127.0.0.1:{self.listens.rpartition(':')[2]}"
        argv = ["python3", "-m", "tocsin.harness.sidecars.proxy.ask_once", inside, path, f"{within_s:g}", padding]
        try:
            _, output = self.container.run(argv, within_s=within_s + _START_S)
            return dict(json.loads(output.strip().splitlines()[-1]))
        except (StackError, ValueError, IndexError) as error:
            raise OSError(f"the proxy of {self.edge} cannot be asked from inside: {error}") from None
