"""The OpenAPI description: what django-ninja says of the operations, and what is the same for all of them."""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError
from ninja.openapi.schema import OpenAPISchema
from pydantic import BaseModel

from mtok.errors import BadCall, MtokError
from mtok.venue.participants.api.asking import AGAIN_HEADER, CODE_HEADER, JSON, KEY_HEADER
from mtok.venue.participants.api.schemas import Problem
from mtok.venue.refusals import PROBLEM, refused

Json = dict[str, Any]

_SCHEMAS: Final = "#/components/schemas/"
_REFUSALS: Final = {
    400: ("Unreadable", "The body or a header cannot be read, or there is no Idempotency-Key"),
    401: ("Unknown", "No key, or one that is ended, expired or of nobody who trades"),
    403: ("Forbidden", "The key's scopes or roles do not allow it, or no second factor was shown with it"),
    404: ("NotFound", "There is no such object of yours; whether there is one of others is not said"),
    409: ("Conflict", "The state of the object or a rule of the market does not allow it"),
    422: ("Invalid", "A field cannot be taken, or an Idempotency-Key came with another request before"),
    429: ("TooMany", "This address has asked too often: see `Retry-After`"),
    503: (
        "Unavailable",
        "Others change the same at the moment, or a part of the venue fails: see `Retry-After`",
    ),
}
_ON_POST_ALONE: Final = (409, 422)
_OF_KEYS: Final = (401, 403, 404)
_REFUSING_READS: Final = frozenset({"The settlement statement", "Whom to reach at the other side"})
"""Reads that the state of an object may not allow."""
_HEADERS: Final = {
    "Retry-After": "Seconds to wait",
    "WWW-Authenticate": "How to say who asks",
    AGAIN_HEADER: "`true` where this request was answered before and nothing was done again",
}
_IDEMPOTENT: Final = {
    "name": KEY_HEADER,
    "in": "header",
    "required": True,
    "description": "Of your own making, the same one when the same request is repeated.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,80}$"},
    "example": "4f1c0d6e-request-1",
}
_CODE: Final = {
    "name": CODE_HEADER,
    "in": "header",
    "required": False,
    "description": "A one-time code of the login's authenticator app, good for this request.",
    "schema": {"type": "string", "pattern": "^[0-9]{6}$"},
}


class VenueAPI(NinjaAPI):
    """A NinjaAPI whose errors are problem documents and whose description says so."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.exception_handler(MtokError)(refused)
        self.exception_handler(AuthenticationError)(_unknown)

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: Json | None = None
    ) -> OpenAPISchema:
        """Return the description, complete."""
        found = super().get_openapi_schema(path_prefix=path_prefix, path_params=path_params)
        for path in found["paths"].values():
            for method, operation in path.items():
                _complete(operation, method)
        components = found["components"]
        components["schemas"] |= Problem.model_json_schema(ref_template=f"{_SCHEMAS}{{model}}").pop("$defs")
        problem = Problem.model_json_schema(ref_template=f"{_SCHEMAS}{{model}}")
        problem.pop("$defs")
        components["schemas"]["Problem"] = problem
        components["schemas"] = dict(sorted(components["schemas"].items()))
        components["responses"] = {name: _problem(said) for name, said in _REFUSALS.values()}
        components["headers"] = {
            name: {"description": said, "schema": {"type": "string"}} for name, said in _HEADERS.items()
        }
        return found


def sent(kind: type[BaseModel]) -> Json:
    """Return what says of an operation which body it takes."""
    schema = kind.model_json_schema()
    content = {JSON: {"schema": _inlined(schema, schema.pop("$defs", {}))}}
    return {"requestBody": {"required": True, "content": content}}


def with_code(extra: Json | None = None) -> Json:
    """Return what says of an operation that it takes a one-time code, beside `extra`."""
    return {**(extra or {}), "parameters": [_CODE]}


def _inlined(part: Any, kinds: Json) -> Any:
    """Return a schema in which every kind stands where it is used."""
    if isinstance(part, list):
        return [_inlined(one, kinds) for one in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        named = part["$ref"].rpartition("/")[2]
        return _inlined(kinds[named] | {name: one for name, one in part.items() if name != "$ref"}, kinds)
    return {name: _inlined(one, kinds) for name, one in part.items() if name != "default"}


def _unknown(request: HttpRequest, _: Any) -> HttpResponse:
    error = BadCall(
        "key_invalid",
        "no key of a participant came with the request, or one that is of no use any more",
        "Send Authorization: Bearer and a key; keys are made on the page of your account.",
    )
    response = refused(request, error)
    response["WWW-Authenticate"] = 'Bearer realm="mtok venue"'
    return response


def _complete(operation: Json, method: str) -> None:
    """Say of an operation what is the same for all."""
    parameters = operation.setdefault("parameters", [])
    posts = method == "post"
    if posts:
        parameters.append(_IDEMPOTENT)
    for parameter in parameters:
        parameter["schema"].pop("title", None)
        if parameter["in"] == "path":
            parameter["schema"] = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,22}$"}
            parameter["description"] = "The id of an object of yours."
    responses = operation["responses"]
    for status, response in responses.items():
        if posts and int(status) < 300:
            response["headers"] = {AGAIN_HEADER: {"$ref": f"#/components/headers/{AGAIN_HEADER}"}}
    is_open = not operation.get("security")
    for status, (name, _) in _REFUSALS.items():
        if is_open and status in _OF_KEYS:
            continue
        if status in _ON_POST_ALONE and not posts and operation["summary"] not in _REFUSING_READS:
            continue
        responses[status] = {"$ref": f"#/components/responses/{name}"}
    operation["responses"] = {str(status): responses[status] for status in sorted(responses, key=int)}


def _problem(said: str) -> Json:
    content = {PROBLEM: {"schema": {"$ref": f"{_SCHEMAS}Problem"}}}
    headers = {}
    if "Retry-After" in said:
        headers = {"headers": {"Retry-After": {"$ref": "#/components/headers/Retry-After"}}}
    return {"description": said, "content": content, **headers}
