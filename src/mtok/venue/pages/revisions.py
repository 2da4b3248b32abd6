"""The page revisions: to be written."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def revisions(request: HttpRequest, **asked: Any) -> HttpResponse:
    """Return the page."""
    return render(request, "base.html", {"title": "revisions"})
