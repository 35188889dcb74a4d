"""How phases are played, without a loop and without a server."""

from dataclasses import dataclass, field

import pytest

from tocsin.harness.evidence.requests import ANSWERED, FAILED
from tocsin.harness.traffic.clients.exchange import NEVER_SENT, Exchange
from tocsin.harness.traffic.locust.dispatcher import ClosedPhase, OpenPhase
from tocsin.harness.traffic.request_schedule import ClosedLoad, Due


@dataclass
class Load:
    """As much of a PhaseRequests as a phase asks for."""

    at_s: list[float] = field(default_factory=list)
    closed: ClosedLoad | None = None
    start_s: float = 0.0
    end_s: float = 10.0

    def requests(self):
        times = self.at_s or [float("nan")] * 10_000
        return iter([Due(at_s, index, 0, index % 2, b"") for index, at_s in enumerate(times)])


@pytest.fixture
def lanes():
    sent = ([], [])
    return sent, [sent[0].append, sent[1].append]


def answer(outcome: int, done: float = 0.0) -> Exchange:
    return Exchange(outcome, 200, 0.0, 0.0, done)


def test_an_open_phase_sends_what_is_due_by_form_and_tells_when_the_next_is(lanes):
    sent, into = lanes
    phase = OpenPhase(Load([0.0, 0.5, 0.5, 2.0]), into)
    assert phase.play(1.0) == 2.0 and phase.asked == 3
    assert [[due.index for due in one] for one in sent] == [[0, 2], [1]]
    assert phase.play(1.9) == 2.0 and phase.asked == 3
    assert phase.play(2.0) is None and phase.asked == 4


def test_an_open_phase_that_is_late_sends_in_batches_so_that_answers_are_read_between(lanes):
    phase = OpenPhase(Load([0.0] * 150), lanes[1])
    asked = []
    while phase.play(1.0) is not None:
        asked.append(phase.asked)
    assert [*asked, phase.asked] == [64, 128, 150]


def closed(lanes, users: int, think_s: float) -> ClosedPhase:
    return ClosedPhase(Load(closed=ClosedLoad(users=users, think_s=think_s, _everybody=users)), lanes)


def test_a_user_of_a_closed_phase_sends_again_only_after_its_answer_and_its_thought(lanes):
    sent, into = lanes
    phase = closed(into, users=1, think_s=2.0)
    assert phase.play(0.0) == 10.0 and [due.at_s for due in sent[0]] == [0.0]
    assert phase.play(5.0) == 10.0 and phase.asked == 1, "no answer, no second request"
    assert phase.ended(sent[0][0], answer(ANSWERED), 5.0)
    assert phase.play(5.0) == 7.0 and phase.asked == 1
    assert phase.play(7.5) == 10.0 and sent[1][0].at_s == 7.0, "intended when the user was ready, not when it was sent"


def test_the_users_are_spread_over_one_think_time(lanes):
    phase = closed(lanes[1], users=4, think_s=2.0)
    ready = []
    while (next_s := phase.play(ready[-1] if ready else 0.0)) < 10.0:
        ready.append(next_s)
    assert ready == [0.5, 1.0, 1.5] and phase.asked == 4


def test_nothing_begins_after_the_end_and_a_strange_request_changes_nothing(lanes):
    phase = closed(lanes[1], users=1, think_s=0.0)
    assert not phase.ended(Due(0.0, 99, 0, 0, b""), answer(ANSWERED), 1.0)
    assert phase.play(10.0) is None and phase.asked == 0


@pytest.mark.parametrize(("exchange", "again_s"), [(answer(ANSWERED), 1.0), (answer(FAILED), 1.01), (NEVER_SENT, 1.01)])
def test_a_user_without_think_time_takes_a_breath_after_a_failure(lanes, exchange, again_s):
    sent, into = lanes
    phase = closed(into, users=1, think_s=0.0)
    phase.play(0.0)
    phase.ended(sent[0][0], exchange, 1.0)
    assert phase.play(0.9) == pytest.approx(again_s)
