"""Refusals: every error as a page, or under /v1 as a problem document (RFC 9457), with its code and what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from mtok.errors import AnswerIsNo, BadCall, BadInput, EnvironmentFailed, MtokError
from mtok.settlement.machines import Refused
from mtok.venue.front import is_private
from mtok.venue.participants.given import FIELD_OF, FieldsInvalid
from mtok.venue.place import opening

PROBLEM: Final = "application/problem+json"
_STATUSES: Final = {
    "series_unknown": HTTPStatus.NOT_FOUND,
    "methodology_unknown": HTTPStatus.NOT_FOUND,
    "page_unknown": HTTPStatus.NOT_FOUND,
    "file_unknown": HTTPStatus.NOT_FOUND,
    "method_not_allowed": HTTPStatus.METHOD_NOT_ALLOWED,
    "upload_too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "export_too_long": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "form_forged": HTTPStatus.FORBIDDEN,
    "origin_foreign": HTTPStatus.FORBIDDEN,
    "attempts_exceeded": HTTPStatus.TOO_MANY_REQUESTS,
    "key_invalid": HTTPStatus.UNAUTHORIZED,
    "not_found": HTTPStatus.NOT_FOUND,
    "not_yours": HTTPStatus.FORBIDDEN,
    "scope_missing": HTTPStatus.FORBIDDEN,
    "step_up": HTTPStatus.FORBIDDEN,
    "idempotency_in_flight": HTTPStatus.CONFLICT,
    "idempotency_key_reused": HTTPStatus.UNPROCESSABLE_ENTITY,
    "fields_invalid": HTTPStatus.UNPROCESSABLE_ENTITY,
    **dict.fromkeys(FIELD_OF, HTTPStatus.UNPROCESSABLE_ENTITY),
}
_KINDS: Final = {
    Refused: HTTPStatus.CONFLICT,
    AnswerIsNo: HTTPStatus.NOT_FOUND,
    BadCall: HTTPStatus.BAD_REQUEST,
    BadInput: HTTPStatus.BAD_REQUEST,
    EnvironmentFailed: HTTPStatus.SERVICE_UNAVAILABLE,
}

_OF_APIS: Final = ("/v1", "/venue/api/")
_POSTED: Final = frozenset({"bill"})
"""The names of the pages that take a file."""

Respond = Callable[[HttpRequest], HttpResponse]


def status_of(error: MtokError) -> HTTPStatus:
    """Return the HTTP status of an error."""
    kind = next(
        (status for kind, status in _KINDS.items() if isinstance(error, kind)), HTTPStatus.BAD_REQUEST
    )
    return _STATUSES.get(error.code, kind)


def refused(request: HttpRequest, error: MtokError) -> HttpResponse:
    """Return an error as the address asks for it: a problem document under /v1 and /venue/api, else a page.

    A page cannot be made for a name that is not this server's: it says on what address it stands.
    """
    status = status_of(error)
    content = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "code": error.code,
        "detail": told(error.found),
        "remedy": told(error.remedy),
        "instance": request.path,
    }
    if isinstance(error, FieldsInvalid):
        content["fields"] = [one._asdict() for one in error.fields]
    if request.path.startswith(_OF_APIS) or error.code == "host_unknown":
        response = HttpResponse(json.dumps(content), content_type=PROBLEM, status=status)
    else:
        response = render(
            request, "refusal.html", {"problem": content, "title": status.phrase}, status=status
        )
    response["Cache-Control"] = "no-store"
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response["Retry-After"] = "60"
    return response


def _not_allowed(request: HttpRequest, allowed: str) -> HttpResponse:
    found = f"{request.method} is not for {request.path[:200]}"
    response = refused(request, BadCall("method_not_allowed", found, f"Allowed: {allowed}."))
    response["Allow"] = allowed
    return response


def told(text: str) -> str:
    """Return of a text what may be said to strangers: nothing of where things are on this machine."""
    folder = opening().now().folder
    return text.replace(f"{folder}/", "").replace(str(folder), "the publication")


class Refusals:
    """Middleware: an error raised by a view becomes its refusal."""

    def __init__(self, get_response: Respond) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        if response.status_code != HTTPStatus.METHOD_NOT_ALLOWED:
            return response
        if response.get("Allow") == "GET":
            return _not_allowed(request, "GET, HEAD, OPTIONS")
        said = response.content if not request.path.startswith(_OF_APIS) else b""
        if is_private(request.path) and response.get("Content-Type") != PROBLEM and not said:
            return _not_allowed(request, response["Allow"])
        return response

    def process_view(self, request: HttpRequest, *_: Any) -> HttpResponse | None:
        """Return the refusal of a method that a page or a file has not; the API and private views refuse their own."""
        match = request.resolver_match
        allowed = "GET, HEAD, POST" if match.url_name in _POSTED else "GET, HEAD"
        if match.namespace or is_private(request.path) or request.method in allowed.split(", "):
            return None
        return _not_allowed(request, allowed)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Return the refusal of an error of mtok, None for any other."""
        return refused(request, error) if isinstance(error, MtokError) else None


def unknown(request: HttpRequest, exception: Any = None) -> HttpResponse:
    """Return that there is nothing at this address."""
    error = AnswerIsNo(
        "page_unknown",
        f"there is nothing at {request.path[:200]}",
        "The board is at /; /api explains the API, /v1/openapi.json describes it to programs.",
    )
    return refused(request, error)


def bad(request: HttpRequest, exception: Any = None) -> HttpResponse:
    """Return that a request cannot be understood, or asks for a name that this server does not have."""
    if isinstance(exception, DisallowedHost):
        found = "this server does not go by the name in Host"
        return refused(request, BadCall("host_unknown", found, "Its operator sets the names in MTOK_HOSTS."))
    return refused(
        request, BadCall("request_invalid", "the request cannot be understood", "Begin again at /.")
    )


def forged(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Return that a form did not come from a page that this browser was given."""
    error = BadCall(
        "form_forged",
        "this form was not made for your session, or the session has changed since",
        "Go back, reload the page and send it again. Your browser must take cookies of this site.",
    )
    return refused(request, error)


def too_often(request: HttpRequest, exception: Any = None) -> HttpResponse:
    """Return that an account or an address has tried too often."""
    error = BadCall("attempts_exceeded", "that was tried too often", "Wait some minutes and try again.")
    response = refused(request, error)
    response["Retry-After"] = "300"
    return response


def failed(request: HttpRequest) -> HttpResponse:
    """Return that this server made a mistake, which is in its log."""
    body = json.dumps(
        {"type": "about:blank", "title": "Internal Server Error", "status": 500, "code": "internal"}
    )
    return HttpResponse(body, content_type=PROBLEM, status=500)
