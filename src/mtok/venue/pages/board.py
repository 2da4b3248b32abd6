"""The board: the last print of every series, how it moved and why."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from mtok.venue.answers import public
from mtok.venue.place import opened


@public
def board(request: HttpRequest) -> HttpResponse:
    """Return the board."""
    now = opened()
    records = [
        found[-1] for series in now.series() if (found := now.published.read(series, now.methodology()))
    ]
    return render(request, "board.html", {"title": "Board", "records": records})
