"""The whole run on the bundled sample: its market collected, determined, published, and verified by a stranger."""

from __future__ import annotations

import os
from typing import Final

from mtok.archive import Store
from mtok.calendar import parse_instant
from mtok.client import Report, verify
from mtok.client.source import Folder
from mtok.day import determine_days, publish_due
from mtok.determination.run import Run
from mtok.notes import PublicKey
from mtok.progress import Progress
from mtok.publication.keys import has_key, keyring_of
from mtok.publication.operators import create_key
from mtok.publication.press import nowhere
from mtok.replay import Recording, ReplayClock, collect_recorded

PUBLISHED_AT: Final = "2026-06-27T14:05:00Z"
"""When the last day of the sample was due to be final."""


def demonstrate(store: Store, progress: Progress) -> tuple[Run, Report, PublicKey]:
    """Return what was determined and what a verification of the publication found, with the public key.

    The same store again changes nothing.
    """
    collect_recorded(store, Recording.sample(), progress=progress)
    run = determine_days(store, progress=progress)
    if not has_key(store):
        create_key(store, f"demo-{os.urandom(4).hex()}/log", os.urandom(32))
    publish_due(store, ReplayClock(parse_instant(PUBLISHED_AT), 0), nowhere, progress=progress)
    keys = keyring_of(store).public()
    return run, verify(Folder(store.path), keys, progress=progress), keys[-1]
