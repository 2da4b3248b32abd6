"""Markets for tests: responses as they would come, archived in a real store and given to the reference as well."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import reference
from mtok.archive import (
    KIND_MODELS,
    KIND_RANKINGS,
    PRIMARY,
    RANKINGS_DAILY,
    Collector,
    Response,
    Store,
    StoreParameters,
)
from mtok.calendar import DAY, SECOND, format_date, parse_date, parse_instant
from mtok.canonical import sha256_hex
from mtok.day import determine_days
from mtok.determination.folder import Determinations
from mtok.records import Absent, Constituent, Determination, LeftOut

SERIES = ("openai", "google-gemini", "anthropic", "deepseek", "qwen", "moonshot")


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A response taken at an instant by a collector."""

    kind: str
    instant: int
    raw: bytes
    collector: str = PRIMARY
    rank: int = 1

    def response(self) -> Response:
        """As a source would return it."""
        return Response(
            raw=self.raw,
            captured_at=self.instant,
            kind=self.kind,
            obtained="test market",
            collector=self.collector,
            volume_source=RANKINGS_DAILY if self.kind == KIND_RANKINGS else None,
        )

    def capture(self) -> reference.Capture:
        """As the reference takes it."""
        payload = json.loads(self.raw)
        instant = self.instant
        if self.kind == KIND_RANKINGS and "meta" in payload:
            instant = parse_instant(payload["meta"]["as_of"])
        return reference.Capture(
            kind=self.kind,
            captured_at=instant,
            sha256=sha256_hex(self.raw),
            collector=self.collector,
            rank=self.rank,
            payload=payload,
        )


def at(date: str, time: str = "12:00:00") -> int:
    """Return an instant."""
    return parse_instant(f"{date}T{time}Z")


def models(when: int, rows: list[dict[str, Any]], *, collector: str = PRIMARY, rank: int = 1) -> Taken:
    """Return a /models response."""
    raw = json.dumps({"data": rows}).encode()
    return Taken(kind=KIND_MODELS, instant=when, raw=raw, collector=collector, rank=rank)


def rankings(when: int, rows: list[dict[str, Any]]) -> Taken:
    """Return a rankings-daily response without `meta`."""
    return Taken(kind=KIND_RANKINGS, instant=when, raw=json.dumps({"data": rows}).encode())


def make_store(path: Path, market: Iterable[Taken]) -> Store:
    """Return a store that holds the market, collectors ranked as it says."""
    listed = list(market)
    store = Store.create(path)
    ranks = {PRIMARY: 1} | {taken.collector: taken.rank for taken in listed}
    store.write_parameters(
        StoreParameters(
            collectors=tuple(Collector(collector=name, rank=rank) for name, rank in sorted(ranks.items()))
        )
    )
    with store.writing():
        for _ in store.archive(taken.response() for taken in listed):
            pass
    return store


def determine(store: Store, **options: Any) -> dict[tuple[str, str], Determination]:
    """Return all records of a store by series and date, as written and read back."""
    determine_days(store, **options)
    found = Determinations(store, "1.0")
    return {(record.series, record.date): record for name in found.series() for record in found.read(name)}


def expected(
    captures: list[reference.Capture], first: str, last: str, **options: Any
) -> dict[tuple[str, str], dict[str, Any]]:
    """Return what the reference says of every series and day, linked."""
    days = [
        dt.date(1970, 1, 1) + dt.timedelta(days=day) for day in range(parse_date(first), parse_date(last) + 1)
    ]
    linked = {
        series: reference.chain({day: reference.determine(captures, series, day, **options) for day in days})
        for series in SERIES
    }
    return {(series, day.isoformat()): linked[series][day] for series in SERIES for day in days}


def plain_name(name: str) -> str:
    """Return a constituent as records write it: the standard variant is silent."""
    return name.removesuffix(":standard")


