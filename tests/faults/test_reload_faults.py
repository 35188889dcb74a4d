"""A broken rule file and a broken Alertmanager configuration are rolled out, refused, and taken back."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from tests.faults.fake_live import FakeLive, answering, fault_stack
from tocsin.harness.core.errors import HealError, StackError
from tocsin.harness.faults import make

RULES = "groups:\n  - name: a\n    rules:\n      - alert: Slow\n        expr: up\n      - {alert: 'Down', expr: up}\n"
KINDS: list[tuple[str, dict[str, Any], str, str]] = [
    ("rules_broken", {"alert": "Down"}, "rules/b.yml", "prometheus_config_last_reload_successful"),
    ("routes_broken", {}, "a.yml", "alertmanager_config_last_reload_successful"),
]


class Reloaded(FakeLive):
    """Writes down which signals were sent, and what the file held then."""

    def __init__(self, work: Path, at: str = "127.0.0.1:1", *, runs: bool = True, takes: int = 1) -> None:
        super().__init__(at, runs=runs)
        self.work, self.takes = work, takes
        (work / "config" / "rules").mkdir(parents=True, exist_ok=True)
        files = {"rules/a.yml": "groups: []\n", "rules/b.yml": RULES, "a.yml": "route: {receiver: a}\n"}
        for name, text in files.items():
            if not list((work / "config").rglob("*.before-the-drill*")):
                (work / "config" / name).write_text(text)
        self.signals: list[tuple[str, int]] = []

    def signal(self, role: str, number: int) -> int:
        self.signals.append((role, number))
        return self.takes

    def texts(self) -> dict[str, str]:
        files = (path for path in (self.work / "config").rglob("*") if path.is_file())
        return {str(path.relative_to(self.work / "config")): path.read_text() for path in files}


@pytest.mark.parametrize(("kind", "params", "file", "metric"), KINDS)
def test_the_file_is_broken_reloaded_and_put_back(
    kind: str, params: dict[str, Any], file: str, metric: str, tmp_path: Path
) -> None:
    live = Reloaded(tmp_path)
    good, fault = live.texts(), make(kind, params)
    fault.heal(live)
    assert (live.texts(), live.signals) == (good, [])
    for _ in range(2):
        fault.inject(live)
        assert live.texts()[file] != good[file]
        assert {name: text for name, text in live.texts().items() if name in good and name != file} == {
            name: text for name, text in good.items() if name != file
        }
    other = make(kind, params)  # as another process does it, which knows the work folder alone
    other.heal(live)
    other.heal(live)
    assert live.texts() == good
    assert live.signals == [(metric.partition("_")[0], signal.SIGHUP)] * 3


@pytest.mark.parametrize(("kind", "params", "file", "metric"), KINDS)
@pytest.mark.parametrize(("value", "state"), [("0", "present"), ("1", "absent"), (None, "cannot_tell")])
def test_the_witness_reads_how_the_reload_went(
    kind: str, params: dict[str, Any], file: str, metric: str, value: str | None, state: str, tmp_path: Path
) -> None:
    with answering(200, f"{metric} {value}\n" if value else "other_total 1\n") as (address, _):
        assert make(kind, params).witness(FakeLive(address)).state == state


def test_a_server_that_does_not_run_reloads_nothing(tmp_path: Path) -> None:
    fault = make("rules_broken", {"alert": "Slow"})
    with pytest.raises(StackError, match="does not run"):
        fault.inject(Reloaded(tmp_path, takes=0))
    fault.heal(Reloaded(tmp_path, runs=False, takes=0))
    assert Reloaded(tmp_path).texts()["rules/b.yml"] == RULES
    fault.inject(Reloaded(tmp_path))
    with pytest.raises(HealError, match="cannot be told"):
        fault.heal(Reloaded(tmp_path, runs=True, takes=0))


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="No rendered rule file defines Slo"):
        make("rules_broken", {"alert": "Slo"}).inject(Reloaded(tmp_path))
    (tmp_path / "config" / "a.yml").unlink()
    live = FakeLive("127.0.0.1:1")
    live.work = tmp_path
    with pytest.raises(StackError, match=r"no rendered a\.yml"):
        make("routes_broken", {}).inject(live)


def test_they_blind_nothing_and_need_a_signal() -> None:
    fault = make("routes_broken", {})
    assert fault.blinds(fault_stack()) == ()
    assert fault.needs() == ("role:alertmanager", "capability:signal")
