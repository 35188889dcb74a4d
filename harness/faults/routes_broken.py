"""A broken Alertmanager configuration is rolled out: it is refused, and the routes stay what they were."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from tocsin.harness.core.errors import StackError
from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.faults.bases.fault import Params
from tocsin.harness.faults.bases.hook import NoParams
from tocsin.harness.faults.bases.reload import ReloadFault


class RoutesBroken(ReloadFault):
    """Breaks Alertmanager's configuration and has it reloaded; the witness reads how the reload went."""

    kind: ClassVar[str] = "routes_broken"
    summary: ClassVar[str] = "A broken Alertmanager configuration is rolled out."
    Params: ClassVar[type[Params]] = NoParams
    role = "alertmanager"
    metric = "alertmanager_config_last_reload_successful"
    rubbish = "route:\n  receiver: nobody\n"

    def file(self, live: LiveStack) -> Path:
        """Return the rendered configuration."""
        file = live.work / "config" / (live.stack.alertmanager or "alertmanager.yml")
        if not file.is_file():
            raise StackError(f"There is no rendered {live.stack.alertmanager}.", hint="See config/ of the run.")
        return file
