"""Faults of a page of metrics: what their witnesses make of pages, as a scraper gets them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.fake_live import FakeLive, answering, fault_stack
from tocsin.harness.core.errors import StackError
from tocsin.harness.declarations.fault_contract import Witness
from tocsin.harness.declarations.stack_signals import DriftSignal, RequestsSignal
from tocsin.harness.faults import make, metrics_hang
from tocsin.harness.faults.bases import metrics_page
from tocsin.harness.faults.bases.metrics_page import samples, total
from tocsin.harness.sidecars.proxy.probe import EdgeAnswer

REQUESTS = RequestsSignal(metric="served_total", label="s", answered="a", failed="f", refused="r")
PAGE = """# HELP served_total Requests
# TYPE served_total counter
served_total{s="a"} 7
served_total{s="f"} 1.0 1700000000000
served_seconds_bucket{le="+Inf"} 8
served_seconds_sum 0.5
up 1
"""


class Pages(FakeLive):
    """Answers each scrape with the next of its pages, over and over; None is a status of 500."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *pages: str | None, statuses: tuple[int, ...] = (200,)) -> None:
        super().__init__("127.0.0.1:1", statuses)
        self.stack = self.stack.model_copy(
            update={"signals": self.stack.signals.model_copy(update={"requests": REQUESTS})}
        )
        self.scrapes = 0

        def scraped(method: str, address: str, path: str) -> tuple[int, str]:
            assert (method, address, path) == ("GET", self.at, "/metrics")
            page = pages[self.scrapes % len(pages)]
            self.scrapes += 1
            return (500, "oops") if page is None else (200, page)

        monkeypatch.setattr(metrics_page, "call", scraped)


def served(*values: float) -> tuple[str, ...]:
    return tuple(PAGE.replace('{s="a"} 7', f'{{s="a"}} {value}') for value in values)


EXPLODED = PAGE + "".join(f'by_user{{user="{n}"}} 1\n' for n in range(1000))
MISSING, EXPLODE, BACK = {"metric": "served_total"}, {"series": 1000}, {"metric": "served_total"}

SEEN: list[tuple[str, dict[str, Any], tuple[str | None, ...], str, str]] = [
    ("metrics_error", {}, (None,), "present", "answers 500"),
    ("metrics_error", {}, (PAGE,), "absent", "answers 200"),
    ("metrics_stale", {}, (PAGE,), "present", "was 8.0 and is 8.0 after 3"),
    ("metrics_stale", {}, served(7, 10), "absent", "was 8.0 and is 11.0 after 3"),
    ("metrics_stale", {}, ("up 1\n",), "cannot_tell", "None"),
    ("metrics_missing", MISSING, (PAGE,), "absent", "2 of 5 samples"),
    ("metrics_missing", MISSING, ("up 1\n",), "present", "0 of 1 samples"),
    ("metrics_missing", {"metric": "served_seconds"}, (PAGE,), "absent", "2 of 5 samples"),
    ("metrics_missing", {"metric": "served"}, (PAGE,), "present", "0 of 5 samples"),
    ("metrics_missing", MISSING, (None,), "cannot_tell", "answers 500"),
    ("metrics_missing", MISSING, ("",), "cannot_tell", "0 of 0"),
    ("metrics_explode", EXPLODE, (EXPLODED,), "present", "up to 1000 series"),
    ("metrics_explode", EXPLODE, (PAGE,), "absent", "up to 2 series"),
    ("metrics_explode", {"series": 2000}, (EXPLODED,), "cannot_tell", "up to 1000 series"),
    ("metrics_explode", EXPLODE, (None,), "cannot_tell", "500"),
    ("counter_backwards", BACK, served(7, 3), "present", "8, 4, 8"),
    ("counter_backwards", BACK, served(*range(7, 13)), "absent", "8, 9, 10"),
    ("counter_backwards", BACK, ("up 1\n",), "cannot_tell", "nothing"),
]


