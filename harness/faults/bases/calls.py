"""HTTP calls that faults make to a role on loopback."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any

CALL_S = 5.0


def call(
    method: str, address: str, path: str, body: Mapping[str, Any] | None = None, *, within_s: float = CALL_S
) -> tuple[int, str]:
    """Call `http://address path`, never through a proxy; return status and text. OSError when nobody answers."""
    host, _, port = address.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=within_s)
    try:
        content = json.dumps(dict(body)).encode() if body is not None else None
        headers = {"Content-Type": "application/json"} if content is not None else {}
        connection.request(method, path, body=content, headers=headers)
        response = connection.getresponse()
        return response.status, response.read().decode("utf-8", errors="replace")
    except http.client.HTTPException as error:
        raise ConnectionError(f"{type(error).__name__} {error}".strip()) from None
    finally:
        connection.close()
