"""What is new, as Atom 1.0 (RFC 4287) and JSON Feed 1.1: publications, revisions, notices.

Ids are tag URIs (RFC 4151) made from the log's origin and from what an item is about, so an item keeps its id for
ever; times are those of the publications. Every text passes `_shown`: what no XML may hold becomes U+FFFD.
"""

from __future__ import annotations

import html
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Final, Protocol
from xml.etree import ElementTree

from mtok.calendar import parse_instant
from mtok.methodology import load
from mtok.publication.citations import latest_of, source_line, value_text
from mtok.quantities import rounded
from mtok.records import Diagnostics, PublishedRecord

FEED_ITEMS_MAX: Final = 100
"""A feed holds the newest; all of them stand in `vintages.csv` and in the log."""

_LOG: Final = "/log"
_HOST: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_NO_HOST: Final = "mtok.invalid"
_NOT_IN_A_TAG: Final = re.compile(r"[^A-Za-z0-9._~!$&'()*,;=:@/-]")
_NOT_SHOWN: Final = re.compile("[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_REASONS: Final = {
    "no_volumes": "no capture holds token volumes of that day",
    "no_priced_volume": "none of the models with tokens has a price",
    "coverage_below_minimum": "{price_coverage} of the tokens that need a price have one",
    "coverage": "{price_coverage} of the tokens that need a price have one",
    "truncation": "one unseen model could weigh {truncation_exposure} of what is seen",
    "imputed_or_fallback": "{imputed_token_share} of the weight at prices of another day, {fallback_share} at those of "
    "another collector",
    "conflict": "{conflict_share} of the weight has prices that collectors dispute",
    "few_constituents": "a single model is a price, not an index",
    "short_capture": "the ranking names few models; what it cuts off is unknown",
    "other_source": "the volumes are not those of OpenRouter's ranking",
}
_NOTICES: Final = {
    "disruption": "Disruption",
    "incident": "Incident",
    "correction": "Correction",
    "key_rotation": "The log has a new key",
    "cessation": "Cessation",
}
_STAGES: Final = {
    "prelim": "preliminary",
    "final": "final",
    "informational": "informational: it settles nothing",
    "backfill": "backfill: it settles nothing",
}


class Notice(Protocol):
    """A `notice` entry of the log."""

    @property
    def kind(self) -> str:
        """A kind of docs/formats.md."""

    @property
    def text(self) -> str:
        """What it says; any text at all."""

    @property
    def time(self) -> str:
        """Instant of the publication."""

    @property
    def series(self) -> str | None:
        """The series it concerns."""

    @property
    def first_date(self) -> str | None:
        """The first date it concerns."""

    @property
    def last_date(self) -> str | None:
        """The last date it concerns."""


@dataclass(frozen=True, kw_only=True)
class _Item:
    """about : what its id is made of · lines : paragraphs · time : instant · path : of a file, under `publication/`"""

    about: str
    title: str
    lines: tuple[str, ...]
    time: str
    path: str | None = None


@dataclass(frozen=True, kw_only=True)
class _Row:
    """A series in the item of a publication: what is kept of its record."""

    place: int
    series: str
    line: str
    rankings_as_of: str | None
    path: str


def feeds(
    records: Iterable[PublishedRecord],
    notices: Sequence[Notice],
    *,
    origin: str,
    first_known_at: str,
    reasons: Mapping[str, str],
) -> dict[str, bytes]:
    """Return the three feeds in both formats, newest first, at most `FEED_ITEMS_MAX` items each.

    records : all vintages, those of one (series, methodology, date) in order; each is looked at once
    notices : in the order of the log · first_known_at : instant of the log's first publication: its year is the date of
    all ids, and an empty feed says it was updated then · reasons : of the policy, code → words
    """
    publications: defaultdict[tuple[str, str, str], list[PublishedRecord]] = defaultdict(list)
    revisions: list[_Item] = []
    before: dict[tuple[str, str, str], str | None] = {}
    for record in records:
        publications[record.known_at, record.date, record.stage].append(record)
        key = (record.series, record.methodology, record.date)
        if record.reason is not None or (key in before and before[key] != record.value):
            revisions.append(_revision(record, key in before, before.get(key), reasons))
        before[key] = record.value
    last = sorted(publications, key=lambda key: (parse_instant(key[0]), _about(key)))[-FEED_ITEMS_MAX:]
    contents = {
        "publications": (
            "values as they are published",
            [_publication(key, list(map(_row, publications[key]))) for key in last],
        ),
        "revisions": ("values that were changed, or came late", revisions),
        "notices": ("what users have to know", _notices(notices)),
    }
    found: dict[str, bytes] = {}
    for name, (what, items) in contents.items():
        newest = sorted(items, key=lambda item: (parse_instant(item.time), item.about), reverse=True)
        feed = _Feed(name, what, newest[:FEED_ITEMS_MAX], origin, first_known_at)
        found |= {f"feeds/{name}.atom": feed.atom(), f"feeds/{name}.json": feed.json()}
    return found


