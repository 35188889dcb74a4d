"""Reads request bodies and refuses bad ones: every refusal is a status and a sentence, nothing reaches the model."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Mapping

from starlette.types import Receive

LIMIT_BYTES = 64 * 1024
READ_WITHIN_S = 10.0
_DRAIN_BYTES = 1024 * 1024
_decode = json.JSONDecoder().decode


class Refused(Exception):
    """A request that gets an answer without the model: HTTP status, reason, and which values were no finite numbers."""

    def __init__(self, status: int, reason: str, bad_values: list[bool] | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.bad_values = bad_values


async def read_body(headers: Mapping[bytes, bytes], receive: Receive) -> bytes:
    """Return the whole body. Refused: 413 above LIMIT_BYTES (declared or streamed), 408 too slow, 499 client gone.

    Up to 1 MiB of a body that is too large is read and dropped, so that the client sees the answer. One that declares
    more is not waited for: nobody may hold a place here by announcing what never comes.
    """
    declared = int(headers.get(b"content-length", b"0") or b"0")
    too_large = Refused(413, f"the body is larger than {LIMIT_BYTES} bytes")
    if declared > _DRAIN_BYTES:
        raise too_large
    chunks, size = [], 0
    try:
        async with asyncio.timeout(READ_WITHIN_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Refused(499, "the client went away before its body was complete")
                chunk = message.get("body", b"")
                size += len(chunk)
                if size <= LIMIT_BYTES:
                    chunks.append(chunk)
                if not message.get("more_body") or size > _DRAIN_BYTES:
                    break
    except TimeoutError as error:
        if max(size, declared) > LIMIT_BYTES:
            raise too_large from error
        raise Refused(408, f"the body was not complete within {READ_WITHIN_S:g} s") from error
    if max(size, declared) > LIMIT_BYTES:
        raise too_large
    return b"".join(chunks)


def check_content_type(headers: Mapping[bytes, bytes]) -> None:
    """Refuse with 415 what says that it is no plain JSON; a missing content type is taken for JSON."""
    declared = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
    if declared and declared != b"application/json" and not declared.endswith(b"+json"):
        raise Refused(415, "the content type is not application/json")
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise Refused(415, "the body is encoded; expected plain JSON")


def read_object(body: bytes) -> dict[str, object]:
    """Parse a JSON object. Refused: 400 for no JSON, 422 for anything but an object. NaN and Infinity pass."""
    try:
        document = _decode(body.decode())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise Refused(400, f"the body is not JSON: {error}"[:200]) from error
    except RecursionError as error:
        raise Refused(400, "the body is nested too deeply") from error
    except ValueError as error:  # an integer of thousands of digits
        raise Refused(422, f"the body holds an unreadable number: {error}"[:200]) from error
    if not isinstance(document, dict):
        raise Refused(422, "the body is not a JSON object")
    return document


def read_row(values: object, features: int) -> list[float]:
    """Return one row of finite floats. Refused with 422; null, NaN and infinite values are marked in `bad_values`."""
    if not isinstance(values, list):
        raise Refused(422, f"expected a list of {features} numbers, got {type(values).__name__}")
    if len(values) != features:
        raise Refused(422, f"expected a list of {features} numbers, got {len(values)} values")
    row = [_number(value) for value in values]
    if not all(map(math.isfinite, row)):
        raise Refused(422, "a feature is null, NaN or infinite", [not math.isfinite(value) for value in row])
    return row


def _number(value: object) -> float:
    if type(value) is float:
        return value
    if type(value) is int:
        try:
            return float(value)
        except OverflowError:
            return math.inf
    if value is None:
        return math.nan
    raise Refused(422, f"a feature is a {type(value).__name__}, expected a number")
