"""Builds the stand-ins of the images that compose.yaml names, from this machine's packages: no registry is needed.

    eval "$(python tests/docker/images.py)"      # builds what lacks and exports PROMETHEUS_IMAGE=..., and so on

Each has the entry point, user and folders of the official image. Tags are hashes of what went in, so an image is built
once; `--list` prints the tags without building, `--prune` then removes stand-ins of earlier inputs. Needs root,
mmdebstrap and an engine (tests/docker/engine.sh).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
STACK = ROOT / "stacks/reference"
NAME, LABEL = "tocsin-stand-in", "tocsin.image=stand-in"
PACKAGES = (
    "busybox", "ca-certificates", "curl", "openjdk-17-jre-headless", "prometheus", "prometheus-alertmanager",
    "prometheus-node-exporter", "python3", "python3-venv", "rsyslog", "rsyslog-elasticsearch", "tini",
)  # fmt: skip
PYTHON = "3.11"  # of Debian 12
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64", "any")


@dataclass(frozen=True, kw_only=True)
class Image:
    """A stand-in: the variable that compose.yaml reads, the Dockerfile, what it is built from and with.

    `requirements` are Python packages that it installs: they come as wheels.
    """

    variable: str
    dockerfile: Path
    context: Path = HERE / "images"
    inputs: tuple[Path, ...] = ()
    base_argument: str = "BASE"
    base: str = "base"
    requirements: Path | None = None
    target: str = ""


def images() -> dict[str, Image]:
    """Return every stand-in by name, each after the one it is based on."""
    own, stack, litserve = HERE / "images", STACK / "docker", ROOT / "stacks/litserve"
    service = tuple(STACK / part for part in ("service", "exporters", "pager", "requirements.txt"))
    return {
        "python": Image(variable="PYTHON_IMAGE", dockerfile=own / "python.Dockerfile"),
        "prometheus": Image(variable="PROMETHEUS_IMAGE", dockerfile=own / "prometheus.Dockerfile"),
        "alertmanager": Image(variable="ALERTMANAGER_IMAGE", dockerfile=own / "alertmanager.Dockerfile"),
        "node-exporter": Image(variable="NODE_EXPORTER_IMAGE", dockerfile=own / "node-exporter.Dockerfile"),
        "rsyslog": Image(
            variable="RSYSLOG_IMAGE",
            dockerfile=stack / "rsyslog.Dockerfile",
            context=STACK,
            base_argument="DEBIAN_IMAGE",
        ),
        "elasticsearch": Image(
            variable="ELASTICSEARCH_IMAGE",
            dockerfile=own / "elasticsearch.Dockerfile",
            inputs=(own / "elasticsearch-entrypoint.sh",),
        ),
        "service": Image(
            variable="SERVICE_IMAGE",
            dockerfile=stack / "service.Dockerfile",
            context=STACK,
            inputs=service,
            base_argument="PYTHON_IMAGE",
            base="python",
            requirements=STACK / "requirements.txt",
            target="cpu",
        ),
        "litserve": Image(
            variable="LITSERVE_IMAGE",
            dockerfile=litserve / "Dockerfile",
            context=litserve,
            inputs=(litserve / "service.py", litserve / "requirements.txt"),
            base_argument="PYTHON_IMAGE",
            base="python",
            requirements=litserve / "requirements.txt",
        ),
    }


def tags() -> dict[str, str]:
    """Return name -> tag, `base` included: the same inputs give the same tag on every machine."""
    found = {"base": _tag("base", ["bookworm", *PACKAGES, _BASE_COMMAND])}
    for name, image in images().items():
        content = [found[image.base], *(_content(path) for path in (image.dockerfile, *image.inputs))]
        found[name] = _tag(name, content)
    return found


def _tag(name: str, parts: Iterable[str]) -> str:
    return f"{NAME}/{name}:{hashlib.sha256('|'.join(parts).encode()).hexdigest()[:12]}"


def _content(path: Path) -> str:
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    digest = hashlib.sha256()
    for file in files:
        if "__pycache__" not in file.parts:
            digest.update(str(file.relative_to(path)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


_BASE_COMMAND = r"""
set -o pipefail
image=$(mmdebstrap --quiet --variant=apt --mode=root --include={packages} \
  --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='APT::Install-Recommends "false"' \
  --aptopt='Acquire::Languages "none"' --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/doc/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' --customize-hook='ln -s /bin/busybox "$1/usr/local/bin/wget"' \
  bookworm - /etc/apt/sources.list.d/debian.sources |
docker import --change 'LABEL {label}' --change 'ENV PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' -) &&
docker tag "$image" {tag} # only a whole one gets its name
"""


def build_base(tag: str) -> None:
    """Import one Debian with every package that the stand-ins share."""
    command = _BASE_COMMAND.format(packages=",".join(PACKAGES), label=LABEL, tag=tag)
    _run(["bash", "-c", command])


def build(name: str, image: Image, found: dict[str, str]) -> None:
    """Build one stand-in on its base; wheels and Elasticsearch come as build contexts from this machine."""
    argv = ["docker", "buildx", "build", "--quiet", "--load", "--network", "host", "--label", LABEL, "-t", found[name]]
    argv += ["--build-arg", f"{image.base_argument}={found[image.base]}", "-f", str(image.dockerfile)]
    if name == "elasticsearch":
        argv += ["--build-context", f"distribution={_elasticsearch()}"]
    argv += ["--target", image.target] if image.target else []
    if image.requirements is None:
        _run([*argv, str(image.context)])
        return
    with tempfile.TemporaryDirectory() as wheels:
        download_wheels(image.requirements, Path(wheels))
        _run([*argv, "--build-context", f"wheels={wheels}", str(image.context)])


def download_wheels(requirements: Path, folder: Path) -> None:
    """Download the wheels that an image needs for its Python, through this machine's own pip."""
    argv = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "-d", str(folder)]
    argv += ["--only-binary=:all:", "--python-version", PYTHON, "--implementation", "cp"]
    for abi in (f"cp{PYTHON.replace('.', '')}", "abi3", "none"):
        argv += ["--abi", abi]
    for platform in PLATFORMS:
        argv += ["--platform", platform]
    _run([*argv, "-r", str(requirements)])


