"""The proxy of an edge in a container: asked from inside, since the published port accepts what the proxy refuses."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from tocsin.harness.core.errors import StackError
from tocsin.harness.engines.common.edge_proxies import StandingProxy
from tocsin.harness.engines.compose.container import Container
from tocsin.harness.sidecars.proxy.ask_once import EdgeAnswer

_START_S = 5.0


@dataclass(kw_only=True)
class ContainedProxy(StandingProxy):
    """A proxy that a witness asks from inside its container, as callers in the stack's network do."""

    container: Container = field(repr=False)

    def ask(self, path: str, within_s: float, padding: str = "") -> EdgeAnswer:
        """GET a path of the role over the edge; OSError if nobody can ask."""
        inside = f"127.0.0.1:{self.listens.rpartition(':')[2]}"
        argv = ["python3", "-m", "tocsin.harness.sidecars.proxy.ask_once", inside, path, f"{within_s:g}", padding]
        try:
            _, output = self.container.run(argv, within_s=within_s + _START_S)
            return EdgeAnswer(**json.loads(output.strip().splitlines()[-1]))
        except (StackError, ValueError, IndexError, TypeError) as error:
            raise OSError(f"the proxy of {self.edge} cannot be asked from inside: {error}") from None
