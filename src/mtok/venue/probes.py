"""For machines that watch this one: alive, ready, and metrics."""

from __future__ import annotations

import json

from django.http import HttpRequest, HttpResponse

from mtok.venue.metrics import metrics
from mtok.venue.place import opened


def healthz(request: HttpRequest) -> HttpResponse:
    """Return that the process answers."""
    return _plain("text/plain; charset=utf-8", b"ok\n")


def readyz(request: HttpRequest) -> HttpResponse:
    """Return whether the log can be read and there is something to show."""
    now = opened()
    ready = now.damage is None and now.published.size > 0
    content = {"ready": ready, "entries": now.published.size if now.damage is None else None}
    response = _plain("application/json", json.dumps(content).encode())
    response.status_code = 200 if ready else 503
    return response


def metrics_page(request: HttpRequest) -> HttpResponse:
    """Return what Prometheus reads."""
    return _plain("text/plain; version=0.0.4; charset=utf-8", metrics(opened()))


def _plain(kind: str, body: bytes) -> HttpResponse:
    response = HttpResponse(body, content_type=kind)
    response["Cache-Control"] = "no-store"
    return response
