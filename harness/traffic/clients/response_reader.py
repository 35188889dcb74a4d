"""Reads the answers that come over one connection, one after the other."""

from __future__ import annotations

import httptools

_LONGEST_HEAD = 1 << 20
"""A head that is longer is no answer. It bounds the memory that a server can make a client use."""
_END_OF_HEAD = b"\r\n\r\n"


class InvalidResponse(Exception):
    """What came is not HTTP, or not what a client can go on with."""


class ResponseReader:
    """One connection's answers. Call `begin` before each request, `feed` with what comes, `ended` at its end.

    `complete`: the answer is whole. `keep`: the connection may carry another request. `status` is set when complete.
    An interim answer (1xx) is passed over. Bytes beyond the declared length leave the answer as it is, but the
    connection cannot be kept: nobody knows to what they belong.
    """

    __slots__ = ("complete", "keep", "status", "_parser", "_seen", "_without_body")

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self.complete = False
        self.keep = True
        self.status = 0
        self._seen = b""
        self._without_body = False

    def begin(self, method: str = "POST") -> None:
        """Expect a new answer. The answer to HEAD has no body, whatever length it declares."""
        self.complete = False
        self._seen = b""
        self._without_body = method == "HEAD"

    def feed(self, got: bytes) -> bool:
        """Take bytes from the connection and return `complete`; InvalidResponse if they are not HTTP."""
        try:
            self._parser.feed_data(got)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self.complete:
                raise InvalidResponse(str(error)) from None
            self.keep = False
        if not self.complete:
            self._remember(got)
        return self.complete

    def ended(self) -> bool:
        """The connection ended: return whether that completes the answer, since its head declared no length."""
        head, end, _ = self._final()
        declared = (b"\r\ncontent-length:", b"\r\ntransfer-encoding:")
        if end and not any(name in head.lower() for name in declared):
            self.complete, self.keep = True, False
            self.status = self._parser.get_status_code()
        return self.complete

    def on_message_complete(self) -> None:
        """The parser calls this at the end of each message."""
        status = self._parser.get_status_code()
        if self.complete:  # a second answer to one request
            self.keep = False
        elif status >= 200:
            self.complete = True
            self.status = status
            self.keep = self._parser.should_keep_alive()

    def _remember(self, got: bytes) -> None:
        """Keep the head of an answer that comes in pieces: its end is known by it."""
        _, end, _ = self._final()
        if not end:
            self._seen += got
        if len(self._seen) > _LONGEST_HEAD:
            raise InvalidResponse(f"The head is longer than {_LONGEST_HEAD} bytes.")
        if self._without_body and self._final()[1]:
            self.complete, self.keep = True, False
            self.status = self._parser.get_status_code()

    def _final(self) -> tuple[bytes, bytes, bytes]:
        """Return head, end of head and rest of what was seen, without interim answers."""
        while self._seen.startswith(b"HTTP/1.") and self._seen[9:10] == b"1" and _END_OF_HEAD in self._seen:
            self._seen = self._seen.partition(_END_OF_HEAD)[2]
        return self._seen.partition(_END_OF_HEAD)


class BodyReader(ResponseReader):
    """Answers whose bodies are kept: `body` is that of the last one, up to a mebibyte."""

    __slots__ = ("body",)

    def __init__(self) -> None:
        super().__init__()
        self.body = b""

    def begin(self, method: str = "POST") -> None:
        """Expect a new answer."""
        super().begin(method)
        self.body = b""

    def on_body(self, part: bytes) -> None:
        """The parser calls this with each part of a body."""
        if not self.complete and len(self.body) + len(part) <= _LONGEST_HEAD:
            self.body += part
