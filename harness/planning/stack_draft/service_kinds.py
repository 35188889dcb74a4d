"""Tells what a service of a compose file is: by a label `tocsin.role`, by its image, and for the model by its place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tocsin.harness.planning.stack_draft.compose_file import Service

LABEL = "tocsin.role"
"""A label on a service that says what it is, where its image does not."""
MODEL = "model"
OTHER = "other"
PAGER = "pager"
"""A service of this name is Tocsin's own during a drill."""
GPU = "gpu"
"""A profile of this name is not started for a drill."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """Something known: `images` by the last part of their names, its port, and the path that tells its health."""

    name: str
    images: tuple[str, ...]
    port: int
    health: str | None = None
    fixed_s: float = 2


KINDS = (
    Kind(name="prometheus", images=("prometheus",), port=9090, health="/-/ready", fixed_s=6),
    Kind(name="alertmanager", images=("alertmanager",), port=9093, health="/-/ready"),
    Kind(name="elasticsearch", images=("elasticsearch", "elasticsearch-oss"), port=9200,
         health="/_cluster/health?wait_for_status=yellow&timeout=1s", fixed_s=13),
    Kind(name="shipper", port=9600,
         images=("logstash", "logstash-oss", "fluent-bit", "fluentd", "vector", "filebeat", "rsyslog")),
    Kind(name="grafana", images=("grafana", "grafana-oss", "grafana-enterprise"), port=3000, health="/api/health"),
    Kind(name="kibana", images=("kibana", "kibana-oss"), port=5601, health="/api/status", fixed_s=10),
    Kind(name="node exporter", images=("node-exporter",), port=9100, health="/metrics", fixed_s=1),
    Kind(name="GPU exporter", images=("dcgm-exporter",), port=9400, health="/metrics"),
)  # fmt: skip
SERVERS = (
    Kind(name=MODEL, images=("tritonserver",), port=8000, health="/v2/health/ready"),
    Kind(name=MODEL, images=("torchserve", "torchserve-nightly"), port=8080, health="/ping"),
    Kind(name=MODEL, images=("serving",), port=8501),
    Kind(name=MODEL, images=("vllm-openai",), port=8000, health="/health"),
    Kind(name=MODEL, images=("text-generation-inference",), port=80, health="/health"),
    Kind(name=MODEL, images=("mlserver",), port=8080, health="/v2/health/ready"),
)
_NAMES = ("model", "inference", "predict", "predictor", "serving", "serve", "server", "api", "app")


@dataclass(frozen=True, kw_only=True)
class Recognised:
    """A service and what it is taken for: a name of KINDS, `model`, or `other`."""

    service: Service
    kind: str
    port: int | None
    health: str | None
    fixed_s: float
    why: str


def recognise(services: Iterable[Service]) -> tuple[Recognised, ...]:
    """Return what each service is, without those that a drill does not have: one-shot jobs, GPUs, a pager.

    One at most is the model: the labelled, the known, the named, or the only one left.
    """
    found = [_known(service) for service in services if not _left_out(service)]
    if not any(one.kind == MODEL for one in found):
        chosen = _likeliest([one for one in found if one.kind == OTHER and one.port])
        found = [_model(one) if one is chosen else one for one in found]
    return tuple(found)


def of_kind(roles: Iterable[Recognised], kind: str) -> Recognised | None:
    """Return the first service of a kind, None if there is none."""
    return next((one for one in roles if one.kind == kind), None)


def _left_out(service: Service) -> bool:
    return service.once or service.name == PAGER or set(service.profiles) == {GPU}


def _known(service: Service) -> Recognised:
    label = service.labels.get(LABEL)
    last = service.image.rpartition("@")[0] or service.image
    image = last.rpartition("/")[2].partition(":")[0].lower()
    for kind in (*KINDS, *SERVERS):
        if label == kind.name or (label is None and image in kind.images):
            why = f"its label {LABEL}" if label else f"its image {service.image}"
            return _recognised(service, kind.name, kind.port, kind.health, kind.fixed_s, why)
    why = f"its label {LABEL}" if label == MODEL else "nothing known"
    return _recognised(service, MODEL if label == MODEL else OTHER, None, None, 3, why)


def _recognised(
    service: Service, kind: str, port: int | None, health: str | None, fixed_s: float, why: str
) -> Recognised:
    asked = service.health
    own = port if port in service.ports or not service.ports else service.ports[0]
    if asked and kind in (MODEL, OTHER):
        own, health = asked[0], asked[1]
    return Recognised(service=service, kind=kind, port=own, health=health, fixed_s=fixed_s, why=why)


def _likeliest(candidates: Sequence[Recognised]) -> Recognised | None:
    named = [one for one in candidates if one.service.name in _NAMES]
    built = [one for one in candidates if one.service.built]
    for group in (named, built, candidates):
        if len(group) == 1 or (group is named and group):
            return min(group, key=lambda one: _NAMES.index(one.service.name) if group is named else 0)
    return None


def _model(one: Recognised) -> Recognised:
    why = "its name" if one.service.name in _NAMES else "nothing else that could be"
    return Recognised(service=one.service, kind=MODEL, port=one.port, health=one.health, fixed_s=one.fixed_s, why=why)
