"""The venue's part of `mtok backup` and `mtok restore`: whether there is one, and what was copied of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mtok.venue.upkeep.copies import Copy

_MASTER: Final = "master_key"
_KEYS: Final = "secret_key, master_key, keys/ and head"


def venue_folder(store: Path) -> Path:
    """Return where the venue of a store would be."""
    return Path(os.environ.get("MTOK_VENUE_FOLDER") or store / "venue")


def back_up_venue(store: Path, destination: Path) -> Copy | None:
    """Copy the venue of a store into a backup; None where it has none. Raises as `mtok.venue.upkeep.copies.back_up`."""
    from mtok.cli.serving import refuse_missing

    if not (venue_folder(store) / _MASTER).is_file():
        return None
    refuse_missing(store, is_venue=True)
    from mtok.venue.upkeep.initial import begin

    begin(store)
    from mtok.venue.upkeep.copies import back_up, premises

    return back_up(premises(), destination)


def venue_to_restore(backup: Path, store: Path) -> Copy | None:
    """Return the copy of a venue that a backup has, None without one.

    Raises as `refuse_not_installed`, `copy_of` and `refuse_occupied`.
    """
    from mtok.cli.serving import refuse_not_installed

    if not (backup / "venue").is_dir():
        return None
    refuse_not_installed(is_venue=True)
    os.environ["MTOK_STORE"] = str(store.resolve())
    from mtok.venue.upkeep.copies import copy_of, premises, refuse_occupied

    copy = copy_of(backup)
    if copy is not None:
        refuse_occupied(copy, premises())
    return copy


def restore_venue(copy: Copy | None) -> None:
    """Restore a venue, if there is one."""
    if copy is not None:
        from mtok.venue.upkeep.copies import premises, restore

        restore(copy, premises())


def venue_content(copy: Copy | None) -> dict[str, Any]:
    """Return what was copied of a venue for machines; nothing where there is none."""
    if copy is None:
        return {}
    return {
        "venue": {"database": copy.contents.kind, "files": len(copy.contents.sha256), "bytes": copy.bytes}
    }


def backed_up_page(copy: Copy | None, store: Path) -> list[str]:
    """Return what was copied of a venue, and what never is."""
    return [] if copy is None else [*_page(copy), *_about_keys(f"{venue_folder(store)}", "is not copied")]


def restored_page(copy: Copy | None, store: Path) -> list[str]:
    """Return what was restored of a venue, and what it takes before it can serve."""
    if copy is None:
        return []
    put_back = f"{venue_folder(store)}: put back what is in no backup"
    return [*_page(copy), *_about_keys(put_back, "then `mtok venue check`")]


def _page(copy: Copy) -> list[str]:
    from mtok.cli.layout import WIDTH_MIN, labelled
    from mtok.wording.figures import counted

    of = {"sqlite3": "SQLite", "postgresql": "PostgreSQL"}[copy.contents.kind]
    text = f"database ({of}) and private log, {counted(copy.bytes, 'byte')}"
    return [*labelled("venue", text, WIDTH_MIN)]


def _about_keys(folder: str, said: str) -> list[str]:
    from mtok.cli.layout import WIDTH_MIN, labelled

    return [*labelled("venue keys", f"{folder}: {_KEYS}; {said}", WIDTH_MIN)]
