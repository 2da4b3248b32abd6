"""What is wrong with a store: every file held against what it was made from, and everything found is listed.

Objects are rehashed and the register is read in full. Then observations and determinations are made again from that
evidence in a temporary folder, and those of the store compared with them byte for byte. What is published cannot be
made again: it is held against its log and its sums.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from mtok.archive import START, Capture, Position, Store
from mtok.archive.published_files import PublishedFiles
from mtok.determination.folder import EVERYTHING_SEEN, Determinations, LastRun
from mtok.determination.recomputation import note_of
from mtok.determination.run import run_range
from mtok.errors import EnvironmentFailed
from mtok.methodology import load
from mtok.methodology.registry import VERSIONS
from mtok.observations import Observations
from mtok.progress import Progress
from mtok.publication.keys import keyring_of
from mtok.publication.published import FOLDER
from mtok.records import Determination, decode_determination

HARMLESS: Final = frozenset({"object_unregistered", "register_torn", "publication_pending"})
"""Findings that an interrupted writer leaves in a sound store."""

_COPY_BACK: Final = "Copy this file from a backup, or delete it and import the same response again."
_REGISTER_BACK: Final = (
    "Copy captures/register.jsonl from a backup, import again what it lacks, and run `mtok doctor` again."
)
_PUBLICATION_BACK: Final = (
    "Copy it from a backup or the mirror, and publish nothing before `mtok doctor` is content."
)
_OBSERVE_AGAIN: Final = "Delete the folder observations; `mtok determine` makes it again."


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is not as it should be.

    code : which kind · where : the file, relative to the store · found : what was met · remedy : what to do
    """

    code: str
    where: str
    found: str
    remedy: str


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What was examined, and what was found.

    captures, objects, observations, records, published : how many lines, objects, files, records and published files
    were examined
    not_examined : what could not be, and why
    """

    captures: int
    objects: int
    observations: int
    records: int
    published: int
    not_examined: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing needs mending."""
        return all(finding.code in HARMLESS for finding in self.findings)


def examine(store: Store, progress: Progress) -> Diagnosis:
    """Examine a whole store, the determinations by every version, while no other process writes to it.

    Raises EnvironmentFailed when another process holds the lock.
    """
    with store.writing():
        captures, found = _examine_register(store)
        objects = _objects_there(store)
        found += _examine_objects(store, captures, objects, progress)
        whole = all(finding.code in HARMLESS for finding in found)
        records: Records = {}
        for version in VERSIONS:
            listed, damaged = _examine_records(store, version.methodology)
            records |= listed
            found += damaged
        published = PublishedFiles(store.path / FOLDER)
        found += examine_publication(published)
        found += _examine_keys(store)
        observed = _files(store.path / "observations") if whole else {}
        skipped = []
        if not whole:
            skipped.append(
                "what observations and determinations were made from, since the evidence is not whole"
            )
        elif not observed:
            skipped.append("observations, since there are none")
        if whole:
            found += _compare_with_fresh(store, observed, records, progress)
    return Diagnosis(
        captures=len(captures),
        objects=len(objects),
        observations=len(observed),
        records=sum(len(listed) for listed in records.values()),
        published=len(published.names),
        not_examined=tuple(skipped),
        findings=tuple(found),
    )


# ---- evidence


def _examine_register(store: Store) -> tuple[list[Capture], list[Finding]]:
    captures, damages = store.register.examine()
    where = "captures/register.jsonl"
    found = [Finding(code=one.code, where=where, found=one.found, remedy=_REGISTER_BACK) for one in damages]
    path = store.register.path
    if path.exists() and path.read_bytes()[-1:] not in (b"", b"\n"):
        found.append(
            Finding(
                code="register_torn",
                where=where,
                found="its last line has no newline: an interrupted write, or a damaged end",
                remedy="The next import or collection cuts it off. Import again what it was to register.",
            )
        )
    return captures, found


def _objects_there(store: Store) -> list[Path]:
    """Return every file of `objects/`, in order."""
    return sorted(path for path in store.objects.folder.rglob("*") if path.is_file())


def _examine_objects(
    store: Store, captures: Iterable[Capture], there: list[Path], progress: Progress
) -> list[Finding]:
    sizes: dict[str, set[int]] = {}
    for capture in captures:
        sizes.setdefault(capture.sha256, set()).add(capture.bytes)
    missing = [sha256 for sha256 in sizes if not store.objects.path(sha256).exists()]
    found = [
        Finding(
            code="object_missing",
            where=_relative(store, store.objects.path(sha256)),
            found="the register names this object, and it is not there",
            remedy="Copy this file from a backup, or import the same response again.",
        )
        for sha256 in missing
    ]
    for done, path in enumerate(there):
        progress("rehashing", done, len(there))
        found += _examine_object(store, path, sizes)
    progress("rehashing", len(there), len(there))
    return found


