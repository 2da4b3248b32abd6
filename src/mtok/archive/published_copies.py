"""Copies of a publication: what was signed once and can never be made again, kept to the byte.

Files that never change are copied where they are missing, and replaced only where the copy's are damaged and the
original's are not. Those that change come after them, the sums next to last and the checkpoint last of all, so that a
copy never claims more than it has.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mtok.archive.files import sync_folder, write_file
from mtok.archive.published_files import PENDING, SUMS, PublishedFiles, never_changes
from mtok.archive.published_log import CHECKPOINT, known_roots, newest_size, tree_of
from mtok.errors import AnswerIsNo, EnvironmentFailed
from mtok.progress import Progress

_NAMED_MAX: Final = 10


@dataclass(frozen=True, kw_only=True)
class CopiedPublication:
    """What a copy took: files copied or brought up to date, found the same, found damaged and mended.

    bytes : written · unlisted : names that are not copied, since no publication has them · lost : what is wrong with
    files of the original, each after its name
    """

    copied: int = 0
    there: int = 0
    mended: int = 0
    bytes: int = 0
    unlisted: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


def refuse_another_log(source: Path, target: Path) -> None:
    """Raise AnswerIsNo unless the log of a copy, in `target`, is the beginning of that in `source`."""
    size = newest_size(target)
    if not size:
        return
    mine = newest_size(source)
    original, copy = _roots(source, size), _roots(target, size)
    if size <= mine and (original & copy or not original or not copy):
        return
    raise AnswerIsNo(
        "backup_of_another",
        f"{target / 'log'} has {size} entries, the log to be copied {mine}"
        + ("" if size > mine else f", and the first {size} are others"),
        "It is of another store, or this one was restored from an older backup. Keep it, since what is signed there "
        "may exist nowhere else, and name a new folder; publish nothing before you know which one people have seen.",
    )


def copy_publication(source: Path, target: Path, what: str, progress: Progress) -> CopiedPublication:
    """Bring the copy in `target` up to date with the publication in `source`, which nobody writes to meanwhile."""
    files = PublishedFiles(source)
    damages = dict(files.damages())
    sound = [name for name in files.listed if name not in damages]
    if files.log_damage:
        sound = [name for name in sound if never_changes(name)]
    counts = dict.fromkeys(("copied", "there", "mended"), 0)
    written = 0
    ordered = sorted(sound, key=lambda name: (_turn(name), name))
    turn = 0
    for done, name in enumerate(ordered):
        progress(what, done, len(ordered))
        if _turn(name) != turn:
            turn = _turn(name)
            _sync(target)
            _forget_pending(target, files.pending)
        raw, path = (source / name).read_bytes(), target / name
        before = path.read_bytes() if path.exists() else None
        if before == raw:
            counts["there"] += 1
            continue
        counts["mended" if before is not None and never_changes(name) else "copied"] += 1
        written += len(raw)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, raw, sync=turn > 0)
    _sync(target)
    progress(what, len(ordered), len(ordered))
    lost = tuple(f"{source / name} {fault}" for name, fault in damages.items())
    return CopiedPublication(**counts, bytes=written, unlisted=tuple(files.unlisted), lost=lost)


def damages_of(folder: Path) -> list[str]:
    """Return what is wrong with the files of a copy, each after its name."""
    return [f"{folder / name} {fault}" for name, fault in PublishedFiles(folder).damages()]


def lost_files(lost: tuple[str, ...]) -> EnvironmentFailed:
    """Return the error of a copy of a publication some of whose files are damaged."""
    rest = f"; and {len(lost) - _NAMED_MAX} more" if len(lost) > _NAMED_MAX else ""
    return EnvironmentFailed(
        "publication_damaged",
        f"{len(lost)} files of the publication could not be copied: {'; '.join(lost[:_NAMED_MAX])}{rest}",
        "Everything else is copied, and what the backup has of them is as it was. Copy them into the store from the "
        "backup, the mirror or another backup, and run the same command.",
    )


def _roots(folder: Path, size: int) -> set[bytes]:
    tree = tree_of(folder, size)
    return known_roots(folder, size) if tree is None else {tree.root()}


def _turn(name: str) -> int:
    """Return when a file is copied: what never changes, an interrupted publication, what changes, sums, checkpoint."""
    if name.startswith(f"{PENDING}/"):
        return 1
    last = {SUMS: 3, CHECKPOINT: 4}
    return last.get(name, 0 if never_changes(name) else 2)


def _sync(folder: Path) -> None:
    """Make every name in a copy durable, whoever wrote it."""
    if folder.exists():
        for inside in (*sorted(path for path in folder.rglob("*") if path.is_dir()), folder, folder.parent):
            sync_folder(inside)


def _forget_pending(target: Path, pending: list[str]) -> None:
    """Remove interrupted publications that have been completed since."""
    for path in (target / PENDING).glob("*.json"):
        if f"{PENDING}/{path.name}" not in pending:
            path.unlink()
            sync_folder(path.parent)
