"""The addresses of style sheets and scripts: each carries the digest of all, so that it may be kept for ever."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path


def assets_digest(folder: Path) -> str:
    """Return twelve digits of the sha256 over every file of a folder, its name and its bytes."""
    found = sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = sha256(path.read_bytes()).hexdigest()
        found.update(f"{content}  {path.relative_to(folder).as_posix()}\n".encode())
    return found.hexdigest()[:12]


def never_changes(path: str, url: str) -> bool:
    """Return that an asset may be kept for ever: its address is another one when it changes."""
    return True
