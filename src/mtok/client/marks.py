"""Settlement marks, one by one: the published value each rests on, the two persons behind it, and what it follows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from mtok.calendar import parse_date
from mtok.client.content import Malformed, decode, is_date, quoted
from mtok.client.entries import Entry, Numbered, Publication
from mtok.client.files import Files
from mtok.client.findings import Findings
from mtok.client.log import Log
from mtok.client.proving import Prover

CARRY_DAYS_MAX: Final = 3
"""How many days old the value that a carried mark (F3) rests on may be."""

FOLLOWING: Final[Mapping[str | None, frozenset[str]]] = {
    None: frozenset({"published"}),
    "published": frozenset({"upheld", "corrected", "locked"}),
    "upheld": frozenset({"locked"}),
    "corrected": frozenset({"locked"}),
    "locked": frozenset(),
}
"""State of the mark before (None: there is none yet) → the states that may follow."""

_TABLES_KEPT: Final = 8
"""The marks of a publication are in order of their dates."""
_MODEL: Final = "model:"
_PERSONS: Final = ("preparer_pseudonym", "approver_pseudonym")
_CHANGING: Final = frozenset({"time", "state"})


class Marks:
    """Checks the marks of one publication after the other."""

    def __init__(self, log: Log, files: Files, prover: Prover, findings: Findings) -> None:
        self._log = log
        self._files = files
        self._prover = prover
        self._findings = findings
        self._table = lru_cache(_TABLES_KEPT)(self._read_table)
        self._last: dict[tuple[str, str, str], Entry] = {}

    def take(self, publication: Publication) -> None:
        """Check the marks of the next publication against everything published before it."""
        for entry in publication.of("mark"):
            content = entry.content
            self._prover.check(_proof(content), entry.index)
            self._findings.count("marks")
            for code, name, found in self._wrong(entry, publication.first):
                self._findings.add(code, f"{entry.where}, field {name}", found)
            self._last[_key(content)] = content

    def _wrong(self, entry: Numbered, first: int) -> Iterator[tuple[str, str, str]]:
        """Yield code, field and text of what does not hold. first : index of the first entry of the publication"""
        content = entry.content
        try:
            source = self._source(content, first)
        except Malformed as error:
            yield "mark_source", "source_point_index", str(error)
        else:
            yield from _wrong_source(content, source)
        if content["preparer_pseudonym"] == content["approver_pseudonym"]:
            yield "mark_one_person", "approver_pseudonym", "that of the preparer too"
        for name, found in _wrong_order(content, self._last.get(_key(content))):
            yield "mark_order", name, found

    def _source(self, content: Entry, first: int) -> Entry:
        """Return the entry a mark rests on, with the `value` of a model's price. Raises Malformed where it is none."""
        index, reference = int(content["source_point_index"]), content["reference"]
        if index >= first:
            raise Malformed(f"entry {index} is not of an earlier publication")
        source = decode(self._log.entries[index])
        kind = source.get("type") if isinstance(source, dict) else None
        where = f"entry {index}, of type {quoted(kind)},"
        if kind not in ("point", "nodata", "prices") or not is_date(source.get("date")):
            raise Malformed(f"{where} is no published value")
        if reference.startswith(_MODEL) and kind == "prices":
            source |= self._price(source, reference.removeprefix(_MODEL))
        elif kind == "prices" or "record_sha256" not in source or source.get("series") != reference:
            raise Malformed(f"{where} is no value of {reference}")
        if source.get("methodology") != content["methodology"]:
            raise Malformed(f"{where} is of methodology {quoted(source.get('methodology'))}")
        found: Entry = source
        return found

    def _price(self, source: Entry, model: str) -> dict[str, Any]:
        """Return methodology and `value` of a model in the table that a `prices` entry names. Raises Malformed."""
        path = quoted(source.get("path"))
        table = self._table(source.get("path"))
        try:
            rows = [row for row in table["prices"] if row["constituent"] == model]
            return {"methodology": table["methodology"], "value": rows[0]["price_usd_per_mtok"]}
        except IndexError:
            raise Malformed(f"{path} does not list {model}") from None
        except (TypeError, KeyError):
            raise Malformed(f"{path} is no table of prices") from None

    def _read_table(self, path: Any) -> Any:
        raw = self._files.again(path) if isinstance(path, str) else None
        if raw is None:
            raise Malformed(f"the table {quoted(path)} cannot be read")
        return decode(raw)


def _wrong_source(content: Entry, source: Entry) -> Iterator[tuple[str, str, str]]:
    """Yield code, field and text of what a mark says otherwise than the value it rests on."""
    if source.get("stage") != "final":
        yield "mark_not_final", "source_point_index", f"a value of stage {quoted(source.get('stage'))}"
    if source.get("value") != content["value"]:
        expected = quoted(source.get("value", "no value"))
        yield "mark_value_differs", "value", f"{expected} expected, {content['value']!a} found"
    age = parse_date(content["date"]) - parse_date(source["date"])
    level = content["fallback_level"]
    if not {"F0": age == 0, "F1": age == 0, "F3": 0 < age <= CARRY_DAYS_MAX, "F5": age >= 0}[level]:
        yield "mark_level", "fallback_level", f"{level} with a value of {source['date']}, {age} days before"


def _wrong_order(content: Entry, last: Entry | None) -> Iterator[tuple[str, str]]:
    """Yield field and text of what may not follow the mark before. last : None where there is none yet"""
    state, before = content["state"], last["state"] if last else None
    if state not in FOLLOWING[before]:
        yield "state", f"{state!r} cannot follow {before or 'nothing'!r}"
    elif last is not None and state == "corrected":
        if int(content["mark_version"]) <= int(last["mark_version"]):
            yield "mark_version", f"above {last['mark_version']} expected, {content['mark_version']} found"
        if content["source_point_index"] == last["source_point_index"]:
            yield "source_point_index", f"the entry of version {last['mark_version']}"
        persons = {last[name] for name in _PERSONS}
        for name in _PERSONS:
            if content[name] in persons:
                yield name, f"a person behind version {last['mark_version']}"
    elif last is not None:
        changing = _CHANGING | ({"reasons_sha256"} if state == "upheld" else set())
        for name in sorted((content.keys() | last.keys()) - changing):
            if content.get(name) != last.get(name):
                yield name, f"{quoted(last.get(name))} expected, {quoted(content.get(name))} found"


def _key(content: Entry) -> tuple[str, str, str]:
    return content["reference"], content["methodology"], content["date"]


def _proof(content: Entry) -> str:
    folder = content["reference"].replace(_MODEL, "model/")
    return f"proofs/marks/{folder}/{content['date']}.{content['mark_version']}.{content['state']}.tlog-proof"
