"""Every address. Pages have no ending, files have one; what is published keeps its address for ever."""

from __future__ import annotations

from django.urls import path, re_path, register_converter

from mtok.venue import files, probes
from mtok.venue.api.v1 import api
from mtok.venue.pages import (
    about,
    bill,
    board,
    data,
    methodology,
    point,
    preview,
    reference,
    revisions,
    series,
    status,
    texts,
)


class SeriesId:
    """A series id as it can stand in an address."""

    regex = "[a-z][a-z0-9-]{0,39}"

    def to_python(self, value: str) -> str:
        """Return it as it is."""
        return value

    def to_url(self, value: str) -> str:
        """Return it as it is."""
        return value


class Date(SeriesId):
    """A date as it can stand in an address."""

    regex = "[0-9]{4}-[0-9]{2}-[0-9]{2}"


register_converter(SeriesId, "series")
register_converter(Date, "date")

urlpatterns = [
    path("", board.board, name="board"),
    path("series/<series:series>", series.series, name="series"),
    path("series/<series:series>/<date:date>", point.point, name="point"),
    path("series/<series:series>/<date:date>/<int:vintage>", point.point, name="vintage"),
    path("preview/<series:series>.png", preview.preview, name="preview"),
    path("methodology", methodology.methodology, name="methodology"),
    path("revisions", revisions.revisions, name="revisions"),
    path("status", status.status, name="status"),
    path("data", data.data, name="data"),
    path("about", about.about, name="about"),
    path("api", reference.reference, name="reference"),
    path("bill", bill.bill, name="bill"),
    path("llms.txt", texts.llms),
    path("robots.txt", texts.robots),
    path("sitemap.xml", texts.sitemap),
    path("mirror.txt", texts.mirror),
    re_path("^v1/?$", reference.root),
    path("v1/", api.urls),
    path("healthz", probes.healthz),
    path("readyz", probes.readyz),
    path("metrics", probes.metrics_page),
    re_path(r"^(?P<path>log/.+|vkey|SHA256SUMS|[^?]*\.[a-z0-9-]+)$", files.published_file, name="file"),
]

handler400 = "mtok.venue.refusals.bad"
handler404 = "mtok.venue.refusals.unknown"
handler500 = "mtok.venue.refusals.failed"
