"""Published records, edition by edition: each against its log entry, its files, its lists of captures, and itself.

An edition is what one publication says of one date: six records from one `as_of`, the table of posted prices that
follows from them, and the observations they were made from. Records are read one at a time and not kept.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from mtok.calendar import parse_date, parse_instant
from mtok.canonical import plain, sha256_hex
from mtok.client.arithmetic import Parameters, check_domain
from mtok.client.calculating import check_arithmetic
from mtok.client.content import Malformed, decode, encode, first_difference, is_date, is_instant, is_sha256
from mtok.client.entries import Entry, Numbered, Publication
from mtok.client.files import Files
from mtok.client.findings import Findings
from mtok.client.links import History, Links, Published
from mtok.client.lists import Lists
from mtok.client.proving import Prover
from mtok.records import Absent, Constituent, Determination, PublishedRecord, decode_published

ADDED: Final = frozenset(PublishedRecord.__struct_fields__) - frozenset(Determination.__struct_fields__)
"""The fields that publication adds to a determination."""

_KEPT: Final = 64
"""Records kept for those that link to them: the six series and a few dates."""

_SAME: Final = ("series", "methodology", "date", "vintage", "stage", "unit", "quality", "rules_sha256")
_SAME_WHERE_THERE: Final = ("parameters_sha256", "value", "supersedes", "reason")


@dataclass(frozen=True, kw_only=True)
class Method:
    """A methodology as it was announced. parameters : None when they cannot be calculated with."""

    entry: Entry
    parameters: Parameters | None


@dataclass(frozen=True, kw_only=True)
class Read:
    """A record of an edition: as content and decoded, with the entry and path it was found by.

    known : the content without the fields that are unknown to us
    """

    entry: Numbered
    path: str
    content: dict[str, Any]
    known: dict[str, Any]
    record: PublishedRecord


class Editions:
    """Checks the records of one publication after the other. methods, policy : as announced so far."""

    def __init__(self, files: Files, prover: Prover, findings: Findings) -> None:
        self._files = files
        self._prover = prover
        self._findings = findings
        self._lists = Lists(files, findings)
        self._histories: dict[tuple[str, str], History] = {}
        self._kept: OrderedDict[str, PublishedRecord] = OrderedDict()
        self._named: set[str] = set()
        self._editions: Counter[str] = Counter()
        self._plain: set[str] = set()
        self.methods: dict[str, Method] = {}
        self.policy = ""

    def take(self, publication: Publication) -> None:
        """Check everything of the next publication that is not in the log itself."""
        for entry in publication.of("raw"):
            self._lists.check_raw(entry)
        dates = dict.fromkeys(entry.content["date"] for entry in publication.of("point", "nodata", "prices"))
        for date in dates:
            of_date = [
                entry
                for entry in publication.of("point", "nodata", "prices")
                if entry.content["date"] == date
            ]
            self._take_edition(date, of_date)

    def _take_edition(self, date: str, entries: list[Numbered]) -> None:
        tables = [entry for entry in entries if entry.type == "prices"]
        found = [self._take_record(entry) for entry in entries if entry.has_record]
        read = [one for one in found if one is not None]
        suffix = self._suffix(date, [entry.content for entry in entries if entry.has_record])
        self._editions[date] += bool(tables)
        if found and not tables:
            self._findings.add("entry_order", entries[-1].where, f"the edition of {date} has no prices entry")
        for table in tables[:1]:
            self._check_files(read, date, suffix, table)
            self._check_prices(read, len(read) == len(found), table)

    def _suffix(self, date: str, entries: list[Entry]) -> str:
        """Return what an edition's files have after the date: `.prelim`, nothing, or how many there were before."""
        if all(entry["stage"] == "prelim" for entry in entries):
            return ".prelim"
        if date not in self._plain:
            self._plain.add(date)
            return ""
        return f".{self._editions[date]}"

    # ---- one record

    def _take_record(self, entry: Numbered) -> Read | None:
        content = entry.content
        path = f"records/{content['series']}/{content['date']}.{content['vintage']}.json"
        self._check_method(entry)
        self._prover.check(
            f"proofs/{path.removeprefix('records/').removesuffix('.json')}.tlog-proof", entry.index
        )
        self._files.imply(path, content["record_sha256"])
        history = self._histories.setdefault((content["series"], content["methodology"]), History())
        read = self._read(entry, path)
        self._findings.count("records")
        if read is None:
            history.unreadable.add(parse_date(content["date"]))
            return None
        self._check_record(read, history)
        return read

    def _check_method(self, entry: Numbered) -> None:
        method = self.methods.get(entry.content["methodology"])
        if method is None:
            self._findings.add(
                "method_missing",
                f"{entry.where}, field methodology",
                f"{entry.content['methodology']} was not announced",
            )
            return
        for name in ("rules_sha256", "parameters_sha256"):
            if entry.content[name] != method.entry[name]:
                self._findings.add(
                    "method_missing",
                    f"{entry.where}, field {name}",
                    f"{method.entry[name]} was announced, {entry.content[name]} found",
                )

    def _read(self, entry: Numbered, path: str) -> Read | None:
        """Return a record that has its digest and its form, None with a finding otherwise."""
        raw = self._files.read(path, entry.content["record_sha256"])
        if raw is None:
            return None
        try:
            content = decode(raw)
        except Malformed as error:
            self._findings.add("not_canonical", path, str(error))
            return None
        try:
            record = _decoded(raw)
        except Malformed as error:
            place, _, found = str(error).rpartition(": ")
            self._findings.add("record_malformed", f"{path}, {place}" if place else path, found)
            return None
        known = content
        if not _means(built := msgspec.to_builtins(record), content):
            known = plain(built)
            if difference := first_difference(known, _known(content, known, self._findings)):
                self._findings.add("record_malformed", f"{path}, {difference[0]}", difference[1])
                return None
        return Read(entry=entry, path=path, content=content, known=known, record=record)

    def _check_record(self, read: Read, history: History) -> None:
        record, path = read.record, read.path
        self._check_entry(read)
        digest = sha256_hex(encode({name: read.content[name] for name in read.content if name not in ADDED}))
        if record.determination_sha256 != digest:
            self._findings.add(
                "record_differs",
                f"{path}, determination_sha256",
                f"{digest} expected, {record.determination_sha256[:80]!a} found",
            )
        day = parse_date(record.date)
        if not is_instant(record.as_of) or not is_instant(record.known_at):
            self._findings.add(
                "record_malformed", f"{path}, as_of", "a published record has an instant there"
            )
            history.unreadable.add(day)
            return
        as_of = parse_instant(record.as_of or "")
        if as_of > parse_instant(record.known_at):
            self._findings.add("record_differs", f"{path}, as_of", "after the record was published")
        method = self.methods.get(record.methodology)
        parameters = method.parameters if method else None
        sound = parameters is not None
        if parameters is not None:
            self._lists.check_inputs(record, path, day, as_of, parameters)
            try:
                check_domain(record, parameters)
            except Malformed as error:
                self._findings.add("record_malformed", f"{path}, {error}", "out of the range of its field")
                sound = False
        if parameters is not None and sound:
            links = Links(record, day, as_of, history, parameters, self._again)
            check_arithmetic(record, read.known, parameters, links, path, self._findings)
        self._keep(path, record)
        history.add(
            Published(
                day=day,
                as_of=as_of,
                stage=record.stage,
                digest=digest,
                path=path,
                value=record.value,
                index=record.price_index_exact,
                sound=sound,
            )
        )

    def _check_entry(self, read: Read) -> None:
        """Compare the fields a record shares with its entry."""
        entry, content = read.entry.content, read.content
        expected = {name: entry[name] for name in _SAME}
        expected |= {name: entry.get(name) for name in _SAME_WHERE_THERE}
        expected |= {"known_at": entry["time"], "policy_sha256": self.policy}
        if read.entry.type == "nodata":
            expected["reasons"] = entry["reasons"]
        for name, value in expected.items():
            if content.get(name) != value:
                self._findings.add(
                    "record_differs",
                    f"{read.path}, {name}",
                    f"{read.entry.where} says {value!a}, the record {str(content.get(name))[:120]!a}",
                )

    def _keep(self, path: str, record: PublishedRecord) -> None:
        self._kept[path] = record
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)

    def _again(self, one: Published) -> PublishedRecord | None:
        """Return a record that was checked before, from memory or from its file."""
        if one.path not in self._kept:
            raw = self._files.again(one.path)
            if raw is None:
                return None
            self._keep(one.path, _decoded(raw))
        return self._kept[one.path]

    # ---- what the records of an edition share

    def _check_files(self, read: list[Read], date: str, suffix: str, table: Numbered) -> None:
        content = table.content
        expected = {
            "prices": {"path": f"prices/{date}{suffix}.json", "sha256": content["sha256"]},
            "observations": {"path": f"observations/{date}{suffix}.parquet"},
        }
        if content["path"] != expected["prices"]["path"]:
            self._findings.add(
                "edition_differs",
                f"{table.where}, field path",
                f"{expected['prices']['path']} expected, {content['path'][:120]!a} found",
            )
        if read:
            expected["observations"]["sha256"] = read[0].record.observations.sha256
        for one in read:
            for name, file in expected.items():
                if difference := first_difference(file, one.content[name], name):
                    self._findings.add("edition_differs", f"{one.path}, {difference[0]}", difference[1])
            for name, value in (("as_of", read[0].record.as_of), ("stage", content["stage"])):
                if one.content.get(name) != value:
                    self._findings.add(
                        "edition_differs",
                        f"{one.path}, {name}",
                        f"{value!a} expected of this edition, {str(one.content.get(name))[:80]!a} found",
                    )
        if read and is_sha256(read[0].record.observations.sha256):
            path, sha256 = f"observations/{date}{suffix}.parquet", read[0].record.observations.sha256
            self._name(path)
            self._files.imply(path, sha256)
            self._files.has(path, sha256)
            self._findings.count("observations")

    def _name(self, path: str) -> None:
        if path in self._named:
            self._findings.add("edition_differs", path, "two editions have the same name")
        self._named.add(path)

    def _check_prices(self, read: list[Read], whole: bool, table: Numbered) -> None:
        content, path = table.content, table.content["path"]
        if not path.startswith("prices/"):
            return
        self._name(path)
        self._prover.check(f"proofs/{path.removesuffix('.json')}.tlog-proof", table.index)
        self._files.imply(path, content["sha256"])
        raw = self._files.read(path, content["sha256"])
        self._findings.count("prices")
        if raw is None or not whole or not read:
            return
        try:
            found = decode(raw)
        except Malformed as error:
            self._findings.add("not_canonical", path, str(error))
            return
        expected = {
            "date": content["date"],
            "as_of": read[0].record.as_of,
            "methodology": read[0].record.methodology,
            "stage": content["stage"],
            "prices": prices_of([one.record for one in read]),
        }
        if difference := first_difference(expected, found):
            self._findings.add("prices_differ", f"{path}, {difference[0]}", difference[1])
        if int(content["constituents"]) != len(expected["prices"]):
            self._findings.add(
                "prices_differ",
                f"{table.where}, field constituents",
                f"{len(expected['prices'])} expected, {content['constituents']} found",
            )