def _elasticsearch() -> Path:
    sys.path.insert(0, str(ROOT))
    from tocsin.harness.provisioning.programs import cache_folder, setup

    return setup(["elasticsearch"], cache_folder(), _say)["elasticsearch"].path.parent.parent


def _run(argv: Sequence[str]) -> None:
    done = subprocess.run(
        argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False
    )
    if done.returncode != 0:
        sys.exit(f"`{' '.join(argv)[:200]}` ended with {done.returncode}:\n{done.stdout[-3000:]}")


def _present(tag: str) -> bool:
    return subprocess.run(["docker", "image", "inspect", tag], capture_output=True, check=False).returncode == 0


def prune(found: dict[str, str]) -> None:
    """Remove the stand-ins that are not of today's inputs; those in use stay."""
    argv = ["docker", "image", "ls", "--filter", f"label={LABEL}", "--format", "{{.Repository}}:{{.Tag}}"]
    for tag in subprocess.run(argv, capture_output=True, text=True, check=False).stdout.split():
        if tag not in found.values() and tag.startswith(NAME):
            subprocess.run(["docker", "image", "rm", tag], capture_output=True, check=False)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(argv: Sequence[str]) -> int:
    """Build what lacks (unless --list), print the exports for a shell."""
    found = tags()
    if "--list" not in argv:
        if shutil.which("mmdebstrap") is None or os.geteuid() != 0:
            sys.exit("Building the stand-ins needs root and mmdebstrap: apt-get install mmdebstrap")
        makers = {"base": lambda: build_base(found["base"])}
        makers |= {name: lambda name=name, image=image: build(name, image, found) for name, image in images().items()}
        for name, make in makers.items():
            if not _present(found[name]):
                began = time.monotonic()
                make()
                _say(f"Built {found[name]} in {time.monotonic() - began:.1f} s.")
    if "--prune" in argv:
        prune(found)
    for name, image in images().items():
        print(f"export {image.variable}={found[name]}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
