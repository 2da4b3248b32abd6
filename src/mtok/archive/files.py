"""Crash-safe files: a reader sees the old bytes or the new ones, never a mixture.

Write = temporary file in the same folder, fsync, rename, fsync of the folder (`sync_folder`).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

TEMPORARY_SUFFIX: Final = ".tmp"


def temporary_path(path: Path) -> Path:
    """Return where a file is written before it has its name."""
    return path.with_name(f".{path.name}{TEMPORARY_SUFFIX}")


def write_file(path: Path, raw: bytes, *, sync: bool = True) -> None:
    """Write `raw` to `path` in one step; the folder is synced too unless `sync` is false.

    Raises OSError (no space, no permission) and leaves no trace of the attempt then.
    """
    temporary = temporary_path(path)
    try:
        with temporary.open("wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if sync:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it where they are missing, and their names durable."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def sweep(folder: Path) -> None:
    """Remove what an interrupted writer left behind anywhere under `folder`."""
    for inside, _, names in os.walk(folder):
        for name in names:
            if name.startswith(".") and name.endswith(TEMPORARY_SUFFIX):
                Path(inside, name).unlink(missing_ok=True)
