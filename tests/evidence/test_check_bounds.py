import dataclasses

import pytest

from tests.evidence.build import START, build, fault
from tocsin.harness.declarations.check_arguments import Args, Bounded
from tocsin.harness.evidence.check_bounds import (
    clock_slack_s,
    cut_off,
    fault_interval,
    format_alert,
    onset_bound,
    relief_bound,
    rounded,
    scope_interval,
)
from tocsin.harness.evidence.evidence import EvidenceError

PHASES = {"baseline": 60, "trouble": 60}
TIMES = {"injected": 62, "effective": 63, "healed": 80, "gone": 82}


def run(tmp_path, *faults, **more):
    return build(tmp_path / "run", phases=PHASES, faults=faults, **more)


def outage(kind="raises", role="model", name="outage", **times):
    return fault(name, kind, "trouble", params={"role": role}, **{**TIMES, **times})


@pytest.mark.parametrize(
    ("args", "start", "end"),
    [
        ({}, 0, 120),
        ({"in": "trouble"}, 60, 120),
        ({"during": "outage"}, 62, 82),
        ({"in": "baseline", "during": "outage"}, 62, 82),
    ],
)
def test_where_arguments_point(tmp_path, args, start, end):
    place = scope_interval(run(tmp_path, outage()), Args.model_validate(args))
    assert (place.start - START, place.end - START) == (start, end)


@pytest.mark.parametrize(
    ("times", "end"), [({}, 82), ({"gone": None}, 80), ({"gone": None, "healed": None}, 120), ({"effective": None}, 82)]
)
def test_a_fault_is_active_until_it_was_seen_to_be_gone(tmp_path, times, end):
    evidence = run(tmp_path, outage(**times))
    assert fault_interval(evidence, evidence.faults["outage"]).end - START == end


def test_a_fault_that_was_never_injected_is_not_active(tmp_path):
    evidence = run(tmp_path, fault("outage", "raises", "trouble"))
    assert fault_interval(evidence, evidence.faults["outage"]) is None


@pytest.mark.parametrize(
    ("bound", "args", "begun", "since", "words"),
    [
        (onset_bound, {"in": "trouble"}, 60, 60, "5 s after trouble began"),
        (onset_bound, {}, 0, 0, "65 s after play began"),
        (onset_bound, {"during": "outage"}, 62, 63, "2 s after outage took effect"),
        (relief_bound, {"in": "trouble"}, 0, 60, "5 s after trouble began"),
        (relief_bound, {"during": "outage"}, 62, 82, "17 s before outage was gone"),
    ],
)
def test_from_when_a_bound_counts(tmp_path, bound, args, begun, since, words):
    found = bound(run(tmp_path, outage()), Bounded.model_validate({**args, "within": 30}))
    assert (found.begun - START, found.since - START, found.deadline - START) == (begun, since, since + 30)
    assert (found.when(START + 65), str(found)) == (words, "bound 30 s")


@pytest.mark.parametrize(
    ("bound", "args", "times", "words"),
    [
        (onset_bound, {"in": "never"}, {}, "the phase never was never played"),
        (onset_bound, {"during": "never"}, {}, "the fault never was never injected"),
        (onset_bound, {"during": "outage"}, {"effective": None, "gone": None}, "take effect .last seen: nothing"),
        (relief_bound, {"during": "outage"}, {"gone": None}, "to be gone .last seen: present"),
    ],
)
def test_without_a_beginning_there_is_no_bound(tmp_path, bound, args, times, words):
    with pytest.raises(EvidenceError, match=words):
        bound(run(tmp_path, outage(**times)), Bounded.model_validate({**args, "within": 30}))


