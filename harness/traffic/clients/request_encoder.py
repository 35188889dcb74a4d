"""Encodes requests: the head of a form is made once, and only the id, the trace and the length differ per request."""

from __future__ import annotations

from binascii import hexlify
from hashlib import blake2b

from tocsin.harness.traffic.payloads.request_protocol import Form


def head_of(form: Form, address: str) -> bytes:
    """Return the head of a form's requests as a template that `encode` fills."""
    lines = [f"{form.method} {form.path} HTTP/1.1", f"host: {address}"]
    if form.content_type:
        lines.append(f"content-type: {form.content_type}")
    lines += [f"{name}: {value}" for name, value in form.headers]
    fixed = "\r\n".join(lines).replace("%", "%%")
    varying = "x-request-id: %b\r\ntraceparent: 00-%b-%b-01\r\ncontent-length: %d\r\n\r\n"
    return f"{fixed}\r\n{varying}".encode()


def traceparent(request_id: str) -> str:
    """Return the value of the `traceparent` header (W3C Trace Context) of a request, the same for the same id."""
    trace = blake2b(request_id.encode(), digest_size=24).hexdigest()
    return f"00-{trace[:32]}-{trace[32:]}-01"


def encode(head: bytes, request_id: bytes, body: bytes) -> bytes:
    """Return the whole request; `head` is `head_of` its form."""
    trace = hexlify(blake2b(request_id, digest_size=24).digest())
    return head % (request_id, trace[:32], trace[32:], len(body)) + body
