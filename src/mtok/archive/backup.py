"""Copies of a store's evidence: what cannot be made again, elsewhere, and back from there.

A backup is a folder with the evidence laid out as in a store. Captures are only ever added to, so a copy needs no lock
of the store: the register is read first, then the objects it names are copied, then the register, then `store.json`.
The publication comes last, and with the store's lock, since some of its files change together. Whatever interrupts
it, the same call completes it, and what a backup has already is verified and left as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mtok.archive.files import TEMPORARY_SUFFIX, sync_folder, write_file
from mtok.archive.objects import Objects
from mtok.archive.published_copies import (
    CopiedPublication,
    copy_publication,
    damages_of,
    lost_files,
    refuse_another_log,
)
from mtok.archive.published_files import PUBLICATION
from mtok.archive.register import START, Capture, Position, Register
from mtok.archive.store import Store
from mtok.errors import AnswerIsNo, BadCall, EnvironmentFailed
from mtok.progress import Progress

EVIDENCE: Final = frozenset({"objects", "captures", "store.json", PUBLICATION})
"""What a backup consists of. Anything else in a store is in `LEFT_OUT`, or the copy says that it does not know it."""

LEFT_OUT: Final = frozenset({"observations", "determinations", "alarms", "lock", "keys"})
"""What is made again from the evidence, or means something in the one store only; and the keys, which are a secret."""

BESIDE: Final = frozenset({"venue"})
"""What `mtok.venue.upkeep.copies` copies into the same backup, and out of it, in its own order."""

_NAMED_MAX: Final = 10


@dataclass(frozen=True, kw_only=True)
class Copied:
    """What a copy holds and what it took.

    captures : lines of its register · objects_copied, objects_there, objects_mended : the objects they name: new,
    found sound, found damaged and replaced · bytes : of all files written
    published_copied, published_there, published_mended : the same of the files of the publication; those that change
    with each publication count as copied
    unknown : names beside the evidence that are not copied, since no part of mtok puts them there
    keys : whether the store has a folder of signing keys, which is never copied
    """

    captures: int
    objects_copied: int
    objects_there: int
    objects_mended: int
    published_copied: int = 0
    published_there: int = 0
    published_mended: int = 0
    bytes: int
    unknown: tuple[str, ...]
    keys: bool = False


def back_up(store: Store, destination: Path, progress: Progress) -> Copied:
    """Bring the backup at `destination` up to date with a store, or make it in a new or empty folder.

    Raises BadCall for a folder that is something else, AnswerIsNo for the backup of another store or of another past.
    Raises EnvironmentFailed once everything else is copied: naming what is damaged in the store, or `store_in_use` when
    another process writes to it, so that the publication was not copied.
    """
    refuse_unfit(store, destination)
    return _copy(store, destination, "backing up", progress, is_store=True)


def refuse_unfit(store: Store, destination: Path) -> None:
    """Raise BadCall for a folder that no backup of a store can be in."""
    _refuse_nested(store.path, destination)
    if not destination.parent.is_dir():
        raise BadCall(
            "path_missing",
            f"{destination.parent}, where the backup is to be, does not exist",
            "Mount it or make it: a folder made in its place could fill the wrong disk.",
        )
    _refuse_foreign(destination)


def restore(backup: Path, destination: Path, progress: Progress) -> Copied:
    """Make a store from a backup in a new or empty folder, or complete one that was interrupted.

    Raises BadCall for no backup or another folder, AnswerIsNo `backup_incomplete` when any object or any file of the
    publication is missing or damaged, before anything is written.
    """
    source = _open_backup(backup)
    _refuse_nested(backup, destination)
    parameters = destination / "store.json"
    if parameters.exists() and parameters.read_bytes() != (backup / "store.json").read_bytes():
        raise BadCall(
            "destination_not_empty",
            f"{destination} is a store already, with other parameters",
            "Restore into a new or empty folder.",
        )
    _refuse_foreign(destination)
    _verify(source, progress)
    destination.parent.mkdir(parents=True, exist_ok=True)
    return _copy(source, destination, "restoring", progress, is_store=False)


def _copy(source: Store, destination: Path, what: str, progress: Progress, *, is_store: bool) -> Copied:
    """Copy the evidence: objects, then the register that names them, then the parameters, then the publication.

    is_store : whether somebody may publish in the source meanwhile; nobody does in a backup, which may be read-only
    """
    captures, end = source.register.read_on(START)
    lines = source.register.whole_lines()[: end.lines]
    destination.mkdir(exist_ok=True)
    sync_folder(destination.parent)
    target = Store(destination)
    with target.writing():
        _refuse_another(lines, target.register)
        refuse_another_log(source.path / PUBLICATION, destination / PUBLICATION)
        counts, lost = _copy_objects(source.objects, target.objects, captures, what, progress)
        if lines:
            counts["bytes"] += _replace(target.register.path, b"".join(line + b"\n" for line in lines))
            _confirm(target.register, end)
        counts["bytes"] += _replace(destination / "store.json", (source.path / "store.json").read_bytes())
        failures = [_not_copied(lost, len(captures))] if lost else []
        published = CopiedPublication()
        try:
            published = _copy_published(source, destination, what, progress, is_store=is_store)
        except EnvironmentFailed as failure:
            failures.append(failure)
    if failures:
        raise _together(failures)
    counts["bytes"] += published.bytes
    names = {path.name for path in source.path.iterdir()}
    unknown = sorted(name for name in names - EVIDENCE - LEFT_OUT - BESIDE if not _is_temporary(name))
    return Copied(
        captures=len(captures),
        published_copied=published.copied,
        published_there=published.there,
        published_mended=published.mended,
        unknown=(*unknown, *(f"{PUBLICATION}/{name}" for name in published.unlisted)),
        keys=(source.path / "keys").exists(),
        **counts,
    )


def _copy_published(
    source: Store, destination: Path, what: str, progress: Progress, *, is_store: bool
) -> CopiedPublication:
    """Copy the publication while nobody publishes. Raises EnvironmentFailed where somebody may, or naming damage."""
    if not (source.path / PUBLICATION).exists():
        return CopiedPublication()
    try:
        with source.writing() if is_store else nullcontext():
            found = copy_publication(source.path / PUBLICATION, destination / PUBLICATION, what, progress)
    except EnvironmentFailed as error:
        if error.code != "store_in_use":
            raise
        raise EnvironmentFailed(
            error.code,
            f"{error.found}, so its publication was not copied; everything else is",
            "Run the same command again when that process has ended.",
        ) from None
    if found.lost:
        raise lost_files(found.lost)
    return found


def _together(failures: list[EnvironmentFailed]) -> EnvironmentFailed:
    """Return several failures as one, with the code of the first."""
    found = "; ".join(failure.found for failure in failures)
    return EnvironmentFailed(failures[0].code, found, " ".join(failure.remedy for failure in failures))


def _copy_objects(
    source: Objects, target: Objects, captures: Iterable[Capture], what: str, progress: Progress
) -> tuple[dict[str, int], list[EnvironmentFailed]]:
    """Copy what `target` lacks or has damaged; return the counts of `Copied`, and what is wrong with the rest."""
    counts = dict.fromkeys(("objects_copied", "objects_there", "objects_mended", "bytes"), 0)
    lost: list[EnvironmentFailed] = []
    wanted = list(dict.fromkeys(capture.sha256 for capture in captures))
    for done, sha256 in enumerate(wanted):
        progress(what, done, len(wanted))
        damage = _damage(target, sha256)
        if damage is None:
            counts["objects_there"] += 1
            continue
        try:
            file = source.file(sha256)
        except EnvironmentFailed as unreadable:
            lost.append(unreadable)
            continue
        target.put_file(sha256, file)
        counts["objects_copied" if damage.code == "object_missing" else "objects_mended"] += 1
        counts["bytes"] += len(file)
    progress(what, len(wanted), len(wanted))
    # Those that were there may come from a copy that was interrupted before it synced.
    if target.folder.exists():
        for folder in (*sorted(target.folder.glob("??")), target.folder, target.folder.parent):
            sync_folder(folder)
    return counts, lost


def _damage(objects: Objects, sha256: str) -> EnvironmentFailed | None:
    """Return what is wrong with an object, None when nothing is."""
    try:
        objects.get(sha256)
    except EnvironmentFailed as damage:
        return damage
    return None


def _replace(path: Path, raw: bytes) -> int:
    """Put `raw` in the place of a file unless it is there already; return how many bytes were written."""
    if path.exists() and path.read_bytes() == raw:
        return 0
    path.parent.mkdir(exist_ok=True)
    write_file(path, raw)
    sync_folder(path.parent.parent)
    return len(raw)


def _confirm(register: Register, end: Position) -> None:
    """Read back the register that was written. Raises EnvironmentFailed when it is not the one that was read."""
    found = register.read_on(START)[1]
    if found != end:
        raise EnvironmentFailed(
            "register_damaged",
            f"{register.path} was written with {end.lines} lines and reads back as {found.lines} others",
            "Do not trust that disk; back up to another one.",
        )


def _refuse_another(lines: list[bytes], register: Register) -> None:
    """Raise AnswerIsNo unless the register of a copy is the beginning of `lines`.

    Its last line vouches for all before it; where one of those differs it is damaged, and is written again.
    """
    copied = register.whole_lines()
    if not copied or copied[-1:] == lines[len(copied) - 1 : len(copied)]:
        return
    differing = (number for number, line in enumerate(copied) if lines[number : number + 1] != [line])
    number = next(differing) + 1
    raise AnswerIsNo(
        "backup_of_another",
        f"{register.path} has {len(copied)} lines, the register to be copied {len(lines)}, and line {number} "
        + ("differs" if number <= len(lines) else "is not in it"),
        "It is of another store, or this one was restored from an older backup and has captures of its own since. Keep "
        "it, since it may hold captures that exist nowhere else, and name a new folder.",
    )


def _refuse_nested(source: Path, destination: Path) -> None:
    one, other = source.resolve(), destination.resolve()
    if one == other or one in other.parents or other in one.parents:
        raise BadCall(
            "backup_inside_store",
            f"{source} and {destination} are in one another",
            "Choose a folder apart, best on another disk.",
        )


def _refuse_foreign(destination: Path) -> None:
    """Raise BadCall for anything but a new folder or one that holds evidence alone."""
    if destination.exists() and not destination.is_dir():
        raise BadCall("destination_not_empty", f"{destination} is a file", "Choose a new or empty folder.")
    names = {path.name for path in destination.iterdir()} if destination.exists() else set()
    foreign = sorted(name for name in names - EVIDENCE - BESIDE - {"lock"} if not _is_temporary(name))
    if foreign:
        raise BadCall(
            "destination_not_empty",
            f"{destination} has {foreign[0]!r} in it, which is no part of a backup",
            "Choose a new or empty folder, or for a backup one that holds it already.",
        )


def _is_temporary(name: str) -> bool:
    return name.startswith(".") and name.endswith(TEMPORARY_SUFFIX)


def _open_backup(backup: Path) -> Store:
    if not (backup / "store.json").is_file():
        found = "has no store.json: it is no backup, or one that was interrupted"
        raise BadCall(
            "backup_missing",
            f"{backup} {found if backup.exists() else 'does not exist'}",
            "Name a backup; an interrupted one is completed by the same `mtok backup`.",
        )
    return Store.open(backup)


def _verify(backup: Store, progress: Progress) -> None:
    """Raise AnswerIsNo listing the objects and published files that a backup lacks or has damaged."""
    wanted = list(dict.fromkeys(capture.sha256 for capture in backup.register.read()))
    lost: list[EnvironmentFailed] = []
    for done, sha256 in enumerate(wanted):
        progress("verifying", done, len(wanted))
        if damage := _damage(backup.objects, sha256):
            lost.append(damage)
    progress("verifying", len(wanted), len(wanted))
    said = []
    if lost:
        listed = _listed([damage.found for damage in lost])
        said.append(f"{len(lost)} of {len(wanted)} objects of {backup.path} are missing or damaged: {listed}")
    if published := damages_of(backup.path / PUBLICATION):
        said.append(f"{len(published)} files of its publication are missing or damaged: {_listed(published)}")
    if said:
        raise AnswerIsNo(
            "backup_incomplete",
            "; ".join(said),
            "Complete it with `mtok backup` from a store that has them, or copy their files from another backup. "
            "If they are lost for good: a backup is laid out as a store, so copy the folder itself and use the copy.",
        )


def _not_copied(lost: list[EnvironmentFailed], captures: int) -> EnvironmentFailed:
    return EnvironmentFailed(
        lost[0].code,
        f"the backup has {captures} captures, but {len(lost)} of their objects could not be copied: "
        + _listed([damage.found for damage in lost]),
        "Everything else is copied. Copy the files of these objects into the store from another backup, or import the "
        "same responses again, and run the same command.",
    )


def _listed(found: list[str]) -> str:
    rest = [f"and {len(found) - _NAMED_MAX} more"] if len(found) > _NAMED_MAX else []
    return "; ".join([*found[:_NAMED_MAX], *rest])
