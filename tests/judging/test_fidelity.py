"""A run against the original rules: faithful as it is, different as soon as one of the rules is another one."""

import pytest

from tests.evidence.build import START, build, counting, fault, firing, steady, together
from tocsin.harness.core.errors import EvidenceError
from tocsin.harness.judging.fidelity.assessment import examine
from tocsin.harness.judging.fidelity.comparison import Pair, Stretch
from tocsin.harness.judging.fidelity.exemptions import exemption
from tocsin.harness.judging.fidelity.prometheus_blocks import Blocks
from tocsin.harness.judging.fidelity.promtool_oracle import _tracks
from tocsin.harness.judging.fidelity.rule_groups import Group, names_in, needed_by, original_groups
from tocsin.harness.judging.fidelity.scrape_timeouts import doubtful
from tocsin.harness.provisioning.programs import cache_folder, find_all

SPEED = 10
RULES = """
groups:
  - name: targets
    rules:
      - {record: eval_ts, expr: vector(time()), labels: {rule_group: targets}}
      - {alert: TargetDown, expr: up == 0, for: 30s, labels: {severity: page}}
      - {alert: Errors, expr: 'rate(errors_total[30s]) > 5', labels: {severity: page}}
      - {alert: Quiet, expr: 'rate(errors_total[30s]) > 500'}
"""
DOWN = 'TargetDown{severity="page", job="a", instance="a:1"}'
ERRORS = 'Errors{severity="page", job="a", instance="a:1"}'
LIVE = {  # at speed 10, scrapes and evaluations each second: the target is down from 30 to 40, errors from 10 to 20
    **firing(DOWN, pending=30.5, start=33.5, end=40.5),
    **firing(ERRORS, start=12.5, end=22.5),
}


UP = 'up{job="a", instance="a:1"}'


def samples(length=60):
    up = [*steady(1, 0, 29), *steady(0, 30, 39), *steady(1, 40, length)]
    errors = [*steady(0, 0, 10), *counting(10, 11, 20, first=10), *steady(100, 21, 29), *steady(100, 40, length)]
    marks = {'eval_ts{rule_group="targets"}': steady(1, 0.5, length)}
    return {UP: up, 'errors_total{job="a", instance="a:1"}': errors, **marks}


def played(folder, rules=RULES, live=None, series=None, **more):
    evidence = build(folder, series=together(series or samples(), LIVE if live is None else live), speed=SPEED, **more)
    if rules is not None:
        path = folder / "config/original/prometheus/rules.yml"
        path.parent.mkdir(parents=True)
        path.write_text(rules)
    return evidence


@pytest.fixture(scope="module")
def programs():
    return find_all(("prometheus", "promtool"), cache_folder())


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("was", "now", "verdicts", "reason"),
    [
        ("", "", ["same", "same"], ""),
        ("for: 30s", "for: 60s", ["same", "different"], "its onset is 30 s earlier than in production"),
        ("up == 0", "up == 2", ["same", "different"], "only the run saw it fire, for 70 s"),
        ("'rate(errors_total[30s]) > 5'", "'rate(errors_total[2m]) > 5'", ["different", "same"], ""),
        ("> 500", "> 5", ["same", "different", "same"], "only the oracle saw it fire, for 90 s"),
        ("severity: page}}\n      - {alert: Q", "severity: mail}}\n      - {alert: Q", None, ""),
        (
            "for: 30s",
            "for: 30s, keep_firing_for: 1m",
            ["same", "different"],
            "its end is 60 s earlier than in production",
        ),
    ],
)
def test_a_run_and_its_original_rules(tmp_path, programs, was, now, verdicts, reason):
    found = examine(played(tmp_path, RULES.replace(was, now) if was else RULES), programs["promtool"].path)
    assert found.untold == ()
    if verdicts is None:  # the label of an alert is part of its name
        verdicts, reason = ["different", "different", "same"], "only the run saw it fire, for 100 s"
    assert [row.pair.verdict for row in found.rows] == verdicts
    assert reason in {"", *(row.pair.reason for row in found.rows)}
    assert ("Quiet" in found.silent) == (was != "> 500")


@pytest.mark.e2e
def test_an_alert_that_stayed_silent_in_the_run_is_different(tmp_path, programs):
    found = examine(played(tmp_path, live=firing(ERRORS, start=12.5, end=22.5)), programs["promtool"].path)
    assert [(row.alert, row.pair.verdict) for row in found.rows] == [("Errors", "same"), ("TargetDown", "different")]


