"""The entries of the transparency log: canonical JSON, one builder a type (docs/formats.md, "Entries").

No personal data and nothing of the OTC market stands in them, not even hashed: an entry can never be deleted.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from mtok.calendar import format_date
from mtok.canonical import canonical_bytes, sha256_hex
from mtok.methodology import Methodology
from mtok.records import PublishedRecord

ENTRY_VERSION: Final = "1"
NOTICE_KINDS: Final = ("disruption", "incident", "correction", "key_rotation", "cessation")
NOTICE_TEXT_MAX: Final = 4000
"""Characters of a notice's text: an entry has to fit into 65,535 bytes."""
MARK_UNIT: Final = "USD_PER_MTOK_OUTPUT"

Entry = dict[str, Any]
"""An entry as it is read: every value is text, a list of texts, or absent."""


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """A notice as it is read. first_date, last_date : the dates it concerns"""

    kind: str
    text: str
    time: str
    series: str | None = None
    first_date: str | None = None
    last_date: str | None = None


class Entries:
    """The entries of one publication, in order; `known_at` is the time of all of them."""

    def __init__(self, known_at: str) -> None:
        self.known_at = known_at
        self.listed: list[bytes] = []

    def method(
        self, methodology: Methodology, effective_from: int, rulebook: str, policy: str, reason: str
    ) -> None:
        """Announce a version: the digests of its rules, parameters and rulebook, and of the policy."""
        self._add(
            "method",
            methodology=methodology.methodology,
            rules_sha256=methodology.rules_sha256,
            parameters_sha256=methodology.parameters_sha256,
            rulebook_sha256=rulebook,
            policy_sha256=policy,
            effective_from=format_date(effective_from),
            announced_at=self.known_at,
            reason=reason,
        )

    def raw(self, date: str, captures: int, sha256: str) -> None:
        """Name the list of a day's captures."""
        self._add("raw", date=date, captures=captures, sha256=sha256)

    def record(self, record: PublishedRecord) -> None:
        """Print a record: a `point`, or `nodata` for one without a value."""
        withheld = record.value is None
        self._add(
            "nodata" if withheld else "point",
            series=record.series,
            methodology=record.methodology,
            date=record.date,
            vintage=record.vintage,
            stage=record.stage,
            value=record.value,
            unit=record.unit,
            quality=record.quality,
            reasons=record.reasons if withheld else None,
            record_sha256=record.sha256,
            rules_sha256=record.rules_sha256,
            parameters_sha256=record.parameters_sha256,
            supersedes=record.supersedes,
            reason=record.reason,
        )

    def undetermined(self, series: str, methodology: str, date: str, stage: str, failure: str) -> None:
        """State that a day could not be determined."""
        self._add("nodata", series=series, methodology=methodology, date=date, stage=stage, failure=failure)

    def prices(self, date: str, stage: str, constituents: int, path: str, sha256: str) -> None:
        """Name a day's table of posted prices."""
        self._add("prices", date=date, stage=stage, constituents=constituents, path=path, sha256=sha256)

    def mark(self, **fields: str | int | None) -> None:
        """Print a mark; `fields` are those of its entry but the unit."""
        self._add("mark", unit=MARK_UNIT, **fields)

    def notice(self, kind: str, text: str, **concerning: str | None) -> None:
        """State something about the publication itself; `concerning` are the further fields of a notice."""
        self._add("notice", kind=kind, text=text, **concerning)

    def asof(self, table: bytes) -> None:
        """Name the as-of table, as it is with the entries before this one."""
        self._add("asof", known_at=self.known_at, vintages=table.count(b"\n"), sha256=sha256_hex(table))

    def _add(self, entry_type: str, **fields: Any) -> None:
        self.listed.append(
            canonical_bytes({"v": ENTRY_VERSION, "type": entry_type, "time": self.known_at, **fields})
        )


_DECODER: Final = msgspec.json.Decoder(Entry)


def read_entries(raw: Iterable[bytes]) -> list[Entry]:
    """Return entries decoded, in order."""
    return [_DECODER.decode(entry) for entry in raw]


def notices_of(entries: Iterable[Entry]) -> list[Notice]:
    """Return the notices among entries, in order."""
    return [msgspec.convert(entry, Notice) for entry in entries if entry["type"] == "notice"]
