"""Every published record computed again: from the published observations, or from the raw responses behind them.

Level *rules*: the frozen rules run over `observations/…` give the record to the byte. Level *decoding*: the raw
objects, for whoever holds them, give these very observations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import msgspec

from mtok.archive import Capture, Store
from mtok.archive.files import write_file
from mtok.calendar import day_of, format_instant, parse_date, parse_instant
from mtok.canonical import canonical_bytes, plain, sha256_hex
from mtok.determination.assembly import Request
from mtok.determination.inputs import Evidence, Observed
from mtok.engine import EmbeddedEngine
from mtok.errors import BadInput, MtokError
from mtok.methodology import load
from mtok.notes import Checkpoint, PublicKey
from mtok.observations import Observations
from mtok.observations.tables import TABLES, parquet_bytes
from mtok.progress import Progress, silent
from mtok.proofs import Tree, bundle_path, bundles_of, leaf_hash
from mtok.publication.editions import prices_table
from mtok.publication.facts import Facts
from mtok.publication.facts_evidence import facts_of, redetermine
from mtok.publication.facts_file import facts_bytes, read_facts
from mtok.publication.policy import load_policy
from mtok.publication.published import Published
from mtok.publication.remaking import remake
from mtok.records import Determination, File, PublishedRecord

_SHOWN_MAX: Final = 80


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A place where what is published is not what the same inputs give. where : path · found : what was met"""

    where: str
    found: str


@dataclass(frozen=True, kw_only=True)
class Recomputed:
    """What was computed again. records : how many · differences : in order"""

    records: int
    differences: tuple[Difference, ...]


def recompute(folder: Path, progress: Progress) -> Recomputed:
    """Run the rules over the published observations of a folder `publication/` and compare every record."""
    published = Published(folder)
    editions = list(_editions(published))
    differences: list[Difference] = []
    for done, records in enumerate(editions):
        progress("recomputing", done, len(editions))
        differences += _compare(published, records)
    progress("recomputing", len(editions), len(editions))
    return Recomputed(records=sum(map(len, editions)), differences=tuple(differences))


def redecode(folder: Path, store: Store, progress: Progress) -> Recomputed:
    """Decode the raw objects of a store and compare what they give with the published observations."""
    published = Published(folder)
    editions = list(_editions(published))
    differences: list[Difference] = []
    facts: list[tuple[PublishedRecord, Facts]] = []
    for records in editions:
        try:
            facts.append((records[0], _facts(published, records[0])))
        except MtokError as error:
            differences.append(Difference(where=records[0].observations.path, found=error.found))
    named = {sha256 for _, found in facts for sha256 in _named(found)}
    with TemporaryDirectory(prefix="mtok-verify-") as temporary:
        again = Observations(_store_of(store, named, Path(temporary)))
        try:
            again.refresh(progress)
        except MtokError as error:
            return Recomputed(records=0, differences=(Difference(where=str(store.path), found=error.found),))
        for done, (record, published_facts) in enumerate(facts):
            progress("decoding", done, len(facts))
            seen = _Seen(again, published_facts, Path(temporary) / "captures.parquet")
            if _decoded(seen, record) != published_facts:
                found = "the raw objects of the store give other observations, or some of them are not there"
                differences.append(Difference(where=record.observations.path, found=found))
        progress("decoding", len(facts), len(facts))
    return Recomputed(records=sum(map(len, editions)), differences=tuple(differences))


def source_again(folder: Path, store: Store, index: int) -> str:
    """Return the digest of what entry `index` of the log names, a record or a table of prices, made again.

    The raw objects behind its edition are decoded, and the rules run over what they give. Raises BadInput
    (`source_unknown`) for an entry of another type, and whatever a missing or damaged object raises.
    """
    published = Published(folder)
    entry = published.entries[index] if 0 <= index < published.size else {"type": "none"}
    together = [
        vintage
        for vintage in published.vintages.all()
        if (vintage.date, format_instant(vintage.known_at)) == (entry.get("date"), entry.get("time"))
    ]
    if not together or entry["type"] not in ("point", "nodata", "prices"):
        raise BadInput("source_unknown", f"entry {index} is no published value", "Name one of a point.")
    records = [published.record(vintage) for vintage in together]
    known = _facts(published, records[0])
    with TemporaryDirectory(prefix="mtok-again-") as temporary:
        observations = Observations(_store_of(store, set(_named(known)), Path(temporary)))
        observations.refresh(silent)
        facts = _decoded(_Seen(observations, known, Path(temporary) / "captures.parquet"), records[0])
    found = {one.series: one for one in redetermine(facts, _before(published, records[0]))}
    as_of = parse_instant(records[0].as_of or "")
    prices = prices_table([found[one.series] for one in records], as_of, records[0].stage)
    if entry["type"] == "prices":
        return sha256_hex(prices)
    [record] = [one for one, vintage in zip(records, together, strict=True) if vintage.index == index]
    files = {"prices": sha256_hex(prices)} | (
        {} if facts == known else {"observations": sha256_hex(facts_bytes(facts))}
    )
    return _published_again(record, found[record.series], files).sha256


