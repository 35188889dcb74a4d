from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tocsin.harness.engines.common import ports
from tocsin.harness.engines.common.ports import choose_ports


def test_ports_differ_and_are_free() -> None:
    chosen = choose_ports(40)
    assert len(set(chosen)) == 40
    for port in chosen:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", port))


def test_ports_lie_below_those_of_outgoing_connections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = tmp_path / "range"
    told.write_text("20000\t60999\n")
    monkeypatch.setattr(ports, "_RANGE", told)
    assert max(choose_ports(50)) < 20000
    told.write_text("1024\t65535\n")  # no room below: any free port must do
    assert len(set(choose_ports(3))) == 3


def test_a_taken_port_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(ports, "_candidates", lambda: iter([port, 0, 0]))
        chosen = choose_ports(2)
    assert port not in chosen and len(set(chosen)) == 2
