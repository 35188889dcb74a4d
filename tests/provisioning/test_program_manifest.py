from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.provisioning.fake_programs import SAYS
from tocsin.harness.provisioning.program_manifest import (
    BUNDLES,
    ELASTICSEARCH,
    ELASTICSEARCH_SHA512,
    MANIFEST,
    ProgramSpec,
    version_numbers,
)


@dataclass(frozen=True, kw_only=True)
class Version:
    name: str
    output: str
    version: str | None
    fits: bool


VERSIONS = [
    Version(name="prometheus", output=SAYS["prometheus"].format("2.42.0+ds"), version="2.42.0+ds", fits=True),
    Version(name="prometheus", output=SAYS["prometheus"].format("2.31.2"), version="2.31.2", fits=False),
    Version(name="prometheus", output=SAYS["prometheus"].format("3.5.0"), version="3.5.0", fits=True),
    Version(name="prometheus", output="usage: prometheus", version=None, fits=False),
    Version(name="alertmanager", output=SAYS["alertmanager"].format("0.25.0"), version="0.25.0", fits=True),
    Version(name="node_exporter", output="node_exporter, version v1.5.0 (x)", version="1.5.0", fits=True),
    Version(name="rsyslogd", output="rsyslogd  8.2302.0 (aka 2023.02) compiled", version="8.2302.0", fits=True),
    Version(name="rsyslogd", output="rsyslogd 8.32.0, compiled with:", version="8.32.0", fits=False),
    Version(name="java", output='openjdk version "17.0.15" 2025-04-15', version="17.0.15", fits=True),
    Version(name="java", output='openjdk version "21" 2023-09-19', version="21", fits=True),
    Version(name="java", output='openjdk version "1.8.0_352"', version="1.8.0_352", fits=False),
    Version(name="java", output='java version "25-ea" 2025-09-16', version="25-ea", fits=True),
]


@pytest.mark.parametrize("row", VERSIONS, ids=lambda row: f"{row.name}-{row.version}")
def test_a_version_is_read_and_judged(row: Version) -> None:
    spec = MANIFEST[row.name]
    assert spec.version_in(row.output) == row.version
    assert spec.fits(row.version or "") is row.fits


@pytest.mark.parametrize(
    ("version", "fits"), [("8.18.4", False), ("8.19.0", True), ("8.19.21", True), ("8.20.0", False), ("9.1.0", False)]
)
def test_elasticsearch_is_bounded_on_both_sides(version: str, fits: bool) -> None:
    assert MANIFEST["elasticsearch"].fits(version) is fits


@pytest.mark.parametrize(("text", "numbers"), [("2.42.0+ds", (2, 42, 0)), ("1.8.0_352", (1, 8, 0)), ("weird", ())])
def test_numbers_of_a_version(text: str, numbers: tuple[int, ...]) -> None:
    assert version_numbers(text) == numbers


@dataclass(frozen=True, kw_only=True)
class Wanted:
    name: str
    sentence: str


WANTED = [
    Wanted(name="prometheus", sentence="prometheus >= 2.42"),
    Wanted(name="elasticsearch", sentence="elasticsearch >= 8.19, < 8.20"),
    Wanted(
        name="rsyslogd",
        sentence="rsyslogd >= 8.2302 with omelasticsearch, mmjsonparse, mmutf8fix, fmhash, imfile, impstats",
    ),
]


@pytest.mark.parametrize("row", WANTED, ids=lambda row: row.name)
def test_what_is_wanted_reads_as_a_sentence(row: Wanted) -> None:
    assert MANIFEST[row.name].wanted == row.sentence


@pytest.mark.parametrize("spec", MANIFEST.values(), ids=lambda spec: spec.name)
def test_every_program_has_something_that_brings_it(spec: ProgramSpec) -> None:
    assert spec.bundle in BUNDLES or spec.name == "elasticsearch"
    assert MANIFEST[spec.name] is spec and spec.cached


def test_every_bundle_is_needed_by_a_program() -> None:
    used = {spec.bundle for spec in MANIFEST.values()}
    assert set(BUNDLES) - used == {"maven"}  # used once, to fetch Elasticsearch


def test_the_pinned_elasticsearch_fits_its_own_spec() -> None:
    assert MANIFEST["elasticsearch"].fits(ELASTICSEARCH)
    assert len(bytes.fromhex(ELASTICSEARCH_SHA512)) == 64
