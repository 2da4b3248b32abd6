"""One published value verified from a public key alone, without the rest of the publication.

Who signed the log, that its entries are those that were signed, that the value's proof leads to it, that the record has
the digest in its entry, and every number of the record: its own arithmetic, and what it owes to the thirty days before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from mtok.calendar import parse_date, parse_instant
from mtok.canonical import sha256_hex
from mtok.client.arithmetic import Parameters, check_domain
from mtok.client.calculating import check_arithmetic
from mtok.client.content import Malformed, decode, encode, quoted
from mtok.client.editions import ADDED
from mtok.client.entries import Numbered, publications
from mtok.client.files import Files
from mtok.client.findings import Findings, Report
from mtok.client.links import History, Links, Published
from mtok.client.log import Log, read_log
from mtok.client.proving import Prover
from mtok.client.refusals import NotPublished
from mtok.client.source import Source
from mtok.notes import PublicKey
from mtok.progress import silent
from mtok.records import PublishedRecord, decode_published

_SAME = ("series", "methodology", "date", "vintage", "stage", "unit", "quality", "value")


def verify_value(source: Source, keys: Sequence[PublicKey], series: str, date: str, vintage: int) -> Report:
    """Return what is found of one vintage of one value; the levels are those of a whole verification.

    keys : whose signatures are believed. Raises NotPublished where the log has no such entry, MtokError as `verify`.
    """
    findings = Findings()
    log = read_log(source, keys, findings, silent)
    if log is not None:
        _Value(log, Files(source, findings), findings, (series, date, str(vintage))).check()
    return Report(
        findings=tuple(findings.listed),
        more=findings.more,
        counts=dict(sorted(findings.counts.items())),
        passed_over=dict(sorted(findings.passed_over.items())),
        checkpoint=log.checkpoint if log else None,
        key=log.key if log else None,
        listed=False,
    )


@dataclass
class _Value:
    """A value that is being verified. key : series, date, vintage"""

    log: Log
    files: Files
    findings: Findings
    key: tuple[str, str, str]

    def check(self) -> None:
        entries = [entry for one in publications(self.log, self.findings) for entry in one.entries]
        target = next((entry for entry in entries if entry.has_record and _key(entry) == self.key), None)
        if target is None:
            raise NotPublished(
                "not_published",
                f"the log has no entry of {self.key[0]} {self.key[1]}, vintage {self.key[2]}",
                "Name a date and a vintage that are published.",
            )
        path = _path(target)
        self._prove(target, path)
        record = self._read(target)
        parameters = self._parameters(entries, target)
        if record is None or parameters is None:
            return
        content = decode(record.canonical)
        for name in _SAME:
            if content.get(name) != target.content.get(name):
                expected, found = quoted(target.content.get(name)), quoted(content.get(name))
                self.findings.add(
                    "record_differs", f"{path}, {name}", f"{target.where} says {expected}, the record {found}"
                )
        if record.determination_sha256 != _determination(record):
            self.findings.add(
                "record_differs", f"{path}, determination_sha256", f"{_determination(record)} expected"
            )
        try:
            check_domain(record, parameters)
        except Malformed as error:
            self.findings.add("record_malformed", f"{path}, {error}", "out of the range of its field")
            return
        day, as_of = parse_date(record.date), parse_instant(record.as_of or "")
        history = self._history(entries, target, parameters)
        links = Links(record, day, as_of, history, parameters, self._again)
        check_arithmetic(record, content, parameters, links, path, self.findings)

    def _prove(self, target: Numbered, path: str) -> None:
        proof = f"proofs/{path.removeprefix('records/').removesuffix('.json')}.tlog-proof"
        Prover(self.log, self.files, self.findings).check(proof, target.index)

    def _read(self, entry: Numbered) -> PublishedRecord | None:
        """Return the record an entry names, None with a finding when it is not that one."""
        path = _path(entry)
        raw = self.files.read(path, entry.content["record_sha256"])
        if raw is None:
            return None
        try:
            decode(raw)
            record = decode_published(raw)
            parse_instant(record.as_of or "")
        except (Malformed, msgspec.MsgspecError, ValueError) as error:
            self.findings.add("record_malformed", path, quoted(str(error)))
            return None
        record.__dict__["canonical"] = raw
        self.findings.count("records")
        return record

    def _parameters(self, entries: Sequence[Numbered], target: Numbered) -> Parameters | None:
        """Return the parameters in force when the value was published, None with a finding where they are not there."""
        methodology = target.content["methodology"]
        announced = {
            entry.content["parameters_sha256"]
            for entry in entries[: entries.index(target)]
            if entry.type == "method" and entry.content["methodology"] == methodology
        }
        if target.content["parameters_sha256"] not in announced:
            self.findings.add(
                "method_missing",
                f"{target.where}, field methodology",
                f"{methodology} was not announced with them",
            )
            return None
        path = f"methodology/{methodology}/parameters.toml"
        raw = self.files.read(path, target.content["parameters_sha256"])
        try:
            return None if raw is None else Parameters(raw)
        except Malformed as error:
            self.findings.add("parameters_refused", path, str(error))
            return None

    def _history(self, entries: Sequence[Numbered], target: Numbered, parameters: Parameters) -> History:
        """Return the records before the value as far back as it rests on them: its window, and a printed one."""
        history = History()
        own = (target.content["series"], target.content["methodology"])
        day = parse_date(target.content["date"])
        first = day - parameters.numbers["averages.previous_days"]
        before = [
            entry
            for entry in entries[: entries.index(target)]
            if entry.has_record and (entry.content["series"], entry.content["methodology"]) == own
        ]
        days = sorted({parse_date(entry.content["date"]) for entry in before}, reverse=True)
        for one in (one for one in days if one < day):
            if one < first and any(found.value for found in _all(history)):
                break
            for entry in before:
                if parse_date(entry.content["date"]) == one:
                    self._take(entry, one, history)
        return history

    def _take(self, entry: Numbered, day: int, history: History) -> None:
        record = self._read(entry)
        if record is None:
            history.unreadable.add(day)
            return
        history.add(
            Published(
                day=day,
                as_of=parse_instant(record.as_of or ""),
                stage=record.stage,
                digest=_determination(record),
                path=_path(entry),
                value=record.value,
                index=record.price_index_exact,
                sound=True,
            )
        )

    def _again(self, one: Published) -> PublishedRecord | None:
        raw = self.files.again(one.path)
        return None if raw is None else decode_published(raw)


def _all(history: History) -> list[Published]:
    return [one for ones in history.by_day.values() for one in ones]


def _key(entry: Numbered) -> tuple[str, str, str]:
    return entry.content["series"], entry.content["date"], entry.content["vintage"]


def _path(entry: Numbered) -> str:
    series, date, vintage = _key(entry)
    return f"records/{series}/{date}.{vintage}.json"


def _determination(record: PublishedRecord) -> str:
    """Return the digest by which later records name this one."""
    content = decode(record.canonical)
    return sha256_hex(encode({name: content[name] for name in content if name not in ADDED}))
