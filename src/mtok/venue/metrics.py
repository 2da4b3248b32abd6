"""What the server counts of itself, for Prometheus: requests by kind and status, and how many were held."""

from __future__ import annotations

import os
from typing import Final
from wsgiref.types import WSGIEnvironment

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest, multiprocess

from mtok.errors import MtokError
from mtok.venue.opened import Opened

REGISTRY: Final = CollectorRegistry()
_REQUESTS: Final = Counter(
    "mtok_http_requests", "Requests answered", ["kind", "status", "held"], registry=REGISTRY
)
_ENTRIES: Final = Gauge(
    "mtok_log_entries", "Entries of the log that is shown", registry=REGISTRY, multiprocess_mode="mostrecent"
)
_PUBLISHED: Final = Gauge(
    "mtok_published_timestamp_seconds",
    "When the last publication was",
    registry=REGISTRY,
    multiprocess_mode="mostrecent",
)
_DAMAGED: Final = Gauge(
    "mtok_publication_damaged",
    "1 where the log cannot be read",
    registry=REGISTRY,
    multiprocess_mode="mostrecent",
)
_SHARED: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Where the workers of a server keep what each has counted; set by `mtok serve` for several."""

_KINDS: Final = {"v1": "api", "static": "asset", "healthz": "probe", "readyz": "probe", "metrics": "probe"}


def counted(environ: WSGIEnvironment, status: str, held: bool) -> None:
    """Count a request."""
    path = environ.get("PATH_INFO", "")
    first = path[1:].partition("/")[0]
    kind = _KINDS.get(first) or ("file" if "." in path.rpartition("/")[2] or first == "log" else "page")
    _REQUESTS.labels(kind, status, "yes" if held else "no").inc()


def metrics(opened: Opened) -> bytes:
    """Return the metrics in the text format of Prometheus."""
    _DAMAGED.set(0)
    try:
        published = opened.published
        _ENTRIES.set(published.size)
        _PUBLISHED.set((published.known_at or 0) / 1e6)
    except MtokError:
        _DAMAGED.set(1)
    if _SHARED not in os.environ:
        return generate_latest(REGISTRY)
    of_all = CollectorRegistry()
    multiprocess.MultiProcessCollector(of_all)  # type: ignore[no-untyped-call]  # the library has no type here
    return generate_latest(of_all)