def summary(record: Determination) -> dict[str, Any]:
    """Return what a record says, in the words of the reference."""
    ids = {capture.id: capture for capture in record.inputs.captures}
    diagnostics = record.diagnostics
    move = record.move
    return {
        "quality": record.quality,
        "reasons": list(record.reasons),
        "value": record.value,
        "N": record.n,
        "W": record.w,
        "rankings": record.inputs.rankings.sha256 if record.inputs.rankings else None,
        "seen": [(day.date, day.captures, day.sha256) for day in record.inputs.seen],
        "constituents": {
            row.constituent: (
                row.tokens,
                row.price_seconds,
                row.rung,
                row.age_days,
                [ids[name].sha256 for name in row.captures],
            )
            for row in record.constituents
        },
        "conflicts": {row.constituent: row.grade for row in record.conflicts},
        "left_out": {row.constituent: (row.tokens, row.reason) for row in record.left_out},
        "glitches": sorted(
            (row.constituent, ids[row.capture].sha256)
            for row in record.discarded
            if row.reason == "zero_glitch"
        ),
        "absent": sorted((row.price_seconds, row.constituent) for row in record.absent),
        "diagnostics": {name: getattr(diagnostics, name) for name in _DIAGNOSTICS},
        "averages": (record.average_7d, record.average_7d_days, record.average_30d, record.average_30d_days),
        "price_index": record.price_index,
        "price_index_exact": record.price_index_exact and Decimal(record.price_index_exact),
        "notes": list(record.notes),
        "move": None
        if move is None
        else {
            "previous": move.from_date,
            "effects": {name: getattr(move, name) for name in _EFFECTS},
            "factors": None
            if move.factors is None
            else {name: getattr(move.factors, name) for name in ("price", "mix", "entry", "exit")},
            "by_constituent": {
                row.constituent: {
                    name: getattr(row, name) for name in _EFFECTS[1:] if getattr(row, name) is not None
                }
                for row in move.constituents
            },
            "causes": {row.constituent: row.cause for row in move.constituents if row.cause},
            "entry_by_cause": move.entry_by_cause,
            "exit_by_cause": move.exit_by_cause,
        },
    }


def rests_on_its_captures(record: Determination) -> bool:
    """Whether every price, also that of an absent constituent, rests on captures of the day its age says."""
    captured = {capture.id: capture.captured_at[:10] for capture in record.inputs.captures}
    rows: list[Constituent | Absent] = [*record.constituents, *record.absent]
    return all(
        {captured[name] for name in row.captures} == {format_date(parse_date(record.date) - row.age_days)}
        for row in rows
    )


def lists_what_it_names(record: Determination, found: dict[str, Any]) -> bool:
    """Whether the record lists the captures it refers to and no other, numbered as the reference sees them."""
    rows: list[Constituent | Absent | LeftOut] = [*record.constituents, *record.absent, *record.left_out]
    named = {name for row in rows for name in row.captures} | {row.capture for row in record.discarded}
    listed = [
        (capture.id, (parse_instant(capture.captured_at), capture.collector, capture.rank, capture.sha256))
        for capture in record.inputs.captures
    ]
    seen = [(f"c{place}", capture) for place, capture in enumerate(found["inputs"], start=1)]
    return listed == [(name, capture) for name, capture in seen if name in named] and len(listed) == len(
        named
    )


def _seen_days(inputs: list[tuple[int, str, int, str]]) -> list[tuple[str, int, str]]:
    """Return date, number and digest of each day of captures, made with nothing but the standard library."""
    days: dict[str, list[dict[str, str]]] = {}
    for microseconds, collector, rank, sha256 in inputs:
        instant = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=microseconds)
        fraction = f".{instant:%f}".rstrip("0").rstrip(".")
        captured_at = f"{instant:%Y-%m-%dT%H:%M:%S}{fraction}Z"
        listed = {"captured_at": captured_at, "collector": collector, "rank": str(rank), "sha256": sha256}
        days.setdefault(f"{instant:%Y-%m-%d}", []).append(listed)
    lists = {day: json.dumps(listed, separators=(",", ":"), sort_keys=True) for day, listed in days.items()}
    return [
        (day, len(listed), hashlib.sha256(lists[day].encode()).hexdigest()) for day, listed in days.items()
    ]