def _examine_object(store: Store, path: Path, sizes: dict[str, set[int]]) -> Iterator[Finding]:
    """Yield what is wrong with a file of `objects/`; `sizes` are those the register says, by sha256."""
    sha256, where = path.stem, _relative(store, path)
    registered = path == store.objects.path(sha256) and sha256 in sizes
    if not registered:
        yield Finding(
            code="object_unregistered",
            where=where,
            found="no line of the register names it",
            remedy="An interrupted import leaves such files; the same import registers them. Deleting them is safe.",
        )
    if path != store.objects.path(sha256):
        return
    try:
        size = len(store.objects.get(sha256))
    except EnvironmentFailed as damage:
        yield Finding(code=damage.code, where=where, found=damage.found, remedy=_COPY_BACK)
        return
    if registered and sizes[sha256] != {size}:
        said = ", ".join(str(one) for one in sorted(sizes[sha256]))
        yield Finding(
            code="register_damaged",
            where="captures/register.jsonl",
            found=f"it says that object {sha256} has {said} bytes; it has {size}",
            remedy=_REGISTER_BACK,
        )


# ---- what is published, and the keys


def examine_publication(files: PublishedFiles) -> Iterator[Finding]:
    """Hold every published file against the log and the sums, and these against the signatures."""
    there = set(files.names)
    for name, fault in files.damages():
        is_missing = name in files.expected and name not in there
        yield Finding(
            code="publication_missing" if is_missing else "publication_damaged",
            where=f"{FOLDER}/{name}",
            found="log and sums name this file, and it is not there" if is_missing else f"it {fault}",
            remedy=_PUBLICATION_BACK,
        )
    for name in files.unlisted:
        yield Finding(
            code="publication_unlisted",
            where=f"{FOLDER}/{name}",
            found="neither the log nor the sums name it",
            remedy="Take it away: mtok did not publish it. Where a later publication may have been lost, such as by "
            "copying an older one back, look for the rest of it first.",
        )
    for name in files.pending:
        yield Finding(
            code="publication_pending",
            where=f"{FOLDER}/{name}",
            found="a publication was interrupted",
            remedy="The next `mtok publish` or `mtok run` completes it before anything else.",
        )


def _examine_keys(store: Store) -> Iterator[Finding]:
    keyring = keyring_of(store)
    for path in sorted(keyring.folder.glob("*.key")):
        try:
            keyring.read(path)
        except EnvironmentFailed as error:
            yield Finding(
                code=error.code, where=_relative(store, path), found=error.found, remedy=error.remedy
            )


# ---- determination records, as they are


Records = dict[Path, list[Determination]]
"""The records of each month file that can be read."""


def _examine_records(store: Store, methodology: str) -> tuple[Records, list[Finding]]:
    """Read every record, whatever it was determined from, and follow the digests of earlier ones that it names."""
    folder = Determinations(store, methodology).folder
    records: Records = {}
    found: list[Finding] = []
    for path in sorted(folder.glob("*/*/*/*.jsonl")):
        listed, damage = _read(path)
        if damage:
            found.append(_records_finding(store, path, "determinations_damaged", damage))
        else:
            records[path] = listed
    known = {
        (path.parent, record.date, record.sha256) for path, listed in records.items() for record in listed
    }
    for path, listed in records.items():
        for record in listed:
            absent = [one for one in record.earlier if (path.parent, one.date, one.sha256) not in known]
            if absent:
                said = f"the record of {record.date} rests on one of {absent[0].date} with sha256 {absent[0].sha256}"
                found.append(
                    _records_finding(store, path, "determinations_damaged", f"{said}, which is not there")
                )
    return records, found


def _read(path: Path) -> tuple[list[Determination], str]:
    """Return the records of a month file, and what is wrong with the first that is not as it was written."""
    records: list[Determination] = []
    lines = path.read_bytes().split(b"\n")
    if lines.pop():
        return records, "its last line is torn"
    for number, line in enumerate(lines, start=1):
        try:
            records.append(decode_determination(line))
        except msgspec.MsgspecError as error:
            return records, f"line {number} cannot be read: {error}"
        if records[-1].canonical != line or records[-1].date[:7] != path.stem:
            return records, f"line {number} is not a record as mtok writes them"
    return records, ""


def _records_finding(store: Store, path: Path, code: str, found: str) -> Finding:
    where = _relative(store, path)
    _, methodology, as_of, source, *_ = Path(where).parts
    note = f"determinations/{methodology}/{source}.run.json"
    again = (
        f"Delete it and {note}; `mtok determine` makes every record again."
        if as_of == EVERYTHING_SEEN
        else f"Delete it; `mtok determine --as-of {as_of}` makes it again."
    )
    return Finding(code=code, where=where, found=found, remedy=again)


# ---- made again and compared


class _Again:
    """Temporary stores that have the evidence of a store up to a position of its register, observed again."""

    def __init__(self, store: Store, folder: Path, progress: Progress) -> None:
        self._store = store
        self._folder = folder
        self._progress = progress

    def at(self, position: Position) -> Store:
        """Return the one up to a position of the register."""
        again = Store(self._folder / str(position.bytes))
        if not again.path.exists():
            again.register.path.parent.mkdir(parents=True)
            again.objects.folder.symlink_to(self._store.objects.folder.resolve(), target_is_directory=True)
            for name in ("store.json", "captures/register.jsonl"):
                whole = self._store.path / name
                raw = whole.read_bytes() if whole.exists() else b""
                (again.path / name).write_bytes(raw[: position.bytes] if "register" in name else raw)
            Observations(again).refresh(self._progress)
        return again


