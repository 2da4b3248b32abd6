"""The golden bundle of a version: published observations and the records they must give, read from plain text.

Nothing of what publishes is used to read it: a line of canonical JSON a fact or a record, in files of xz.
"""

from __future__ import annotations

import hashlib
import json
import lzma
from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import reference
from mtok.archive import KIND_MODELS, KIND_RANKINGS, Collector, Response, Store, StoreParameters
from mtok.calendar import format_date, format_instant, parse_date, parse_instant
from mtok.publication.facts import Fact, Facts
from mtok.records import Determination, decode_determination

GOLDEN = Path(__file__).parent / "golden"

Json = dict[str, Any]

_TRUTHS = {"text_only", "standard_tier", "archive"}
_TEXTS = {
    *("fact", "kind", "id", "slug", "author", "name", "variant", "provider", "tag", "reason", "collector"),
    *("subject", "origin", "sha256"),
}
_DATES = {"date"}
_INSTANTS = {"instant", "captured"}


# ---- one line a fact


def fact_line(row: Fact) -> Json:
    """Return a fact as it stands in the bundle: numbers as text, what is absent left out."""
    found: Json = {}
    for name, value in row._asdict().items():
        if value is None:
            continue
        if name in _DATES:
            found[name] = format_date(value)
        elif name in _INSTANTS:
            found[name] = format_instant(value)
        else:
            found[name] = value if name in _TEXTS | _TRUTHS else str(value)
    return found


def read_fact(line: Json) -> Fact:
    """Return the fact of a line."""
    found: Json = {}
    for name, value in line.items():
        if name in _DATES:
            found[name] = parse_date(value)
        elif name in _INSTANTS:
            found[name] = parse_instant(value)
        else:
            found[name] = value if name in _TEXTS | _TRUTHS else int(value)
    return Fact(**found)


# ---- the files


def write_lines(path: Path, lines: list[bytes]) -> None:
    """Write lines as a file of xz."""
    raw = b"".join(line + b"\n" for line in lines)
    path.write_bytes(lzma.compress(raw, preset=9 | lzma.PRESET_EXTREME))


def read_lines(path: Path) -> list[bytes]:
    """Return the lines of a file of xz."""
    return lzma.decompress(path.read_bytes()).splitlines()


@dataclass(frozen=True, kw_only=True)
class Case:
    """A fixing date of the bundle.

    market : whose captures · facts : what the rules read · before : by series, the determinations given to it
    records : the exact bytes of its records, by series in the order of R-1
    """

    name: str
    market: str
    facts: Facts
    before: dict[str, list[Determination]]
    records: list[bytes]

    @property
    def printed(self) -> list[Determination]:
        """The records, decoded."""
        return [decode_determination(raw) for raw in self.records]


def bundle_sha256(folder: Path) -> str:
    """Return one digest of all files of a bundle: of the text `sha256sum *` prints."""
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in _files(folder)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix == ".xz")


def case_names(folder: Path) -> list[str]:
    """Return the names of the cases of a bundle."""
    return [path.name.removesuffix(".facts.jsonl.xz") for path in sorted(folder.glob("*.facts.jsonl.xz"))]


def read_case(folder: Path, name: str) -> Case:
    """Return a case of a bundle."""
    head, *rows = map(json.loads, read_lines(folder / f"{name}.facts.jsonl.xz"))
    earlier = {hashlib.sha256(raw).hexdigest(): raw for raw in read_lines(folder / "earlier.jsonl.xz")}
    return Case(
        name=name,
        market=head["market"],
        facts=Facts(
            day=parse_date(head["date"]),
            as_of=parse_instant(head["as_of"]),
            methodology=head["methodology"],
            volume_source=head["volume_source"],
            complete=head["complete"],
            rows=tuple(map(read_fact, rows)),
        ),
        before={
            series: [decode_determination(earlier[sha256]) for sha256 in listed]
            for series, listed in head["before"].items()
        },
        records=read_lines(folder / f"{name}.records.jsonl.xz"),
    )


def head_line(case: Case) -> Json:
    """Return the first line of a file of facts."""
    facts = case.facts
    return {
        "as_of": format_instant(facts.as_of or 0),
        "before": {series: [one.sha256 for one in listed] for series, listed in case.before.items()},
        "complete": facts.complete,
        "date": format_date(facts.day),
        "market": case.market,
        "methodology": facts.methodology,
        "volume_source": facts.volume_source,
    }


# ---- the responses of the markets that were made by hand