def address(origin: str) -> str | None:
    """Return where the publication of a log is on the web: its origin without `/log`; None where that is no address.

    >>> address("index.example.org/prices/log"), address("my laptop")
    ('https://index.example.org/prices', None)
    """
    place = origin.removesuffix(_LOG)
    host = place.partition("/")[0].partition(":")[0]
    known = place != origin and "." in host and _HOST.fullmatch(host) and not _NOT_IN_A_TAG.search(place)
    return f"https://{place}" if known else None


def tag(origin: str, year: str, about: str) -> str:
    """Return the tag URI (RFC 4151) of something in the log of an origin.

    >>> tag("index.example.org/log", "2026", "feeds/notices")
    'tag:index.example.org,2026:log/feeds/notices'
    """
    host, _, path = origin.partition("/")
    if not _HOST.fullmatch(host):
        host, path = _NO_HOST, origin
    specific = _NOT_IN_A_TAG.sub(_percent_encoded, f"{path}/{about}")
    return f"tag:{host},{year}:{specific}"


def _percent_encoded(character: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in character[0].encode())


# ---- items


def _about(key: tuple[str, str, str]) -> str:
    known_at, date, stage = key
    return f"publications/{date}/{stage}/{known_at}"


def _publication(key: tuple[str, str, str], rows: list[_Row]) -> _Item:
    known_at, date, stage = key
    rows.sort(key=lambda row: (row.place, row.series))
    as_of = latest_of(row.rankings_as_of for row in rows if row.rankings_as_of)
    lines = [f"Stage {_STAGES.get(stage, stage)}.", *(row.line for row in rows)]
    return _Item(
        about=_about(key),
        title=f"{date}, {stage}: {'one series' if len(rows) == 1 else f'{len(rows)} series'}",
        lines=(*lines, f"{source_line(as_of)} Index computed from it by mtok."),
        time=known_at,
        path=rows[0].path,
    )


def _row(record: PublishedRecord) -> _Row:
    value = value_text(record.value, record.unit)
    reasons = "; ".join(_reason(code, record.diagnostics) for code in record.reasons)
    quality = f"{record.quality} ({reasons})" if reasons else record.quality
    said = quality if record.value is None else f"{value}, {_change(record)}; {quality}"
    series = _places(record.methodology)
    place, company = series.get(record.series, (len(series), record.series))
    return _Row(
        place=place,
        series=record.series,
        line=f"{company}: {said}.",
        rankings_as_of=record.inputs.rankings.as_of if record.inputs.rankings else None,
        path=record.prices.path,
    )


@cache
def _places(methodology: str) -> dict[str, tuple[int, str]]:
    """Return of each series its place in the order of R-1 and its company."""
    return {entry.series: (place, entry.company) for place, entry in enumerate(load(methodology).series)}


def _reason(code: str, diagnostics: Diagnostics) -> str:
    """Return a reason of R-10 in words and figures; a code without words is shown as it is."""
    shares = {name: _percent(getattr(diagnostics, name) or "0") for name in _SHARES}
    return _REASONS.get(code, code).format_map(shares)


_SHARES: Final = (
    *("price_coverage", "truncation_exposure", "imputed_token_share", "fallback_share", "conflict_share"),
)


def _change(record: PublishedRecord) -> str:
    if record.move is None or record.value is None:
        return "no print before it to compare with"
    return f"{_signed(record.value, record.move.from_value)} since {record.move.from_date}"


def _signed(value: str, before: str) -> str:
    if not Fraction(before):
        return "up from 0, which has no percentage"
    change = _percent(Fraction(value) / Fraction(before) - 1)
    return change if change.startswith(("−", "0.0 ")) else f"+{change}"


def _percent(share: str | Fraction) -> str:
    return f"{rounded(Fraction(share) * 100, 1).replace('-', '−')} %"


def _revision(
    record: PublishedRecord, revised: bool, before: str | None, reasons: Mapping[str, str]
) -> _Item:
    _, company = _places(record.methodology).get(record.series, (0, record.series))
    value = value_text(record.value, record.unit)
    change = (
        f" ({_signed(record.value, before)})" if record.value and before and record.value != before else ""
    )
    lines = [f"{company}, {record.date}: {value}."]
    if revised:
        lines = [f"{company}, {record.date}: was {before or 'withheld'}, is {value}{change}."]
    if record.reason is not None:
        lines.append(f"Reason {record.reason}: {reasons.get(record.reason, 'no words are known for it')}.")
    elif revised:
        lines.append("No reason: the next print of that date, as scheduled.")
    lines.append(
        f"Vintage {record.vintage}, {_STAGES.get(record.stage, record.stage)}. Record sha256 {record.sha256}."
    )
    return _Item(
        about=f"revisions/{record.series}/{record.methodology}/{record.date}/{record.vintage}",
        title=f"{record.series} {record.date}, vintage {record.vintage}",
        lines=tuple(lines),
        time=record.known_at,
        path=f"records/{record.series}/{record.date}.{record.vintage}.json",
    )


