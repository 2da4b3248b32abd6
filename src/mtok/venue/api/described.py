"""The OpenAPI description: what django-ninja says of the operations, and what is the same for all of them.

The structures of records are taken from `mtok.records`, in the form of their canonical JSON; refusals, conditional and
partial answers and the headers of every answer are added here once.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from django.http import HttpRequest
from ninja import NinjaAPI
from ninja.errors import ValidationError
from ninja.openapi.schema import OpenAPISchema

from mtok.errors import MtokError
from mtok.records import PublishedRecord
from mtok.venue.api.asked import invalid
from mtok.venue.api.schemas import RECORD, Problem
from mtok.venue.health import Health
from mtok.venue.refusals import PROBLEM, refused

Json = dict[str, Any]

_SCHEMAS: Final = "#/components/schemas/"
_REFUSALS: Final = {
    400: ("Invalid", "A parameter is missing, unknown, given twice or not what it can be"),
    404: (
        "NotFound",
        "There is no such series, date, vintage, version or entry, or nothing is published yet",
    ),
    429: ("TooMany", "This address has asked too often: see `Retry-After`"),
    503: ("Unavailable", "A published file is damaged: what does not need it is still answered"),
}
_HEADERS: Final = {
    "ETag": "Strong validator of the body: send it back in `If-None-Match`",
    "Last-Modified": "When what the answer says was published",
    "Cache-Control": "`immutable` where the answer can never change",
    "RateLimit": "What is left of the window and how long it lasts (draft-ietf-httpapi-ratelimit-headers)",
    "RateLimit-Policy": "How many requests in how many seconds",
    "Retry-After": "Seconds to wait",
    "Link": "Addresses of the pages `first`, `prev` and `next` (RFC 8288)",
}
_OF_ANSWERS: Final = ("ETag", "Last-Modified", "Cache-Control", "RateLimit", "RateLimit-Policy")
_CONDITIONAL: Final = {
    206: "The range of bytes asked for with `Range`",
    304: "It is as it was: `If-None-Match` or `If-Modified-Since` holds",
    416: "There is no such range of bytes",
}


class DescribedAPI(NinjaAPI):
    """A NinjaAPI whose errors are problem documents and whose description says so."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.exception_handler(MtokError)(refused)
        self.exception_handler(ValidationError)(_refused)

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: Json | None = None
    ) -> OpenAPISchema:
        """Return the description, complete."""
        found = super().get_openapi_schema(path_prefix=path_prefix, path_params=path_params)
        for path in found["paths"].values():
            for operation in path.values():
                _complete(operation)
        _say_records(found)
        components = found["components"]
        components["schemas"] |= _records() | {"Problem": Problem.model_json_schema()}
        components["schemas"] = dict(sorted(components["schemas"].items()))
        components["responses"] = {name: _problem(said) for name, said in _REFUSALS.values()}
        components["headers"] = {
            name: {"description": said, "schema": {"type": "string"}} for name, said in _HEADERS.items()
        }
        return found


def _refused(request: HttpRequest, error: ValidationError) -> Any:
    return refused(request, invalid(error))


def _complete(operation: Json) -> None:
    """Say of an operation what is the same for all."""
    for parameter in operation["parameters"]:
        parameter["schema"] = _without_null(parameter["schema"])
        parameter["schema"].pop("title", None)
        parameter.pop("examples", None)
        if description := parameter["schema"].pop("description", None):
            parameter["description"] = description
    responses = operation["responses"]
    responses[200].setdefault("headers", {}).update(_headers(*_OF_ANSWERS))
    responses |= {status: {"description": said} for status, said in _CONDITIONAL.items()}
    responses |= {
        status: {"$ref": f"#/components/responses/{name}"} for status, (name, _) in _REFUSALS.items()
    }
    operation["responses"] = {str(status): responses[status] for status in sorted(responses)}


def _without_null(schema: Json) -> Json:
    """Return a parameter's schema without the null that stands for its being left out."""
    kinds = [kind for kind in schema.get("anyOf", [schema]) if kind != {"type": "null"}]
    return dict(kinds[0]) if len(kinds) == 1 else schema


def _headers(*names: str) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _problem(said: str) -> Json:
    content = {PROBLEM: {"schema": {"$ref": f"{_SCHEMAS}Problem"}}}
    headers = {"headers": _headers("Retry-After")} if said.startswith(("This", "A published")) else {}
    return {"description": said, "content": content, **headers}


def _say_records(part: Any) -> None:
    """Put references where a schema says that a structure of a record stands there."""
    if isinstance(part, list):
        for one in part:
            _say_records(one)
    if isinstance(part, dict):
        if RECORD in part:
            part["$ref"] = f"{_SCHEMAS}{part.pop(RECORD)}"
        for one in part.values():
            _say_records(one)


def _records() -> Json:
    """Return the schemas of a record, of how the publication stands, and of their parts."""
    template = f"{_SCHEMAS}{{name}}"
    _, found = msgspec.json.schema_components([PublishedRecord], ref_template=template)
    _, standing = msgspec.json.schema_components([Health], ref_template=template)
    return standing | {name: _canonical(schema) for name, schema in found.items()}


def _canonical(part: Any) -> Any:
    """Return a schema of what canonical JSON makes of it: integers are text, absent fields left out."""
    if isinstance(part, list):
        return [_canonical(one) for one in part]
    if not isinstance(part, dict):
        return part
    kinds = [kind for kind in part.get("anyOf", []) if kind != {"type": "null"}]
    if len(kinds) == 1:
        return _canonical(kinds[0])
    said = {name: _canonical(value) for name, value in part.items() if name != "default"}
    if part.get("type") == "integer":
        said |= {"type": "string", "pattern": "^-?[0-9]+$"}
    if isinstance(part.get("description"), str):
        said["description"] = " ".join(part["description"].split())
    return said
