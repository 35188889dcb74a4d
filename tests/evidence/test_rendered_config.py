import pytest

from tests.evidence.rendered import alert, write, write_tools
from tocsin.harness.evidence.annotation_templates import unfilled, unrendered
from tocsin.harness.evidence.rendered_config import RenderedConfig, tool_output

RECORD = {"record": "job:errors", "expr": "sum(errors)"}


def test_nothing_kept_is_an_empty_configuration(tmp_path):
    assert RenderedConfig.read(tmp_path) == RenderedConfig()
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "prometheus.yml").write_text("a: [torn")
    assert RenderedConfig.read(tmp_path) == RenderedConfig()


def test_rules_jobs_and_routes_are_read(tmp_path):
    write(tmp_path, alert(), RECORD, jobs={"slow": "1m", "quick": "500ms"})
    found = RenderedConfig.read(tmp_path)
    assert [(rule.name, rule.alerting, rule.group, rule.file) for rule in found.rules] == [
        ("HighErrorRate", True, "a", "prometheus/rules/a.yml"),
        ("job:errors", False, "a", "prometheus/rules/a.yml"),
    ]
    assert found.scrape_interval_s == {"slow": 60.0, "quick": 0.5}
    assert found.alertmanager["route"]["receiver"] == "ticket"
    assert [rule.name for rule in found.alerts()] == ["HighErrorRate"]


@pytest.mark.parametrize(
    ("pattern", "loaded"),
    [
        ("/tmp/run/config/prometheus/rules/*.yml", 1),
        ("rules/*.yml", 1),
        ("/tmp/run/config/prometheus/rules/b.yml", 0),
        ("other/*.yml", 0),
        ("/etc/elsewhere/*.yml", 0),
    ],
)
def test_only_what_rule_files_names_is_loaded(tmp_path, pattern, loaded):
    write(tmp_path, alert(), rule_files=[pattern])
    assert len(RenderedConfig.read(tmp_path).rules) == loaded


def test_originals_and_tools_are_no_configuration(tmp_path):
    config = write(tmp_path, alert())
    (config / "original").mkdir()
    (config / "prometheus").rename(config / "original" / "prometheus")
    assert RenderedConfig.read(tmp_path).rules == ()


@pytest.mark.parametrize(
    ("group", "expected"), [({}, None), ({"interval": "30s"}, 30.0), ({"interval": "250ms"}, 0.25)]
)
def test_a_group_may_have_an_interval_of_its_own(tmp_path, group, expected):
    write(tmp_path, alert(), group=group)
    assert RenderedConfig.read(tmp_path).evaluation_s("HighErrorRate") == expected
    assert RenderedConfig.read(tmp_path).evaluation_s("Other") is None


@pytest.mark.parametrize(("receiver", "expected"), [("page", 60.0), ("chat", 2.0), ("ticket", 300.0), ("none", None)])
def test_the_group_interval_of_a_receiver_is_inherited(tmp_path, receiver, expected):
    paged = {"receiver": "page", "group_interval": "1m", "routes": [{"matchers": ["a=b"]}, {"group_interval": "5s"}]}
    write(
        tmp_path, alert(), route={"receiver": "ticket", "routes": [paged, {"receiver": "chat", "group_interval": "2s"}]}
    )
    assert RenderedConfig.read(tmp_path).group_interval_s(receiver) == expected
    assert RenderedConfig().group_interval_s(receiver) is None


def test_tool_outputs(tmp_path):
    write_tools(tmp_path, promtool_rules="fine\nexit 0\n", files=["a"])
    assert tool_output(tmp_path, "promtool_rules.txt") == "fine\nexit 0\n"
    assert tool_output(tmp_path, "files.json") == ["a"]
    assert tool_output(tmp_path, "routes.json") is None
    (tmp_path / "config" / "tools" / "routes.json").write_text("[torn")
    assert tool_output(tmp_path, "routes.json") is None


@pytest.mark.parametrize(
    ("text", "trace"),
    [
        ("All is said.", ""),
        ("50% of it", ""),
        ("{{ $value }} fails", "{{"),
        ("<no value> fails", "<no value>"),
        ("<error expanding template: x>", "<error expanding template"),
        ("%!f(string=a)", "%!"),
    ],
)
def test_traces_of_templates(text, trace):
    assert unrendered(text) == trace


VALUE = "{{ $value | humanizePercentage }} of the last 5 minutes failed."


@pytest.mark.parametrize(
    ("templates", "text", "problem"),
    [
        ([VALUE], "12.5% of the last 5 minutes failed.", ""),
        ([VALUE], "NaN% of the last 5 minutes failed.", "holds 'NaN%' for the value"),
        ([VALUE], "+Inf% of the last 5 minutes failed.", "holds '+Inf%' for the value"),
        ([VALUE], " of the last 5 minutes failed.", "holds '' for the value"),
        ([VALUE], "Something else.", "does not fit its template"),
        ([VALUE, "It is {{ $value }} now."], "It is 7 now.", ""),  # one rule of that name fits
        (["No value is asked for."], "No value is asked for.", ""),
        ([], "Whatever.", ""),
        (["{{ if $value }}{{ $value }} fail{{ end }}"], "many fail", "holds no number"),
        (["{{ if $value }}{{ $value }} fail{{ end }}"], "7 fail", ""),
        (["{{ .Value }} on {{ $labels.job }}"], "0 on NaN", ""),  # the label may say what it likes
        (["The job {{ $labels.job }} fails."], "The job a fails.", ""),
        (["The job {{ $labels.jbo }} fails."], "The job  fails.", "holds nothing for `$labels.jbo`"),
        (["The job {{.Labels.jbo}} fails."], "The job  fails.", "holds nothing for `.Labels.jbo`"),
        (["{{ $labels.a }}{{ $labels.b }} fails."], "x fails.", ""),  # nobody can tell which of them is empty
        (["{{ $externalURL }} fails."], " fails.", ""),
    ],
)
def test_what_a_template_asks_for(templates, text, problem):
    assert unfilled(templates, text) == problem
