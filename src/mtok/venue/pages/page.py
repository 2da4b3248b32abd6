"""What stands on every page: navigation, which print is shown, whose data it rests on, who runs it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from mtok.venue.environment import environment


def standing_beside(request: HttpRequest) -> dict[str, Any]:
    """Return what every template is given."""
    base = environment().base_url or f"{request.scheme}://{request.get_host()}"
    return {
        "base_url": base,
        "address": f"{base}{request.path}",
        "operator": environment().operator,
        "contact": environment().contact,
    }
