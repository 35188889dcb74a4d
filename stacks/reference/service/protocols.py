"""The two ways to ask for a prediction: the short one of `/predict`, and the Open Inference Protocol, version 2."""

from __future__ import annotations

from collections.abc import Mapping

from service.bodies import Refused, read_row
from service.model import FEATURES, MODEL_NAME

BATCH_ROWS = 1024
DATATYPES = frozenset(
    {"FP16", "FP32", "FP64", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"}
)


class Predict:
    """`{"features": [9 numbers]}` -> `{"prediction", "score", "model_version", "request_id"}`."""

    routes: tuple[str, ...] = ("/predict",)

    def rows(self, document: Mapping[str, object]) -> list[list[float]]:
        """Return the one row of the request."""
        if "features" not in document:
            raise Refused(422, "the field `features` is missing")
        return [read_row(document["features"], len(FEATURES))]

    def answer(
        self, document: Mapping[str, object], request_id: str, version: str, classes: list[int], scores: list[float]
    ) -> Mapping[str, object]:
        """Return the answer to one row."""
        return {"prediction": classes[0], "score": scores[0], "model_version": version, "request_id": request_id}


class OpenInference:
    """One input tensor of shape [rows, 9], its data flat or nested; outputs `prediction` and `score`."""

    routes: tuple[str, ...] = ("/v2/models/{name}/infer", "/v2/models/{name}/versions/{version}/infer")

    def rows(self, document: Mapping[str, object]) -> list[list[float]]:
        """Return the rows of the input tensor."""
        inputs = document.get("inputs")
        if not isinstance(inputs, list) or len(inputs) != 1 or not isinstance(inputs[0], dict):
            raise Refused(422, "expected `inputs` with one tensor")
        if not isinstance(document.get("id", ""), str):
            raise Refused(422, "`id` is not a string")
        tensor = inputs[0]
        if tensor.get("datatype") not in DATATYPES:
            raise Refused(422, f"`datatype` is not one of {', '.join(sorted(DATATYPES))}")
        count, data = self._count(tensor.get("shape")), tensor.get("data")
        if not isinstance(data, list) or not data:
            raise Refused(422, "`data` is not a list of numbers")
        width = len(FEATURES)
        if not isinstance(data[0], list):
            if len(data) != count * width:
                raise Refused(422, f"`data` holds {len(data)} values, `shape` says {count * width}")
            data = [data[start : start + width] for start in range(0, len(data), width)]
        if len(data) != count:
            raise Refused(422, f"`data` holds {len(data)} rows, `shape` says {count}")
        return [read_row(row, width) for row in data]

    def answer(
        self, document: Mapping[str, object], request_id: str, version: str, classes: list[int], scores: list[float]
    ) -> Mapping[str, object]:
        """Return the output tensors; `id` is the request's own, else the request id."""
        outputs = [
            {"name": "prediction", "datatype": "INT64", "shape": [len(classes)], "data": classes},
            {"name": "score", "datatype": "FP64", "shape": [len(scores)], "data": scores},
        ]
        named = {"model_name": MODEL_NAME, "model_version": version, "id": document.get("id") or request_id}
        return {**named, "outputs": outputs}

    def _count(self, shape: object) -> int:
        """Return the number of rows that a tensor's shape declares."""
        if not isinstance(shape, list) or [type(size) for size in shape] != [int, int] or shape[1] != len(FEATURES):
            raise Refused(422, f"`shape` is not [rows, {len(FEATURES)}]")
        if not 1 <= shape[0] <= BATCH_ROWS:
            raise Refused(422, f"`shape` asks for {shape[0]} rows; 1 to {BATCH_ROWS} are served")
        return int(shape[0])


InferenceProtocol = Predict | OpenInference
"""Turns a request's document into rows, and classes and scores into the answer's document."""


def model_metadata(version: str) -> Mapping[str, object]:
    """Return the model's metadata as the Open Inference Protocol words it."""
    return {
        "name": MODEL_NAME,
        "versions": [version],
        "platform": "numpy",
        "inputs": [{"name": "features", "datatype": "FP64", "shape": [-1, len(FEATURES)]}],
        "outputs": [
            {"name": "prediction", "datatype": "INT64", "shape": [-1]},
            {"name": "score", "datatype": "FP64", "shape": [-1]},
        ],
    }
