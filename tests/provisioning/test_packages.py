from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.provisioning.fake_programs import fake
from tocsin.harness.core.errors import StackError
from tocsin.harness.provisioning import packages
from tocsin.harness.provisioning.packages import relocate_alertmanager


@dataclass(frozen=True, kw_only=True)
class Link:
    target: str
    becomes: str


LINKS = [
    Link(target="/etc/java/security", becomes="../../etc/java/security"),
    Link(target="/usr/share/missing", becomes="/usr/share/missing"),
    Link(target="../share/x", becomes="../share/x"),
    Link(target="/usr/lib/chain", becomes="chain"),
]


def test_absolute_links_are_repointed_into_the_tree(tmp_path: Path) -> None:
    (tmp_path / "usr/lib").mkdir(parents=True)
    (tmp_path / "etc/java/security").mkdir(parents=True)
    (tmp_path / "usr/lib/chain").symlink_to("/nowhere")
    for number, row in enumerate(LINKS):
        (tmp_path / f"usr/lib/link{number}").symlink_to(row.target)
    packages.repoint_links(tmp_path)
    assert [os.readlink(tmp_path / f"usr/lib/link{number}") for number in range(len(LINKS))] == [
        row.becomes for row in LINKS
    ]


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil"])
def test_a_zip_may_not_leave_its_tree(name: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as bundle:
        bundle.writestr(zipfile.ZipInfo(name), "x")
    with pytest.raises(StackError, match="evil"):
        packages.unzip(tmp_path / "bad.zip", tmp_path / "tree")


def test_a_tree_in_place_is_readable_by_all_and_replaces_the_old(tmp_path: Path) -> None:
    place = tmp_path / "place"
    (place / "old").mkdir(parents=True)
    tree = tmp_path / "tree"
    tree.mkdir(mode=0o700)
    for name, mode in (("program", 0o4700), ("file", 0o600)):
        (tree / name).touch()
        (tree / name).chmod(mode)
    (tree / "dangling").symlink_to("/nowhere")
    packages.move_into_place(tree, place)
    modes = {path.name: stat.S_IMODE(path.lstat().st_mode) for path in place.iterdir() if not path.is_symlink()}
    assert modes == {"program": 0o755, "file": 0o644} and stat.S_IMODE(place.stat().st_mode) == 0o755
    assert sorted(path.name for path in tmp_path.iterdir()) == ["place"]


def test_a_tool_that_fails_shows_its_last_lines(tmp_path: Path) -> None:
    path = fake(tmp_path / "tool", "E: Unable to locate package", status=100)
    with pytest.raises(StackError, match="ended with 100, expected 0:\n  E: Unable to locate package"):
        packages.run_tool([str(path)], timeout_s=5, cwd=tmp_path)


@pytest.mark.parametrize(("lists", "passes"), [((), False), (("main_Packages",), True)])
def test_one_broken_package_source_among_several_is_borne(
    lists: tuple[str, ...], passes: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "_STATUS", fake(tmp_path / "status", ""))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    fake(tmp_path / "bin/apt-get", "E: a source without a key", status=100)
    (tmp_path / "apt/lists").mkdir(parents=True)
    for name in lists:
        (tmp_path / "apt/lists" / name).touch()
    if passes:
        packages.Apt(work=tmp_path / "apt").update()
    else:
        with pytest.raises(StackError, match="a source without a key"):
            packages.Apt(work=tmp_path / "apt").update()


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> packages.Apt:
    """Apt over an apt-get that notes its arguments and leaves two packages, and a dpkg-deb that makes a link."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr(packages, "_STATUS", tmp_path / "status")
    (tmp_path / "status").write_text("Package: base\nStatus: install ok installed\n")
    apt_get = fake(tmp_path / "bin/apt-get", "")
    apt_get.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/said\n'
        "for word; do case $word in Dir::Cache::archives=*) place=${word#*=};; esac; done\n"
        '[ -z "$place" ] || touch "$place/b_1_all.deb" "$place/a_2%3a1_amd64.deb" "$place/partial/c.deb"\n'
    )
    dpkg = fake(tmp_path / "bin/dpkg-deb", "")
    dpkg.write_text(
        '#!/bin/sh\ncase $1 in --field) echo "Package: $(basename $2)"; echo "Version: 1";;\n'
        '--extract) mkdir -p "$3/etc/conf" "$3/usr/share"; ln -sf /etc/conf "$3/usr/share/conf";; esac\n'
    )
    made = packages.Apt(work=tmp_path / "apt")
    made.update()
    return made


def test_apt_keeps_to_a_state_of_its_own(apt: packages.Apt, tmp_path: Path) -> None:
    configuration = (apt.work / "apt.conf").read_text()
    for key in ("Dir::State", "Dir::State::lists", "Dir::State::status", "Dir::Cache"):
        assert f'{key} "{apt.work}' in configuration
    assert "#clear APT::Update::Post-Invoke;" in configuration
    assert (tmp_path / "said").read_text() == f"-q -c {apt.work}/apt.conf update\n"


def test_apt_downloads_and_installs_nothing(apt: packages.Apt, tmp_path: Path) -> None:
    debs = apt.fetch(("rsyslog", "rsyslog-elasticsearch"))
    assert [deb.name for deb in debs] == ["a_2%3a1_amd64.deb", "b_1_all.deb"]  # the half-done one is not among them
    said = (tmp_path / "said").read_text().splitlines()[-1]
    assert "--download-only --reinstall" in said and said.endswith("install rsyslog rsyslog-elasticsearch")
    assert apt.fetched(("rsyslog",)) == debs and apt.fetched(("maven",)) == []


def test_what_is_considered_installed_is_added_to_a_copy_of_the_status(apt: packages.Apt, tmp_path: Path) -> None:
    before = (tmp_path / "status").read_text()
    apt.consider_installed(apt.fetch(("maven",)))
    status = (apt.work / "status").read_text()
    assert status.startswith(before) and (tmp_path / "status").read_text() == before
    assert "\n\nPackage: b_1_all.deb\nVersion: 1\nStatus: install ok installed\n" in status


def test_packages_are_unpacked_with_their_links_repointed(apt: packages.Apt, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    packages.unpack_debs(apt.fetch(("maven",)), tree)
    assert os.readlink(tree / "usr/share/conf") == "../../etc/conf"


@pytest.mark.parametrize(("tools", "here"), [((), False), (("apt-get",), False), (("apt-get", "dpkg-deb"), True)])
def test_a_system_with_apt_is_known(
    tools: tuple[str, ...], here: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    for tool in tools:
        fake(tmp_path / "bin" / tool, "")
    assert packages.Apt.on_this_system() is here


def test_a_tool_that_hangs_is_ended(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"`/bin/sleep` took longer than 0 s"):
        packages.run_tool(["/bin/sleep", "30"], timeout_s=0.1, cwd=tmp_path)


def test_a_tool_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="`/no/such/tool` could not be run"):
        packages.run_tool(["/no/such/tool"], timeout_s=5, cwd=tmp_path)


def test_a_tool_answers_in_english_and_asks_nothing(tmp_path: Path) -> None:
    tool = fake(tmp_path / "tool", "")
    tool.write_text('#!/bin/sh\nread answer || echo "$LC_ALL $DEBIAN_FRONTEND $MINE"\n')
    assert packages.run_tool([str(tool)], timeout_s=5, environment={"MINE": "x"}, cwd=tmp_path) == (
        "C.UTF-8 noninteractive x\n"
    )


def test_a_file_with_the_right_sum_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "a.zip"
    file.write_bytes(b"abc")
    packages.verify_sha512(file, hashlib.sha512(b"abc").hexdigest())
    assert packages.size_mb([file]) == pytest.approx(3e-6)
    with pytest.raises(StackError, match="do not trust"):
        packages.verify_sha512(file, "0" * 128)
    assert not file.exists()


RELOCATED = [
    (b"x/usr/share/prometheus/alertmanagery", b"x" + b"./" * 17 + b"y"),
    (b"x/usr/share/prometheus/alertmanager/ui/y", b"x/usr/share/prometheus/alertmanager/ui/y"),
    (b"nothing of the kind", b"nothing of the kind"),
]


@pytest.mark.parametrize(("before", "after"), RELOCATED)
def test_alertmanager_looks_for_its_templates_in_its_working_directory(
    tmp_path: Path, before: bytes, after: bytes
) -> None:
    binary = tmp_path / "usr/bin/prometheus-alertmanager"
    binary.parent.mkdir(parents=True)
    binary.write_bytes(before)
    relocate_alertmanager(tmp_path)
    assert binary.read_bytes() == after
    assert len(before) == len(after)


def test_alertmanager_is_started_where_its_templates_are(tmp_path: Path) -> None:
    fake = tmp_path / "usr/bin/prometheus-alertmanager"
    templates = tmp_path / "usr/share/prometheus/alertmanager"
    fake.parent.mkdir(parents=True)
    templates.mkdir(parents=True)
    fake.write_text('#!/bin/sh\npwd; echo "$1"\n')
    fake.chmod(0o755)
    relocate_alertmanager(tmp_path)
    told = subprocess.run(
        [tmp_path / "usr/bin/alertmanager", "--x y"], capture_output=True, text=True, check=True, cwd="/"
    )
    assert told.stdout.splitlines() == [str(templates), "--x y"]


def test_a_tree_without_alertmanager_is_left_alone(tmp_path: Path) -> None:
    relocate_alertmanager(tmp_path)
    assert list(tmp_path.iterdir()) == []
