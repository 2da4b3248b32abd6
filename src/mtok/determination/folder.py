"""Determination records on disk: canonical JSON lines, one file a month, derived and replaceable.

`determinations/<methodology>/<as_of or "all">/<volume source>/<series>/<month>.jsonl`. A file is replaced whole,
so a reader sees the records of one run. Reading needs no engine. Beside them, `<volume source>.run.json` says what
the last run over everything seen had before it, so that the next one can begin where something changed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import Final

import msgspec

from mtok.archive import RANKINGS_DAILY, Position, Store
from mtok.archive.files import write_file
from mtok.calendar import format_date, parse_instant
from mtok.canonical import canonical_bytes
from mtok.errors import EnvironmentFailed
from mtok.records import Determination, read_line

EVERYTHING_SEEN: Final = "all"


class LastRun(msgspec.Struct, frozen=True, kw_only=True):
    """What a run over everything seen had before it, and the dates it left records of."""

    register: Position
    rules_sha256: str
    parameters_sha256: str
    store_sha256: str
    observations: str
    records: str
    first_date: str
    last_date: str

    @property
    def versions(self) -> tuple[str, ...]:
        """What the run went by, beside the captures."""
        return self.rules_sha256, self.parameters_sha256, self.store_sha256, self.observations, self.records


class Determinations:
    """The folder `determinations/` of a store, for one methodology."""

    def __init__(self, store: Store, methodology: str) -> None:
        self.folder = store.path / "determinations" / methodology

    def write(self, records: Iterable[Determination]) -> int:
        """Put the records (in order of date) in the place of those of the same dates; return how many files changed.

        Months are written one by one, so an interrupted run has whole months.
        """
        changed = 0
        for _, month in groupby(records, key=lambda record: record.date[:7]):
            files: defaultdict[Path, dict[str, bytes]] = defaultdict(dict)
            for record in month:
                files[self._path(record)][record.date] = record.canonical
            changed += sum(_replace(path, lines) for path, lines in files.items())
        return changed

    def series(self) -> list[str]:
        """Return the ids of the series that have records."""
        found = {
            folder.relative_to(as_of) for as_of in self._as_of_folders(None) for folder in as_of.glob("*/*")
        }
        return sorted(_series_id(path) for path in found)

    def read(
        self,
        series: str,
        first_day: int | None = None,
        last_day: int | None = None,
        *,
        as_of: int | None = None,
    ) -> list[Determination]:
        """Return the records of a series in order of date.

        first_day, last_day : fixing dates, included · as_of : of each date the record with the greatest `as_of`
        not after it; None takes the last of all. Raises EnvironmentFailed naming a damaged file.
        """
        first = format_date(first_day) if first_day is not None else ""
        last = format_date(last_day) if last_day is not None else "9999"
        found: dict[str, Determination] = {}
        for path in self._months(series, as_of):
            if first[:7] <= path.stem <= last[:7]:
                found |= {record.date: record for record in _read(path, first, last)}
        return [found[date] for date in sorted(found)]

    def before(self, series: str, first_day: int, last_day: int) -> list[Determination] | None:
        """Return the records over everything seen of each day of [first_day, last_day] and, before those, of the last
        printed day if none of them is printed; None when a record is missing or cannot be read.
        """
        found = self._over_everything(series, format_date(first_day), format_date(last_day))
        if found is None or len(found) != last_day - first_day + 1:
            return None
        if any(record.value is not None for record in found):
            return found
        older = self._over_everything(series, "", format_date(first_day - 1))
        return (
            None if older is None else [record for record in older if record.value is not None][-1:] + found
        )

    def _over_everything(self, series: str, first: str, last: str) -> list[Determination] | None:
        paths = sorted(self._series_folder(series, EVERYTHING_SEEN).glob("*.jsonl"))
        try:
            months = [_read(path, first, last) for path in paths if first[:7] <= path.stem <= last[:7]]
        except EnvironmentFailed:
            return None
        return [record for month in months for record in month]

    def last_run(self, volume_source: str) -> LastRun | None:
        """Return what the last run over everything seen of a volume source noted, None without a sound note."""
        try:
            return msgspec.json.decode(self._note(volume_source).read_bytes(), type=LastRun, strict=False)
        except (OSError, msgspec.MsgspecError):
            return None

    def note_run(self, volume_source: str, run: LastRun) -> None:
        """Note a run whose records are all written."""
        write_file(self._note(volume_source), canonical_bytes(msgspec.to_builtins(run)) + b"\n")

    def _note(self, volume_source: str) -> Path:
        return self.folder / f"{volume_source}.run.json"

    def dates(self, series: str, *, as_of: int | None = None) -> list[str]:
        """Return the dates `read` has records of, in order, without reading the records."""
        months = self._months(series, as_of)
        return sorted({date for path in months for date, _ in _dated_lines(path.read_bytes())})

    def _months(self, series: str, as_of: int | None) -> Iterator[Path]:
        """Yield the month files of a series, those with the greatest `as_of` last."""
        for folder in self._as_of_folders(as_of):
            yield from sorted(self._series_folder(series, folder.name).glob("*.jsonl"))

    def _path(self, record: Determination) -> Path:
        folder = self._series_folder(record.series, record.as_of or EVERYTHING_SEEN)
        return folder / f"{record.date[:7]}.jsonl"

    def _series_folder(self, series: str, as_of: str) -> Path:
        source, _, name = series.rpartition(":")
        return self.folder / as_of / (source or RANKINGS_DAILY) / name

    def _as_of_folders(self, as_of: int | None) -> list[Path]:
        folders = [
            folder for folder in self.folder.glob("*") if folder.is_dir() and folder.name != EVERYTHING_SEEN
        ]
        folders.sort(key=lambda folder: parse_instant(folder.name))
        if as_of is None:
            return [*folders, self.folder / EVERYTHING_SEEN]
        return [folder for folder in folders if parse_instant(folder.name) <= as_of]


def _series_id(path: Path) -> str:
    source, name = path.parts
    return name if source == RANKINGS_DAILY else f"{source}:{name}"


def _replace(path: Path, lines: dict[str, bytes]) -> bool:
    """Write the lines by date into a month file, keeping its other dates; return whether its bytes are new."""
    before = path.read_bytes() if path.exists() else b""
    merged = dict(_dated_lines(before)) | lines
    raw = b"".join(merged[date] + b"\n" for date in sorted(merged))
    if raw == before:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, raw)
    return True


class _Dated(msgspec.Struct):
    date: str


_DATED: Final = msgspec.json.Decoder(_Dated)


def _dated_lines(raw: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the date and bytes of each line; a damaged one is left for the run to write again."""
    for line in raw.split(b"\n"):
        with suppress(msgspec.MsgspecError):
            yield _DATED.decode(line).date, line


def _read(path: Path, first: str, last: str) -> list[Determination]:
    """Return the records of [first, last] in a month file; of the others no more than the date is looked at."""
    lines = path.read_bytes().split(b"\n")
    if lines.pop():
        raise _damaged(path, len(lines) + 1, "the line is torn")
    records = []
    for number, line in enumerate(lines, start=1):
        try:
            if first <= _DATED.decode(line).date <= last:
                records.append(read_line(line))
        except msgspec.MsgspecError as error:
            raise _damaged(path, number, str(error)) from None
    return records


def _damaged(path: Path, number: int, what: str) -> EnvironmentFailed:
    return EnvironmentFailed(
        "determinations_damaged", f"line {number} of {path} is damaged: {what}", "Run `mtok determine` again."
    )
