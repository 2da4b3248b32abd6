"""What the entries of a log say: their forms and order, vintages and stages, the as-of table of each publication."""

from __future__ import annotations

import hashlib
from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from mtok.calendar import parse_instant
from mtok.client.content import (
    Malformed,
    decode,
    is_code,
    is_codes,
    is_count,
    is_date,
    is_instant,
    is_name,
    is_pseudonym,
    is_reference,
    is_series,
    is_sha256,
    is_text,
    is_value,
    quoted,
)
from mtok.client.findings import Findings
from mtok.client.links import INFORMATIONAL
from mtok.client.log import Log

Entry = dict[str, Any]
Check = Callable[[Any], bool]

STAGES: Final[Mapping[str | None, frozenset[str]]] = {
    None: frozenset({"prelim", "final", "backfill"}),
    "prelim": frozenset({"final", "backfill", INFORMATIONAL}),
    "final": frozenset({"final", "backfill", INFORMATIONAL}),
    "backfill": frozenset({"backfill", INFORMATIONAL}),
    INFORMATIONAL: frozenset({INFORMATIONAL}),
}
"""Stage of a vintage (None: there is none yet) → the stages that may follow."""

NOTICES: Final = frozenset({"disruption", "incident", "correction", "key_rotation", "cessation"})
MARK_STATES: Final = ("published", "upheld", "corrected", "locked")
"""In the order in which marks of one version stand in a publication."""
MARK_LEVELS: Final = frozenset({"F0", "F1", "F3", "F5"})
MARK_UNIT: Final = "USD_PER_MTOK_OUTPUT"
WITHHELD: Final = "withheld"
PRINTED: Final = frozenset({"good", "degraded", "estimated"})


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 300


def _is_stage(value: Any) -> bool:
    return isinstance(value, str) and value in STAGES


def _is_mark_state(value: Any) -> bool:
    return value in MARK_STATES


def _is_level(value: Any) -> bool:
    return isinstance(value, str) and value in MARK_LEVELS


_COMMON: Final[Mapping[str, Check]] = {
    "v": lambda value: bool(value == "1"),
    "type": is_code,
    "time": is_instant,
}
_OF_RECORD: Final[Mapping[str, Check]] = {
    "series": is_series,
    "methodology": is_name,
    "date": is_date,
    "vintage": is_count,
    "stage": _is_stage,
    "unit": is_text,
    "record_sha256": is_sha256,
    "rules_sha256": is_sha256,
    "parameters_sha256": is_sha256,
}
_OF_VINTAGE: Final[Mapping[str, Check]] = {"supersedes": is_count, "reason": is_code}

FORMS: Final[Mapping[str, tuple[Mapping[str, Check], Mapping[str, Check]]]] = {
    "method": (
        {
            "methodology": is_name,
            "rulebook_sha256": is_sha256,
            "rules_sha256": is_sha256,
            "parameters_sha256": is_sha256,
            "policy_sha256": is_sha256,
            "effective_from": is_date,
            "announced_at": is_instant,
            "reason": is_text,
        },
        {},
    ),
    "raw": ({"date": is_date, "captures": is_count, "sha256": is_sha256}, {}),
    "point": ({**_OF_RECORD, "value": is_value, "quality": lambda value: value in PRINTED}, _OF_VINTAGE),
    "nodata": (
        {**_OF_RECORD, "quality": lambda value: bool(value == WITHHELD), "reasons": is_codes},
        _OF_VINTAGE,
    ),
    "nodata without a record": (
        {
            "series": is_series,
            "methodology": is_name,
            "date": is_date,
            "stage": _is_stage,
            "failure": is_text,
        },
        {},
    ),
    "prices": (
        {
            "date": is_date,
            "stage": _is_stage,
            "constituents": is_count,
            "path": _is_path,
            "sha256": is_sha256,
        },
        {},
    ),
    "mark": (
        {
            "reference": is_reference,
            "methodology": is_name,
            "date": is_date,
            "mark_version": is_count,
            "state": _is_mark_state,
            "value": is_value,
            "unit": lambda value: bool(value == MARK_UNIT),
            "source_point_index": is_count,
            "fallback_level": _is_level,
            "preparer_pseudonym": is_pseudonym,
            "approver_pseudonym": is_pseudonym,
        },
        {"reasons_sha256": is_sha256},
    ),
    "asof": ({"known_at": is_instant, "vintages": is_count, "sha256": is_sha256}, {}),
    "notice": (
        {"kind": lambda value: value in NOTICES, "text": is_text},
        {
            "series": is_series,
            "first_date": is_date,
            "last_date": is_date,
            "old_key": is_text,
            "new_key": is_text,
            "old_signature": is_text,
            "new_signature": is_text,
        },
    ),
}
"""Type → the fields it must have and those it may have, beyond `v`, `type` and `time`."""

