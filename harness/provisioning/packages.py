"""Downloads and unpacks distribution packages and zip archives into a folder; nothing is installed on the system.

apt-get resolves, fetches and verifies packages with a state of its own, so no system file changes and no service
starts; `dpkg-deb` unpacks them. A tree is built elsewhere and renamed to its place when it is complete.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import subprocess
import time
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tocsin.harness.core.errors import StackError
from tocsin.harness.provisioning.program_lookup import run_program

_STATUS = Path("/var/lib/dpkg/status")
_LINES_SHOWN = 8

# apt-get reads this after its own configuration. Hooks are cleared because they belong to the system's own state
# (some images delete the system's package cache in one); downloads run as the caller, who owns the folder.
_CONFIGURATION = """\
Dir::State "{work}/state";
Dir::State::lists "{work}/lists";
Dir::State::status "{work}/status";
Dir::Cache "{work}/cache";
Debug::NoLocking "1";
APT::Sandbox::User "";
APT::Get::Assume-Yes "1";
APT::Install-Recommends "0";
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "0";
Acquire::IndexTargets::deb::CNF::DefaultEnabled "0";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "0";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
"""


def run_tool(argv: list[str], *, timeout_s: float, environment: Mapping[str, str] | None = None, cwd: Path) -> str:
    """Run a tool in the C locale and return its output; StackError with its last lines if it fails or takes longer."""
    environment = {"LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive", **(environment or {})}
    try:
        done = run_program(argv, environment, timeout_s=timeout_s, cwd=cwd)
    except subprocess.TimeoutExpired as late:
        raise StackError(f"`{argv[0]}` took longer than {timeout_s:.0f} s.", hint="Try again.") from late
    except OSError as error:
        raise StackError(f"`{argv[0]}` could not be run: {error}.") from error
    if done.returncode != 0:
        tail = "\n  ".join(done.stdout.strip().splitlines()[-_LINES_SHOWN:])
        raise StackError(
            f"`{' '.join(argv)}` ended with {done.returncode}, expected 0:\n  {tail}\n",
            hint="Fix what it names and run `tocsin setup` again; what has been fetched is kept.",
        )
    return done.stdout


@dataclass(frozen=True, kw_only=True)
class Apt:
    """apt-get with its own lists, cache and status in `work`, and the system's sources and keys."""

    work: Path

    @staticmethod
    def on_this_system() -> bool:
        """Whether apt-get and dpkg-deb are on the PATH."""
        return bool(shutil.which("apt-get") and shutil.which("dpkg-deb"))

    def update(self) -> None:
        """Fetch the package lists. A broken source is an error only if no list came: what it lacks shows later."""
        for folder in ("state", "lists/partial", "cache"):
            (self.work / folder).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_STATUS, self.work / "status")
        (self.work / "apt.conf").write_text(_CONFIGURATION.format(work=self.work))
        try:
            self._get("update")
        except StackError:
            if not any((self.work / "lists").glob("*Packages*")):
                raise

    def fetch(self, packages: Iterable[str]) -> list[Path]:
        """Download the packages and those they need that this system lacks; return the verified files."""
        names = tuple(packages)
        archives = self._archives(names)
        (archives / "partial").mkdir(parents=True, exist_ok=True)
        # --reinstall: a package that is on the system, but not where we may use it, is fetched all the same.
        self._get("--download-only", "--reinstall", "-o", f"Dir::Cache::archives={archives}", "install", *names)
        return self.fetched(names)

    def fetched(self, packages: Iterable[str]) -> list[Path]:
        """Return the files that `fetch` has downloaded for these packages."""
        return sorted(self._archives(tuple(packages)).glob("*.deb"))

    def consider_installed(self, debs: Iterable[Path]) -> None:
        """Mark packages as installed, so that later fetches leave them out."""
        with (self.work / "status").open("a") as status:
            for deb in debs:
                fields = run_tool(["dpkg-deb", "--field", str(deb)], timeout_s=60, cwd=self.work)
                status.write(f"\n{fields.strip()}\nStatus: install ok installed\n")

    def _archives(self, packages: tuple[str, ...]) -> Path:
        return self.work / f"archives-{packages[0]}"

    def _get(self, *arguments: str) -> None:
        run_tool(["apt-get", "-q", "-c", str(self.work / "apt.conf"), *arguments], timeout_s=900, cwd=self.work)


