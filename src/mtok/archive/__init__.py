"""Evidence, written once: objects by sha256 and an append-only register of captures.

A store is a directory. Here live `store.json` (parameters of the store), `objects/` (zstd, by sha256 of the
content), `captures/register.jsonl` and `lock`; everything else in a store can be made again from these.
"""

from mtok.archive.objects import Objects
from mtok.archive.register import (
    KIND_ENDPOINTS,
    KIND_MODELS,
    KIND_RANKINGS,
    KIND_TABLE,
    KIND_UNKNOWN,
    KIND_USAGE,
    START,
    Capture,
    Position,
    Register,
)
from mtok.archive.store import PRIMARY, RANKINGS_DAILY, Collector, Response, Store, StoreParameters

__all__ = [
    "KIND_ENDPOINTS",
    "KIND_MODELS",
    "KIND_RANKINGS",
    "KIND_TABLE",
    "KIND_UNKNOWN",
    "KIND_USAGE",
    "PRIMARY",
    "RANKINGS_DAILY",
    "START",
    "Capture",
    "Collector",
    "Objects",
    "Position",
    "Register",
    "Response",
    "Store",
    "StoreParameters",
]
