"""Independent reference of the rulebook, methodology 1.0: one plain function per rule, a test oracle.

It shares no code with the product. All arithmetic is on `int` and `Fraction`; texts are made at the very end.
Prices are integers of 10^-18 USD per token; the price of a day is the sum of price x seconds over the day.
A constituent is written "slug:variant", the variant always. Days are numbers of UTC days since 1970-01-01.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from math import isqrt
from typing import Any

# series -> (author prefix, start of the name)
SERIES = {
    "openai": ("openai", ""),
    "google-gemini": ("google", "gemini-"),
    "anthropic": ("anthropic", ""),
    "deepseek": ("deepseek", ""),
    "qwen": ("qwen", ""),
    "moonshot": ("moonshotai", ""),
}

NON_TEXT_NAMES = ("embedding", "-tts", "-image", "-audio", "-transcribe", "rerank")  # R-4 (P)
ELIGIBILITY_BACK = 7  # R-4 (P), days
GLITCH_BACK = 7  # R-5.4 (P), days
CARRY_BACK = 7  # R-6 rung 3 (P), days
LAUNCH_BACK = 2  # R-6 rung 4 (P), days
INPUTS_BACK = 14  # R-0, days
LINK_BACK = 30  # R-11 (P), days
SHORT_CAPTURE = 50  # R-9 (P), named rows
PRICE_MAX = Fraction(1, 1000)  # R-5.1 (P), USD per token
TOTAL_MAX = 2**63 - 1
DAY_SECONDS = 86_400
DAY_MICROS = DAY_SECONDS * 10**6
USD_PER_MTOK = DAY_SECONDS * 10**12  # price x seconds divided by this is USD per million tokens
PRICE_KEYS = {  # may stand in an override, beside its window and the keys of the base pricing
    *("prompt", "completion", "request", "image", "web_search", "internal_reasoning", "discount"),
    *("input_cache_read", "input_cache_write", "input_cache_write_1h", "audio"),
}

NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,11})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,2})?")
TOTAL = re.compile(r"[0-9]{1,19}")
SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}/[A-Za-z0-9][A-Za-z0-9._-]{0,119}")
VARIANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")
ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

Json = dict[str, Any]
Basket = dict[str, tuple[int, Fraction]]


# ---- reading one capture: rows of /api/v1/models (R-3, R-5.1, R-5.2) ----


@dataclass(frozen=True, kw_only=True)
class ModelRow:
    """The row of a capture that describes a constituent."""

    model_id: str
    created: int
    modalities: list[str] | None
    base: int | None  # None: no valid base price
    windows: list[tuple[int, int, int]] | None  # (start minute, end minute, price); None: the row is invalid


def price_seconds(base: int, windows: list[tuple[int, int, int]], start: int, end: int) -> int:
    """R-5.2, R-5.3: sum of price x seconds over the seconds start <= s < end of the day."""
    if not windows:
        return base * (end - start)
    total = 0
    for minute in range(start // 60, (end + 59) // 60):
        prices = [price for first, last, price in windows if covers(first, last, minute)]
        total += (prices[-1] if prices else base) * (min(end, minute * 60 + 60) - max(start, minute * 60))
    return total


def covers(start: int, end: int, minute: int) -> bool:
    """R-5.2: start inclusive, end exclusive, may wrap midnight, equal = whole day."""
    if start == end:
        return True
    if start < end:
        return start <= minute < end
    return minute >= start or minute < end


def present(value: object) -> Json:
    """The fields of a JSON object that are not null (null counts as absent); {} when it is no object."""
    fields = value.items() if isinstance(value, dict) else ()
    return {key: item for key, item in fields if item is not None}


def parse_slug(text: object) -> tuple[str, str] | None:
    """R-2, R-3: (slug, variant), `standard` when there is none; None outside the grammar."""
    if not isinstance(text, str):
        return None
    slug, colon, variant = text.partition(":")
    sound = SLUG.fullmatch(slug) and (not colon or VARIANT.fullmatch(variant))
    return (slug, variant or "standard") if sound else None


def parse_price(value: object) -> int | None:
    """R-5.1: a price in 10^-18 USD per token, half-even; None when it is no valid price."""
    if not isinstance(value, str) or not NUMBER.fullmatch(value):
        return None
    usd = Fraction(Decimal(value))
    units = round(usd * 10**18)
    if usd < 0 or usd > PRICE_MAX or (usd > 0 and units == 0):
        return None
    return units


def parse_time(value: object, *, end: bool) -> int | None:
    """R-5.2: minute of the day of an integer HHMM; the end may also be 2400."""
    if type(value) is not int:
        return None
    if end and value == 2400:
        return 1440
    return value // 100 * 60 + value % 100 if 0 <= value <= 2359 and value % 100 < 60 else None


def parse_windows(pricing: Json, base: int | None) -> list[tuple[int, int, int]] | None:
    """R-5.2: the windows of a row in order; None when an override makes the row invalid."""
    overrides = pricing.get("overrides", [])
    if base is None or not isinstance(overrides, list) or len(overrides) > 100:
        return None
    price_keys = PRICE_KEYS | (pricing.keys() - {"overrides"})
    windows = []
    for override in overrides:
        if not isinstance(override, dict):
            return None
        entry = present(override)
        if not entry.keys() <= price_keys | {"utc_start", "utc_end"}:
            continue  # by prompt length, or by a condition not named in the rules: not used
        if "utc_start" not in entry and "utc_end" not in entry:
            continue  # no window
        start = parse_time(entry.get("utc_start"), end=False)
        end = parse_time(entry.get("utc_end"), end=True)
        price = parse_price(entry["completion"]) if "completion" in entry else base
        if start is None or end is None or price is None:
            return None
        windows.append((start, end, price))
    return windows


def parse_model(row: object) -> tuple[str, ModelRow] | None:
    """R-3: the constituent a row describes, and the row; None for an alias or a row outside the grammar."""
    fields = present(row)
    identity = parse_slug(fields.get("id"))  # an id with a leading ~ is outside the grammar
    slug = fields.get("canonical_slug", identity[0] if identity else None)
    if identity is None or not isinstance(slug, str) or not SLUG.fullmatch(slug):
        return None
    modalities = present(fields.get("architecture")).get("output_modalities")
    texts = isinstance(modalities, list) and all(isinstance(item, str) for item in modalities)
    created = fields.get("created")
    pricing = present(fields.get("pricing"))
    base = parse_price(pricing.get("completion"))
    model = ModelRow(
        model_id=fields["id"],
        created=created if type(created) is int else 0,
        modalities=modalities if texts else None,
        base=base,
        windows=parse_windows(pricing, base),
    )
    return f"{slug}:{identity[1]}", model


def decode_models(payload: object) -> dict[str, ModelRow] | None:
    """R-3: constituent -> its row (latest `created`, smallest id, first); None: an unsound payload."""
    data = present(payload).get("data")
    if not isinstance(data, list):
        return None
    rows: dict[str, ModelRow] = {}
    for parsed in filter(None, map(parse_model, data)):
        name, model = parsed
        held = rows.get(name)
        rank = (-model.created, model.model_id.encode())
        if held is None or rank < (-held.created, held.model_id.encode()):
            rows[name] = model
    return rows


# ---- reading one capture: rows of rankings-daily (R-2) ----


@dataclass(kw_only=True)
class DayRows:
    """Rows of one date of a capture: `totals` by permaslug with `other`, `names` by constituent without."""

    totals: dict[str, int]
    names: dict[str, int]
    rejected: bool = False


def parse_total(value: object) -> int | None:
    """R-2: a token total, JSON string or integer; None when negative, no integer or above 2^63-1."""
    if isinstance(value, str) and TOTAL.fullmatch(value):
        value = int(value)
    return value if type(value) is int and 0 <= value <= TOTAL_MAX else None


def add_row(rows: DayRows, permaslug: str, value: object) -> None:
    """R-2: add one row of a date; an unsound total or a second, different row rejects the date."""
    total = parse_total(value)
    if total is None:
        rows.rejected = True
        return
    if permaslug in rows.totals:
        rows.rejected |= rows.totals[permaslug] != total
        return
    rows.totals[permaslug] = total
    identity = parse_slug(permaslug)
    if identity is not None:
        name = ":".join(identity)
        rows.rejected |= name in rows.names
        rows.names[name] = total


def parse_date(value: object) -> str | None:
    """A date `YYYY-MM-DD` as text (its order is that of the days)."""
    return value if isinstance(value, str) and ISO_DATE.fullmatch(value) else None


def decode_rankings(payload: object) -> dict[str, DayRows]:
    """R-2: date -> its rows, for the dates that the capture holds."""
    data = present(payload).get("data")
    meta = present(present(payload).get("meta"))
    first, last = parse_date(meta.get("start_date")), parse_date(meta.get("end_date"))
    days: dict[str, DayRows] = {}
    for item in data if isinstance(data, list) else []:
        row = present(item)
        day, permaslug = parse_date(row.get("date")), row.get("model_permaslug")
        if day is None or day < (first or day) or day > (last or day):
            continue  # outside meta.start_date .. meta.end_date
        if isinstance(permaslug, str) and (permaslug == "other" or parse_slug(permaslug)):
            add_row(days.setdefault(day, DayRows(totals={}, names={})), permaslug, row.get("total_tokens"))
    return {day: rows for day, rows in days.items() if not rows.rejected}


@dataclass(frozen=True, kw_only=True)
class Capture:
    """One stored response. It is decoded once, on first use; its payload must not change afterwards."""

    kind: str  # "models" or "rankings-daily"
    captured_at: int  # microseconds since 1970-01-01 UTC; for rankings captures meta.as_of when present
    sha256: str
    collector: str = "primary"
    rank: int = 1  # in force on the capture's own UTC day; meaningless for rankings
    payload: object
    volume_source: str = "rankings-daily"

    @property
    def day(self) -> int:
        """UTC day number."""
        return self.captured_at // DAY_MICROS

    @property
    def second(self) -> int:
        """Second of the UTC day."""
        return self.captured_at % DAY_MICROS // 10**6

    @cached_property
    def models(self) -> dict[str, ModelRow] | None:
        """R-3, of a models capture."""
        return decode_models(self.payload)

    @cached_property
    def rankings(self) -> dict[str, DayRows]:
        """R-2, of a rankings capture."""
        return decode_rankings(self.payload)

    def row(self, name: str) -> ModelRow | None:
        """The row that describes a constituent here, if any."""
        return (self.models or {}).get(name)


# ---- what a determination sees (R-0, R-2, R-3) ----


@dataclass(frozen=True)
class View:
    """The models captures that a determination of day `fixing` sees, by UTC day, ordered by R-3."""

    fixing: int
    by_day: dict[int, list[Capture]]

    def captures(self, first: int, last: int, rank: int | None = None) -> list[Capture]:
        """Captures of the days first..last in order of time, of one rank or of all."""
        found = [capture for day in range(first, last + 1) for capture in self.by_day.get(day, [])]
        return [capture for capture in found if rank is None or capture.rank == rank]


def day_number(day: date) -> int:
    """UTC days since 1970-01-01."""
    return (day - date(1970, 1, 1)).days


def make_view(seen: Iterable[Capture], fixing: int) -> View:
    """R-0: the sound models captures from D-14 00:00 to the end of D+1."""
    by_day: dict[int, list[Capture]] = {}
    for capture in seen:
        in_window = capture.kind == "models" and fixing - INPUTS_BACK <= capture.day <= fixing + 1
        if in_window and capture.models is not None:
            by_day.setdefault(capture.day, []).append(capture)
    for captures in by_day.values():
        captures.sort(key=lambda c: (c.second, c.sha256, c.collector, c.captured_at))
    return View(fixing, by_day)


def choose_rankings(seen: Iterable[Capture], day: date, other_source: bool) -> Capture | None:
    """R-2: the latest capture at or after D+1 00:00 that holds D; equal times: the greater sha256."""
    over = (day_number(day) + 1) * DAY_MICROS
    holding = [
        capture
        for capture in seen
        if capture.kind == "rankings-daily" and capture.captured_at >= over
        if (other_source or capture.volume_source == "rankings-daily") and day.isoformat() in capture.rankings
    ]
    return max(holding, key=lambda capture: (capture.captured_at, capture.sha256), default=None)


def belongs(name: str, series: str) -> bool:
    """R-1: exact author prefix, and the start of the name."""
    author, _, rest = name.partition("/")
    prefix, start = SERIES[series]
    return author == prefix and rest.startswith(start)


def is_free(name: str) -> bool:
    """R-5.5."""
    return name.endswith(":free")


def is_eligible(view: View, name: str) -> bool:
    """R-4: text output only, by the nearest description, else by the name."""
    back = view.captures(view.fixing - ELIGIBILITY_BACK, view.fixing, rank=1)
    ahead = view.captures(view.fixing + 1, view.fixing + 1, rank=1)
    for capture in [*reversed(back), *ahead]:
        row = capture.row(name)
        if row is not None and row.modalities is not None:
            return row.modalities == ["text"]
    model_name = name.partition("/")[2].rpartition(":")[0]
    return not any(part in model_name for part in NON_TEXT_NAMES)


# ---- prices (R-5.3, R-5.4, R-6, R-7) ----


@dataclass(frozen=True, kw_only=True)
class Price:
    """R-5.3: sum of price x seconds, the captures in force in order; how it was found (R-6, R-7)."""

    price_seconds: int
    captures: list[Capture]
    rung: str = "direct"
    age_days: int = 0
    conflict: str | None = None


def is_zero_glitch(view: View, capture: Capture, name: str) -> bool:
    """R-5.4: base price 0, and a positive one of the same source from D-7 to D (D: the capture's day)."""
    row = capture.row(name)
    if row is None or row.base != 0 or is_free(name):
        return False
    near = view.captures(capture.day - GLITCH_BACK, capture.day)
    others = [other.row(name) for other in near if other.collector == capture.collector]
    return any(other is not None and other.base is not None and other.base > 0 for other in others)


def day_price(view: View, name: str, day: int, rank: int) -> Price | None:
    """R-5.3: time-weighted over the 86,400 seconds; None without a valid row on that day."""
    valid = []
    for capture in view.captures(day, day, rank):
        row = capture.row(name)
        sound = row is not None and row.windows is not None
        if sound and not is_zero_glitch(view, capture, name):
            valid.append(capture)
    total, in_force = 0, []
    for i, capture in enumerate(valid):
        start = capture.second if i > 0 else 0
        end = valid[i + 1].second if i + 1 < len(valid) else DAY_SECONDS
        row = capture.row(name)
        assert row is not None
        assert row.base is not None
        assert row.windows is not None
        total += price_seconds(row.base, row.windows, start, end)
        if start < end:
            in_force.append(capture)
    return Price(price_seconds=total, captures=in_force) if valid else None


def fallback_price(view: View, name: str) -> Price | None:
    """R-6 rung 2: the highest-ranked other collector that has a price of D."""
    ranks = {capture.rank for capture in view.captures(view.fixing, view.fixing)} - {1}
    prices = (day_price(view, name, view.fixing, rank) for rank in sorted(ranks))
    return next((replace(price, rung="fallback") for price in prices if price is not None), None)


def conflict_mark(used: Price, other: Price | None) -> str | None:
    """R-7: both positive and more than 5 % (conflict) or 0.5 % (minor) of the one used apart."""
    if other is None or used.price_seconds == 0 or other.price_seconds == 0:
        return None
    difference = abs(used.price_seconds - other.price_seconds)
    if difference * 20 > used.price_seconds:
        return "conflict"
    return "minor" if difference * 200 > used.price_seconds else None


def launch_price(view: View, name: str) -> Price | None:
    """R-6 rung 4: the rung-1 price of D+1 of a model created at or after D-2 00:00."""
    price = day_price(view, name, view.fixing + 1, rank=1)
    row = price.captures[0].row(name) if price else None
    if price is None or row is None or row.created < (view.fixing - LAUNCH_BACK) * DAY_SECONDS:
        return None
    return replace(price, rung="launch", age_days=-1)


def resolve(view: View, name: str, *, launch: bool = True) -> Price | None:
    """R-6: direct, fallback, carried, launch; None is missing. R-9 asks without launch."""
    direct, fallback = day_price(view, name, view.fixing, rank=1), fallback_price(view, name)
    if direct is not None:
        return replace(direct, conflict=conflict_mark(direct, fallback))
    if fallback is not None:
        return fallback
    for age in range(1, CARRY_BACK + 1):
        carried = day_price(view, name, view.fixing - age, rank=1)
        if carried is not None:
            return replace(carried, rung="carried", age_days=age)
    return launch_price(view, name) if launch else None


def classify(view: View, name: str) -> str | Price:
    """R-9: ineligible, unpaid, missing, or the positive price of R-6."""
    if not is_eligible(view, name):
        return "ineligible"
    if is_free(name):
        return "unpaid"
    price = resolve(view, name)
    if price is None:
        return "missing"
    return price if price.price_seconds > 0 else "unpaid"


# ---- diagnostics and status (R-9, R-10) ----


def described_names(view: View, series: str) -> set[str]:
    """R-9: described by a rank-1 capture of D; when none exists at all, by one of D-7 .. D-1."""
    captures = view.captures(view.fixing, view.fixing, rank=1)
    captures = captures or view.captures(view.fixing - 7, view.fixing - 1, rank=1)
    return {name for capture in captures for name in capture.models or {} if belongs(name, series)}


def absent_constituents(view: View, described: set[str], rows: Iterable[str]) -> list[tuple[str, int]]:
    """R-9: described, eligible, not free, positive price on D by rungs 1-3, no row on D; by (price, name)."""
    absent = []
    for name in described - set(rows):
        counts = is_eligible(view, name) and not is_free(name)
        price = resolve(view, name, launch=False) if counts else None
        if price is not None and price.price_seconds > 0:
            absent.append((name, price.price_seconds))
    return sorted(absent, key=lambda item: (item[1], item[0]))


def extreme(n_w: tuple[int, int], prices: Iterable[int], smallest: int, tail: int, *, high: bool) -> Fraction:
    """R-9: extreme of R-8, from n_w = (N, W), with the absent at `prices`, the outermost first."""
    numerator, weight = n_w
    for i, price in enumerate(prices):
        outside = price * weight > numerator if high else price * weight < numerator
        if not outside:
            break
        tokens = min(smallest, max(0, tail - i * smallest))
        numerator, weight = numerator + tokens * price, weight + tokens
    return Fraction(numerator, weight * USD_PER_MTOK)


def ratio(numerator: int, denominator: int) -> Fraction | None:
    """R-9: what has a zero denominator is absent, not 0."""
    return Fraction(numerator, denominator) if denominator else None


def token_sums(constituents: Mapping[str, Json], left_out: Mapping[str, Json]) -> dict[str, int]:
    """R-9: tokens by class; conflict is a mark on direct."""
    sums = dict.fromkeys(("ineligible", "unpaid", "missing", "direct", "fallback", "imputed", "conflict"), 0)
    for item in left_out.values():
        sums[item["cls"]] += item["tokens"]
    for item in constituents.values():
        sums["imputed" if item["rung"] in ("carried", "launch") else item["rung"]] += item["tokens"]
        if item["conflict"] == "conflict":
            sums["conflict"] += item["tokens"]
    sums["priced"] = sums["direct"] + sums["fallback"] + sums["imputed"]
    sums["observed"] = sums["ineligible"] + sums["unpaid"] + sums["missing"] + sums["priced"]
    return sums


def share_fields(sums: Mapping[str, int], tokens: Sequence[int]) -> Json:
    """R-9: coverage, shares and concentration. tokens: those of the priced constituents."""
    priced, observed = sums["priced"], sums["observed"]
    hhi = ratio(sum(item**2 for item in tokens), priced**2)
    return {
        **{key: item for key, item in sums.items() if key not in {"priced", "conflict"}},
        "token_weight": priced,
        "price_coverage": ratio(priced, priced + sums["missing"]),
        "missing_price_share": ratio(sums["missing"], priced + sums["missing"]),
        "imputed_token_share": ratio(sums["imputed"], priced),
        "fallback_share": ratio(sums["fallback"], priced),
        "conflict_share": ratio(sums["conflict"], priced),
        "unpaid_share": ratio(sums["unpaid"], observed),
        "ineligible_share": ratio(sums["ineligible"], observed),
        "constituents": len(tokens),
        "top_constituent_share": ratio(max(tokens, default=0), priced),
        "hhi": hhi,
        "effective_constituents": None if hhi is None else 1 / hhi,
        "weight_basis": "total_tokens",
    }


def status(diagnostics: Json, *, no_volumes: bool, short: bool, other_source: bool) -> tuple[str, list[str]]:
    """R-10: quality and sorted reasons."""
    d = diagnostics
    if no_volumes or d["token_weight"] == 0:
        return "withheld", ["no_volumes" if no_volumes else "no_priced_volume"]
    withheld = {
        "coverage_below_minimum": d["price_coverage"] < Fraction(3, 4),
        "truncation": d["truncation_exposure"] > Fraction(1, 2),
    }
    if any(withheld.values()):
        return "withheld", sorted(reason for reason, holds in withheld.items() if holds)
    collected = {
        "truncation": d["truncation_exposure"] > Fraction(1, 10) or d["unseen_ratio"] > 2,
        "coverage": d["price_coverage"] < Fraction(9, 10),
        "imputed_or_fallback": d["imputed_token_share"] + d["fallback_share"] > Fraction(1, 10),
        "conflict": d["conflict_share"] > Fraction(1, 10),
        "few_constituents": d["constituents"] < 2,
        "short_capture": short,
        "other_source": other_source,
    }
    reasons = sorted(reason for reason, holds in collected.items() if holds)
    if d["imputed_token_share"] > Fraction(1, 2):
        return "estimated", reasons
    return ("degraded" if reasons else "good"), reasons


def classify_rows(view: View, rows: Mapping[str, int]) -> tuple[dict[str, Json], dict[str, Json]]:
    """R-9: priced constituents and those left out. Zero-token rows are no constituents (R-2)."""
    constituents: dict[str, Json] = {}
    left_out: dict[str, Json] = {}
    for name, tokens in rows.items():
        if tokens == 0:
            continue
        outcome = classify(view, name)
        if isinstance(outcome, str):
            left_out[name] = {"tokens": tokens, "cls": outcome}
        else:
            shas = [capture.sha256 for capture in outcome.captures]
            constituents[name] = {"tokens": tokens, **vars(outcome), "captures": shas}
    return constituents, left_out


def discarded_captures(view: View, names: Iterable[str]) -> list[tuple[str, str, str]]:
    """R-5.4: captures of D discarded for the constituents of D."""
    captures = view.captures(view.fixing, view.fixing)
    pairs = [(name, capture) for name in names for capture in captures]
    return sorted((name, c.sha256, "zero_glitch") for name, c in pairs if is_zero_glitch(view, c, name))


def determine(
    captures: Sequence[Capture],
    series: str,
    day: date,
    as_of: int | None = None,
    *,
    complete: bool = False,
    other_source: bool = False,
) -> dict[str, Any]:
    """R-0 .. R-10 of one day of one series, exact."""
    seen = [capture for capture in captures if as_of is None or capture.captured_at <= as_of]
    view = make_view(seen, day_number(day))
    rankings = choose_rankings(seen, day, other_source)
    market = rankings.rankings[day.isoformat()] if rankings else DayRows(totals={}, names={})
    rows = {name: tokens for name, tokens in market.names.items() if belongs(name, series)}
    constituents, left_out = classify_rows(view, rows)
    described = described_names(view, series)
    absent = absent_constituents(view, described, rows)
    sums = token_sums(constituents, left_out)
    weight = sums["priced"]
    numerator = sum(item["tokens"] * item["price_seconds"] for item in constituents.values())

    short = len(market.names) < SHORT_CAPTURE and not complete
    smallest = 0 if short or complete else min(market.names.values(), default=0)
    tail = market.totals.get("other")
    diagnostics = share_fields(sums, [item["tokens"] for item in constituents.values()])
    diagnostics |= {
        "market_tail_share": None if tail is None else ratio(tail, sum(market.totals.values())),
        "truncation_exposure": ratio(smallest, weight),
        "unseen_ratio": ratio(min(len(absent) * smallest, tail or 0), weight),
        "truncation_low": None,
        "truncation_high": None,
        "tail": tail,
        "named_rows": len(market.names),
        "smallest_named": smallest,
    }
    no_volumes = rankings is None
    quality, reasons = status(diagnostics, no_volumes=no_volumes, short=short, other_source=other_source)
    exact = None if quality == "withheld" else Fraction(numerator, weight * USD_PER_MTOK)
    if exact is not None:
        n_w, ascending = (numerator, weight), [price for _, price in absent]
        low = extreme(n_w, ascending, smallest, tail or 0, high=False)
        high = extreme(n_w, reversed(ascending), smallest, tail or 0, high=True)
        diagnostics |= {"truncation_low": low, "truncation_high": high}
    inputs = view.captures(view.fixing - INPUTS_BACK, view.fixing + 1)
    return {
        "quality": quality,
        "reasons": reasons,
        "value": None if exact is None else decimal_text(exact, 6),
        "exact": exact,
        "N": None if exact is None else numerator,
        "W": weight,
        "rankings": rankings.sha256 if rankings else None,
        "inputs": [(c.captured_at, c.collector, c.rank, c.sha256) for c in inputs],
        "constituents": constituents,
        "left_out": left_out,
        "discarded": discarded_captures(view, [*constituents, *left_out]),
        "absent": absent,
        "described": described,
        "rows": set(rows),
        "diagnostics": diagnostics,
    }


# ---- texts and roots (R-8.3, R-11) ----


def scaled_text(units: int, places: int) -> str:
    """units x 10^-places as a decimal text; never "-0"."""
    digits = f"{abs(units):0{places + 1}d}"
    return f"{'-' if units < 0 else ''}{digits[:-places]}.{digits[-places:]}"


def decimal_text(value: Fraction, places: int) -> str:
    """Half-even (`round` of a Fraction is exact and half-even)."""
    return scaled_text(round(value * 10**places), places)


def rounded_root(square: Fraction) -> int:
    """The integer nearest to the square root, half-even, by integer square root."""
    floor = isqrt(square.numerator // square.denominator)
    middle = Fraction(2 * floor + 1, 2) ** 2
    if square == middle:
        return floor + floor % 2
    return floor + 1 if square > middle else floor


def root_text(square: Fraction, places: int) -> str:
    """The square root with `places` decimals, half-even."""
    return scaled_text(rounded_root(square * 100**places), places)


def root_to_digits(square: Fraction, digits: int) -> Decimal:
    """The square root of a positive fraction, half-even to `digits` significant digits."""
    places = digits
    while square * Fraction(100) ** places >= 100**digits:
        places -= 1
    while square * Fraction(100) ** places < 100 ** (digits - 1):
        places += 1
    root = rounded_root(square * Fraction(100) ** places)
    return Decimal((0, tuple(int(digit) for digit in str(root)), -places))


# ---- the move between two printed days (R-11) ----


def basket(determination: Json) -> Basket:
    """The priced constituents of a printed determination: name -> (tokens, price in USD per million)."""
    items = determination["constituents"].items()
    return {name: (item["tokens"], Fraction(item["price_seconds"], USD_PER_MTOK)) for name, item in items}


def weight(b: Basket, names: Iterable[str]) -> int:
    """Tokens of `names`."""
    return sum(b[name][0] for name in names)


def average(b: Basket, names: Sequence[str]) -> Fraction:
    """U over `names`, with their shares among themselves."""
    return sum((b[name][0] * b[name][1] for name in names), Fraction(0)) / weight(b, names)


def continuing(b0: Basket, b1: Basket) -> list[str]:
    """C: priced on both days."""
    return sorted(b0.keys() & b1.keys())


def fisher_square(b0: Basket, b1: Basket) -> Fraction:
    """P_L x P_P on C, volumes as quantities (R-11, R-8.3)."""
    names = continuing(b0, b1)
    product = Fraction(1)
    for volumes in (b0, b1):
        then = sum((volumes[name][0] * b0[name][1] for name in names), Fraction(0))
        now = sum((volumes[name][0] * b1[name][1] for name in names), Fraction(0))
        product *= now / then
    return product


def cause_elsewhere(name: str, other: Json) -> str:
    """R-11: why a constituent has no price on the other day."""
    if name in other["left_out"]:
        return str(other["left_out"][name]["cls"])
    return "no_row" if name in other["described"] or name in other["rows"] else "unlisted"


def effects_by_constituent(b0: Basket, b1: Basket) -> dict[str, dict[str, Fraction]]:
    """R-11: name -> effects: price and mix (continuing), entry, exit; or replacement where C is empty."""
    both, w0, w1 = continuing(b0, b1), weight(b0, b0), weight(b1, b1)
    if not both:
        effects = {name: {"replacement": -Fraction(t, w0) * price} for name, (t, price) in b0.items()}
        return effects | {name: {"replacement": Fraction(t, w1) * price} for name, (t, price) in b1.items()}
    u_c0, u_c1 = average(b0, both), average(b1, both)
    effects = {}
    for name in both:
        (tokens0, p0), (tokens1, p1) = b0[name], b1[name]
        s0, s1 = Fraction(tokens0, weight(b0, both)), Fraction(tokens1, weight(b1, both))
        mix = ((p0 + p1) / 2 - (u_c0 + u_c1) / 2) * (s1 - s0)
        effects[name] = {"price": (s0 + s1) / 2 * (p1 - p0), "mix": mix}
    for name in b1.keys() - b0.keys():
        effects[name] = {"entry": Fraction(b1[name][0], w1) * (b1[name][1] - u_c1)}
    for name in b0.keys() - b1.keys():
        effects[name] = {"exit": -Fraction(b0[name][0], w0) * (b0[name][1] - u_c0)}
    return effects


def factor_texts(b0: Basket, b1: Basket, u0: Fraction, u1: Fraction) -> dict[str, str] | None:
    """R-11, percentage form with 12 decimals; None where C is empty. Checked exactly on the squares."""
    both = continuing(b0, b1)
    if not both:
        return None
    u_c0, u_c1 = average(b0, both), average(b1, both)
    price = fisher_square(b0, b1)
    mix = (u_c1 / u_c0) ** 2 / price
    squares = {"price": price, "mix": mix, "entry": (u1 / u_c1) ** 2, "exit": (u_c0 / u0) ** 2}
    assert squares["price"] * squares["mix"] * squares["entry"] * squares["exit"] == (u1 / u0) ** 2
    return {key: root_text(square, 12) for key, square in squares.items()}


def explain_move(previous: date, d0: Json, d1: Json) -> Json:
    """R-11 of two printed days. Effects that do not exist (replacement, or the other four) are None."""
    b0, b1 = basket(d0), basket(d1)
    by_constituent = effects_by_constituent(b0, b1)
    causes = {name: cause_elsewhere(name, d0) for name in sorted(b1.keys() - b0.keys())}
    causes |= {name: cause_elsewhere(name, d1) for name in sorted(b0.keys() - b1.keys())}
    change = d1["exact"] - d0["exact"]
    effects: Json = {"change": change} | dict.fromkeys(("price", "mix", "entry", "exit", "replacement"))
    for key in ("price", "mix", "entry", "exit") if continuing(b0, b1) else ("replacement",):
        effects[key] = sum((item.get(key, Fraction(0)) for item in by_constituent.values()), Fraction(0))
    assert sum(item for item in effects.values() if item is not None) == 2 * change
    by_cause: dict[str, dict[str, Fraction]] = {"entry": {}, "exit": {}}
    for name, cause in causes.items():
        for key in by_cause.keys() & by_constituent[name].keys():
            by_cause[key][cause] = by_cause[key].get(cause, Fraction(0)) + by_constituent[name][key]
    texts = {key: None if item is None else decimal_text(item, 12) for key, item in effects.items()}
    return {
        **effects,
        "previous": previous,
        "by_constituent": by_constituent,
        "entry_by_cause": by_cause["entry"],
        "exit_by_cause": by_cause["exit"],
        "causes": causes,
        "effect_texts": texts,
        "factor_texts": factor_texts(b0, b1, d0["exact"], d1["exact"]),
    }


# ---- consecutive records of one run (R-8.2, R-8.3, notes) ----


def printed_average(determinations: Mapping[date, Json], day: date, length: int) -> tuple[str | None, int]:
    """R-8.2: mean of the printed values of the `length` days ending on D, and the number of printed days."""
    window = [determinations.get(day - timedelta(days=back)) for back in range(length)]
    values = [Fraction(item["value"]) for item in window if item is not None and item["value"] is not None]
    beside_a_value = determinations[day]["value"] is not None
    if not beside_a_value or len(values) * 5 < length * 4:
        return None, len(values)
    return decimal_text(sum(values, Fraction(0)) / len(values), 6), len(values)


def link(d0: Json, d1: Json) -> tuple[Fraction, list[str]]:
    """R-8.3: square of the Fisher factor between two printed days, and its notes."""
    b0, b1 = basket(d0), basket(d1)
    names = continuing(b0, b1)
    if not names:
        return Fraction(1), ["no_link"]
    weak = any(2 * weight(b, names) < weight(b, b) for b in (b0, b1))
    return fisher_square(b0, b1), ["weak_link"] if weak else []


def chain(determinations: Mapping[date, dict[str, Any]]) -> dict[date, dict[str, Any]]:
    """Each determination with R-8.2, R-8.3, the notes and R-11 added; one series, one run."""
    chained: dict[date, Json] = {}
    last: date | None = None  # the last printed day, however old
    index = Decimal(100)
    for day in sorted(determinations):
        record = dict(determinations[day])
        for length in (7, 30):
            text, days = printed_average(determinations, day, length)
            record |= {f"average_{length}d": text, f"average_{length}d_days": days}
        record |= {"price_index": None, "price_index_exact": None, "notes": [], "move": None}
        if record["exact"] is not None:
            if last is not None and (day - last).days <= LINK_BACK:
                before = determinations[last]
                square, notes = link(before, record)
                index = root_to_digits(Fraction(index) ** 2 * square, 50)
                jump = abs(record["exact"] - before["exact"]) * 5 > before["exact"]
                record["notes"] = sorted([*notes, "jump"] if jump else notes)
                record["move"] = explain_move(last, before, record)
            elif last is not None:
                record["notes"] = ["no_link"]
            record |= {"price_index": decimal_text(Fraction(index), 6), "price_index_exact": index}
            last = day
        chained[day] = record
    return chained