def unpack_debs(debs: Iterable[Path], tree: Path) -> None:
    """Unpack packages into `tree`; absolute links then point into the tree."""
    for deb in debs:
        run_tool(["dpkg-deb", "--extract", str(deb), str(tree)], timeout_s=300, cwd=tree)
    repoint_links(tree)


def repoint_links(tree: Path) -> None:
    """Make absolute symbolic links relative where the tree holds their target; keep the others."""
    for path in _walk(tree):
        if not path.is_symlink():
            continue
        target = os.readlink(path)
        inside = tree / target.lstrip("/")
        if os.path.isabs(target) and (inside.exists() or inside.is_symlink()):
            path.unlink()
            path.symlink_to(os.path.relpath(inside, path.parent))


def relocate_alertmanager(tree: Path) -> None:
    """Let an unpacked Debian Alertmanager find its templates in the tree.

    Debian's build reads `default.tmpl` from a fixed absolute folder. The folder's name in the binary is replaced by
    characters of the same length that mean the working directory, and the launcher `usr/bin/alertmanager` starts it in
    the unpacked folder.
    """
    binary = tree / "usr/bin/prometheus-alertmanager"
    if not binary.is_file():
        return
    folder = b"/usr/share/prometheus/alertmanager"
    here = b"./" * (len(folder) // 2)
    content = re.sub(re.escape(folder) + rb"(?!/)", here, binary.read_bytes())  # longer names are those of the pages
    binary.write_bytes(content)
    launcher = tree / "usr/bin/alertmanager"
    launcher.write_text(_LAUNCHER, encoding="utf-8")
    launcher.chmod(0o755)


_LAUNCHER = """#!/bin/sh
here=$(CDPATH= cd -- "${0%/*}" && pwd) || exit 1
cd "$here/../share/prometheus/alertmanager" || exit 1
exec "$here/prometheus-alertmanager" "$@"
"""


def unzip(archive: Path, tree: Path) -> None:
    """Unpack a zip into `tree` with the file modes it holds; StackError for a name that points outside the tree."""
    with zipfile.ZipFile(archive) as bundle:
        for entry in bundle.infolist():
            if entry.filename.startswith("/") or ".." in Path(entry.filename).parts:
                raise StackError(f"{archive.name} holds {entry.filename!r}; expected only names inside the archive.")
            written = Path(bundle.extract(entry, tree))
            mode = stat.S_IMODE(entry.external_attr >> 16)
            if mode and not entry.is_dir():
                written.chmod(mode & 0o755)


def verify_sha512(file: Path, expected: str) -> None:
    """Raise StackError for a file whose SHA-512 differs, and delete it, so that the next try fetches it again."""
    with file.open("rb") as stream:
        seen = hashlib.file_digest(stream, "sha512").hexdigest()
    if seen != expected:
        file.unlink()
        raise StackError(
            f"{file.name} has SHA-512 {seen[:16]}..., expected {expected[:16]}...",
            hint="Run `tocsin setup` again; if it differs again, do not trust the source.",
        )


def move_into_place(tree: Path, destination: Path) -> None:
    """Make `tree` readable by every user and rename it to `destination`; what was there before is removed."""
    _make_readable(tree)
    old = destination.with_name(f".old-{destination.name}-{time.time_ns()}")
    destination.parent.mkdir(parents=True, exist_ok=True)
    if destination.exists():
        destination.rename(old)
    tree.rename(destination)
    shutil.rmtree(old, ignore_errors=True)


def size_mb(paths: Iterable[Path]) -> float:
    """Return the size of the files in 10^6 bytes, as download tools print it."""
    return sum(path.stat().st_size for path in paths) / 1e6


def _make_readable(tree: Path) -> None:
    for path in _walk(tree):
        if path.is_symlink():
            continue
        mode = stat.S_IMODE(path.lstat().st_mode)
        wanted = (mode & 0o777) | 0o644  # without set-uid bits: no unpacked program needs to change its user
        if path.is_dir() or mode & 0o100:
            wanted |= 0o111
        if wanted != mode:
            path.chmod(wanted)


def _walk(tree: Path) -> Iterator[Path]:
    yield tree
    for folder, folders, files in os.walk(tree):
        for name in (*folders, *files):
            yield Path(folder, name)