def _notices(notices: Sequence[Notice]) -> list[_Item]:
    found: list[_Item] = []
    numbers: defaultdict[str, int] = defaultdict(int)
    for notice in notices:
        dates = " to ".join(dict.fromkeys(filter(None, (notice.first_date, notice.last_date))))
        concerns = ", ".join(filter(None, (notice.series, dates)))
        title = _NOTICES.get(notice.kind, notice.kind)
        found.append(
            _Item(
                about=f"notices/{notice.time}/{numbers[notice.time]:06d}",
                title=f"{title}: {concerns}" if concerns else title,
                lines=tuple(notice.text.splitlines()) or ("",),
                time=notice.time,
            )
        )
        numbers[notice.time] += 1
    return found


# ---- formats


def _shown(text: str) -> str:
    """Return the text without what XML cannot hold or a reader cannot see: control characters, lone surrogates."""
    return _NOT_SHOWN.sub("\ufffd", text)


@dataclass(frozen=True)
class _Feed:
    name: str
    what: str
    items: Sequence[_Item]
    origin: str
    first_known_at: str

    @property
    def title(self) -> str:
        return f"{self.origin}: {self.name}"

    @property
    def subtitle(self) -> str:
        return f"Reference prices of AI tokens: {self.what}. The newest {FEED_ITEMS_MAX} at most."

    def tag(self, about: str) -> str:
        return tag(self.origin, self.first_known_at[:4], about)

    def atom(self) -> bytes:
        """Return the feed as Atom 1.0."""
        where = address(self.origin)
        root = ElementTree.Element("feed", {"xmlns": "http://www.w3.org/2005/Atom", "xml:lang": "en"})
        _text(root, "id", self.tag(f"feeds/{self.name}"))
        _text(root, "title", self.title)
        _text(root, "subtitle", self.subtitle)
        _text(root, "updated", self.items[0].time if self.items else self.first_known_at)
        author = ElementTree.SubElement(root, "author")
        _text(author, "name", self.origin)
        if where:
            _text(author, "uri", where)
            _link(root, "self", f"{where}/feeds/{self.name}.atom", "application/atom+xml")
            _link(root, "alternate", f"{where}/feeds/{self.name}.json", "application/feed+json")
        for item in self.items:
            entry = ElementTree.SubElement(root, "entry")
            _text(entry, "id", self.tag(item.about))
            _text(entry, "title", item.title)
            _text(entry, "published", item.time)
            _text(entry, "updated", item.time)
            if where and item.path:
                _link(entry, "alternate", f"{where}/{item.path}", "application/json")
            _text(entry, "content", _paragraphs(item.lines)).set("type", "html")
        ElementTree.indent(root)
        text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
        return text + b"\n"

    def json(self) -> bytes:
        """Return the feed as JSON Feed 1.1."""
        where = address(self.origin)
        at = {"home_page_url": where, "feed_url": f"{where}/feeds/{self.name}.json"} if where else {}
        items = [
            {
                "id": self.tag(item.about),
                **({"url": f"{where}/{item.path}"} if where and item.path else {}),
                "title": _shown(item.title),
                "content_html": _paragraphs(item.lines),
                "content_text": _shown("\n".join(item.lines)),
                "date_published": item.time,
                "date_modified": item.time,
            }
            for item in self.items
        ]
        content = {
            "version": "https://jsonfeed.org/version/1.1",
            "title": _shown(self.title),
            **at,
            "description": self.subtitle,
            "authors": [{"name": _shown(self.origin), **({"url": where} if where else {})}],
            "language": "en",
            "items": items,
        }
        return (json.dumps(content, indent=2) + "\n").encode()


def _paragraphs(lines: Iterable[str]) -> str:
    return "".join(f"<p>{html.escape(_shown(line))}</p>" for line in lines)


def _text(parent: ElementTree.Element, name: str, text: str) -> ElementTree.Element:
    element = ElementTree.SubElement(parent, name)
    element.text = _shown(text)
    return element


def _link(parent: ElementTree.Element, rel: str, href: str, kind: str) -> None:
    ElementTree.SubElement(parent, "link", {"rel": rel, "type": kind, "href": href})
