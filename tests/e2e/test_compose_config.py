"""Compose itself reads the stack's files, in every profile and variant. Needs its command line, no engine."""

import os
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

STACK = Path(__file__).resolve().parents[2] / "stacks" / "reference"
FILES = {"logstash": ["compose.yaml"], "rsyslog": ["compose.yaml", "compose.rsyslog.yaml"]}
PROFILES = {
    "core": [],
    "logs": ["logs"],
    "dashboards": ["dashboards"],
    "gpu": ["gpu"],
    "all": ["logs", "dashboards", "gpu"],
}
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.endswith(("_IMAGE", "_PORT"))}


def compose(*argv, cwd=STACK):
    command = ["docker", "compose", *argv]
    return subprocess.run(command, cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module", autouse=True)
def _here():
    try:
        version = compose("version", "--short")
    except FileNotFoundError:
        pytest.skip("no `docker` on the PATH")
    if version.returncode:
        pytest.skip("docker has no `compose` command")


@pytest.mark.parametrize("variant", FILES)
@pytest.mark.parametrize("profiles", PROFILES)
def test_config_is_clean(variant, profiles):
    told = [part for name in FILES[variant] for part in ("-f", name)]
    told += [part for name in PROFILES[profiles] for part in ("--profile", name)]
    done = compose(*told, "config", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_each_profile_holds_what_it_says():
    def services(*profiles):
        argv = [part for name in profiles for part in ("--profile", name)]
        return set(compose(*argv, "config", "--services").stdout.split())

    core = {"model", "prometheus", "alertmanager", "pager", "node", "gpu", "shipper-exporter"}
    assert services() == core
    assert services("logs") - core == {"elasticsearch", "templates", "shipper"}
    assert services("dashboards") - core == {"elasticsearch", "kibana", "saved-objects", "grafana"}
    assert services("gpu") - core == {"model-gpu", "dcgm-exporter"}


def test_a_broken_file_is_not_clean(tmp_path):
    (tmp_path / "compose.yaml").write_text("services: {a: {image: b, depends_on: {nobody: {condition: started}}}}\n")
    assert compose("config", "--quiet", cwd=tmp_path).returncode != 0
