"""The tests' own engine says why it cannot be, and the stand-ins are what compose.yaml would have pulled."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.docker import images

ENGINE = Path(__file__).with_name("engine.sh")
STACK = images.STACK
OFFICIAL = {
    "prometheus": ("/bin/prometheus", "65534:65534"),
    "alertmanager": ("/bin/alertmanager", "65534:65534"),
    "node-exporter": ("/bin/node_exporter", "65534:65534"),
    "elasticsearch": ("/usr/local/bin/docker-entrypoint.sh", "1000:0"),
}
"""Entry point and user of the images at Docker Hub and Elastic."""


@pytest.mark.parametrize("name", OFFICIAL)
def test_a_stand_in_has_the_entry_point_and_the_user_of_the_official_image(name):
    entry, user = OFFICIAL[name]
    text = images.images()[name].dockerfile.read_text()
    assert re.search(rf'^ENTRYPOINT \[.*"{entry}"\]$', text, re.MULTILINE)
    assert f"\nUSER {user}\n" in text
    compose = YAML(typ="safe", pure=True).load((STACK / "compose.yaml").read_text())["services"]
    named = [each for each in compose.values() if f"${{{images.images()[name].variable}:" in each["image"]]
    assert named and {each["user"] for each in named} == {user}


def test_every_image_of_core_and_of_the_rsyslog_variant_has_a_stand_in():
    files = [(STACK / name).read_text() for name in ("compose.yaml", "compose.rsyslog.yaml")]
    variables = set(re.findall(r"\$\{([A-Z_]+_IMAGE)", "".join(files)))
    built = {image.variable for image in images.images().values()}
    assert variables - built == {
        "LOGSTASH_IMAGE", "KIBANA_IMAGE", "GRAFANA_IMAGE", "DCGM_EXPORTER_IMAGE", "SERVICE_GPU_IMAGE",
    }  # fmt: skip
    assert built - variables == {"PYTHON_IMAGE", "LITSERVE_IMAGE"}  # the pager and proxies of a drill; another stack


def test_a_tag_is_the_hash_of_what_goes_in(tmp_path, monkeypatch):
    before = images.tags()
    assert before == images.tags()
    copy = tmp_path / "images"
    copy.mkdir()
    for path in (images.HERE / "images").iterdir():
        (copy / path.name).write_text(path.read_text())
    monkeypatch.setattr(images, "HERE", tmp_path)
    assert images.tags() == before
    (copy / "python.Dockerfile").write_text("FROM scratch\n")
    changed = {name for name, tag in images.tags().items() if tag != before[name]}
    assert changed == {"python", "service", "litserve"}  # the services are built on it


@pytest.mark.parametrize(
    ("folder", "argv", "code", "words"),
    [
        ("/nowhere/" + "long/" * 20, ["start"], 69, "set TOCSIN_ENGINE to a shorter one"),
        ("/nowhere", ["dance"], 64, "engine.sh start"),
    ],
)
def test_the_engine_refuses_with_a_sentence(folder, argv, code, words):
    system = subprocess.run(
        ["bash", "-c", '. /etc/os-release; echo "$VERSION_CODENAME"'], capture_output=True, text=True
    )
    if code == 69 and (os.geteuid() != 0 or system.stdout.strip() != "bookworm"):
        words = "No Docker engine of the tests' own: "  # for another reason, told first
    done = subprocess.run(
        [ENGINE, *argv],
        env={**os.environ, "TOCSIN_ENGINE": folder},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (done.returncode, words in done.stderr) == (code, True), done.stderr
    assert not Path("/nowhere").exists()


def test_the_environment_leads_docker_to_it():
    done = subprocess.run(
        [ENGINE, "env"], env={**os.environ, "TOCSIN_ENGINE": "/nowhere"}, capture_output=True, text=True, timeout=20
    )
    assert "export DOCKER_HOST=unix:///nowhere/docker.sock " in done.stdout
