"""Renders a stack's configuration for one run: addresses, paths and times filled in, integrations led to the pager.

Plain text files have every declared `role:port` and path replaced. Three kinds are understood instead, so that labels,
matchers and templates stay as in production: prometheus.yml, the rule files beside it, and alertmanager.yml.
"""

from __future__ import annotations

import io
import os
import re
import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path, PurePosixPath

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from tocsin.harness.core.errors import StackError
from tocsin.harness.engines.common.placeholders import Places
from tocsin.harness.engines.render.alertmanager import render_alertmanager
from tocsin.harness.engines.render.prometheus import render_prometheus
from tocsin.harness.monitoring.monitoring_files import read_monitoring
from tocsin.harness.monitoring.promql.compress import compress_rules

PAGER = "pager"
"""The role that receives every notification."""

_SECRET = re.compile(r"^(\s*(?:- )?(?:password|credentials|bearer_token|client_secret|secret_key):) .*$", re.MULTILINE)
_RULES = re.compile(r"^groups\s*:", re.MULTILINE)


def render(places: Places) -> None:
    """Write the folders named by stack.yaml's `render` into `<work>/config`, readable by everybody.

    StackError names what cannot be rendered: a missing folder, a service discovery, a remote write.
    """
    stack = places.stack
    paths = places.paths()
    for name in stack.render:
        source, caller = stack.folder / name, places.reader(name)
        addresses = declared_addresses(places, caller)
        if not source.is_dir():
            hint = "Correct the name."
            raise StackError(f"stack.yaml's render names {name}, but {source} is not a folder.", hint=hint)
        for path in _files_below(source):
            relative = path.relative_to(stack.folder)
            _render_file(path, places.config / relative, _rendering(relative, places, addresses, paths, caller))
    _open_up(places.config)


def keep_copy(config: Path, folder: Path, paths: Mapping[str, str] | None = None) -> None:
    """Copy the rendered configuration into the run directory, without the secrets that its YAML files may hold.

    `paths` is what containers call a place -> where it lies here, so that tools of this machine find it.
    """
    for path in _files_below(config):
        change = partial(_kept, path.suffix, paths or {})
        _render_file(path, folder / path.relative_to(config), change)


def _kept(suffix: str, paths: Mapping[str, str], text: str) -> str:
    if suffix in (".yml", ".yaml"):
        text = _SECRET.sub(r"\1 <secret>", text)
    return replace_paths(text, paths)


def _files_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def declared_addresses(places: Places, caller: str | None = None) -> dict[str, str]:
    """Return `role:declared port` -> real address, as `caller` reaches it, for every role that runs here."""
    return {
        f"{role}:{declared}": places.address(role, name, caller=caller)
        for role in places.ports
        for name, declared in places.stack.roles[role].ports.items()
    }


def replace_text(text: str, addresses: Mapping[str, str], paths: Mapping[str, str]) -> str:
    """Return `text` with declared paths (the longest first) and declared `role:port` replaced, each whole."""
    return replace_addresses(replace_paths(text, paths), addresses)


def replace_paths(text: str, paths: Mapping[str, str]) -> str:
    """Return `text` with each declared path, and whatever lies below it, led to where it lies in this run."""
    return _replace(text, paths, before=r"(?<![\w.-])", after=r"(?![\w-])")


def replace_addresses(text: str, addresses: Mapping[str, str]) -> str:
    """Return `text` with each declared `role:port` replaced by its real address."""
    return _replace(text, addresses, before=r"(?<![\w.-])", after=r"(?!\d)")


def _replace(text: str, table: Mapping[str, str], *, before: str, after: str) -> str:
    if not table:
        return text
    longest_first = "|".join(re.escape(key) for key in sorted(table, key=len, reverse=True))
    return re.sub(f"{before}({longest_first}){after}", lambda match: table[match.group(1)], text)


def _rendering(
    relative: Path, places: Places, addresses: Mapping[str, str], paths: Mapping[str, str], caller: str | None
) -> Callable[[str], str]:
    stack, speed, name = places.stack, places.speed, relative.as_posix()

    def prometheus(content: Mapping[str, object]) -> object:
        return render_prometheus(content, addresses=addresses, speed=speed, roots=places.rule_roots())

    def alertmanager(content: Mapping[str, object]) -> object:
        return render_alertmanager(content, pager=_pager(places, caller), speed=speed)

    def plain_or_rules(text: str) -> str:
        if in_prometheus and _RULES.search(text):
            return _rules(text, places)
        return replace_text(text, addresses, paths)

    for declared, change in ((stack.prometheus, prometheus), (stack.alertmanager, alertmanager)):
        if declared is not None and PurePosixPath(declared) == PurePosixPath(name):
            return lambda text: _structured(replace_paths(text, paths), relative, change)
    beside = stack.prometheus is not None and PurePosixPath(stack.prometheus).parent in PurePosixPath(name).parents
    in_prometheus = beside and relative.suffix in (".yml", ".yaml", ".rules")
    return plain_or_rules


def _rules(text: str, places: Places) -> str:
    if places.speed == 1:
        return text
    return compress_rules(text, places.speed, read_monitoring(places.stack).scales)


def _pager(places: Places, caller: str | None) -> str:
    if PAGER not in places.stack.roles:
        hint = "Declare it."
        raise StackError(f"Stack {places.stack.name!r} has no role {PAGER!r} to receive notifications.", hint=hint)
    return places.address(PAGER, caller=caller)


def _structured(text: str, name: Path, change: Callable[[Mapping[str, object]], object]) -> str:
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.width = 1_000_000
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    try:
        content = yaml.load(text)
    except YAMLError as error:
        raise StackError(f"{name} is not YAML: {' '.join(str(error).split())}.") from None
    if not isinstance(content, dict):
        raise StackError(f"{name} holds no mapping.", hint="Write it as upstream documents it.")
    out = io.StringIO()
    yaml.dump(change(content), out)
    return out.getvalue()


def _render_file(source: Path, target: Path, change: Callable[[str], str]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        text = source.read_bytes().decode("utf-8")
    except UnicodeDecodeError:  # not ours to change
        shutil.copyfile(source, target)
        return
    target.write_text(change(text), encoding="utf-8", newline="")


def _open_up(folder: Path) -> None:
    for place, _, files in os.walk(folder):
        os.chmod(place, 0o755)
        for name in files:
            os.chmod(Path(place, name), 0o644)