@pytest.mark.e2e
def test_rules_that_promtool_cannot_read_are_unknown(tmp_path, programs):
    found = examine(played(tmp_path, RULES.replace("for: 30s", "for: soon")), programs["promtool"].path)
    assert (found.rows, found.silent) == ((), ())
    assert "promtool answered 0 of 59 evaluations of targets" in found.untold[0]


def healthy(at):
    return "role_healthy", at, {"role": "prometheus", "took_s": 0.5}


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("facts", "verdict"), [([healthy(-3), healthy(35.9)], "exempt"), ([healthy(-3)], "different"), ([], "different")]
)
def test_a_restart_of_prometheus_exempts_what_it_cut_short(tmp_path, programs, facts, verdict):
    live = together(
        firing(DOWN, pending=30.5, start=33.5, end=35.1),
        firing(DOWN, pending=38.5, start=None, end=40.5),
        firing(ERRORS, start=12.5, end=22.5),
    )
    found = examine(played(tmp_path, live=live, facts=facts), programs["promtool"].path)
    assert {row.alert: row.pair.verdict for row in found.rows} == {"Errors": "same", "TargetDown": verdict}


@pytest.mark.e2e
def test_evaluations_after_a_restart_that_are_not_shown_end_nothing(tmp_path, programs):
    live = together(
        firing(DOWN, pending=30.5, start=33.5, end=35.1),
        firing(DOWN, start=37.5, end=40.5),
        firing(ERRORS, start=12.5, end=22.5),
    )
    found = examine(played(tmp_path, live=live, facts=[healthy(-3), healthy(35.9)]), programs["promtool"].path)
    assert {row.alert: row.pair.verdict for row in found.rows} == {"Errors": "same", "TargetDown": "same"}


@pytest.mark.e2e
def test_an_alert_without_an_original_is_unknown(tmp_path, programs):
    found = examine(played(tmp_path, RULES.replace("TargetDown", "TargetGone")), programs["promtool"].path)
    assert found.untold == ("TargetDown: it fired in the run, and no original rule has its name.",)


OVER = """
groups:
  - name: targets
    rules:
      - {record: eval_ts, expr: vector(time()), labels: {rule_group: targets}}
      - {alert: Long, expr: 'min_over_time((up{job=~".+"})[3h:50ms]) == 0', for: 20s, labels: {severity: page}}
      - {alert: TargetDown, expr: up == 0, for: 30s, labels: {severity: page}}
"""
LONG = 'Long{severity="page", job="a", instance="a:1"}'


@pytest.mark.e2e
@pytest.mark.parametrize(("start", "verdict"), [(32.5, "same"), (36.5, "different")])
def test_a_rule_over_the_cap_is_asked_of_prometheus(tmp_path, programs, start, verdict):
    live = together(firing(LONG, pending=30.5, start=start, end=60.6), firing(DOWN, pending=30.5, start=33.5, end=40.5))
    evidence = played(tmp_path, OVER, live=live)
    promtool = programs["promtool"].path
    blocks = Blocks(prometheus=programs["prometheus"].path, promtool=promtool, scrape_interval_s=SPEED)
    found = examine(evidence, promtool, blocks)
    assert dict(found.oracles) == {"Long": "Prometheus on backfilled blocks", "TargetDown": "promtool"}
    assert {row.alert: row.pair.verdict for row in found.rows} == {"Long": verdict, "TargetDown": "same"}
    assert "promtool allows no query of so many samples" in examine(evidence, promtool).untold[0]


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("rules", "untold"),
    [
        (
            OVER.replace("{alert: Long", "{record: 'up:long'").replace("for: 20s, ", ""),
            "TargetDown: it rests on up:long, whose recording is over promtool's cap.",
        ),
        (
            OVER.replace("== 0', for: 20s", "== 0 or eval_ts < 0', for: 20s"),
            "Long, TargetDown: Long is over promtool's cap and reads eval_ts, a recording.",
        ),
    ],
)
def test_recordings_and_the_cap_are_unknown(tmp_path, programs, rules, untold):
    blocks = Blocks(prometheus=tmp_path, promtool=tmp_path, scrape_interval_s=SPEED)
    live = firing(DOWN, pending=30.5, start=33.5, end=40.5)
    assert examine(played(tmp_path, rules, live=live), programs["promtool"].path, blocks).untold == (untold,)


# Without any program.


def pause(**params):
    return {"faults": [fault("pause", "x", "baseline", params=params, injected=29, effective=29, healed=41, gone=41)]}


