"""A Grafana dashboard file as frozen values: panels, what they ask, units and thresholds. Reads files only.

The fields are those of Grafana's dashboard JSON model (schema version 36 and later: Grafana 9 to 12).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tocsin.harness.core.errors import StackError
from tocsin.harness.core.json_pointer import find
from tocsin.harness.core.untyped_data import mapping, mappings, read_yaml, text
from tocsin.harness.declarations.stack import Stack

PROMETHEUS, ELASTICSEARCH = "prometheus", "elasticsearch"
_MIXED = "-- Mixed --"


@dataclass(frozen=True, kw_only=True)
class Source:
    """A data source: its `type` as Grafana names it, and the index pattern of one of Elasticsearch's."""

    type: str
    index: str = ""


@dataclass(frozen=True, kw_only=True)
class Query:
    """What one target of a panel asks: `text` with its variables still in it; `target` is the whole of it."""

    ref: str
    source: Source
    text: str
    legend: str = ""
    target: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A panel. `thresholds` are (value, colour from there on), without the base; `unit` is Grafana's id of it."""

    id: int
    title: str
    type: str
    unit: str = ""
    thresholds: tuple[tuple[float, str], ...] = ()
    stacked: bool = False
    queries: tuple[Query, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Dashboard:
    """A dashboard. `name` is the stem of its file; `variables` are those of its templating, as Grafana has them."""

    name: str
    uid: str
    title: str
    file: str
    panels: tuple[Panel, ...]
    variables: tuple[Mapping[str, object], ...] = ()


def read_dashboards(stack: Stack) -> tuple[Dashboard, ...]:
    """Read every dashboard that stack.yaml's `dashboards` names; StackError names a file that is none.

    JSON files are dashboards, YAML files say where data sources are (Grafana's provisioning).
    """
    paths = [path for pattern in stack.dashboards for path in sorted(stack.folder.glob(pattern))]
    sources = _provisioned(path for path in paths if path.suffix in (".yml", ".yaml"))
    files = [path for path in paths if path.suffix == ".json"]
    return tuple(read_dashboard(path, str(path.relative_to(stack.folder)), sources) for path in dict.fromkeys(files))


def readable(stack: Stack) -> tuple[Dashboard, ...]:
    """Return the dashboards of a stack, none where one cannot be read: whoever records them says why."""
    try:
        return read_dashboards(stack)
    except StackError:
        return ()


def read_dashboard(path: Path, file: str, sources: Mapping[str, Source]) -> Dashboard:
    """Read one dashboard file; `sources` maps the uid of a provisioned data source to what it is."""
    try:
        content = mapping(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise StackError(f"{file} is no dashboard: {error}.", hint="Export it from Grafana again.") from None
    if not isinstance(content.get("panels"), list):
        raise StackError(f"{file} is no dashboard: it has no panels.", hint="Export it from Grafana again.")
    variables = tuple(mappings(find(content, "/templating/list")))
    known = {**sources, **_by_variable(variables, sources)}
    return Dashboard(
        name=path.stem,
        uid=text(content.get("uid")),
        title=text(content.get("title")) or path.stem,
        file=file,
        panels=tuple(_panel(panel, known) for panel in flat(mappings(content["panels"]))),
        variables=variables,
    )


def flat(panels: Iterable[Mapping[str, object]]) -> Iterator[Mapping[str, object]]:
    """Yield panels in their order, those inside collapsed rows too; the rows themselves are none."""
    for panel in panels:
        if panel.get("type") == "row":
            yield from flat(mappings(panel.get("panels")))
        else:
            yield panel


def _panel(panel: Mapping[str, object], sources: Mapping[str, Source]) -> Panel:
    defaults = find(panel, "/fieldConfig/defaults")
    steps = [step for step in mappings(find(defaults, "/thresholds/steps")) if step.get("value") is not None]
    targets = [target for target in mappings(panel.get("targets")) if not target.get("hide")]
    return Panel(
        id=int(text(panel.get("id")) or 0),
        title=text(panel.get("title")),
        type=text(panel.get("type")),
        unit=text(find(defaults, "/unit")),
        thresholds=tuple((float(str(step["value"])), str(step["color"])) for step in steps),
        stacked=find(defaults, "/custom/stacking/mode") == "normal",
        queries=tuple(_query(target, panel.get("datasource"), sources) for target in targets),
    )


def _query(target: Mapping[str, object], of_panel: object, sources: Mapping[str, Source]) -> Query:
    datasource = target.get("datasource") or of_panel
    if _uid(datasource) == _MIXED:
        datasource = of_panel
    source = _source(datasource, sources)
    keys = ("expr", "legendFormat") if source.type == PROMETHEUS else ("query", "alias")
    query, legend = (text(target.get(key)) for key in keys)
    return Query(ref=text(target.get("refId")) or "A", source=source, text=query, legend=legend, target=target)


def _source(datasource: object, sources: Mapping[str, Source]) -> Source:
    """Return the data source that a panel or target names: by uid, by variable, by type; none named: the default."""
    source = sources.get(_uid(datasource).strip("${}"))
    if source is not None:
        return source
    if datasource is None:
        return Source(type=PROMETHEUS)
    return Source(type=text(mapping(datasource).get("type")) or _uid(datasource))


def _uid(datasource: object) -> str:
    if isinstance(datasource, Mapping):
        return text(datasource.get("uid"))
    return text(datasource)


def _by_variable(variables: Iterable[Mapping[str, object]], sources: Mapping[str, Source]) -> dict[str, Source]:
    """Return what each variable of type `datasource` stands for: the provisioned one it shows, else any of its type."""
    shown = {}
    for variable in variables:
        if variable.get("type") == "datasource":
            kind = text(variable.get("query"))
            of_kind = [source for source in sources.values() if source.type == kind]
            current = sources.get(text(find(variable, "/current/value")))
            shown[text(variable.get("name"))] = current or next(iter(of_kind), Source(type=kind))
    return shown


def _provisioned(paths: Iterable[Path]) -> dict[str, Source]:
    """Return uid and name -> data source, of Grafana's provisioning files."""
    sources: dict[str, Source] = {}
    for path in paths:
        try:
            content = mapping(read_yaml(path))
        except ValueError as error:
            raise StackError(f"{path.name} is no list of data sources: {error}.") from None
        for given in mappings(content.get("datasources")):
            source = Source(type=text(given.get("type")), index=text(find(given, "/jsonData/index")))
            sources |= {text(given[key]): source for key in ("uid", "name") if given.get(key)}
    return sources
