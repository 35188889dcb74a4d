"""Tells what a service of a compose file is: by a label `tocsin.role`, by its image, and for the model by its place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

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
    images: tuple[str, ...] = ()
    port: int | None = None
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
_UNKNOWN_MODEL, _UNKNOWN = Kind(name=MODEL, fixed_s=3), Kind(name=OTHER, fixed_s=3)
_NAMES = ("model", "inference", "predict", "predictor", "serving", "serve", "server", "api", "app")


@dataclass(frozen=True, kw_only=True)
class DraftRole:
    """A service and what it is taken for: a name of KINDS, `model`, or `other`; `why` says by what."""

    service: Service
    kind: str
    port: int | None
    health: str | None
    fixed_s: float
    why: str


def recognise(services: Iterable[Service]) -> tuple[DraftRole, ...]:
    """Return what each service is, without those that a drill does not have: one-shot jobs, GPUs, a pager.

    One at most is the model: the labelled, the known, the named, or the only one left.
    """
    roles = [_known(service) for service in services if not _left_out(service)]
    if of_kind(roles, MODEL) is None:
        chosen = _likeliest([role for role in roles if role.kind == OTHER and role.port])
        if chosen is not None:
            why = "its name" if chosen.service.name in _NAMES else "nothing else that could be"
            roles[roles.index(chosen)] = replace(chosen, kind=MODEL, why=why)
    return tuple(roles)


def of_kind(roles: Iterable[DraftRole], kind: str) -> DraftRole | None:
    """Return the first service of a kind, None if there is none."""
    return next((role for role in roles if role.kind == kind), None)


def _left_out(service: Service) -> bool:
    return service.once or service.name == PAGER or set(service.profiles) == {GPU}


def _known(service: Service) -> DraftRole:
    label = service.labels.get(LABEL)
    name = service.image.rpartition("@")[0] or service.image
    image = name.rpartition("/")[2].partition(":")[0].lower()
    for kind in (*KINDS, *SERVERS):
        if label == kind.name:
            return _role(service, kind, f"its label {LABEL}")
        if label is None and image in kind.images:
            return _role(service, kind, f"its image {service.image}")
    if label == MODEL:
        return _role(service, _UNKNOWN_MODEL, f"its label {LABEL}")
    return _role(service, _UNKNOWN, "nothing known")


def _role(service: Service, kind: Kind, why: str) -> DraftRole:
    port, health = kind.port, kind.health
    if service.ports and port not in service.ports:
        port = service.ports[0]
    if service.health and kind.name in (MODEL, OTHER):
        port, health = service.health
    return DraftRole(service=service, kind=kind.name, port=port, health=health, fixed_s=kind.fixed_s, why=why)


def _likeliest(candidates: Sequence[DraftRole]) -> DraftRole | None:
    named = [role for role in candidates if role.service.name in _NAMES]
    if named:
        return min(named, key=lambda role: _NAMES.index(role.service.name))
    built = [role for role in candidates if role.service.built]
    for group in (built, candidates):
        if len(group) == 1:
            return group[0]
    return None