def prices_of(records: list[PublishedRecord]) -> list[dict[str, str]]:
    """Return the rows of a table of posted prices: every constituent and every absent one of its records."""
    rows = []
    for record in records:
        last = {capture.id: capture.sha256 for capture in record.inputs.captures}
        traded: list[tuple[Constituent | Absent, str | None]]
        traded = [(row, str(row.tokens)) for row in record.constituents]
        for row, tokens in (*traded, *((row, None) for row in record.absent)):
            found = {
                "series": record.series,
                "constituent": row.constituent,
                "price_seconds": str(row.price_seconds),
                "price_usd_per_mtok": row.price_usd_per_mtok,
                "rung": row.rung,
                "age_days": str(row.age_days),
                "captures": str(len(row.captures)),
            }
            if row.captures and row.captures[-1] in last:
                found["sha256"] = last[row.captures[-1]]
            if tokens is not None:
                found["tokens"] = tokens
            rows.append(found)
    return sorted(rows, key=lambda row: (row["series"], row["constituent"]))


def _decoded(raw: bytes) -> PublishedRecord:
    """Return the record of a file. Raises Malformed."""
    try:
        record = decode_published(raw)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        found, _, place = str(error)[:300].partition(" - at `$")
        raise Malformed(f"{place.strip('`.')}: {found.replace(': ', ' ')}" if place else found) from None
    if not is_date(record.date):
        raise Malformed(f"date: {record.date[:40]!a} is none")
    return record


