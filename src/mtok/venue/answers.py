"""How long an answer may be kept, by browsers, by a CDN and by `front`; and since when it is as it is."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.utils.http import http_date

from mtok.venue.place import opened

FRESH_SECONDS: Final = 60
"""How old an answer that changes with a publication may be."""

FOR_EVER: Final = "public, max-age=31536000, immutable"

View = Callable[..., HttpResponse]


def public(view: View) -> View:
    """Return a view whose answers anyone may keep for a minute; they change with a publication."""

    @wraps(view)
    def answer(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        response = view(request, *args, **kwargs)
        if response.status_code == 200 and not response.has_header("Cache-Control"):
            passing(response)
            if not response.has_header("Last-Modified") and opened().damage is None:
                dated(response, opened().published.known_at or 0)
        return response

    return answer


def passing(response: HttpResponse) -> HttpResponse:
    """Say that an answer is good for a minute. It has no Last-Modified: what it says changes with the hour too."""
    response["Cache-Control"] = f"public, max-age={FRESH_SECONDS}"
    return response


def dated(response: HttpResponse, instant: int) -> HttpResponse:
    """Say since when an answer is as it is."""
    response["Last-Modified"] = http_date(instant // 1_000_000)
    return response


def kept(response: HttpResponse, etag: str) -> HttpResponse:
    """Say that an answer never changes. etag : the sha256 of its body, or of what it was made from"""
    response["Cache-Control"] = FOR_EVER
    response["ETag"] = f'"{etag}"'
    return response
