"""Accuracy from delayed labels: remembers recent predictions, and scores those whose truth comes back."""

from __future__ import annotations

from collections import OrderedDict, deque

REMEMBERED = 50_000


class Accuracy:
    """The share of correct predictions among the labels of the last `window_s` seconds.

    Memory is bounded: the newest REMEMBERED predictions wait for a label, and as many labels are counted.
    Callers pass monotonic seconds.
    """

    def __init__(self, window_s: float) -> None:
        self.window_s = window_s
        self._waiting: OrderedDict[str, int] = OrderedDict()
        self._scored: deque[tuple[float, bool]] = deque()
        self._correct = 0

    def predicted(self, request_id: str, prediction: int) -> None:
        """Remember an answered prediction."""
        self._waiting[request_id] = prediction
        if len(self._waiting) > REMEMBERED:
            self._waiting.popitem(last=False)

    def label(self, request_id: str, label: int, now_s: float) -> bool:
        """Score the label of a request; False when the request is not remembered (any more) or was scored before."""
        prediction = self._waiting.pop(request_id, None)
        if prediction is None:
            return False
        self._scored.append((now_s, prediction == label))
        self._correct += prediction == label
        if len(self._scored) > REMEMBERED:
            self._correct -= self._scored.popleft()[1]
        return True

    def labels(self, now_s: float) -> int:
        """Return how many labels the window holds."""
        while self._scored and self._scored[0][0] <= now_s - self.window_s:
            self._correct -= self._scored.popleft()[1]
        return len(self._scored)

    def value(self, now_s: float) -> float:
        """Return the share of correct predictions, NaN without labels."""
        labels = self.labels(now_s)
        return self._correct / labels if labels else float("nan")
