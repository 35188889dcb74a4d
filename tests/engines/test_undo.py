from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from tests.faults.fake_live import FakeLive
from tocsin.harness.engines.guardian import undo as undoing
from tocsin.harness.engines.guardian.guard_record import GuardRecord, RecordedFault
from tocsin.harness.engines.guardian.undo import bound_s, undo


class Healing:
    """Stands for `faults.make`: what each kind's heal does is said by its name."""

    def __init__(self) -> None:
        self.healed: list[Any] = []
        self.never = threading.Event()

    def __call__(self, kind: str, params: Any) -> Any:
        if kind == "unknown":
            raise KeyError(kind)
        self.kind = kind
        return self

    def heal(self, live: Any) -> None:
        if self.kind == "hangs":
            self.never.wait(5)
        if self.kind == "raises":
            raise OSError("no route")
        self.healed.append(self.kind)


FAULTS = [
    (("good",), ["good"], [], {}),
    (("first", "second", "third"), ["third", "second", "first"], [], {}),
    (("good", "raises"), ["good"], ["raises"], {"raises": "OSError: no route"}),
    (("good", "unknown"), ["good"], ["unknown"], {"unknown": "KeyError: 'unknown'"}),
    (("good", "hangs"), ["good"], ["hangs"], {"hangs": "its heal took longer than"}),
]


@pytest.mark.parametrize(("kinds", "healed", "left", "why"), FAULTS, ids=["-".join(kinds) for kinds, *_ in FAULTS])
def test_newest_first_and_one_that_fails_does_not_cost_the_others(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kinds: tuple[str, ...],
    healed: list[str],
    left: list[str],
    why: dict[str, str],
) -> None:
    healing, said = Healing(), []
    monkeypatch.setattr(undoing, "make", healing)
    monkeypatch.setattr(undoing, "_NEXT_S", 0.05)
    record = GuardRecord(tmp_path / "guard.jsonl")
    for kind in kinds:
        record.write_injection(kind, kind=kind, params={}, outlives=False, at=1.0)
    assert undo(None, record, record.unhealed(), 0.1, said.append) is not bool(left)
    healing.never.set()
    assert [line["healed"] for line in said if "healed" in line] == healing.healed[: len(healed)] == healed
    assert [fault.name for fault in record.unhealed()] == [line["left"] for line in said if "left" in line] == left
    for line in said:
        assert why.get(line.get("left", ""), "") in line.get("why", "")


@pytest.mark.parametrize(
    ("kind", "params", "expected_s"),
    [
        ("kill", {"role": "model"}, 7.0),
        ("model_raises", {"share": 1}, 7.0),
        ("net_refuse", {"edge": "prometheus -> alertmanager"}, 9.0),
        ("cpu_hog", {}, 5.0),
        ("kill", {"role": "cat"}, 5.0),
        ("unknown", {}, 5.0),
    ],
)
def test_the_bound_is_the_start_time_of_the_slowest_role_and_five_seconds(
    kind: str, params: dict[str, Any], expected_s: float
) -> None:
    live = FakeLive("127.0.0.1:1")
    fixed = {"model": 2.0, "prometheus": 4.0}
    roles = {name: role.model_copy(update={"fixed_s": fixed.get(name, 0.0)}) for name, role in live.stack.roles.items()}
    live.stack = live.stack.model_copy(update={"roles": roles})
    assert bound_s(live, [RecordedFault(name="x", kind=kind, params=params)]) == expected_s
