"""A mix of kinds: each takes exactly its share of the requests, as evenly spread as possible."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, BeforeValidator, Field

from tocsin.harness.declarations.request_format import Shape
from tocsin.harness.traffic.payloads.faulty_kinds import FAULTY
from tocsin.harness.traffic.payloads.payload_kind import PayloadArgs

_NAMES = tuple(kind.name for kind in FAULTY)
_NEED_V2 = frozenset(kind.name for kind in FAULTY if kind.needs_v2)


def _weights(value: object) -> object:
    return dict.fromkeys(value, 1.0) if isinstance(value, (list, tuple)) else value


def _known(weights: Mapping[str, float]) -> Mapping[str, float]:
    strange = [name for name in weights if name not in _NAMES]
    if strange:
        raise ValueError(f"no faulty kind is called {', '.join(strange)}; known are {', '.join(_NAMES)}")
    return weights


Weight = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class FaultyArgs(PayloadArgs):
    """Send faulty kinds (a list, or kind -> weight) as `share` of all requests; the rest is normal."""

    faulty: Annotated[Mapping[str, Weight], Field(min_length=1), BeforeValidator(_weights), AfterValidator(_known)]
    share: float = Field(gt=0, le=1)

    def unfit(self, shape: Shape) -> Iterator[tuple[str, str]]:
        """Say so if a kind needs the Open Inference Protocol and the stack does not speak it."""
        yield from super().unfit(shape)
        needing = sorted(_NEED_V2 & set(self.faulty))
        if needing and shape.v2 is None:
            yield "faulty", f"no {', '.join(needing)}, as the stack declares no `payload.v2`"


def spread(args: FaultyArgs, count: int, first: int = 0) -> np.ndarray:
    """Return the kinds (names) of `count` requests from number `first` on: no chance, so no noise in a ratio.

    Of the first n requests round-half-up(n x share) are faulty, for every n; kinds take turns by weight.
    """
    due = np.floor(np.arange(first, first + count + 1) * args.share + 0.5 + 1e-9).astype(np.int64)
    faulty = np.diff(due) > 0
    kinds = np.full(count, "normal", dtype=object)
    kinds[faulty] = _turns(args.faulty, int(due[0]), int(faulty.sum()))
    return kinds


def _turns(weights: Mapping[str, float], first: int, count: int) -> np.ndarray:
    """Each kind's j-th turn is due at (j + 1/2) / its part of the weight; return `count` turns from number `first`.

    Turns are numbered over all kinds in the order they are due, so a block begins where the block before it ended.
    """
    total = sum(weights.values())
    parts = [weight / total for weight in weights.values()]
    since = max(first - 2 * len(parts) - 2, 0)  # surely before turn number `first`, as no kind is a turn ahead
    begin = [max(int(np.ceil(since * part - 0.5)), 0) for part in parts]
    due = [
        (start + np.arange(int((count + first - since) * part) + 4) + 0.5) / part
        for start, part in zip(begin, parts, strict=True)
    ]
    names = np.repeat(np.array(list(weights), dtype=object), [len(turns) for turns in due])
    passed = first - sum(begin)
    return names[np.argsort(np.concatenate(due), kind="stable")][passed : passed + count]