@pytest.mark.parametrize(("kind", "params", "pages", "state", "detail"), SEEN)
def test_the_witness_reads_pages_as_a_scraper_does(
    kind: str, params: dict[str, Any], pages: tuple[str | None, ...], state: str, detail: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    seen = make(kind, params).witness(Pages(monkeypatch, *pages))
    assert seen.state == state and detail in seen.detail, seen.detail


def test_a_counter_that_nobody_moved_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = make("metrics_stale", {}).witness(Pages(monkeypatch, PAGE, statuses=(503,)))
    assert seen.state == "cannot_tell"


def test_a_stack_without_a_request_counter_is_told() -> None:
    with pytest.raises(StackError, match="request counter"):
        make("metrics_stale", {}).witness(FakeLive("127.0.0.1:1"))


WAITED = [
    ("silent", "absent", "present"),
    ("answered", "absent", "absent"),
    ("silent", "cannot_tell", "cannot_tell"),
    ("refused", "absent", "cannot_tell"),
]


@pytest.mark.parametrize(("how", "well", "state"), WAITED)
def test_a_page_that_hangs_is_told_from_a_service_that_does(
    how: Any, well: Any, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics_hang, "ask_once", lambda *_: EdgeAnswer(how=how, took_s=0.6))
    monkeypatch.setattr(metrics_hang, "health", lambda *_: Witness(state=well, detail="health"))
    assert make("metrics_hang", {}).witness(FakeLive("127.0.0.1:1")).state == state


DRIFT = DriftSignal.model_validate(
    {
        "score": {"metric": "score", "label": "f"},
        "detected": {"metric": "detected", "label": "f"},
        "checked": {"metric": "checked", "every": "30s"},
    }
)
BLINDS = [
    *((kind, {}, "drift") for kind in ("metrics_hang", "metrics_error", "metrics_stale")),
    ("metrics_explode", EXPLODE, "drift"),
    ("metrics_missing", {"metric": "checked"}, "drift"),
    ("metrics_missing", MISSING, ""),
    ("counter_backwards", BACK, ""),
    ("log_stop", {}, "logs"),
    ("clock_offset", {"offset_s": 60}, "drift"),
    ("log_malformed", {"share": 1}, ""),
]


@pytest.mark.parametrize(("kind", "params", "signal"), BLINDS)
def test_what_is_not_seen_meanwhile(kind: str, params: dict[str, Any], signal: str) -> None:
    stack = fault_stack()
    stack = stack.model_copy(update={"signals": stack.signals.model_copy(update={"drift": DRIFT})})
    assert make(kind, params).blinds(stack) == (((signal, "model"),) if signal else ())


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        ("metrics_explode", {"series": 999}),
        ("metrics_explode", {"series": 50_001}),
        ("metrics_missing", {"metric": "no-metric"}),
        ("metrics_missing", {"metric": ".*"}),
        ("counter_backwards", {"metric": "a", "share": 0}),
        ("counter_backwards", {"metric": "a", "share": 1.1}),
        ("metrics_hang", {"for": 1}),
    ],
)
def test_parameters_are_bounded(kind: str, params: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        make(kind, params)


def test_samples_of_a_page() -> None:
    assert list(samples(PAGE)) == [
        ("served_total", 7), ("served_total", 1), ("served_seconds_bucket", 8), ("served_seconds_sum", 0.5), ("up", 1)
    ]  # fmt: skip
    assert (total(PAGE, "served_total"), total(PAGE, "served")) == (8, None)


def test_inject_and_heal_use_the_hook() -> None:
    with answering(200) as (address, calls):
        make("counter_backwards", BACK).inject(FakeLive(address))
        make("counter_backwards", BACK).heal(FakeLive(address))
    path = "/faults/counter_backwards"
    assert calls == [("PUT", path, {"metric": "served_total", "share": 0.5}), ("DELETE", path, None)]
