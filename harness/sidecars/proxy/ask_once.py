"""Asks once over an edge and prints what came back: `python -m tocsin.harness.sidecars.proxy.ask_once HOST:PORT PATH WITHIN_S [PADDING]`.

For witnesses where a published port stands before the proxy: it accepts what the proxy refuses. One line of JSON: `how`
it went, `took_s` wall seconds, `size` in bytes. Standard library only.
"""

from __future__ import annotations

import http.client
import json
import sys
import time
from typing import Any


def look(address: str, path: str, within_s: float, padding: str = "") -> dict[str, Any]:
    """Ask on a connection of its own; `how`: answered, refused, silent, cut or reset. Never raises for what is seen."""
    host, _, port = address.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=within_s)
    began, how, size = time.monotonic(), "answered", 0
    try:
        connection.request("GET", path, headers={"X-Padding": padding} if padding else {})
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
    return {"how": how, "took_s": time.monotonic() - began, "size": size}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(look(sys.argv[1], sys.argv[2], float(sys.argv[3]), *sys.argv[4:5])) + "\n")
