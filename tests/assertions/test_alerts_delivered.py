import pytest

from tests.assertions.asking import alive, ask, says
from tests.evidence.build import firing, notice
from tests.evidence.rendered import ANNOTATIONS, alert, write, write_tools

ERRORS = 'HighErrorRate{job="a", severity="critical"}'
ARGS = {"alert": "HighErrorRate", "to": "page", "in": "trouble"}
FIRES = firing(ERRORS, start=70, end=100)
GOOD = {
    "summary": "a fails.",
    "description": "12.5% of the last 5 minutes failed.",
    "runbook_url": "runbooks/HighErrorRate.md",
}
FILES = ["README.md", "runbooks/HighErrorRate.md"]


def page(at=72, receiver="page", **said):
    return notice(at, receiver, ERRORS, annotations={name: text for name, text in {**GOOD, **said}.items() if text})


def delivered(tmp_path, notices, args=ARGS, *, series=FIRES, files=FILES, rule=None, **more):
    write(tmp_path / "run", rule or alert())
    write_tools(tmp_path / "run", files=files)
    return ask("alerts/delivered", tmp_path, args, series=alive(series), notifications=notices, **more)


@pytest.mark.parametrize(
    ("args", "notices", "answer", "words"),
    [
        (
            ARGS,
            [page()],
            "pass",
            "was delivered to page at 72 s of play with summary, description, runbook_url rendered.",
        ),
        ({**ARGS, "labels": {"severity": "critical"}}, [page()], "pass", 'HighErrorRate{severity="critical"} was'),
        (
            {**ARGS, "labels": {"severity": "warning"}},
            [page()],
            "fail",
            'delivered to page without severity="warning"; it has severity="critical".',
        ),
        ({**ARGS, "labels": {"team": "ml"}}, [page()], "fail", 'delivered to page without team="ml".'),
        (ARGS, [page(receiver="chat")], "fail", "never delivered to page: it went to chat"),
        (ARGS, [], "fail", "never delivered to page: no notification of it was seen"),
        (ARGS, [page(), page(73, "chat")], "fail", "went to page, and to chat, whom nobody named"),
        ({**ARGS, "also": ["chat"]}, [page(), page(73, "chat")], "pass", "was delivered to page"),
        (ARGS, [page(50)], "fail", "never delivered"),  # of an earlier time
    ],
)
def test_whom_it_reaches_with_which_labels(tmp_path, args, notices, answer, words):
    says(delivered(tmp_path, notices, args), answer, words)


@pytest.mark.parametrize(
    ("said", "answer", "words"),
    [
        ({"summary": ""}, "fail", "but it has no summary."),
        ({"summary": " "}, "fail", "but it has no summary."),
        ({"summary": "<no value> fails."}, "fail", "its summary was not rendered, it holds `<no value>`"),
        ({"summary": "<error expanding template: x>"}, "fail", "`<error expanding template`"),
        ({"extra": "{{ $labels.job }}"}, "fail", "its extra was not rendered"),  # whoever asks for it or not
        ({"description": "NaN% of the last 5 minutes failed."}, "fail", "its description holds 'NaN%' for the value"),
        ({"description": " of the last 5 minutes failed."}, "fail", "for the value"),
        ({"description": "", "summary": ""}, "fail", "it has no summary (and 1 more)"),
        (
            {"runbook_url": "runbooks/Gone.md"},
            "fail",
            "its runbook_url names no file of the stack folder: 'runbooks/Gone.md'",
        ),
        ({"runbook_url": "./runbooks/HighErrorRate.md#what-to-do"}, "pass", ""),
        ({"runbook_url": "https://example.com/runbook"}, "pass", ""),
        ({"runbook_url": "https:///runbook"}, "fail", "its runbook_url is no address"),
        ({"runbook_url": "https://a b/"}, "fail", "its runbook_url is no address"),
    ],
)
def test_what_it_says(tmp_path, said, answer, words):
    says(delivered(tmp_path, [page(**said)]), answer, words)


def test_annotations_that_are_not_asked_for_may_be_missing(tmp_path):
    args = {**ARGS, "annotations": ["summary"]}
    found = delivered(tmp_path, [page(description="", runbook_url="")], args, files=None)
    says(found, "pass", "with summary rendered")


def test_without_the_list_of_files_a_runbook_is_unknown(tmp_path):
    says(delivered(tmp_path, [page()], files=None), "unknown", "kept no list of files in which to find its runbook")
    away = page(runbook_url="https://example.com/runbook")
    says(delivered(tmp_path / "away", [away], files=None), "pass", "was delivered")


def test_every_alert_of_the_name_is_looked_at(tmp_path):
    other = 'HighErrorRate{job="b", severity="critical"}'
    series = FIRES | firing(other, start=70, end=100)
    torn = notice(74, "page", other, annotations={**GOOD, "summary": "<no value>"})
    says(delivered(tmp_path, [page(), torn], series=series), "fail", "its summary was not rendered")
    one = {**ARGS, "labels": {"job": "a"}}
    says(delivered(tmp_path / "one", [page(), torn], one, series=series), "pass", "was delivered")


def test_a_value_in_any_annotation(tmp_path):
    rule = alert(annotations={**ANNOTATIONS, "summary": "It is {{ $value }}."})
    says(
        delivered(tmp_path, [page(summary="It is +Inf.")], rule=rule), "fail", "its summary holds '+Inf' for the value"
    )
    says(delivered(tmp_path / "good", [page(summary="It is 0.5.")], rule=rule), "pass", "was delivered")


@pytest.mark.parametrize(
    ("series", "words"),
    [({}, "never fired"), (firing(ERRORS, start=50, end=100), "was already firing")],
)
def test_what_did_not_begin_there_is_unknown(tmp_path, series, words):
    says(delivered(tmp_path, [page()], series=series), "unknown", words)
