"""Locust's master with authentication: a worker that has not proved the token can only try to join."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NoReturn

from locust.env import Environment
from locust.rpc import Message
from locust.runners import MasterRunner

from tocsin.harness.core.errors import StackError
from tocsin.harness.traffic.locust.master_protocol import HELLO, JOIN

_BEFORE_JOINING = ("client_ready", HELLO, JOIN)
_log = logging.getLogger(__name__)


class AuthenticatedMaster(MasterRunner):
    """A MasterRunner that drops every message of a worker that is not in `admitted`, except those of joining.

    `on_message(client_id)` is called for each message of an admitted one. StackError if the place cannot be bound.
    """

    def __init__(self, environment: Environment, host: str, port: int, on_message: Callable[[str], None]) -> None:
        self.admitted: set[str] = set()
        self._on_message = on_message
        try:
            super().__init__(environment, host, port)
        except (SystemExit, Exception) as error:
            raise StackError(
                f"The master of the workers cannot listen on {host}:{port}: {error or 'in use'}.",
                hint="Name a free port of this machine with --bind.",
            ) from None
        self.server.socket.linger = 1000  # ms: a worker that is gone must not hold up the end
        environment.runner = self

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.server.port)

    def client_listener(self) -> NoReturn:
        """Listen for ever; a message that cannot be understood is logged and dropped."""
        while True:
            try:
                super().client_listener()
            except Exception as error:
                _log.warning("A message was not understood: %r", error)

    def handle_message(self, client_id: str, msg: Message) -> None:
        """Handle a message if its sender was admitted or wants to join; nobody may send in the name of another."""
        if msg.node_id != client_id:
            return
        if client_id in self.admitted:
            self._on_message(client_id)
        elif msg.type not in _BEFORE_JOINING:
            return
        super().handle_message(client_id, msg)

    def send_to(self, client_id: str, message: str, /, **content: object) -> None:
        """Send one of our messages to one worker."""
        self.send_message(message, content, client_id)
