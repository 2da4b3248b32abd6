"""The REST API /v1: its operations are in the modules beside this one, by subject."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse

from mtok.venue.answers import public
from mtok.venue.api import log, methodologies, points, prices, series, status
from mtok.venue.api.asked import exactly
from mtok.venue.api.described import DescribedAPI
from mtok.venue.api.written import answer

_DESCRIPTION = """\
Reference prices of AI tokens, one value a UTC day and model company, with everything each was calculated from.

Decimals are text, so that no reader loses a digit. Dates are UTC days, instants are UTC. Nothing needs a key. Answers
have strong ETags; what can never change says `immutable`. Errors are problem documents (RFC 9457) with a stable `code`
and what to do. The same data as whole files, and the tiles of the log, stand at fixed addresses: see /data.
"""

api = DescribedAPI(
    title="mtok",
    version="1",
    description=_DESCRIPTION,
    docs_url=None,
    openapi_url=None,
    urls_namespace="v1",
    openapi_extra={
        "info": {
            "license": {"name": "CC BY 4.0 (data)", "url": "https://creativecommons.org/licenses/by/4.0/"},
        }
    },
)
api.add_decorator(exactly, mode="view")
api.add_decorator(public, mode="view")
for part in (series, points, prices, methodologies, log, status):
    api.add_router("", part.router)


@api.get("/openapi.json", include_in_schema=False)
def openapi(request: HttpRequest) -> HttpResponse:
    """Return the description of this API, which is also in the source as docs/openapi.json."""
    return answer(_described())


@cache
def _described() -> dict[str, Any]:
    return dict(api.get_openapi_schema())
