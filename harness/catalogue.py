"""The catalogue of this installation: every check, fault, payload and user that a scenario may name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.scenario import Catalogue
from harness.stack import Stack


def catalogue() -> Catalogue:
    """Return the catalogue from the explicit `ALL` tuples."""
    from assertions import ALL as CHECKS
    from harness.faults import ALL as FAULTS
    from harness.traffic import USERS
    from harness.traffic.payloads import CATALOGUE as PAYLOADS
    from harness.traffic.payloads import DECLARATIONS

    def blinds_of(fault: Any) -> Any:
        def blinds(params: Mapping[str, Any], stack: Stack) -> tuple[tuple[str, str], ...]:
            return tuple(fault(fault.Params.model_validate(params)).blinds(stack))

        return blinds

    return Catalogue(
        checks={check.id: check.args for check in CHECKS},
        faults={fault.kind: fault.Params for fault in FAULTS},
        payloads=PAYLOADS,
        users=USERS,
        kinds=tuple(DECLARATIONS),
        blinds={fault.kind: blinds_of(fault) for fault in FAULTS},
    )
