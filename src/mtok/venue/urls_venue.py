"""The addresses of the venue: those of the public pages, and those behind accounts."""

from __future__ import annotations

from django.urls import include, path

from mtok.venue import urls as public

urlpatterns = [
    path("account/", include("mtok.venue.accounts.urls")),
    *public.urlpatterns,
]

handler400 = public.handler400
handler404 = public.handler404
handler500 = public.handler500
