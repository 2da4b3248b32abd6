"""/api: every operation of the REST API, made from the same OpenAPI document that is served."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote, urlencode

from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.shortcuts import render

from mtok.calendar import format_date, parse_date
from mtok.venue.answers import passing, public
from mtok.venue.api.v1 import api
from mtok.venue.opened import Opened
from mtok.venue.pages.page import site_address
from mtok.venue.place import opened

_METHODS: Final = ("get", "head", "post", "put", "patch", "delete")
_SCHEMAS: Final = "#/components/schemas/"
_EXAMPLE_DAYS: Final = 7
"""How far apart the two dates of an example lie."""

Schema = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A type in words. name : `list of Point` or the like · schema : the name of what it refers to, empty for none"""

    name: str
    schema: str = ""


@dataclass(frozen=True, kw_only=True)
class Field:
    """A parameter or a property. where : `path`, `query`, empty for a property"""

    name: str
    kind: Kind
    required: bool
    description: str
    where: str = ""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A response. media : its content types · kind : of its body, None without one"""

    status: str
    phrase: str
    description: str
    media: tuple[str, ...]
    kind: Kind | None


@dataclass(frozen=True, kw_only=True)
class Operation:
    """An operation. example : the path to ask for, with a query where one is needed"""

    anchor: str
    method: str
    path: str
    summary: str
    description: str
    parameters: tuple[Field, ...]
    outcomes: tuple[Outcome, ...]
    example: str


@dataclass(frozen=True, kw_only=True)
class Described:
    """A schema of the document, with its properties."""

    name: str
    description: str
    fields: tuple[Field, ...]


def root(request: HttpRequest) -> HttpResponse:
    """Lead from where the API begins to the page about it."""
    return passing(HttpResponsePermanentRedirect("/api", preserve_request=True))


@public
def reference(request: HttpRequest) -> HttpResponse:
    """Return the page."""
    document = json.loads(json.dumps(api.get_openapi_schema(), default=str))
    known = _known(opened())
    context = {
        "title": "API",
        "description": "Every operation of the REST API /v1: parameters, answers, errors, examples.",
        "info": document["info"],
        "paragraphs": document["info"].get("description", "").strip().split("\n\n"),
        "operations": list(operations_of(document, known)),
        "schemas": list(schemas_of(document)),
        "headers": document.get("components", {}).get("headers", {}),
        "site": site_address(request),
    }
    return render(request, "reference.html", context)


def _known(now: Opened) -> dict[str, str]:
    """Return values for examples that this publication can answer; none of a damaged or empty one."""
    dates = now.published.vintages.dates() if now.damage is None else []
    if not dates:
        return {}
    last = parse_date(dates[-1])
    first = format_date(max(last - _EXAMPLE_DAYS, parse_date(dates[0])))
    return {"date": dates[-1], "to": dates[-1], "end": dates[-1], "from": first, "start": first}


def operations_of(document: Schema, known: Mapping[str, str]) -> Iterator[Operation]:
    """Yield the operations of an OpenAPI document. known : values of parameters for the examples"""
    for path, methods in document["paths"].items():
        for method in _METHODS:
            if method in methods:
                yield _operation(document, path, method, methods[method], known)


def _operation(
    document: Schema, path: str, method: str, content: Schema, known: Mapping[str, str]
) -> Operation:
    parameters = [_resolved(document, one) for one in content.get("parameters", ())]
    responses = {status: _resolved(document, one) for status, one in content["responses"].items()}
    return Operation(
        anchor=content["operationId"],
        method=method.upper(),
        path=path,
        summary=content.get("summary", ""),
        description=content.get("description", ""),
        parameters=tuple(
            Field(
                name=one["name"],
                kind=kind_of(one.get("schema", {})),
                required=bool(one.get("required")),
                description=one.get("description", ""),
                where=one["in"],
            )
            for one in parameters
        ),
        outcomes=tuple(_outcome(str(status), one) for status, one in responses.items()),
        example=_example(path, parameters, known),
    )


def _resolved(document: Schema, content: Schema) -> Schema:
    """Return what a reference within the document leads to, or the content itself."""
    found: Any = content
    if "$ref" in content:
        found = document
        for part in content["$ref"].removeprefix("#/").split("/"):
            found = found[part]
    resolved: Schema = found
    return resolved


def _outcome(status: str, content: Schema) -> Outcome:
    media = content.get("content", {})
    schema = next((one["schema"] for one in media.values() if "$ref" in one.get("schema", {})), None)
    return Outcome(
        status=status,
        phrase=HTTPStatus(int(status)).phrase if status.isdecimal() else "",
        description="" if content.get("description") == "OK" else content.get("description", ""),
        media=tuple(media),
        kind=kind_of(schema) if schema else None,
    )


def _example(path: str, parameters: list[Schema], known: Mapping[str, str]) -> str:
    """Return a path that can be asked for: each parameter of the path, and each that is required, by an example."""
    query = {}
    for one in parameters:
        name = one["name"]
        value = known.get(name) or next(iter(map(str, _examples(one))), "")
        if one["in"] == "path":
            path = path.replace(f"{{{name}}}", quote(value, safe=""))
        elif one.get("required"):
            query[name] = value
    return f"{path}?{urlencode(query)}" if query else path


def _examples(parameter: Schema) -> list[Any]:
    schema = parameter.get("schema", {})
    found = [
        parameter.get("example"),
        *schema.get("examples", ()),
        schema.get("example"),
        schema.get("default"),
    ]
    return [one for one in [*found, schema.get("minimum"), *schema.get("enum", ())] if one is not None]


def schemas_of(document: Schema) -> Iterator[Described]:
    """Yield the schemas of an OpenAPI document with their properties."""
    for name, content in document.get("components", {}).get("schemas", {}).items():
        required = set(content.get("required", ()))
        yield Described(
            name=name,
            description=content.get("description", ""),
            fields=tuple(
                Field(
                    name=field,
                    kind=kind_of(one),
                    required=field in required,
                    description=one.get("description", ""),
                )
                for field, one in content.get("properties", {}).items()
            ),
        )


def kind_of(schema: Schema) -> Kind:
    """Return the type of a schema in words, and what it refers to.

    >>> kind_of({"anyOf": [{"type": "array", "items": {"$ref": "#/components/schemas/Point"}}, {"type": "null"}]})
    Kind(name='list of Point or null', schema='Point')
    """
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(_SCHEMAS)
        return Kind(name=name, schema=name)
    parts = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
    if parts:
        kinds = [kind_of(part) for part in parts]
        named = " or ".join(dict.fromkeys(kind.name for kind in kinds))
        return Kind(name=named, schema=next((kind.schema for kind in kinds if kind.schema), ""))
    if schema.get("type") == "array":
        inner = kind_of(schema.get("items", {}))
        return Kind(name=f"list of {inner.name}", schema=inner.schema)
    if "enum" in schema:
        return Kind(name=" or ".join(map(str, schema["enum"])))
    if "const" in schema:
        return Kind(name=str(schema["const"]))
    return Kind(name=str(schema.get("format") or schema.get("type", "any")))
