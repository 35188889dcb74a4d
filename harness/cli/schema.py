"""tocsin schema: prints the JSON Schema of a scenario file, with every check, fault and payload that is known here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer


def schema() -> int:
    """Print the JSON Schema of a scenario file."""
    import json

    from tocsin.harness.cli.catalogue import catalogue
    from tocsin.harness.core.errors import PASS

    typer.echo(json.dumps(scenario_schema(catalogue()), indent=2))
    return PASS


def scenario_schema(catalogue: Any) -> dict[str, Any]:
    """Return the JSON Schema of the file format: the models, with the short forms of faults, checks and payloads."""
    made = _Definitions()
    from tocsin.harness.declarations.scenario import Scenario
    from tocsin.harness.planning.random_faults import RANDOM

    root = made.of(Scenario)
    phase = made.all["Phase"]["properties"]
    faults = {kind: made.of(fault.params_model) for kind, fault in sorted(catalogue.faults.items())}
    phase["faults"]["items"] = {
        "oneOf": [*(_fault(kind, params) for kind, params in faults.items()), _fault(RANDOM, _draws(faults, made))]
    }
    payloads = [made.of(model) for _, model in sorted(catalogue.payloads.items())]
    phase["payload"] = {"anyOf": [{"type": "object", "maxProperties": 0}, *payloads]}
    for model in ("Traffic", "TrafficOverride"):
        made.all[model]["properties"]["arrivals"] = _arrivals(catalogue, made)
    checks = [_check(name, made.of(model), made) for name, model in sorted(catalogue.checks.items())]
    scenario = made.all.pop("Scenario") if "Scenario" in made.all else root
    scenario["properties"]["expect"]["items"] = {"oneOf": checks}
    for unused in ("Expectation", "FaultPlan"):
        made.all.pop(unused, None)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Tocsin scenario",
        **{key: value for key, value in scenario.items() if key != "title"},
        "$defs": made.all,
    }


def _arrivals(catalogue: Any, made: _Definitions) -> dict[str, Any]:
    shapes = [_one_key(name, made.of(pacer.args)) for name, pacer in sorted(catalogue.pacers.items())]
    bare = [name for name, pacer in sorted(catalogue.pacers.items()) if not made.of(pacer.args).get("required")]
    return {"anyOf": [{"enum": bare}, *shapes]}


def _one_key(name: str, value: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: {"anyOf": [value, {"type": "null"}]}},
        "required": [name],
        "additionalProperties": False,
    }


def _check(name: str, args: Mapping[str, Any], made: _Definitions) -> dict[str, Any]:
    from tocsin.harness.declarations.scenario import Waiver

    shape = _one_key(name, args)
    return {**shape, "properties": {**shape["properties"], "waive": made.of(Waiver)}}


def _fault(kind: str, params: Mapping[str, Any]) -> dict[str, Any]:
    shape = _one_key(kind, params)
    place = {"at": _DURATION, "for": _DURATION, "name": {"type": "string"}}
    return {**shape, "properties": {**shape["properties"], **place}}


def _draws(faults: Mapping[str, Mapping[str, Any]], made: _Definitions) -> dict[str, Any]:
    """Return the shape of what a `random` fault draws from."""
    from tocsin.harness.planning.random_faults import Draws

    shape = made.of(Draws)
    shape["properties"]["from"]["items"] = {"oneOf": [_one_key(kind, params) for kind, params in faults.items()]}
    return shape


_DURATION = {
    "anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^(\d+(\.\d+)?(ms|[smhdwy]))+$"}],
    "description": "A duration such as 15m or 1h30m, or seconds; production time unless its owner says otherwise.",
}


class _Definitions:
    """Collects the schemas of models; the definitions they share stand once in `all`."""

    def __init__(self) -> None:
        self.all: dict[str, Any] = {}

    def of(self, model: Any) -> dict[str, Any]:
        """Return the schema of a model, its definitions moved to `all`."""
        from pydantic.json_schema import GenerateJsonSchema

        from tocsin.harness.core.base_model import Seconds

        parse = Seconds.__metadata__[0].func  # type: ignore[attr-defined]

        class Durations(GenerateJsonSchema):
            """A duration may be written as text, which its model, a number, does not say."""

            def function_before_schema(self, schema: Any) -> Any:
                if schema["function"]["function"] is parse:
                    return dict(_DURATION)
                return super().function_before_schema(schema)

        found: dict[str, Any] = model.model_json_schema(by_alias=True, schema_generator=Durations)
        self.all.update(found.pop("$defs", {}))
        return found