def _means(built: Any, content: Any) -> bool:
    """Return whether content is what was built, with every number as the text that is written for it."""
    if isinstance(built, dict):
        if not isinstance(content, dict) or built.keys() != content.keys():
            return False
        for name, value in built.items():
            if value != content[name] if type(value) is str else not _means(value, content[name]):
                return False
        return True
    if isinstance(built, list | tuple):
        if not isinstance(content, list) or len(built) != len(content):
            return False
        return list(built) == content or all(map(_means, built, content))
    return bool((str(built) if type(built) is int else built) == content)


def _known(content: Any, meant: Any, findings: Findings, place: str = "record") -> Any:
    if isinstance(content, Mapping) and isinstance(meant, Mapping):
        for name in content.keys() - meant.keys() - _FIELDS:
            findings.pass_over(f"field {name[:40]!a} of {place}")
        return {
            name: _known(value, meant.get(name), findings, name)
            for name, value in content.items()
            if name in meant or name in _FIELDS
        }
    if isinstance(content, list) and isinstance(meant, list) and len(content) == len(meant):
        return [_known(one, other, findings, place) for one, other in zip(content, meant, strict=True)]
    return content


def _all_fields() -> frozenset[str]:
    """Return the name of every field of a record and its parts."""
    waiting: list[Any] = [PublishedRecord]
    found: set[str] = set()
    seen: set[Any] = set()
    while waiting:
        kind = waiting.pop()
        if kind in seen:
            continue
        seen.add(kind)
        for part in getattr(kind, "__args__", ()):
            waiting.append(part)
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            for info in msgspec.structs.fields(kind):
                found.add(info.name)
                waiting.append(info.type)
    return frozenset(found)


_FIELDS: Final = _all_fields()
