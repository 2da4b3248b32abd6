"""The public side of a store's keys."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Any

from mtok.archive import Store
from mtok.cli.layout import WIDTH_MIN, Page, labelled
from mtok.publication.keys import keyring_of
from mtok.publication.press import current_key
from mtok.publication.published import FOLDER, Published


def keys_content(store: Store) -> dict[str, Any]:
    """Return the public keys for machines, the one that signs by its id."""
    keyring = keyring_of(store)
    keys = keyring.public()
    signing = current_key(keyring, Published(store.path / FOLDER)).public.id.hex() if keys else None
    listed = [{"id": key.id.hex(), "origin": key.name, "vkey": str(key)} for key in keys]
    return {"folder": str(keyring.folder), "signing": signing, "keys": listed}


def keys_page(store: Store) -> Page:
    """Return the public keys, and what to do with them."""
    content = keys_content(store)
    folder = Path(content["folder"])
    if not content["keys"]:
        if Published.size_of(store.path / FOLDER):
            return [f"{folder} has no key, and this store has published: put the key file back"]
        return [f"{folder} has no key: mtok keys new --origin index.example.org/log"]
    lines = list(
        chain.from_iterable(
            [
                *labelled(
                    "signs" if key["id"] == content["signing"] else "retired",
                    f"key {key['id']} of {key['origin']}",
                    WIDTH_MIN,
                ),
                f"             {key['vkey']}",
            ]
            for key in content["keys"]
        )
    )
    text = (
        "Publish the line of the key that signs where people find it without you: a page, a repository, a newspaper; "
        "those of retired keys, too: older parcels are checked with them. "
        f"The private keys are in {folder}, in no backup that `mtok backup` makes: keep a copy elsewhere."
    )
    return [*lines, "", *labelled("public", text, WIDTH_MIN)]
