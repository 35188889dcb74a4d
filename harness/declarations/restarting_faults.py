"""Which kinds of fault end a role that starts again, and when: for readers of evidence, which names only the kind."""

from __future__ import annotations

from collections.abc import Mapping

RESTARTS: Mapping[str, str] = {
    "kill": "at_heal",
    "terminate": "at_heal",
    "restart": "at_once",
    "crash_loop": "looping",
    "slow_start": "at_heal",
    "out_of_memory": "at_heal",
    "cold_start": "at_once",
}
"""Kind -> `Fault.restarts_role`; the role is named by `params.role`, else it is the one that serves."""


def restarted(kind: str, params: Mapping[str, object], serving: str) -> str:
    """Return the role that such a fault ends and that starts anew, empty if none does. `serving` is who serves."""
    return str(params.get("role", serving)) if kind in RESTARTS else ""
