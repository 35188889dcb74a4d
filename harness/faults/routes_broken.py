"""Breaks Alertmanager's configuration and reloads it: it is refused, and the routes stay what they were."""

from __future__ import annotations

from pathlib import Path

from tocsin.harness.core.errors import StackError
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.faults.bases.reload import ReloadFault


class RoutesBroken(ReloadFault):
    """A broken Alertmanager configuration is rolled out."""

    role = "alertmanager"
    metric = "alertmanager_config_last_reload_successful"
    broken = "route:\n  receiver: nobody\n"

    def file(self, live: LiveStack) -> Path:
        """Return the rendered configuration."""
        file = live.work / "config" / (live.stack.alertmanager or "alertmanager.yml")
        if not file.is_file():
            raise StackError(f"There is no rendered {live.stack.alertmanager}.", hint="See config/ of the run.")
        return file
