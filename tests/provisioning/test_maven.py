from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from tests.provisioning.fake_programs import fake
from tocsin.harness.core.errors import StackError
from tocsin.harness.provisioning import maven, packages, program_lookup, programs


def test_the_trust_store_is_one_that_java_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = maven.key_store([b"first", b"second"])[:-20]
    assert body[:12] == bytes.fromhex("feedfeed0000000200000002")
    assert body.count(b"X.509") == 2 and body.endswith(b"\0\0\0\x06second")
    (tmp_path / "bundle.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "bundle.pem"))
    options = maven.trust_options(tmp_path / "store.jks")
    assert f"-Djavax.net.ssl.trustStore={tmp_path}/store.jks" in options
    assert (tmp_path / "store.jks").read_bytes() == maven.key_store([b"\0\0\0"])


def test_maven_that_leaves_no_file(tmp_path: Path) -> None:
    command = fake(tmp_path / "bin/mvn", "BUILD SUCCESS")
    with pytest.raises(StackError, match="thing-1.zip is not there"):
        maven.fetch("group:thing:1:zip", command=command, environment={}, work=tmp_path / "work")


def test_the_artefact_is_asked_for_by_full_names_and_in_a_cache_of_ours(tmp_path: Path) -> None:
    command = fake(tmp_path / "bin/mvn", "")
    command.write_text('#!/bin/sh\necho "$JAVA_HOME" "$@" > thing-1.zip\n')
    environment = {"JAVA_HOME": "/jvm"}
    fetched = maven.fetch("group:thing:1:zip", command=command, environment=environment, work=tmp_path / "work")
    said = fetched.read_text()
    assert said.startswith("/jvm --batch-mode")
    assert "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy -Dartifact=group:thing:1:zip" in said
    assert f"-Dmaven.repo.local={tmp_path / 'work' / 'repository'}" in said


def test_a_maven_that_fails_shows_why(tmp_path: Path) -> None:
    command = fake(tmp_path / "bin/mvn", "[ERROR] Could not transfer artifact", status=1)
    with pytest.raises(StackError, match="Could not transfer artifact"):
        maven.fetch("group:thing:1:zip", command=command, environment={}, work=tmp_path / "work")


@pytest.mark.parametrize("named", [True, False])
def test_the_bundle_of_certificates(named: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual, own = tmp_path / "usual.crt", tmp_path / "own.crt"
    usual.touch()
    monkeypatch.setattr(maven, "_BUNDLES", (str(tmp_path / "absent"), str(usual)))
    monkeypatch.setattr(maven.ssl, "get_default_verify_paths", lambda: ssl.DefaultVerifyPaths(*[None] * 6))
    monkeypatch.setenv("SSL_CERT_FILE", str(own))
    if named:
        own.touch()
    assert maven.system_bundle() == (own if named else usual)


def test_a_system_without_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maven, "_BUNDLES", ())
    monkeypatch.setattr(maven.ssl, "get_default_verify_paths", lambda: ssl.DefaultVerifyPaths(*[None] * 6))
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with pytest.raises(StackError, match="Install ca-certificates"):
        maven.system_bundle()


@pytest.mark.e2e
def test_java_itself_lists_the_trust_store(tmp_path: Path) -> None:
    java = programs.find("java", programs.cache_folder())
    keytool = program_lookup.java_home(java) / "bin/keytool" if java else Path()
    if java is None or not keytool.is_file():
        pytest.fail("no Java runtime with a keytool; run `tocsin setup`")
    maven.trust_options(tmp_path / "store.jks")
    argv = [str(keytool), "-list", "-keystore", str(tmp_path / "store.jks"), "-storepass", "changeit"]
    listed = packages.run_tool(argv, timeout_s=60, environment=java.environment, cwd=tmp_path)
    assert maven.system_bundle().read_text().count("BEGIN CERTIFICATE") == listed.count("trustedCertEntry")
