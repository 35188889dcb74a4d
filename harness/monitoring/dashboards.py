"""A Grafana dashboard file as frozen values: panels, what they ask, units and thresholds. Reads files only.

The fields are those of Grafana's dashboard JSON model (schema version 36 and later: Grafana 9 to 12).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from tocsin.harness.core.errors import StackError
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
    target: Mapping[str, Any] = field(default_factory=dict)


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
    variables: tuple[Mapping[str, Any], ...] = ()


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
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StackError(f"{file} is no dashboard: {error}.", hint="Export it from Grafana again.") from None
    if not isinstance(content, dict) or not isinstance(content.get("panels"), list):
        raise StackError(f"{file} is no dashboard: it has no panels.", hint="Export it from Grafana again.")
    variables = tuple((content.get("templating") or {}).get("list") or ())
    known = {**sources, **_by_variable(variables, sources)}
    return Dashboard(
        name=path.stem,
        uid=str(content.get("uid") or ""),
        title=str(content.get("title") or path.stem),
        file=file,
        panels=tuple(_panel(one, known) for one in flat(content["panels"])),
        variables=variables,
    )


def flat(panels: list[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield panels in their order, those inside collapsed rows too; the rows themselves are none."""
    for panel in panels:
        if panel.get("type") == "row":
            yield from flat(panel.get("panels") or [])
        else:
            yield panel


def _panel(panel: Mapping[str, Any], sources: Mapping[str, Source]) -> Panel:
    defaults = (panel.get("fieldConfig") or {}).get("defaults") or {}
    steps = (defaults.get("thresholds") or {}).get("steps") or ()
    asked = [target for target in panel.get("targets") or () if not target.get("hide")]
    return Panel(
        id=int(panel.get("id") or 0),
        title=str(panel.get("title") or ""),
        type=str(panel.get("type") or ""),
        unit=str(defaults.get("unit") or ""),
        thresholds=tuple((float(one["value"]), str(one["color"])) for one in steps if one.get("value") is not None),
        stacked=((defaults.get("custom") or {}).get("stacking") or {}).get("mode") == "normal",
        queries=tuple(_query(target, panel.get("datasource"), sources) for target in asked),
    )


def _query(target: Mapping[str, Any], of_panel: Any, sources: Mapping[str, Source]) -> Query:
    own = target.get("datasource") or of_panel
    source = _source(of_panel if _uid(own) == _MIXED else own, sources)
    key = "expr" if source.type == PROMETHEUS else "query"
    return Query(
        ref=str(target.get("refId") or "A"),
        source=source,
        text=str(target.get(key) or ""),
        legend=str(target.get("legendFormat" if source.type == PROMETHEUS else "alias") or ""),
        target=target,
    )


def _source(datasource: Any, sources: Mapping[str, Source]) -> Source:
    """Return the data source that a panel or target names: by uid, by variable, by type; none named: the default."""
    found = sources.get(_uid(datasource).strip("${}"))
    if found is not None:
        return found
    named = datasource.get("type") if isinstance(datasource, Mapping) else None
    if named:
        return Source(type=str(named))
    return Source(type=PROMETHEUS) if datasource is None else Source(type=_uid(datasource))


def _uid(datasource: Any) -> str:
    return str((datasource.get("uid") if isinstance(datasource, Mapping) else datasource) or "")


def _by_variable(variables: tuple[Mapping[str, Any], ...], sources: Mapping[str, Source]) -> dict[str, Source]:
    """Return what each variable of type `datasource` stands for: the provisioned one it shows, else any of its type."""
    found = {}
    for variable in variables:
        if variable.get("type") == "datasource":
            kind = str(variable.get("query") or "")
            shown = sources.get(str((variable.get("current") or {}).get("value") or ""))
            of_kind = [one for one in sources.values() if one.type == kind]
            found[str(variable.get("name"))] = shown or (of_kind or [Source(type=kind)])[0]
    return found


def _provisioned(paths: Iterator[Path]) -> dict[str, Source]:
    """Return uid and name -> data source, of Grafana's provisioning files."""
    found: dict[str, Source] = {}
    for path in paths:
        try:
            content = YAML(typ="safe").load(path.read_text(encoding="utf-8")) or {}
        except (OSError, YAMLError) as error:
            raise StackError(f"{path.name} is no list of data sources: {' '.join(str(error).split())}.") from None
        for one in content.get("datasources") or ():
            source = Source(type=str(one.get("type")), index=str((one.get("jsonData") or {}).get("index") or ""))
            found |= {str(key): source for key in (one.get("uid"), one.get("name")) if key}
    return found
