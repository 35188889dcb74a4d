import pytest

from tests.assertions.asking import alive, ask, says
from tests.evidence.build import steady
from tests.evidence.rendered import ANNOTATIONS, alert, write, write_tools

FINE = {name: "SUCCESS\nexit 0\n" for name in ("promtool_rules", "promtool_config", "amtool_config")}
UP = {'up{job="a"}': steady(1, 0, 120)}


def row(name="HighErrorRate", severity="critical", receivers=("page",), by_default=False):
    labels = {"alertname": name} | ({"severity": severity} if severity else {})
    return {"alert": name, "labels": labels, "receivers": list(receivers), "by_default": by_default, "output": ""}


ROUTES = (row(),)


def valid(tmp_path, *rules, args=None, routes=ROUTES, **outputs):
    write(tmp_path / "run", *(rules or (alert(),)))
    write_tools(tmp_path / "run", **{**FINE, "routes": None if routes is None else list(routes), **outputs})
    return ask("rules/valid", tmp_path, args or {}, series=alive(UP))


def test_all_is_well(tmp_path):
    words = "2 rules, 1 of them alerts: valid, routed, and every metric they read exists."
    says(valid(tmp_path, alert(), {"record": "a:b", "expr": "sum(up)"}), "pass", words)


@pytest.mark.parametrize(
    ("outputs", "answer", "words"),
    [
        (
            {"promtool_rules": "x: FAILED\nduplicate rule(s) found\nexit 3\n"},
            "fail",
            "promtool_rules refuses: duplicate",
        ),
        (
            {"promtool_config": "FAILED: no such file\nexit 1\n"},
            "fail",
            "promtool_config refuses: FAILED: no such file",
        ),
        ({"amtool_config": "exit 1\n"}, "fail", "amtool_config refuses: it gave no reason"),
        ({"amtool_config": None}, "unknown", "left no answer for amtool_config.txt"),
        ({"promtool_rules": "TimeoutExpired: 15 s\n"}, "unknown", "left no answer for promtool_rules.txt"),
        ({"routes": None}, "unknown", "left no answer for routes.json"),
    ],
)
def test_what_the_tools_said(tmp_path, outputs, answer, words):
    says(valid(tmp_path, **{"routes": ROUTES, **outputs}), answer, words)


@pytest.mark.parametrize(
    ("rule", "answer", "words"),
    [
        (alert(labels=None), "fail", "HighErrorRate has no severity"),
        (alert(labels={"team": "ml"}), "fail", "HighErrorRate has no severity"),
        (alert(annotations=None), "fail", "HighErrorRate has no summary, description, runbook_url"),
        (alert(annotations={**ANNOTATIONS, "summary": " "}), "fail", "HighErrorRate has no summary"),
        (alert(expr="renamed_total > 0"), "fail", "HighErrorRate reads renamed_total, which no target exposes"),
        (alert(expr="absent(renamed_total)"), "pass", ""),
        (alert(expr='{__name__="up"} == 0'), "pass", ""),
        (alert(expr="sum by ("), "fail", "HighErrorRate is not PromQL"),
    ],
)
def test_what_a_rule_lacks(tmp_path, rule, answer, words):
    says(valid(tmp_path, rule), answer, words)


@pytest.mark.parametrize(("glob", "answer"), [("renamed_total", "pass"), ("renamed_*", "pass"), ("other*", "fail")])
def test_a_metric_may_be_declared_to_lack(tmp_path, glob, answer):
    says(valid(tmp_path, alert(expr="renamed_total > 0"), args={"may_lack": [glob]}), answer, "")


@pytest.mark.parametrize(
    ("expr", "answer"),
    [
        ("sleeping > 0", "pass"),
        ("rate(times_bucket[5m]) > 0", "pass"),
        ("times_total > 0", "fail"),
        ("sleeping_bucket > 0", "fail"),
    ],
)
def test_what_a_target_declares_exists_without_a_sample(tmp_path, expr, answer):
    says(valid(tmp_path, alert(expr=expr), metadata={"sleeping": "gauge", "times": "histogram"}), answer, "")


TICKET = row(severity="warning", receivers=["ticket"], by_default=True)


@pytest.mark.parametrize(
    ("args", "found", "answer", "words"),
    [
        ({}, row(receivers=[]), "fail", "HighErrorRate reaches no receiver"),
        ({}, TICKET, "fail", "no route leads HighErrorRate (warning) anywhere, it falls to the root's receiver ticket"),
        ({"routes": {"warning": ["ticket"]}}, TICKET, "pass", ""),
        ({"routes": {"critical": ["page"]}}, row(), "pass", ""),
        ({"routes": {"critical": ["page"]}}, row(receivers=["ticket"]), "fail", "(critical) reaches ticket, not page"),
        ({"routes": {"critical": ["page"]}}, row(receivers=["page", "chat"]), "fail", "reaches page, chat, not page"),
        ({}, row(severity="none", receivers=["ticket"], by_default=True), "pass", ""),
    ],
)
def test_where_it_leads(tmp_path, args, found, answer, words):
    says(valid(tmp_path, args=args, routes=[found]), answer, words)


def test_no_rule_at_all_is_no_valid_monitoring(tmp_path):
    says(ask("rules/valid", tmp_path, {}, series=alive(UP)), "fail", "load no rule at all")


def test_several_problems_are_told_at_once(tmp_path):
    rules = [alert(f"A{number}", labels=None) for number in range(5)]
    says(valid(tmp_path, *rules), "fail", ["A0 has no severity; A1 has no severity; A2", "(and 2 more)."])
