"""The catalogue of this installation: every check, fault, payload and user that a scenario may name."""

from __future__ import annotations

from harness.scenario import Catalogue


def catalogue() -> Catalogue:
    """Return the catalogue from the explicit `ALL` tuples."""
    from assertions import ALL as CHECKS
    from harness import faults
    from harness.faults.targets import reaches
    from harness.traffic import USERS
    from harness.traffic.pacers import CATALOGUE as PACERS
    from harness.traffic.payloads import CATALOGUE as PAYLOADS
    from harness.traffic.payloads import DECLARATIONS

    return Catalogue(
        checks={check.id: check.args for check in CHECKS},
        faults=faults.catalogue(),
        payloads=PAYLOADS,
        users=USERS,
        pacers=PACERS,
        kinds=tuple(DECLARATIONS),
        blinds=faults.blinds(),
        reach=reaches(),
    )
