"""Chooses the array module: NumPy on the CPU, CuPy on a GPU. The model's code is the same for both."""

from __future__ import annotations

import importlib
import os
from types import ModuleType

import numpy as np


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