@pytest.mark.parametrize(
    ("took_s", "alert", "labels", "more", "doubt"),
    [
        (0.95, "TargetDown", {"job": "ml-inference"}, {}, True),
        (0.01, "TargetDown", {"job": "ml-inference"}, {}, False),  # refused at once
        (0.95, "TargetDown", {"job": "b"}, {}, False),
        (0.95, "Errors", {"job": "ml-inference"}, {}, False),  # does not read `up`
        (0.95, "TargetDown", {"job": "ml-inference"}, pause(role="model"), False),  # the drill's own doing
        (0.95, "TargetDown", {"job": "ml-inference"}, pause(edge="prometheus -> model"), False),
        (0.95, "TargetDown", {"job": "ml-inference"}, pause(role="pager"), True),
        (0.95, "TargetDown", {"job": "ml-inference"}, pause(delay_ms=900), False),  # inside the service
    ],
)
def test_scrapes_that_production_would_have_waited_for(tmp_path, took_s, alert, labels, more, doubt):
    target = '{job="ml-inference", instance="a:1"}'
    took = {f"scrape_duration_seconds{target}": steady(took_s, 0, 60), f"up{target}": samples()[UP]}
    evidence = played(tmp_path, series=took, run={"payload_role": "model"}, **more)
    found = doubtful(evidence, original_groups(evidence)[0], alert, labels, (START + 33.5, START + 40.5))
    assert (found is not None) == doubt
    if doubt:
        assert found == "10 scrapes of ml-inference a:1 were given up after 1 s, for which production has more time"


def test_a_run_without_the_original_rules_says_so(tmp_path):
    with pytest.raises(EvidenceError, match="holds no config/original"):
        original_groups(played(tmp_path, rules=None))


def test_rule_files_that_were_not_loaded_are_left_out(tmp_path):
    evidence = played(tmp_path, run={"alerts": [{"name": "TargetDown", "file": "rules.yml", "loaded": False}]})
    with pytest.raises(EvidenceError, match="holds no rule group"):
        original_groups(evidence)


def test_a_group_is_evaluated_after_those_it_reads():
    def group(name, *rules):
        return Group(name=name, file="f", interval_s=15, content={"name": name, "rules": list(rules)})

    a = group("a", {"record": "a:rate", "expr": "rate(x[5m])"})
    b = group("b", {"record": "b:ratio", "expr": "a:rate / y"})
    c = group("c", {"alert": "C", "expr": "b:ratio > 1 unless on () absent(z)"})
    d = group("d", {"alert": "D", "expr": "x > 1"})
    assert [one.name for one in needed_by(c, [d, c, b, a])] == ["a", "b", "c"]
    assert [one.name for one in needed_by(d, [a, b, c, d])] == ["d"]
    assert c.reads == {"b:ratio", "z"}
    assert names_in('{job="x"}') == {"*"}


WANTED = '        exp: {__name__="deliberately", wrong="yes"} 1E+00'
GOT = f"""Unit Testing:  test.json
  FAILED:
    expr: "ALERTS", time: 0s,
{WANTED}
        got: nil
    expr: "ALERTS", time: 15s,
{WANTED}
        got: """ + ", ".join(
    (
        r'{__name__="ALERTS", alertname="A", alertstate="pending", x="a, \"b\" } 1"} 1E+00',
        '{__name__="ALERTS", alertname="B", alertstate="firing"} 1E+00\n',
    )
)


def test_what_promtool_got_is_read():
    group = Group(name="g", file="f", interval_s=15, content={"rules": [{"alert": "A", "expr": "x"}]})
    found = _tracks(GOT, group, 2)
    assert {tuple(sorted(key)): track.tolist() for key, track in found.items()} == {
        (("alertname", "A"), ("x", 'a, "b" } 1')): [0, 1]  # B is another group's
    }
    with pytest.raises(EvidenceError, match="answered 2 of 3 evaluations"):
        _tracks(GOT, group, 3)


@pytest.mark.parametrize(
    ("expr", "at", "reason"),
    [
        ("up == 0", 500, ""),
        ("up == 0", 120, "bound to the restart of Prometheus, which did not see the targets for 60 s"),
        ("up == 0", 215, ""),
        ("rate(x_total[5m]) > 1", 215, "bound to the restart of Prometheus"),  # its window still holds the hole
        ("x_total > 100", 500, "compares the counter x_total itself"),
        ("sum(x_total) > 100", 500, "compares the counter x_total itself"),
        ("rate(x_total[5m]) > 1", 800, ""),
    ],
)
def test_what_is_exempt(expr, at, reason):
    group = Group(name="g", file="f", interval_s=15, content={"rules": [{"alert": "A", "expr": expr, "for": "1m"}]})
    pair = Pair(live=Stretch(pending=None, start=at, end=at + 10_000), oracle=None, verdict="different")
    found = exemption(group, "A", pair, [(60.0, 120.0)], 15)
    assert reason in found if reason else found == ""