def _compare_with_fresh(
    store: Store, observed: dict[str, Path], records: Records, progress: Progress
) -> list[Finding]:
    """Make observations and determinations again in a temporary folder, and compare."""
    found: list[Finding] = []
    with tempfile.TemporaryDirectory(prefix="mtok-doctor-") as folder:
        stores = _Again(store, Path(folder), progress)
        if observed:
            found += _compare_observations(observed, stores.at(_observed_to(store)))
        for version in VERSIONS:
            for source in _sources(store, version.methodology, records):
                found += _compare_source(store, version.methodology, source, records, stores, progress)
    return found


def _observed_to(store: Store) -> Position:
    """Return how much of the register the observations say they hold; all of it where they do not say."""
    said = Observations(store).register
    return store.register.read_on(START)[1] if said == START else said


def _compare_observations(observed: dict[str, Path], again: Store) -> Iterator[Finding]:
    fresh = _files(again.path / "observations")
    for name in sorted(observed.keys() | fresh.keys()):
        if name not in observed:
            code, said = "observations_missing", "it is not there"
        elif name not in fresh:
            code, said = "observations_left_over", "nothing in the register makes such a file"
        elif observed[name].read_bytes() != fresh[name].read_bytes():
            code, said = "observations_differ", "it is not what the objects give when they are observed again"
        else:
            continue
        yield Finding(code=code, where=f"observations/{name}", found=said, remedy=_OBSERVE_AGAIN)


def _sources(store: Store, methodology: str, records: Records) -> list[str]:
    """Return the volume sources that have determinations by a version over everything seen."""
    notes = Determinations(store, methodology).folder.glob("*.run.json")
    found = {path.name.removesuffix(".run.json") for path in notes}
    kept = (path.parts for path in records)
    return sorted(found | {parts[-3] for parts in kept if parts[-5:-3] == (methodology, EVERYTHING_SEEN)})


def _compare_source(
    store: Store, methodology: str, source: str, records: Records, stores: _Again, progress: Progress
) -> Iterator[Finding]:
    """Determine again what the last run over everything seen determined, from what it had, and compare."""
    where = f"determinations/{methodology}/{source}.run.json"
    note = Determinations(store, methodology).last_run(source)
    if note is None or not store.register.holds(note.register):
        yield _outdated(where, "it does not say what the records were determined from")
        return
    again = stores.at(note.register)
    observations = Observations(again)
    if note.versions != note_of(again, observations, load(methodology), 0, 0).versions:
        yield _outdated(where, "store.json or the rules were others when the records were determined")
        return
    run_range(again, observations, methodology=methodology, volume_source=source, progress=progress)
    if (store.path / where).read_bytes() != (again.path / where).read_bytes():
        yield Finding(
            code="determinations_differ",
            where=where,
            found="the same run notes something else",
            remedy="Delete it; `mtok determine` makes every record again.",
        )
    yield from _compare_months(store, again, f"determinations/{methodology}/all/{source}", records, note)


def _outdated(where: str, found: str) -> Finding:
    return Finding(
        code="determinations_outdated",
        where=where,
        found=f"{found}, so they are not compared",
        remedy="Run `mtok determine` and `mtok doctor` again.",
    )


def _compare_months(
    store: Store, again: Store, folder: str, records: Records, note: LastRun
) -> Iterator[Finding]:
    """Compare the records of the days that a run noted; a run that was asked for others may have added them."""
    months = [*(again.path / folder).glob("*/*.jsonl"), *(store.path / folder).glob("*/*.jsonl")]
    for name in sorted({"/".join(path.parts[-2:]) for path in months}):
        path, fresh_path = store.path / folder / name, again.path / folder / name
        if not path.exists():
            yield _records_finding(store, path, "determinations_missing", "it is not there")
        elif path in records:
            fresh = _read(fresh_path)[0] if fresh_path.exists() else []
            there = [one for one in records[path] if note.first_date <= one.date <= note.last_date]
            differing = _differing(there, fresh)
            if differing:
                said = (
                    f"determined again, {len(differing)} of its records differ, the first of {differing[0]}"
                )
                yield _records_finding(store, path, "determinations_differ", said)


def _differing(there: list[Determination], fresh: list[Determination]) -> list[str]:
    """Return the dates whose records are not the same, once each, in the same order."""
    if [record.canonical for record in there] == [record.canonical for record in fresh]:
        return []
    same = {record.canonical for record in there} & {record.canonical for record in fresh}
    return sorted({record.date for record in (*there, *fresh) if record.canonical not in same}) or [
        fresh[0].date
    ]


def _files(folder: Path) -> dict[str, Path]:
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}


def _relative(store: Store, path: Path) -> str:
    return path.relative_to(store.path).as_posix()