def _published_again(
    record: PublishedRecord, found: Determination, files: Mapping[str, str]
) -> PublishedRecord:
    """Return a published record as it would be of another determination. files : digests of what lies beside it"""
    fields = {name: getattr(record, name) for name in PublishedRecord.__struct_fields__}
    fields |= {name: getattr(found, name) for name in Determination.__struct_fields__}
    fields |= {name: File(path=fields[name].path, sha256=sha256) for name, sha256 in files.items()}
    return PublishedRecord(**fields | {"determination_sha256": found.sha256})


def fetch(read: Callable[[str], bytes], folder: Path, head: Checkpoint, progress: Progress) -> None:
    """Copy what `recompute` reads of a publication into an empty folder. head : that was verified

    Raises BadInput when the log is not the one of that head.
    """

    def keep(path: str) -> bytes:
        raw = read(path)
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        write_file(folder / path, raw)
        return raw

    (folder / "log").mkdir()
    write_file(folder / "log" / "checkpoint", f"{head.text}\n".encode())
    for index, width in bundles_of(head.size):
        keep(f"log/{bundle_path(index, width)}")
    if Tree(map(leaf_hash, Published(folder).raw_entries)).root() != head.root:
        raise BadInput(
            "source_changed", "the log is another one than was verified a moment ago", "Verify it again."
        )
    vintages = list(Published(folder).vintages.all())
    for done, vintage in enumerate(vintages):
        progress("fetching", done, len(vintages))
        record = msgspec.json.decode(keep(vintage.path), type=_Named)
        if not (folder / record.observations.path).exists():
            keep(record.observations.path)
    progress("fetching", len(vintages), len(vintages))


class _Path(msgspec.Struct):
    path: str


class _Named(msgspec.Struct):
    observations: _Path


def _editions(published: Published) -> Iterator[list[PublishedRecord]]:
    """Yield the records that were published together of each date, by date and time."""
    vintages = sorted(published.vintages.all(), key=lambda vintage: (vintage.date, vintage.index))
    for _, together in groupby(vintages, key=lambda vintage: (vintage.date, vintage.known_at)):
        yield [published.record(vintage) for vintage in together]


def _facts(published: Published, record: PublishedRecord) -> Facts:
    raw = (published.folder / record.observations.path).read_bytes()
    if sha256_hex(raw) != record.observations.sha256:
        raise BadInput("facts_unreadable", "it is not the file the record names", "Fetch it again.")
    return read_facts(raw)


def remade(folder: Path, read: Callable[[str], bytes], key: PublicKey) -> list[Difference]:
    """Make the files that change at each publication again from the records, and compare those that are text.

    read : the files as they are published · key : that signs now
    """
    published = Published(folder)
    day = day_of(published.known_at or 0) - 1
    differences = []
    for path, raw in remake(published, key, load_policy(), day).items():
        if not path.endswith(".parquet") and read(path) != raw:
            differences.append(Difference(where=path, found="it is not what the published records give"))
    return differences


def _compare(published: Published, records: list[PublishedRecord]) -> Iterator[Difference]:
    first = records[0]
    where, day, as_of = first.observations.path, parse_date(first.date), parse_instant(first.as_of or "")
    try:
        facts = _facts(published, first)
        if (facts.day, facts.as_of, facts.methodology) != (day, as_of, first.methodology):
            raise ValueError("they are of another date, as_of or methodology")
        found = {record.series: record for record in redetermine(facts, _before(published, first))}
    except (MtokError, OSError, ValueError) as error:
        yield Difference(where=where, found=str(error).splitlines()[0])
        return
    for record in records:
        again, mine = found[record.series], record.determination
        if again.canonical != mine.canonical:
            path = f"records/{record.series}/{record.date}.{record.vintage}.json"
            yield Difference(where=path, found=_first_difference(mine, again))


