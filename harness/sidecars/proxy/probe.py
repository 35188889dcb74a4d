"""Asks once over an edge: `python -m tocsin.harness.sidecars.proxy.probe HOST:PORT PATH WITHIN_S [PADDING]`.

The command prints one line of JSON with the fields of `EdgeAnswer`. Witnesses run it inside the proxy's container,
because a port that Docker publishes accepts connections that the proxy itself refuses. Standard library only.
"""

from __future__ import annotations

import http.client
import json
import sys
import time
from dataclasses import asdict, dataclass
from typing import Literal

How = Literal["answered", "refused", "silent", "cut", "reset"]
"""`silent`: no answer in time. `cut`: the connection ended before the answer was complete."""


@dataclass(frozen=True, kw_only=True)
class EdgeAnswer:
    """How a request went, after how many wall seconds, and its size in bytes, headers and padding included."""

    how: How
    took_s: float
    size: int = 0

    def __str__(self) -> str:
        return f"{self.how} after {1000 * self.took_s:.0f} ms"


def ask_once(address: str, path: str, within_s: float, padding: str = "") -> EdgeAnswer:
    """GET `http://address path` on a new connection and return how it went; network errors are not raised.

    `padding` is sent along as a header, so that a narrow edge slows the request down too.
    """
    host, _, port = address.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=within_s)
    headers = {"X-Padding": padding} if padding else {}
    began = time.monotonic()
    how: How = "answered"
    size = 0
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        size = len(response.read()) + len(str(response.headers)) + len(padding)
    except ConnectionRefusedError:
        how = "refused"
    except TimeoutError:
        how = "silent"
    except (http.client.IncompleteRead, http.client.RemoteDisconnected, http.client.BadStatusLine):
        how = "cut"
    except (OSError, http.client.HTTPException):
        how = "reset"
    finally:
        connection.close()
    return EdgeAnswer(how=how, took_s=time.monotonic() - began, size=size)


if __name__ == "__main__":
    answer = ask_once(sys.argv[1], sys.argv[2], float(sys.argv[3]), *sys.argv[4:5])
    sys.stdout.write(json.dumps(asdict(answer)) + "\n")
