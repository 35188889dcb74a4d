"""One HTTP call to a server of the stack, made with the standard library."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping


def call(
    method: str,
    address: str,
    path: str,
    *,
    body: Mapping[str, object] | bytes | None = None,
    headers: Mapping[str, str] | None = None,
    within_s: float = 5.0,
) -> tuple[int, str]:
    """Call `http://address path` (`address` is `host:port`) without any proxy and return status and text.

    A mapping as `body` is sent as JSON, bytes as they are. OSError for every failure, a timeout included.
    """
    host, _, port = address.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=within_s)
    status, content = exchange(connection, method, path, body=body, headers=headers)
    return status, content.decode("utf-8", errors="replace")


def exchange(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    *,
    body: Mapping[str, object] | bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> tuple[int, bytes]:
    """Make one call over a connection (of any kind of socket), close it, and return status and body.

    OSError for every failure: an answer that is not HTTP is a ConnectionError.
    """
    sent = dict(headers or {})
    content = json.dumps(dict(body)).encode() if isinstance(body, Mapping) else body
    if content is not None:
        sent.setdefault("Content-Type", "application/json")
    try:
        connection.request(method, path, body=content, headers=sent)
        response = connection.getresponse()
        return response.status, response.read()
    except http.client.HTTPException as error:
        raise ConnectionError(f"{type(error).__name__} {error}".strip()) from None
    finally:
        connection.close()