def expected_summary(found: dict[str, Any]) -> dict[str, Any]:
    """Return what the reference says, rounded at the places the rules name."""
    bounds = found["value"] is not None
    move = found["move"]
    return {
        "quality": found["quality"],
        "reasons": found["reasons"],
        "value": found["value"],
        "N": found["N"],
        "W": found["W"],
        "rankings": found["rankings"],
        "seen": _seen_days(found["inputs"]),
        "constituents": {
            plain_name(name): (
                row["tokens"],
                row["price_seconds"],
                row["rung"],
                row["age_days"],
                row["captures"],
            )
            for name, row in found["constituents"].items()
        },
        "conflicts": {
            plain_name(name): {"conflict": "major", "minor": "minor"}[row["conflict"]]
            for name, row in found["constituents"].items()
            if row["conflict"]
        },
        "left_out": {
            plain_name(name): (row["tokens"], row["cls"]) for name, row in found["left_out"].items()
        },
        "glitches": sorted((plain_name(name), sha256) for name, sha256, _ in found["discarded"]),
        "absent": sorted((price, plain_name(name)) for name, price in found["absent"]),
        "diagnostics": {
            name: _expected_diagnostic(name, found["diagnostics"].get(source), bounds)
            for name, source in _DIAGNOSTICS.items()
        },
        "averages": (
            found["average_7d"],
            found["average_7d_days"],
            found["average_30d"],
            found["average_30d_days"],
        ),
        "price_index": found["price_index"],
        "price_index_exact": found["price_index_exact"],
        "notes": found["notes"],
        "move": None
        if move is None
        else {
            "previous": move["previous"].isoformat(),
            "effects": {name: move["effect_texts"][name] for name in _EFFECTS},
            "factors": move["factor_texts"],
            "by_constituent": {
                plain_name(name): {
                    effect: reference.decimal_text(size, 12) for effect, size in effects.items()
                }
                for name, effects in move["by_constituent"].items()
            },
            "causes": {plain_name(name): cause for name, cause in move["causes"].items()},
            "entry_by_cause": {
                cause: reference.decimal_text(size, 12)
                for cause, size in sorted(move["entry_by_cause"].items())
            },
            "exit_by_cause": {
                cause: reference.decimal_text(size, 12)
                for cause, size in sorted(move["exit_by_cause"].items())
            },
        },
    }


_EFFECTS = ("change", "price", "mix", "entry", "exit", "replacement")

_DIAGNOSTICS = {
    "token_weight": "token_weight",
    "constituents": "constituents",
    "weight_basis": "weight_basis",
    "observed_tokens": "observed",
    "direct_tokens": "direct",
    "fallback_tokens": "fallback",
    "imputed_tokens": "imputed",
    "missing_tokens": "missing",
    "unpaid_tokens": "unpaid",
    "ineligible_tokens": "ineligible",
    "price_coverage": "price_coverage",
    "missing_price_share": "missing_price_share",
    "imputed_token_share": "imputed_token_share",
    "fallback_share": "fallback_share",
    "conflict_share": "conflict_share",
    "unpaid_share": "unpaid_share",
    "ineligible_share": "ineligible_share",
    "top_constituent_share": "top_constituent_share",
    "hhi": "hhi",
    "effective_constituents": "effective_constituents",
    "market_tail_share": "market_tail_share",
    "truncation_exposure": "truncation_exposure",
    "unseen_ratio": "unseen_ratio",
    "truncation_low": "truncation_low",
    "truncation_high": "truncation_high",
}


def _expected_diagnostic(name: str, value: Any, bounds: bool) -> Any:
    if name.startswith("truncation_") and name != "truncation_exposure" and not bounds:
        return None
    if value is None or isinstance(value, int | str):
        return value
    return reference.decimal_text(value, 6)


def day_instant(day: int, second: int) -> int:
    """Return the instant of a second of a day."""
    return day * DAY + second * SECOND
