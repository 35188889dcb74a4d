"""The model: a network of two hidden layers over clipped, standardised features, written for NumPy or CuPy."""

from __future__ import annotations

import hashlib
import importlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np

MODEL_NAME = "shuttle"
FEATURES = tuple(f"f{number}" for number in range(1, 10))
WEIGHTS = Path(__file__).parent / "data" / "weights.npz"
SAMPLE = Path(__file__).parent / "data" / "shuttle.npz"
PARAMETERS = ("centre", "scale", "w1", "b1", "w2", "b2", "w3", "b3")
CLIP_SD = 6.0
_RAW_LIMIT = 1e6


def forward(x: np.ndarray, weights: Mapping[str, np.ndarray], xp: ModuleType = np) -> np.ndarray:
    """Return the score of class 1, in 0..1, for rows of raw features (rows x 9, finite)."""
    z = xp.clip((xp.clip(x, -_RAW_LIMIT, _RAW_LIMIT) - weights["centre"]) / weights["scale"], -CLIP_SD, CLIP_SD)
    hidden = xp.tanh(z @ weights["w1"] + weights["b1"])
    hidden = xp.tanh(hidden @ weights["w2"] + weights["b2"])
    scores: np.ndarray = 1.0 / (1.0 + xp.exp(-(hidden @ weights["w3"] + weights["b3"])))
    return scores


@dataclass(frozen=True)
class Model:
    """A trained network. `version` is `1-` and eight digits of the hash of its weights; `device` is cpu or gpu."""

    weights: Mapping[str, np.ndarray]
    version: str
    xp: ModuleType = np

    @property
    def device(self) -> str:
        """Where it runs: cpu or gpu."""
        return "cpu" if self.xp is np else "gpu"

    def predict(self, rows: Sequence[Sequence[float]]) -> tuple[list[int], list[float]]:
        """Return classes (0 or 1) and scores for one or more rows of nine finite numbers.

        One row takes some 20 us on a CPU, less than a hop to a thread would, so callers run it on the event loop.
        """
        scores = to_host(forward(self.xp.asarray(rows, dtype=float), self.weights, self.xp)).tolist()
        return [int(score >= 0.5) for score in scores], scores


def array_module(wanted: str | None = None) -> ModuleType:
    """Return `cupy` or `numpy` for `cpu`, `gpu` or `auto`; None reads MODEL_DEVICE, whose default is `auto`.

    `auto` takes the GPU when CuPy is installed and sees a device. `gpu` raises RuntimeError when there is none.
    """
    wanted = wanted or os.environ.get("MODEL_DEVICE", "auto")
    if wanted not in ("cpu", "gpu", "auto"):
        raise ValueError(f"MODEL_DEVICE is {wanted!r}; expected cpu, gpu or auto")
    if wanted != "cpu":
        try:
            cupy = importlib.import_module("cupy")
            if cupy.cuda.runtime.getDeviceCount() > 0:
                return cupy
        except Exception as error:  # CuPy fails in its own ways where the driver is missing
            if wanted == "gpu":
                raise RuntimeError("MODEL_DEVICE is gpu, but CuPy finds no device") from error
    if wanted == "gpu":
        raise RuntimeError("MODEL_DEVICE is gpu, but CuPy finds no device")
    return np


def to_host(array: object) -> np.ndarray:
    """Return an array of either module as a NumPy array."""
    return np.asarray(array.get() if hasattr(array, "get") else array)


def load_model(path: Path = WEIGHTS, device: str | None = None) -> Model:
    """Read the weights and put them on the device that `array_module` chooses."""
    xp = array_module(device)
    with np.load(path) as stored:
        host = {name: stored[name] for name in PARAMETERS}
    version = f"1-{fingerprint(host)[:8]}"
    return Model(weights={name: xp.asarray(host[name], dtype=float) for name in PARAMETERS}, version=version, xp=xp)


def fingerprint(weights: Mapping[str, np.ndarray]) -> str:
    """Return the SHA-256 of the parameters' bytes in a fixed order."""
    return hashlib.sha256(b"".join(np.ascontiguousarray(weights[name]).tobytes() for name in PARAMETERS)).hexdigest()


def load_reference(path: Path = SAMPLE) -> np.ndarray:
    """Return the reference sample (rows x 9) that live inputs are compared with."""
    with np.load(path) as stored:
        return np.asarray(stored["reference"])
