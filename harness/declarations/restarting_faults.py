"""Which kinds of fault end a role that starts anew, and when it does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RESTARTING = ("kill", "terminate", "restart", "crash_loop", "slow_start", "out_of_memory", "cold_start")
"""Kinds of fault after which a role starts anew; `params.role` names it, else it is the one that serves."""


AT_ONCE = ("restart", "cold_start")
"""Those whose injection starts it again, and waits for it; the others' heal does."""


LOOPING = ("crash_loop",)
"""Those after which it does so again and again, until the heal."""


def restarted(kind: str, params: Mapping[str, Any], serving: str) -> str:
    """Return the role that such a fault ends and that starts anew, empty if none does. `serving` is who serves."""
    return str(params.get("role", serving)) if kind in RESTARTING else ""
