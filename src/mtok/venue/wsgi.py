"""The WSGI application that a server runs."""

from __future__ import annotations

import os
import time
from functools import lru_cache

from django.core.wsgi import get_wsgi_application
from django.urls import Resolver404, resolve

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mtok.venue.settings.public")
_DJANGO = get_wsgi_application()

from mtok.venue.environment import environment  # noqa: E402 - Django takes its settings first
from mtok.venue.front import Front  # noqa: E402 - Django takes its settings first
from mtok.venue.metrics import counted  # noqa: E402 - Django takes its settings first
from mtok.venue.place import opening  # noqa: E402 - Django takes its settings first
from mtok.venue.rates import Rates  # noqa: E402 - Django takes its settings first


@lru_cache(4096)
def _is_file(path: str) -> bool:
    try:
        return resolve(path).url_name == "file"
    except Resolver404:
        return False


application = Front(
    _DJANGO,
    version=opening().version,
    seconds=time.monotonic,
    rates=Rates(environment().rate_limit, environment().proxies, time.time),
    counted=counted,
    is_file=_is_file,
)
