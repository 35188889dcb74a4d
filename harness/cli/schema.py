"""tocsin schema: prints the JSON Schema of a scenario file, with every check, fault and payload that is known here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from pydantic import BaseModel

    from tocsin.harness.declarations.scenario import Catalogue

Schema = dict[str, Any]
"""A JSON Schema."""


def schema() -> int:
    """Print the JSON Schema of a scenario file."""
    import json

    from tocsin.harness.cli.load_catalogue import catalogue
    from tocsin.harness.core.errors import PASS

    typer.echo(json.dumps(scenario_schema(catalogue()), indent=2))
    return PASS


def scenario_schema(catalogue: Catalogue) -> Schema:
    """Return the JSON Schema of the file format: the models, with the short forms of faults, checks and payloads."""
    from tocsin.harness.declarations.scenario import Scenario, Waiver
    from tocsin.harness.planning.random_faults import RANDOM

    definitions = _Definitions()
    scenario = definitions.of(Scenario)
    phase = definitions.all["Phase"]["properties"]
    faults = {kind: definitions.of(fault.params_model) for kind, fault in sorted(catalogue.faults.items())}
    named = [_fault(kind, params) for kind, params in faults.items()]
    phase["faults"]["items"] = {"oneOf": [*named, _fault(RANDOM, _draws(faults, definitions))]}
    payloads = [definitions.of(model) for _, model in sorted(catalogue.payloads.items())]
    phase["payload"] = {"anyOf": [{"type": "object", "maxProperties": 0}, *payloads]}
    for model in ("Traffic", "TrafficOverride"):
        definitions.all[model]["properties"]["arrivals"] = _arrivals(catalogue, definitions)
    checks = [
        _one_key(name, definitions.of(model), {"waive": definitions.of(Waiver)})
        for name, model in sorted(catalogue.checks.items())
    ]
    scenario = definitions.all.pop("Scenario", scenario)
    scenario["properties"]["expect"]["items"] = {"oneOf": checks}
    for unused in ("Expectation", "FaultPlan"):
        definitions.all.pop(unused, None)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **scenario,
        "title": "Tocsin scenario",
        "$defs": definitions.all,
    }


def _arrivals(catalogue: Catalogue, definitions: _Definitions) -> Schema:
    pacers = {name: definitions.of(pacer.args) for name, pacer in sorted(catalogue.pacers.items())}
    bare = [name for name, args in pacers.items() if not args.get("required")]
    return {"anyOf": [{"enum": bare}, *(_one_key(name, args) for name, args in pacers.items())]}


def _one_key(name: str, value: Schema, more: Schema | None = None) -> Schema:
    return {
        "type": "object",
        "properties": {name: {"anyOf": [value, {"type": "null"}]}, **(more or {})},
        "required": [name],
        "additionalProperties": False,
    }


def _fault(kind: str, params: Schema) -> Schema:
    return _one_key(kind, params, {"at": _DURATION, "for": _DURATION, "name": {"type": "string"}})


def _draws(faults: dict[str, Schema], definitions: _Definitions) -> Schema:
    """Return the shape of what a `random` fault draws from."""
    from tocsin.harness.declarations.scenario import Draws

    shape = definitions.of(Draws)
    shape["properties"]["from"]["items"] = {"oneOf": [_one_key(kind, params) for kind, params in faults.items()]}
    return shape


_DURATION = {
    "anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^(\d+(\.\d+)?(ms|[smhdwy]))+$"}],
    "description": "A duration such as 15m or 1h30m, or seconds; production time unless its owner says otherwise.",
}


class _Definitions:
    """Collects the schemas of models; the definitions they share stand once in `all`."""

    def __init__(self) -> None:
        self.all: Schema = {}

    def of(self, model: type[BaseModel]) -> Schema:
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

        schema: Schema = model.model_json_schema(by_alias=True, schema_generator=Durations)
        self.all.update(schema.pop("$defs", {}))
        return schema
