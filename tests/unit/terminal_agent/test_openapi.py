"""The description of the local API is whole, resolves, and says what is decoded."""

import types
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, get_args, get_type_hints

from loyalty_sdk import local, model, reports
from loyalty_sdk._calls import EVENTS_PATH, PATHS
from loyalty_sdk.basket import Basket, Line, Tender
from loyalty_sdk.codec import decode
from tests.unit.terminal_agent.rig import Rig

NAMESPACE = {**vars(local), **vars(model), **vars(reports), "Basket": Basket, "Line": Line, "Tender": Tender}


async def document(rig: Rig) -> dict[str, Any]:
    async with rig.client() as client:
        answer = await client.get("/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


async def test_every_call_of_the_sdk_is_described(rig: Rig) -> None:
    found = await document(rig)
    assert found["openapi"].startswith("3.1.")
    assert set(found["paths"]) == {*PATHS.values(), EVENTS_PATH}
    assert found["security"] == [{"token": []}]
    for path, methods in found["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"], path
            assert "200" in operation["responses"]
            assert (method == "post") == ("requestBody" in operation)
            if path != EVENTS_PATH:
                assert "application/problem+json" in operation["responses"]["default"]["content"]


async def test_every_reference_resolves_and_every_schema_is_used(rig: Rig) -> None:
    found = await document(rig)
    named = {f"#/components/schemas/{name}" for name in found["components"]["schemas"]}
    assert set(references(found)) == named


async def test_every_schema_has_the_fields_of_its_class(rig: Rig) -> None:
    schemas = (await document(rig))["components"]["schemas"]
    assert {"SaleRequest", "Sale", "Member", "Status", "Basket", "Line", "Problem"} <= set(schemas)
    for name, schema in schemas.items():
        if name == "Problem":
            continue
        cls = NAMESPACE[name]
        assert is_dataclass(cls)
        assert list(schema["properties"]) == [field.name for field in fields(cls)], name
        needed = [f.name for f in fields(cls) if f.default is MISSING and f.default_factory is MISSING]
        assert schema["required"] == needed, name
        assert schema["additionalProperties"] is False
        hints = get_type_hints(cls)
        for field, described in schema["properties"].items():
            optional = type(None) in get_args(hints[field]) or isinstance(hints[field], types.UnionType)
            assert ({"type": "null"} in described.get("anyOf", [])) == optional, f"{name}.{field}"


def example(schema: dict[str, Any], schemas: dict[str, Any]) -> Any:
    """The smallest value that a schema allows."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        if name == "Basket":
            return {"currency": "EUR", "lines": [{"sku": "A", "amount_minor": 0}], "total_minor": 0}
        inner = schemas[name]
        return {field: example(inner["properties"][field], schemas) for field in inner["required"]}
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return None
    if schema["type"] == "string":
        formats = {"date": "2026-05-01", "date-time": "2026-05-01T09:30:00+01:00"}
        return formats.get(schema.get("format", ""), "1" if "contentEncoding" not in schema else "MQ==")
    return {"integer": 1, "boolean": True, "array": []}[schema["type"]]


async def test_what_the_schemas_describe_decodes(rig: Rig) -> None:
    found = await document(rig)
    schemas = found["components"]["schemas"]
    for operation in rig.operations:
        for cls in filter(None, (operation.question, operation.answer)):
            value = example({"$ref": f"#/components/schemas/{cls.__name__}"}, schemas)
            if cls is local.ReversalRequest:
                value["original"] = {"store": "1", "register": "1", "business_date": "2026-05-01", "number": "1"}
            assert isinstance(decode(cls, value), cls)


async def test_the_parameters_of_the_query_are_the_context(rig: Rig) -> None:
    found = await document(rig)
    for path, further in ((PATHS["status"], []), (EVENTS_PATH, ["topic"])):
        parameters = found["paths"][path]["get"]["parameters"]
        context = [field.name for field in fields(model.Context)]
        assert [parameter["name"] for parameter in parameters] == context + further
        assert [p["name"] for p in parameters if not p["required"]] == ["training", *further]
