"""What holds of every private answer: kept by nobody, told to no other site, and changed from none.

Forms carry a token of their own (`CsrfViewMiddleware`); what is checked here beside it is what a browser itself says of
where a request comes from. Programs say nothing of it; what they send is not believed for a cookie alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponse

from mtok.errors import BadCall
from mtok.venue.environment import environment
from mtok.venue.front import is_private
from mtok.venue.refusals import refused

_SAFE: Final = ("GET", "HEAD", "OPTIONS")
_OWN: Final = ("same-origin", "none")

Respond = Callable[[HttpRequest], HttpResponse]


class Guarded:
    """Middleware around every view, and around what refuses forged forms; within what knows who is asking."""

    def __init__(self, get_response: Respond) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not is_private(request.path):
            return self._get_response(request)
        response = refused(request, _FOREIGN) if _is_foreign(request) else self._get_response(request)
        response["Cache-Control"] = "no-store"
        # not `no-referrer`: with it browsers say `Origin: null` of the site's own forms
        response["Referrer-Policy"] = "same-origin"
        return response


_FOREIGN: Final = BadCall(
    "origin_foreign", "this was sent from a page of another site", "Send it from the venue's own page."
)


def _is_foreign(request: HttpRequest) -> bool:
    """Return whether a request that may change something comes from elsewhere, by what the browser says of it."""
    if request.method in _SAFE:
        return False
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
    own = (f"{request.scheme}://{request.get_host()}", environment().base_url)
    return (origin is not None and origin not in own) or (site is not None and site not in _OWN)
