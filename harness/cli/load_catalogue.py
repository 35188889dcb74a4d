"""The catalogue of this installation: every check, fault, payload and user that a scenario may name."""

from __future__ import annotations

from tocsin.harness.declarations.scenario import Catalogue


def catalogue() -> Catalogue:
    """Return the catalogue from the explicit `ALL` tuples."""
    from tocsin.assertions import ALL as CHECKS
    from tocsin.harness import faults
    from tocsin.harness.traffic import USERS
    from tocsin.harness.traffic.pacers import CATALOGUE as PACERS
    from tocsin.harness.traffic.payloads import CATALOGUE as PAYLOADS
    from tocsin.harness.traffic.payloads import DECLARATIONS

    checks, kinds = {check.id: check.args for check in CHECKS}, tuple(DECLARATIONS)
    return Catalogue(checks=checks, faults=faults.by_kind(), payloads=PAYLOADS, users=USERS, pacers=PACERS, kinds=kinds)