@pytest.mark.parametrize(
    ("faults", "within", "fixed"),
    [
        ([outage("kill")], 30, {"model": 30.0}),
        ([outage("kill", role="prometheus")], 30, {"prometheus": 180.0}),
        ([outage("kill"), outage("kill", name="again", healed=85, gone=86)], 900, {"model": 60.0}),
        ([outage("kill")], 900, {"model": 30.0}),
        ([outage("kill", injected=1, effective=2, healed=10, gone=11)], 30, {}),  # long over
        ([outage("kill", role="unheard_of")], 30, {}),
        ([outage("raises")], 900, {}),
    ],
)
def test_restarts_within_the_bound_are_added(tmp_path, faults, within, fixed):
    evidence = run(tmp_path, *faults, speed=30.0)
    args = Bounded.model_validate({"in": "trouble", "within": within * 30})
    assert onset_bound(evidence, args).fixed_s == fixed


AT_ONCE = {"injected": 10, "effective": 11, "healed": 80, "gone": 82}


@pytest.mark.parametrize("kind", ["restart", "cold_start"])
@pytest.mark.parametrize(("up", "fixed"), [(50, {}), (59.5, {"model": 30.0})])
def test_what_is_started_while_it_is_injected_adds_nothing_at_its_heal(tmp_path, kind, up, fixed):
    """The role is up at `up` and takes a second; the fault is there until 82, and the bound counts from 60 or 82."""
    format_alert = outage(kind, **AT_ONCE)
    if kind == "cold_start":
        format_alert["params"] = {}  # it is the role that serves
    facts = [("injected", up, {"fault": "outage"})]
    evidence = run(tmp_path, format_alert, speed=30.0, facts=facts, run={"payload_role": "model"})
    assert onset_bound(evidence, Bounded.model_validate({"in": "trouble", "within": 900})).fixed_s == fixed
    assert relief_bound(evidence, Bounded.model_validate({"during": "outage", "within": 900})).fixed_s == {}


@pytest.mark.parametrize(
    ("outcome", "facts", "at"),
    [
        ("completed", [], None),
        ("completed", [("error", 30, {"message": "a collector was late"})], None),
        ("completed", [("role_died", 70, {"role": "gpu"})], 70),
        ("interrupted by SIGINT", [("interrupted", 70, {})], 70),
        ("Disk full.", [("error", 90, {}), ("interrupted", 95, {})], 90),
        ("Disk full.", [("error", -5, {})], None),  # before play, which then was played to its end
    ],
)
def test_when_play_was_cut_short(tmp_path, outcome, facts, at):
    found = cut_off(run(tmp_path, run={"outcome": outcome}, facts=facts))
    assert (found and found[0] - START) == at


def test_a_run_that_never_said_it_ended(tmp_path):
    whole = run(tmp_path, run={"outcome": "running"}, facts=[("clock", 100, {})])
    assert cut_off(whole) is None
    cut = dataclasses.replace(whole, journal=tuple(fact for fact in whole.journal if fact.fact != "play_ended"))
    assert cut_off(cut) == (START + 100, "the run was cut off")
    assert cut_off(dataclasses.replace(whole, journal=())) is None


def test_clocks(tmp_path):
    assert clock_slack_s(run(tmp_path / "none")) == 0.0
    facts = [
        ("clock", 5, {"process": "pager", "wall": START + 5.0}),
        ("clock", 7, {"process": "canary", "wall": START + 7.25}),
    ]
    assert clock_slack_s(run(tmp_path / "two", facts=facts)) == 0.25
    elsewhere = [
        ("worker_clock", 3, {"worker": worker, "offset_s": 100.0, "uncertainty_s": uncertainty_s})
        for worker, uncertainty_s in ((2, 0.5), (3, 0.125))
    ]
    assert clock_slack_s(run(tmp_path / "three", facts=[*facts, *elsewhere])) == 0.75


def test_words():
    assert format_alert("A", {}) == "A"
    assert format_alert("A", {"b": "1", "a": "2"}) == 'A{a="2", b="1"}'
    assert [rounded(number) for number in (182.0, 20.44, 0.0)] == ["182", "20.4", "0"]
