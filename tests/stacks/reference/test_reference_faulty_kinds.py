"""What a kind declares is what the service does: every faulty kind, by both protocols, against a real process."""

import pytest

from tests.stacks.reference.faulty_kinds import CASES, KINDS, STACK, service, table
from tocsin.harness.traffic.payloads import DECLARATIONS

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """Everything in one go: the service must be up after each, and stay up for the next."""
    with service(tmp_path_factory.mktemp("faulty")) as running:
        yield {case: running.send(KINDS[case[0]], case[1]) for case in CASES}


def counted(declared, status):
    if declared == "by_status":
        declared = "answered" if status < 300 else "refused"
    return () if declared == "no" else (declared,)


@pytest.mark.parametrize(("kind", "protocol"), CASES)
def test_the_service_does_what_the_kind_declares(seen, kind, protocol):
    one, declared = seen[kind, protocol], DECLARATIONS[kind]
    assert one.status in declared["status"]
    assert (one.outcome == "answered") == (one.status > 0)
    assert one.counted == counted(declared["counted"], one.status)
    assert len(one.logged) <= (0 if declared["logged"] == "no" else 1)
    assert len(one.logged) >= (1 if declared["logged"] == "yes" else 0)
    assert not one.status or one.logged in ((), (one.status,))
    assert one.up


def test_the_readme_shows_what_happens(seen):
    def answers(text):
        rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| `")]
        return {row[0].strip("| "): row[3:] for row in rows if len(row) == 7}

    plain = table([one for one in seen.values() if one.protocol == "plain"])
    assert answers((STACK.folder / "README.md").read_text(encoding="utf-8")) == answers(plain)