def _before(published: Published, record: PublishedRecord) -> dict[str, list[Determination]]:
    """Return what the records of an edition link to, by series, as it was when that was published."""
    version = load(record.methodology)
    days = version.parameters.number("averages", "previous_days")
    day, as_of = parse_date(record.date), parse_instant(record.as_of or "")
    known_at = parse_instant(record.known_at)
    return {
        entry.series: published.before(entry.series, record.methodology, day, as_of, days, known_at=known_at)
        for entry in version.series
    }


def _first_difference(published: Determination, again: Determination) -> str:
    """Return the first field, in the order of canonical JSON, in which two records differ."""
    pairs = _walk("", plain(msgspec.to_builtins(published)), plain(msgspec.to_builtins(again)))
    place, mine, other = next(pairs)
    return f"{place}: published {_shown(mine)}, computed again {_shown(other)}"


def _walk(place: str, mine: Any, other: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(mine, dict) and isinstance(other, dict):
        for name in sorted(mine.keys() | other.keys()):
            yield from _walk(f"{place}.{name}".lstrip("."), mine.get(name), other.get(name))
    elif isinstance(mine, list) and isinstance(other, list) and len(mine) == len(other):
        for number, (left, right) in enumerate(zip(mine, other, strict=True)):
            yield from _walk(f"{place}[{number}]", left, right)
    elif mine != other:
        yield place, mine, other


def _shown(value: Any) -> str:
    text = "nothing" if value is None else canonical_bytes(value).decode()
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}…"


# ---- from raw objects


def _named(facts: Facts) -> Iterator[str]:
    return (row.sha256 for row in facts.rows if row.sha256 is not None)


def _store_of(store: Store, named: set[str], folder: Path) -> Store:
    """Return a store of the captures whose objects are named, and of nothing else; their objects are linked."""
    again = Store.create(folder / "store")
    again.write_parameters(store.parameters)
    again.objects.folder.symlink_to(store.objects.folder.resolve(), target_is_directory=True)
    captures = [_copied(capture) for capture in store.register.read() if capture.sha256 in named]
    if captures:
        again.register.append(captures)
    return again


def _copied(capture: Capture) -> Capture:
    return Capture(**{name: getattr(capture, name) for name in Capture.__struct_fields__})


class _Seen:
    """Observations of the captures that published facts name, and of no others.

    Another one of the store may be as old and was registered after the publication: imported late, or totals that
    were fetched again and say the same `as_of`.
    """

    def __init__(self, observations: Observations, facts: Facts, file: Path) -> None:
        self.parameters = observations.parameters
        self._observations = observations
        self._captures = file
        named = [row._asdict() for row in facts.rows if row.fact == "capture"]
        identities = {_identity(row) for row in named}
        days = [day_of(row["captured"]) for row in named]
        rows = observations.rows(
            "captures",
            *TABLES["captures"],
            first_day=min(days, default=0),
            last_day=max(days, default=0),
        )
        listed = [
            row for row in rows if _identity(dict(zip(TABLES["captures"], row, strict=True))) in identities
        ]
        file.write_bytes(parquet_bytes("captures", listed))

    def files(self, table: str, first_day: int | None = None, last_day: int | None = None) -> list[str]:
        """Return the paths of one table for captures of [first_day, last_day]; of the captures themselves all named."""
        if table == "captures":
            return [str(self._captures)]
        return self._observations.files(table, first_day, last_day)

    def rows(
        self, table: str, *columns: str, first_day: int | None = None, last_day: int | None = None
    ) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of one table for captures of [first_day, last_day]."""
        return self._observations.rows(table, *columns, first_day=first_day, last_day=last_day)


def _identity(capture: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(capture[name] for name in ("kind", "captured", "collector", "subject", "sha256"))


def _decoded(observations: Observed, record: PublishedRecord) -> Facts:
    """Return the facts of a date as observations give them at the record's `as_of`."""
    day, as_of, version = parse_date(record.date), parse_instant(record.as_of or ""), load(record.methodology)
    request = Request(
        methodology=version,
        volume_source=record.volume_source,
        first_day=day,
        last_day=day,
        as_of=as_of,
        complete=False,
    )
    engine = EmbeddedEngine()
    evidence = Evidence(
        observations,
        engine,
        volume_source=record.volume_source,
        as_of=as_of,
        first_day=day - request.days_before,
    )
    evidence.load_version(version)
    evidence.load_prices(day - request.days_before, day + request.days_after)
    return facts_of(request, evidence, engine, day)
