"""Programs that only tell a version, and a machine that has none: what the tests of finding and setup share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tocsin.harness.provisioning import program_lookup
from tocsin.harness.provisioning.program_manifest import RSYSLOG_MODULES

SAYS = {
    "prometheus": "prometheus, version {} (branch: debian/sid, revision: 2.42.0+ds-5)",
    "promtool": "promtool, version {} (branch: HEAD)",
    "alertmanager": "alertmanager, version {} (branch: debian/sid)",
    "amtool": "amtool, version {} (branch: debian/sid)",
    "node_exporter": "node_exporter, version {} (branch: debian/sid)",
    "rsyslogd": "rsyslogd  {} (aka 2023.02) compiled with:",
    "java": 'openjdk version "{}" 2025-04-15',
}


def fake(path: Path, output: str, *, status: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{output}'\nexit {status}\n")
    path.chmod(0o755)
    return path


def fake_elasticsearch(home: Path, version: str) -> Path:
    (home / "lib").mkdir(parents=True)
    (home / "lib" / f"elasticsearch-{version}.jar").touch()
    (home / "lib" / f"elasticsearch-core-{version}.jar").touch()
    return fake(home / "bin" / "elasticsearch", "")


def fake_java(path: Path, version: str = "17.0.15") -> Path:
    fake(path, SAYS["java"].format(version))
    (path.parent.parent / "lib").mkdir(exist_ok=True)
    (path.parent.parent / "lib" / "jvm.cfg").touch()
    return path


def modules_in(folder: Path, names: tuple[str, ...] = RSYSLOG_MODULES) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / f"{name}.so").touch()
    return folder


def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave an empty PATH, no variable that names a place, and a system root of its own."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(program_lookup, "ROOT", tmp_path / "root")
    for name in ("ES_HOME", "TOCSIN_CACHE", "XDG_CACHE_HOME", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
