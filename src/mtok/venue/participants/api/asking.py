"""Who asks, what for, and how it is answered: by a key alone, every change once, nothing kept by anybody.

A cookie is nobody here. A body is read without a float, a name twice or anything that is no field.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

import msgspec
from django.http import HttpRequest, HttpResponse
from ninja.security import HttpBearer

from mtok.errors import BadInput
from mtok.settlement.machines import Refused
from mtok.venue.accounts.api_keys import principal_of_key
from mtok.venue.accounts.principals import Principal
from mtok.venue.database.answering import Answer, answered
from mtok.venue.otc import trading

JSON: Final = "application/json"
BODY_BYTES_MAX: Final = 16 * 2**10
CODE_HEADER: Final = "Second-Factor"
KEY_HEADER: Final = "Idempotency-Key"
AGAIN_HEADER: Final = "Idempotency-Replayed"

_CODE: Final = re.compile(r"[0-9]{6,8}", re.ASCII)
_IDENTITY: Final = re.compile(r"[A-Za-z0-9_-]{1,22}", re.ASCII)

Json = dict[str, Any]


class Key(HttpBearer):
    """The key of a participant; with a one-time code it acts as who has just shown a second factor."""

    def authenticate(self, request: HttpRequest, token: str) -> Principal | None:
        """Return who the key acts for, None for a key that is of no use or of nobody who trades."""
        code = request.headers.get(CODE_HEADER)
        found = principal_of_key(token, code if code and _CODE.fullmatch(code) else None)
        return found if found is not None and found.is_participant else None


def reader(request: HttpRequest) -> Principal:
    """Return who asks to read. Raises Refused (`scope_missing`)."""
    principal: Principal = request.auth
    if principal.scopes is not None and "read" not in principal.scopes:
        raise Refused("scope_missing", "the key was not made for reading", "Make one with the scope read.")
    return principal


def object_of(identity: str) -> str:
    """Return an id. Raises Refused (`not_found`) for what none can be."""
    if not _IDENTITY.fullmatch(identity):
        raise Refused("not_found", "there is nothing under this id", "See the list of yours.")
    return identity


def shown(content: Any) -> HttpResponse:
    """Return content as JSON. content : text, whole numbers, truth values, lists, objects; never a float"""
    return HttpResponse(_written(content), content_type=JSON)


def done(request: HttpRequest, work: Callable[[Principal], Any], status: int = 200) -> HttpResponse:
    """Do what a request asks for, once, and return its answer; the same one when it comes again with its key.

    Raises BadCall as `mtok.venue.database.answering.answered`, and whatever `work` raises.
    """
    principal: Principal = request.auth
    asked = f"{request.method}\n{request.path}\n".encode() + request.body

    def answer() -> Answer:
        return Answer(status=status, body=_written(work(principal)).decode())

    key = request.headers.get(KEY_HEADER)
    found = answered(f"login:{principal.login}", key, asked, answer, trading.in_time)
    response = HttpResponse(found.body, content_type=JSON, status=found.status)
    if found.is_again:
        response[AGAIN_HEADER] = "true"
    return response


def body(request: HttpRequest) -> Json:
    """Return the fields of a body, of an absent one none. Raises BadInput (`body_invalid`, `body_too_large`)."""
    raw = request.body
    if len(raw) > BODY_BYTES_MAX:
        raise BadInput("body_too_large", f"a body of {len(raw)} bytes", f"At most {BODY_BYTES_MAX} bytes.")
    if not raw:
        return {}
    if request.content_type != JSON:
        raise _unreadable(f"Content-Type is not {JSON}")
    try:
        found = json.loads(raw, parse_float=Decimal, parse_constant=Decimal, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise _unreadable("the body is not JSON, or has a name twice") from None
    if not isinstance(found, dict):
        raise _unreadable("the body is no object")
    return found


def _once(pairs: list[tuple[str, Any]]) -> Json:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name twice")
    return found


def _unreadable(found: str) -> BadInput:
    return BadInput("body_invalid", found, "Send one JSON object with the fields that the description names.")


def _written(content: Any) -> bytes:
    return msgspec.json.encode(content) + b"\n"