_DATED: Final = {"raw": 0, "point": 1, "nodata": 1, "prices": 2}


@dataclass(frozen=True, kw_only=True)
class Numbered:
    """An entry that is in its form, and its number in the log."""

    index: int
    content: Entry

    @property
    def where(self) -> str:
        """How messages name it."""
        return f"log entry {self.index}"

    @property
    def type(self) -> str:
        """Its type."""
        return str(self.content["type"])

    @property
    def has_record(self) -> bool:
        """Whether a published record belongs to it."""
        return self.type in {"point", "nodata"} and "record_sha256" in self.content


@dataclass(frozen=True, kw_only=True)
class Publication:
    """The entries of one publication that are known and in their form. time : its `known_at`."""

    number: int
    first: int
    size: int
    time: str
    entries: tuple[Numbered, ...]

    def of(self, *types: str) -> list[Numbered]:
        """Return the entries of some types."""
        return [entry for entry in self.entries if entry.type in types]


def publications(log: Log, findings: Findings) -> Iterator[Publication]:
    """Yield the publications of a log in order, each entry checked for its form. What is unknown is passed over."""
    first = 0
    for number, size in enumerate(log.ends):
        found = [_entry(index, log.entries[index], findings) for index in range(first, size)]
        times = [
            content["time"] for content in found if content is not None and is_instant(content.get("time"))
        ]
        for index, content in enumerate(found, first):
            if content is not None and is_instant(content.get("time")) and content["time"] != times[-1]:
                findings.add(
                    "time_order",
                    f"log entry {index}, field time",
                    f"{times[-1]!r} expected, {content['time']!r} found",
                )
        known = (
            Numbered(index=index, content=content)
            for index, content in enumerate(found, first)
            if content is not None and _is_known(index, content, findings)
        )
        findings.count("publications")
        yield Publication(
            number=number, first=first, size=size, time=times[-1] if times else "", entries=tuple(known)
        )
        first = size
    if first < len(log.entries):
        findings.add(
            "entry_order", f"log entry {len(log.entries) - 1}", "the last publication has no asof entry"
        )


def _entry(index: int, raw: bytes, findings: Findings) -> Entry | None:
    try:
        content = decode(raw)
    except Malformed as error:
        findings.add("not_canonical", f"log entry {index}", str(error))
        return None
    if not isinstance(content, dict):
        findings.add("entry_malformed", f"log entry {index}", f"no object: {quoted(content)}")
        return None
    if not is_instant(content.get("time")):
        findings.add("entry_malformed", f"log entry {index}, field time", quoted(content.get("time")))
    return content


def _is_known(index: int, content: Entry, findings: Findings) -> bool:
    """Return whether an entry is of a known type and in its form, with a finding when only the second fails."""
    kind, version = content.get("type"), content.get("v")
    if not isinstance(kind, str) or not isinstance(version, str):
        findings.add("entry_malformed", f"log entry {index}, field type", "an entry has `v` and `type`")
        return False
    if kind not in FORMS or version != "1":
        findings.pass_over(f"entries of type {kind[:40]!a}, v {version[:10]!a}")
        return False
    form = kind
    if kind == "nodata" and "record_sha256" not in content:
        form = "nodata without a record"
    required, optional = FORMS[form]
    sound = True
    for name, check in {**_COMMON, **required, **optional}.items():
        if name in content and not check(content[name]):
            findings.add("entry_malformed", f"log entry {index}, field {name}", quoted(content[name]))
            sound = False
        elif name not in content and name not in optional:
            findings.add("entry_malformed", f"log entry {index}, field {name}", f"a {kind} entry has it")
            sound = False
    for name in content.keys() - {*_COMMON, *required, *optional}:
        findings.pass_over(f"field {name[:40]!a} of {kind} entries")
    return sound


