"""The programs a stack may need: under which names they are known, which version fits, and what brings them.

One line of `RECIPES` per program, one of `BUNDLES` per thing that is unpacked in one go.
"""

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
class Recipe:
    """How to recognise a program. `binaries` are names on the PATH; `beside` and `cached` are glob patterns.

    `beside` is relative to the system's root, for places that a plain user's PATH lacks; `cached` to the bundle's tree,
    which is the cache's folder of that name.
    `at_least` and `below` bound the version; `below` None means that every later one fits.
    """

    name: str
    binaries: tuple[str, ...]
    cached: str
    bundle: str
    at_least: tuple[int, ...]
    below: tuple[int, ...] | None = None
    version_flag: str = "--version"
    says: str = r"version v?(\d[^\s,]*)"
    beside: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()

    @property
    def wanted(self) -> str:
        """The name and the versions that fit, as a user reads it."""
        bound = f">= {_dotted(self.at_least)}" + (f", < {_dotted(self.below)}" if self.below else "")
        extra = f" with {', '.join(self.modules)}" if self.modules else ""
        return f"{self.name} {bound}{extra}"

    def fits(self, version: str) -> bool:
        """Whether a version string such as `2.42.0+ds` lies within the bounds."""
        numbers = version_numbers(version)
        return self.at_least <= numbers and (self.below is None or numbers < self.below)

    def version_in(self, output: str) -> str | None:
        """Return the version that a program printed, or None when it printed something else."""
        found = re.search(self.says, output)
        return found.group(1).strip('"') if found else None


def version_numbers(version: str) -> tuple[int, ...]:
    """Return the leading numbers: `2.42.0+ds` -> (2, 42, 0); `1.8.0_352` -> (1, 8, 0); nothing to read -> ()."""
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(part) for part in found.group(0).split(".")) if found else ()


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(str(number) for number in numbers)


RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="prometheus",
            binaries=("prometheus",),
            cached="usr/bin/prometheus",
            bundle="prometheus",
            at_least=(2, 42),
        ),
        Recipe(
            name="promtool",
            binaries=("promtool",),
            cached="usr/bin/promtool",
            bundle="prometheus",
            at_least=(2, 42),
        ),
        Recipe(
            name="alertmanager",
            binaries=("alertmanager", "prometheus-alertmanager"),
            cached="usr/bin/alertmanager",
            bundle="alertmanager",
            at_least=(0, 25),
        ),
        Recipe(
            name="amtool",
            binaries=("amtool",),
            cached="usr/bin/amtool",
            bundle="alertmanager",
            at_least=(0, 25),
        ),
        Recipe(
            name="node_exporter",
            binaries=("node_exporter", "prometheus-node-exporter"),
            cached="usr/bin/prometheus-node-exporter",
            bundle="node_exporter",
            at_least=(1, 3),
        ),
        Recipe(
            name="rsyslogd",
            binaries=("rsyslogd",),
            cached="usr/sbin/rsyslogd",
            bundle="rsyslog",
            at_least=(8, 2302),
            version_flag="-v",
            says=r"rsyslogd\s+(\d[^\s,]*)",
            beside=("usr/sbin/rsyslogd", "usr/local/sbin/rsyslogd"),
            modules=RSYSLOG_MODULES,
        ),
        Recipe(
            name="java",
            binaries=("java",),
            cached="usr/lib/jvm/*/bin/java",
            bundle="java",
            at_least=(17,),
            version_flag="-version",
            says=r'version ("[^"]+")',
            beside=("usr/lib/jvm/*/bin/java",),
        ),
        Recipe(
            name="elasticsearch",
            binaries=("elasticsearch",),
            cached="elasticsearch-*/bin/elasticsearch",
            bundle="elasticsearch",
            at_least=(8, 19),
            below=(8, 20),
        ),
    )
}

BUNDLES: dict[str, tuple[str, ...]] = {
    "prometheus": ("prometheus",),
    "alertmanager": ("prometheus-alertmanager",),
    "node_exporter": ("prometheus-node-exporter",),
    "rsyslog": ("rsyslog", "rsyslog-elasticsearch"),
    "java": ("default-jre-headless",),
    "maven": ("maven",),
}
"""Bundle -> the distribution's packages that hold it. Elasticsearch is no package: it comes through Maven."""