def response_line(response: Response) -> Json:
    """Return a response as it stands in the bundle."""
    found = {
        "captured_at": format_instant(response.captured_at),
        "collector": response.collector,
        "kind": response.kind,
        "raw": response.raw.decode(),
        "subject": response.subject,
        "volume_source": response.volume_source,
    }
    return {name: value for name, value in found.items() if value is not None}


def store_of(folder: Path, market: str, path: Path) -> Store:
    """Return a new store that holds the responses of a market, its collectors ranked as the bundle says."""
    head, *lines = map(json.loads, read_lines(folder / f"{market}.responses.jsonl.xz"))
    store = Store.create(path)
    store.write_parameters(
        StoreParameters(
            collectors=tuple(Collector(**one | {"rank": int(one["rank"])}) for one in head["collectors"])
        )
    )
    responses = [
        Response(
            **line | {"captured_at": parse_instant(line["captured_at"]), "raw": line["raw"].encode()},
            obtained="golden bundle",
        )
        for line in lines
    ]
    with store.writing():
        list(store.archive(responses))
    return store


# ---- the same for the reference


def reference_captures(facts: Facts) -> list[reference.Capture]:
    """Return the captures of facts as the reference takes them, decoded by this module and by nothing else."""
    captures: dict[tuple[str, int], reference.Capture] = {}
    for row in facts.rows:
        if row.fact == "capture" and row.kind in {KIND_MODELS, KIND_RANKINGS}:
            captures[row.kind, row.first_capture] = reference.Capture(
                kind=row.kind,
                captured_at=row.instant or 0,
                sha256=row.sha256 or "",
                collector=row.collector or "",
                rank=row.rank or 1,
                payload=None,
                volume_source=facts.volume_source,
            )
    shown: defaultdict[tuple[str, int], list[Fact]] = defaultdict(list)
    for row in facts.rows:
        if row.fact != "capture":
            for number in range(row.first_capture, row.last_capture + 1):
                shown[row.kind, number].append(row)
    for key, capture in captures.items():
        if key[0] == KIND_MODELS:
            capture.__dict__["models"] = _models(shown[key])
        else:
            capture.__dict__["rankings"] = _rankings(shown[key])
    return list(captures.values())


def _models(rows: list[Fact]) -> dict[str, reference.ModelRow]:
    prices: defaultdict[tuple[str, int], list[Fact]] = defaultdict(list)
    for row in rows:
        if row.fact == "price" and row.min_prompt_tokens == 0:
            prices[row.id or "", row.place or 0].append(row)
    described = [row for row in rows if row.fact == "model"]
    described.sort(key=lambda row: (-(row.created or 0), (row.id or "").encode(), row.place))
    found: dict[str, reference.ModelRow] = {}
    for row in described:
        tiles = prices[row.id or "", row.place or 0]
        windows = [
            ((tile.start_second or 0) // 60, (tile.end_second or 0) // 60, tile.price or 0) for tile in tiles
        ]
        text = {True: ["text"], False: ["text", "image"], None: None}[row.text_only]
        model = reference.ModelRow(
            model_id=row.id or "",
            created=row.created or 0,
            modalities=text,
            base=tiles[0].base_price if tiles else None,
            windows=windows if tiles and not any(tile.reason for tile in tiles) else None,
        )
        found.setdefault(f"{row.slug}:{row.variant}", model)
    return found


def _rankings(rows: list[Fact]) -> dict[str, reference.DayRows]:
    days = {
        format_date(row.date or 0): reference.DayRows(totals={}, names={})
        for row in rows
        if row.fact == "volume_day" and row.reason is None
    }
    for row in rows:
        if row.fact == "volume":
            held, tokens = days[format_date(row.date or 0)], row.tokens or 0
            name = "other" if row.slug == "other" else f"{row.slug}:{row.variant}"
            held.totals[name] = tokens
            if name != "other":
                held.names[name] = tokens
    return days


def reference_determination(record: Determination) -> Json:
    """Return what the reference's links read of an earlier record."""
    priced = {
        full_name(row.constituent): {"tokens": row.tokens, "price_seconds": row.price_seconds}
        for row in record.constituents
    }
    exact = None if record.n is None else Fraction(record.n, record.w * reference.USD_PER_MTOK)
    return {
        "value": record.value,
        "exact": exact,
        "constituents": priced,
        "left_out": {
            full_name(row.constituent): {"tokens": row.tokens, "cls": row.reason} for row in record.left_out
        },
        "described": set(map(full_name, record.without_volume)),
        "rows": set(),
    }


def full_name(name: str) -> str:
    """Return a constituent as the reference writes it: the variant always."""
    return name if ":" in name else f"{name}:standard"
