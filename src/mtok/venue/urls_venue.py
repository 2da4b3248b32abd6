"""The addresses of the venue: those of the public pages, and those behind accounts."""

from __future__ import annotations

from django.urls import include, path

from mtok.venue import urls as public
from mtok.venue.accounts.home import home
from mtok.venue.participants.api.venue import api

urlpatterns = [
    path("venue/", home, name="venue_home"),
    path("venue/api/", api.urls),
    path("venue/", include("mtok.venue.operators.urls")),
    path("venue/", include("mtok.venue.accounts.urls_venue")),
    path("venue/", include("mtok.venue.participants.urls")),
    path("account/", include("mtok.venue.accounts.urls")),
    *public.urlpatterns,
]

handler400 = public.handler400
handler403 = public.handler404  # who may not is told what a missing address is told
handler404 = public.handler404
handler500 = public.handler500
handler429 = "mtok.venue.refusals.too_often"
