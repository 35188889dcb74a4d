"""Fetches an artefact with Maven, and makes a certificate store for a Java runtime that was only unpacked.

Installing a distribution's Java makes its certificate store; an unpacked one has none. The system's certificates are
written in the Java key store format (JKS, version 2), which every Java since 1.2 reads.
"""

from __future__ import annotations

import hashlib
import os
import re
import ssl
import struct
from collections.abc import Mapping
from pathlib import Path

from tocsin.harness.core.errors import StackError
from tocsin.harness.provisioning.packages import run_tool

_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"
_PASSWORD = "changeit"  # guards nothing: the certificates are public, and Java wants one
_PEM = re.compile("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


def fetch(coordinates: str, *, command: Path, environment: Mapping[str, str], work: Path) -> Path:
    """Fetch `group:artefact:version:type` and return the file, which lies in `work`. The user's Maven settings apply.

    `environment` holds JAVA_HOME and what else Maven needs.
    """
    out = work / "out"
    out.mkdir(parents=True, exist_ok=True)
    argv = [str(command), "--batch-mode", "--no-transfer-progress", _PLUGIN, f"-Dartifact={coordinates}"]
    argv += [f"-DoutputDirectory={out}", f"-Dmaven.repo.local={work / 'repository'}"]
    run_tool(argv, timeout_s=1800, environment=environment, cwd=out)  # an empty folder: no pom.xml is read
    _, artefact, version, kind = coordinates.split(":")
    file = out / f"{artefact}-{version}.{kind}"
    if not file.is_file():
        raise StackError(f"Maven succeeded, but {file.name} is not there.", hint="Run `tocsin setup` again.")
    return file


def trust_options(store: Path) -> str:
    """Write the system's certificates to `store`; return the options that make Java use it."""
    bundle = system_bundle()
    certificates = [ssl.PEM_cert_to_DER_cert(pem) for pem in _PEM.findall(bundle.read_text(errors="replace"))]
    store.write_bytes(key_store(certificates))
    prefix = "-Djavax.net.ssl.trustStore"
    return f"{prefix}={store} {prefix}Type=JKS {prefix}Password={_PASSWORD}"


def system_bundle() -> Path:
    """Return the file with the certificates this system trusts: SSL_CERT_FILE, else the usual places."""
    candidates = (os.environ.get("SSL_CERT_FILE"), ssl.get_default_verify_paths().cafile, *_BUNDLES)
    for candidate in candidates:
        if candidate and Path(candidate).is_file():
            return Path(candidate)
    raise StackError("This system has no certificate bundle.", hint="Install ca-certificates or set SSL_CERT_FILE.")


def key_store(certificates: list[bytes]) -> bytes:
    """Return a JKS trust store of DER certificates. Source of the format: sun.security.provider.JavaKeyStore."""
    body = struct.pack(">III", 0xFEEDFEED, 2, len(certificates))
    for number, certificate in enumerate(certificates):
        body += struct.pack(">I", 2) + _text(f"ca{number}") + struct.pack(">Q", 0)
        body += _text("X.509") + struct.pack(">I", len(certificate)) + certificate
    return body + hashlib.sha1(_PASSWORD.encode("utf-16-be") + b"Mighty Aphrodite" + body).digest()


def _text(value: str) -> bytes:
    return struct.pack(">H", len(value)) + value.encode("ascii")
