"""How the processes of the load speak: one JSON object a line on stdout."""

from __future__ import annotations

import json
import sys
from typing import Any


def say(event: str, **more: Any) -> bool:
    """Write one event to stdout; False if nobody reads any more."""
    try:
        sys.stdout.write(json.dumps({"event": event, **more}) + "\n")
        sys.stdout.flush()
    except OSError:
        return False
    return True