@dataclass(kw_only=True)
class Ledger:
    """What the entries up to now add up to: vintages, the as-of table, what may not come twice.

    order : returns the place of a series in R-1 of a methodology, None for one that is not there
    """

    order: Callable[[str, str], int | None]
    findings: Findings
    _time: int = -1
    _vintages: dict[tuple[str, str, str], tuple[int, str]] = field(default_factory=dict)
    _lines: list[str] = field(default_factory=list)
    _in_force: dict[tuple[str, str, str], str] = field(default_factory=dict)
    _raw: set[str] = field(default_factory=set)

    def take(self, publication: Publication) -> None:
        """Check the entries of the next publication against those before."""
        if not publication.entries:
            return
        self._check_time(publication)
        if publication.number == 0 and publication.entries[0].content["type"] != "method":
            self.findings.add("entry_order", "log entry 0", "the first entry of a log is of type method")
        self._check_order(publication)
        for entry in publication.entries:
            content = entry.content
            if entry.type == "raw":
                if content["date"] in self._raw:
                    self.findings.add("entry_order", entry.where, f"a second raw entry of {content['date']}")
                self._raw.add(content["date"])
            elif entry.has_record:
                self._take_vintage(entry)
            elif entry.type == "asof":
                self._check_asof(entry)

    def _check_time(self, publication: Publication) -> None:
        time = parse_instant(publication.time)
        if time <= self._time:
            self.findings.add(
                "time_order",
                f"log entry {publication.first}, field time",
                f"{publication.time} is not after the time of the publication before",
            )
        self._time = max(time, self._time)

    def _check_order(self, publication: Publication) -> None:
        before: tuple[Any, ...] = ()
        for entry in publication.entries:
            place = self._place(entry)
            if place < before or (place == before and entry.type != "notice"):
                self.findings.add(
                    "entry_order",
                    entry.where,
                    f"a {entry.type} entry that belongs before the one before it, or is a second",
                )
            before = place

    def _place(self, entry: Numbered) -> tuple[Any, ...]:
        content = entry.content
        if entry.type in _DATED:
            series = content.get("series", "")
            place = self.order(content.get("methodology", ""), series) if series else 0
            if place is None:
                self.findings.add(
                    "entry_malformed", f"{entry.where}, field series", f"{series!a} is not in R-1"
                )
            return 1, content["date"], _DATED[entry.type], place or 0, content.get("methodology", "")
        if entry.type == "mark":
            state = MARK_STATES.index(content["state"])
            return 2, content["date"], content["reference"], int(content["mark_version"]), state
        return {
            "method": (0, content.get("methodology", "")),
            "notice": (3,),
            "asof": (4,),
        }[entry.type]

    def _take_vintage(self, entry: Numbered) -> None:
        content, where = entry.content, entry.where
        key = (content["series"], content["methodology"], content["date"])
        before, stage_before = self._vintages.get(key, (-1, None))
        vintage, stage = int(content["vintage"]), content["stage"]
        if vintage != before + 1:
            self.findings.add(
                "vintage_order", f"{where}, field vintage", f"{before + 1} expected, {vintage} found"
            )
        supersedes = str(vintage - 1) if vintage else None
        if content.get("supersedes") != supersedes:
            self.findings.add(
                "vintage_order",
                f"{where}, field supersedes",
                f"{supersedes!r} expected, {content.get('supersedes')!r} found",
            )
        if stage not in STAGES[stage_before]:
            self.findings.add(
                "stage_order",
                f"{where}, field stage",
                f"{stage!r} cannot follow {stage_before or 'nothing'!r}",
            )
        self._vintages[key] = (vintage, stage)
        if stage != INFORMATIONAL:
            self._print(key, content)

    def _print(self, key: tuple[str, str, str], content: Entry) -> None:
        if old := self._in_force.get(key):
            del self._lines[bisect_left(self._lines, old)]
        fields = (*key, *(content[name] for name in ("vintage", "stage", "quality")))
        line = " ".join((*fields, content.get("value", "-"), content["record_sha256"])) + "\n"
        self._in_force[key] = line
        insort(self._lines, line)

    def _check_asof(self, entry: Numbered) -> None:
        content = entry.content
        if content["known_at"] != content["time"]:
            self.findings.add(
                "time_order",
                f"{entry.where}, field known_at",
                f"{content['time']} expected, {content['known_at']} found",
            )
        if int(content["vintages"]) != len(self._lines):
            self.findings.add(
                "asof_differs",
                f"{entry.where}, field vintages",
                f"{len(self._lines)} expected, {content['vintages']} found",
            )
        digest = hashlib.sha256("".join(self._lines).encode()).hexdigest()
        if content["sha256"] != digest:
            self.findings.add(
                "asof_differs",
                f"{entry.where}, field sha256",
                f"{digest} expected, {content['sha256']} found",
            )
