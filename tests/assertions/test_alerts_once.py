import pytest

from tests.assertions.asking import alive, ask, says
from tests.evidence.build import fault, firing, notice, together

ERRORS, OTHER = 'HighErrorRate{job="a"}', 'HighErrorRate{job="b"}'
A, B = {"job": "a"}, {"job": "b"}
IN = {"alert": "HighErrorRate", "in": "trouble"}
FIRES = firing(ERRORS, start=70, end=100)


@pytest.mark.parametrize(
    ("args", "notices", "answer", "words"),
    [
        (IN, [notice(72, "page", ERRORS)], "pass", "HighErrorRate paged at most once per group (page)."),
        (
            IN,
            [notice(at, "page", ERRORS) for at in (72, 73, 74, 75)],
            "fail",
            ["paged more than once: page 4 times, at 72, 73, 74 s of play and 1 times more."],
        ),
        ({**IN, "at_most": 2}, [notice(72, "page", ERRORS), notice(90, "page", ERRORS)], "pass", "at most 2 times"),
        ({**IN, "to": "page"}, [notice(at, "chat", ERRORS) for at in (72, 80)], "unknown", "no notice of it"),
        (IN, [notice(72, "page", ERRORS), notice(73, "chat", ERRORS)], "pass", "once per group (chat, page)"),
        (
            IN,  # two groups, a page each
            [notice(72, "page", ERRORS, group=A), notice(73, "page", OTHER, group=B)],
            "pass",
            "once per group",
        ),
        (IN, [notice(72, "page", ERRORS, answered=500), notice(73, "page", ERRORS)], "pass", "once"),  # tried again
        (IN, [notice(72, "page", ERRORS), notice(101, "page", ERRORS, status="resolved")], "pass", "once"),
        (IN, [notice(72, "page", ERRORS), notice(125, "page", ERRORS)], "pass", "once"),  # of the next phase
        (
            IN,  # told again only because another alert of its group has ended
            [notice(72, "page", ERRORS, "Slow"), notice(80, "page", ERRORS, "Slow", resolved=["Slow"])],
            "pass",
            "once",
        ),
        (IN, [notice(72, "page", ERRORS), notice(80, "page", ERRORS, "Slow")], "pass", "once"),  # another one joined
        (IN, [notice(72, "page", ERRORS, "Slow"), notice(80, "page", ERRORS, "Slow")], "fail", "2 times"),  # said again
        (
            IN,  # the same message, and it is news of this alert
            [
                notice(72, "page", "HighErrorRate"),
                notice(80, "page", ERRORS, "HighErrorRate", resolved=["HighErrorRate"]),
            ],
            "fail",
            "page 2 times",
        ),
        (IN, [], "unknown", "fired, but no notice of it was delivered"),
    ],
)
def test_once(tmp_path, args, notices, answer, words):
    says(ask("alerts/once", tmp_path, args, series=alive(FIRES), notifications=notices), answer, words)


def test_flapping_pages_again(tmp_path):
    series = together(firing(ERRORS, start=70, end=80), firing(ERRORS, start=90, end=100))
    ends = [notice(at, "page", ERRORS, status="resolved") for at in (81, 101)]
    told = [notice(72, "page", ERRORS), notice(92, "page", ERRORS), *ends]
    found = ask("alerts/once", tmp_path, IN, series=alive(series), notifications=told)
    says(found, "fail", ["page 2 times, at 72, 92 s of play.", "It fired 2 times."])


def test_what_never_fired_is_unknown(tmp_path):
    says(ask("alerts/once", tmp_path, IN, series=alive()), "unknown", "never fired")
    early = alive(firing(ERRORS, start=10, end=20))
    says(ask("alerts/once", tmp_path / "early", IN, series=early), "unknown", "never fired")


def test_during_a_fault_it_looks_until_the_alert_has_ended(tmp_path):
    outage = fault("outage", "kill", "trouble", injected=62, effective=63, healed=75, gone=76)
    told = [notice(at, "page", ERRORS) for at in (72, 95)]
    args = {"alert": "HighErrorRate", "during": "outage"}
    found = ask("alerts/once", tmp_path, args, series=alive(FIRES), notifications=told, faults=[outage])
    says(found, "fail", "page 2 times")
