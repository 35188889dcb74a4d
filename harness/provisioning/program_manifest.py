"""The programs a stack may need: their names, the versions that fit, and the packages that hold them."""

from __future__ import annotations

import re
from dataclasses import dataclass

ELASTICSEARCH = "8.19.21"
ELASTICSEARCH_COORDINATES = f"org.elasticsearch.distribution.integ-test-zip:elasticsearch:{ELASTICSEARCH}:zip"
ELASTICSEARCH_SHA512 = (
    "cf6b0a93860d329937ae7f913ec5073b0c726c77639764b93fc83a304aa1dd9d"
    "4defcfa2849948eea3b0b47c2065f994908603939fc2a4774c9c4d868c5ec1dd"
)
RSYSLOG_MODULES = ("omelasticsearch", "mmjsonparse", "mmutf8fix", "fmhash", "imfile", "impstats")


@dataclass(frozen=True, kw_only=True)
class ProgramSpec:
    """How to recognise a program, and where it may be.

    The binary on the PATH is called `name` or one of `aliases`. `cached` is a glob pattern in the bundle's folder;
    `beside` are patterns below the system's root, for places that a plain user's PATH lacks.
    `at_least` and `below` bound the version; None means no upper bound. `modules` are those that rsyslogd must have.
    """

    name: str
    cached: str
    bundle: str
    at_least: tuple[int, ...]
    below: tuple[int, ...] | None = None
    aliases: tuple[str, ...] = ()
    version_flag: str = "--version"
    version_pattern: str = r"version v?(\d[^\s,]*)"
    beside: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()

    @property
    def wanted(self) -> str:
        """The name, the versions that fit and the modules, as a user reads it."""
        text = f"{self.name} >= {_dotted(self.at_least)}"
        if self.below:
            text += f", < {_dotted(self.below)}"
        if self.modules:
            text += f" with {', '.join(self.modules)}"
        return text

    def fits(self, version: str) -> bool:
        """Whether a version string such as `2.42.0+ds` lies within the bounds."""
        numbers = version_numbers(version)
        return self.at_least <= numbers and (self.below is None or numbers < self.below)

    def version_in(self, output: str) -> str | None:
        """Return the version in what the program printed, None when there is none."""
        match = re.search(self.version_pattern, output)
        return match.group(1).strip('"') if match else None


def version_numbers(version: str) -> tuple[int, ...]:
    """Return the leading numbers: `2.42.0+ds` -> (2, 42, 0); `1.8.0_352` -> (1, 8, 0); no number -> ()."""
    match = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(part) for part in match.group(0).split(".")) if match else ()


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(str(number) for number in numbers)


_SPECS = (
    ProgramSpec(name="prometheus", cached="usr/bin/prometheus", bundle="prometheus", at_least=(2, 42)),
    ProgramSpec(name="promtool", cached="usr/bin/promtool", bundle="prometheus", at_least=(2, 42)),
    ProgramSpec(
        name="alertmanager",
        aliases=("prometheus-alertmanager",),
        cached="usr/bin/alertmanager",
        bundle="alertmanager",
        at_least=(0, 25),
    ),
    ProgramSpec(name="amtool", cached="usr/bin/amtool", bundle="alertmanager", at_least=(0, 25)),
    ProgramSpec(
        name="node_exporter",
        aliases=("prometheus-node-exporter",),
        cached="usr/bin/prometheus-node-exporter",
        bundle="node_exporter",
        at_least=(1, 3),
    ),
    ProgramSpec(
        name="rsyslogd",
        cached="usr/sbin/rsyslogd",
        bundle="rsyslog",
        at_least=(8, 2302),
        version_flag="-v",
        version_pattern=r"rsyslogd\s+(\d[^\s,]*)",
        beside=("usr/sbin/rsyslogd", "usr/local/sbin/rsyslogd"),
        modules=RSYSLOG_MODULES,
    ),
    ProgramSpec(
        name="java",
        cached="usr/lib/jvm/*/bin/java",
        bundle="java",
        at_least=(17,),
        version_flag="-version",
        version_pattern=r'version ("[^"]+")',
        beside=("usr/lib/jvm/*/bin/java",),
    ),
    ProgramSpec(
        name="elasticsearch",
        cached="elasticsearch-*/bin/elasticsearch",
        bundle="elasticsearch",
        at_least=(8, 19),
        below=(8, 20),
    ),
)
MANIFEST = {spec.name: spec for spec in _SPECS}
"""Program name -> how to recognise it."""

BUNDLES: dict[str, tuple[str, ...]] = {
    "prometheus": ("prometheus",),
    "alertmanager": ("prometheus-alertmanager",),
    "node_exporter": ("prometheus-node-exporter",),
    "rsyslog": ("rsyslog", "rsyslog-elasticsearch"),
    "java": ("default-jre-headless",),
    "maven": ("maven",),
}
"""Bundle -> the distribution's packages that are unpacked for it. Elasticsearch is not packaged: Maven fetches it."""
