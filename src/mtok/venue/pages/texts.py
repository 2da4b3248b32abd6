"""Pages that are plain text for machines: to be written."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse


def llms(request: HttpRequest) -> HttpResponse:
    """Return /llms.txt."""
    return HttpResponse("", content_type="text/plain; charset=utf-8")


def robots(request: HttpRequest) -> HttpResponse:
    """Return /robots.txt."""
    return HttpResponse("", content_type="text/plain; charset=utf-8")


def sitemap(request: HttpRequest) -> HttpResponse:
    """Return /sitemap.xml."""
    return HttpResponse("", content_type="application/xml; charset=utf-8")
