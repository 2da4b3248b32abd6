"""What a response must be read as, worked out a second time from the written rules by `json`, `re` and `Fraction`.

`objections` compares a decoder with that reading on any bytes whatever: nothing bad admitted, no good record lost with
a bad one, no zero that does not stand there, the right count of each code, equal results when decoded again. It is
tried on every fixture, and by scripts/fuzz_decoders.py on as many inputs as there is time for.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import pairwise
from typing import Any

from mtok.archive import KIND_ENDPOINTS, KIND_MODELS, KIND_RANKINGS, Capture
from mtok.calendar import format_instant
from mtok.observations import decode_endpoints, decode_models, decode_rankings
from mtok.observations.tables import TABLES, Rows, observe_capture
from mtok.watch.codes import CODES

DAY_SECONDS = 86_400
DAY_MICROSECONDS = DAY_SECONDS * 10**6
EPOCH = dt.date(1970, 1, 1)
LISTED_MAX = 1_000

GOOD = {
    KIND_MODELS: {"id": "known-good/row", "pricing": {"completion": "0.000123", "prompt": "0.000001"}},
    KIND_RANKINGS: {"date": "2026-06-17", "model_permaslug": "known-good/row", "total_tokens": "123456"},
    KIND_ENDPOINTS: {"provider_name": "Known Good", "tag": "good", "pricing": {"completion": "0.000123"}},
}
"""A row that is added to a response and must be read, whatever else stands in it."""


class NotRead(Exception):
    """A payload or a schedule that rules 5.2 and R-5.2 say is not to be read."""


class Literal(str):
    """A JSON number as its text: one with a fraction or exponent, or too long for an integer."""

    __slots__ = ()


# ---- strict JSON


def strict(raw: bytes) -> Any:
    """Return the content of a payload. Raises NotRead for what rules 5.2 do not read."""
    if len(raw) > 20 * 2**20:
        raise NotRead("over 20 MB")
    try:
        content = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_object,
            parse_float=Literal,
            parse_int=_whole,
            parse_constant=_refuse,
        )
    except (ValueError, RecursionError) as error:
        raise NotRead(str(error)) from None
    if _depth(content) > 32:
        raise NotRead("over 32 levels")
    return content


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a key twice")
    return dict(pairs)


def _whole(text: str) -> Any:
    return int(text) if len(text) <= 4_000 else Literal(text)


def _refuse(text: str) -> Any:
    raise ValueError(f"{text} is no JSON")


def _depth(content: Any) -> int:
    level, depth = [content], 0
    while level := [value for value in level if isinstance(value, dict | list)]:
        depth += 1
        level = [one for value in level for one in (value.values() if isinstance(value, dict) else value)]
    return depth


def written(content: Any) -> str:
    """Return the JSON text of what `strict` returned."""
    if isinstance(content, Literal):
        return str(content)
    if isinstance(content, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{written(value)}" for key, value in content.items()) + "}"
    if isinstance(content, list):
        return "[" + ",".join(map(written, content)) + "]"
    return json.dumps(content)


# ---- names, numbers, dates


def slug_parts(text: object) -> tuple[str, str] | None:
    """Return (author/name, variant) of `author/name[:variant]` (docs/observations.md, *Numbers*)."""
    word = r"[A-Za-z0-9][A-Za-z0-9._-]"
    found = type(text) is str and re.fullmatch(
        rf"({word}{{0,79}}/{word}{{0,119}})(:{word}{{0,39}})?", text, re.ASCII
    )
    return (found[1], found[2][1:] if found[2] else "standard") if found else None


def price(dimension: str, value: object) -> tuple[int | None, str | None]:
    """Return (10⁻¹⁸ USD, None) or (None, code) of a posted price (R-5.1)."""
    if value is None:
        return None, "price_absent"
    if type(value) is not str or not re.fullmatch(
        r"-?(0|[1-9][0-9]{0,11})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,2})?", value
    ):
        return None, "price_grammar"
    amount = Fraction(value) * 10**18
    if amount < 0:
        return None, "price_dynamic"
    most = 9 * 10**18 if dimension in ("request", "image", "web_search") else 10**15
    if amount > most or (amount > 0 and round(amount) == 0):
        return None, "price_range"
    return round(amount), None


def total(value: object) -> int | None:
    """Return the tokens of a total, None for what R-2 does not admit."""
    if type(value) is str and not re.fullmatch("[0-9]{1,19}", value):
        return None
    if type(value) not in (str, int):
        return None
    tokens = int(value)  # type: ignore[call-overload]  # a text of digits or an integer
    return tokens if 0 <= tokens < 2**63 else None


def day_number(text: object) -> int | None:
    """Return the days since 1970 of `YYYY-MM-DD`, None for what is no date."""
    if type(text) is not str or not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return None
    try:
        return (dt.date(*map(int, text.split("-"))) - EPOCH).days
    except ValueError:
        return None


def microseconds(text: object) -> int | None:
    """Return the instant of an ISO text in UTC, None for what is none."""
    pattern = r"(.{10})[T ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?(?:Z|\+00:00)"
    found = type(text) is str and re.fullmatch(pattern, text)
    if not found or (day := day_number(found[1])) is None:
        return None
    hour, minute, second = (int(found[place]) for place in (2, 3, 4))
    if hour > 23 or minute > 59 or second > 59:
        return None
    return (day * DAY_SECONDS + hour * 3600 + minute * 60 + second) * 10**6 + int(
        (found[5] or "").ljust(6, "0")[:6]
    )


# ---- schedules

DIMENSIONS = {
    *("prompt", "completion", "request", "image", "web_search", "internal_reasoning", "input_cache_read"),
    *("input_cache_write", "input_cache_write_1h", "audio", "discount"),
}
CONDITIONS = {"utc_start", "utc_end", "min_prompt_tokens"}

Tile = tuple[int, int, int, int | None, str | None]
"""(prompt tokens above, start second, end second, price, code)."""

Used = tuple[int, list[tuple[int, int]], dict[str, Any]]
"""(prompt tokens above, minutes from and to, prices as posted) of an override that is used."""


def overrides_used(pricing: dict[str, Any]) -> list[Used]:
    """Return the overrides that are used, in order. Raises NotRead where the schedule is unknown."""
    entries = pricing.get("overrides")
    if entries is not None and not isinstance(entries, list):
        raise NotRead("no list")
    if len(entries or []) > 100:
        raise NotRead("over 100 overrides")
    names = DIMENSIONS | {key for key, value in pricing.items() if value is not None and key != "overrides"}
    used = []
    for entry in entries or []:
        if not isinstance(entry, dict):
            raise NotRead("no object")
        said = {key: value for key, value in entry.items() if value is not None}
        if said.keys() - names - CONDITIONS:
            continue
        prices = {key: value for key, value in said.items() if key in names}
        tier = said.get("min_prompt_tokens", 0)
        timed = "utc_start" in said or "utc_end" in said
        if "min_prompt_tokens" in said:
            if type(tier) is not int or not 1 <= tier < 2**63:
                continue
            try:
                used.append((tier, _window(said) if timed else [(0, 1440)], prices))
            except NotRead:
                continue
        elif timed:
            used.append((0, _window(said), prices))
    return used


def _window(said: dict[str, Any]) -> list[tuple[int, int]]:
    start, end = said.get("utc_start"), said.get("utc_end")
    if type(start) is not int or type(end) is not int or start not in range(2360) or end not in range(2401):
        raise NotRead("no times")
    if start % 100 >= 60 or end % 100 >= 60:
        raise NotRead("no times")
    a, b = start // 100 * 60 + start % 100, end // 100 * 60 + end % 100
    if start == end:
        return [(0, 1440)]
    return [(a, b)] if a < b else [(a, 1440), (0, b)] if b else [(a, 1440)]


def tiles(dimension: str, base: int, used: list[Used]) -> list[Tile]:
    """Return the tiles of a dimension whose base price is sound."""
    longer = [
        (tier, a * 60, b * 60, *price(dimension, prices[dimension]))
        for tier, window, prices in used
        if tier and dimension in prices
        for a, b in window
    ]
    by_time = [
        (window, price(dimension, prices[dimension]) if dimension in prices else (base, None))
        for tier, window, prices in used
        if not tier
    ]
    bad = next((code for _, (_, code) in by_time if code), None)
    if bad:
        return [(0, 0, DAY_SECONDS, None, bad), *longer]
    edges = sorted({0, 1440, *(minute for window, _ in by_time for part in window for minute in part)})
    whole: list[Tile] = []
    for a, b in pairwise(edges):
        covering = [amount for window, (amount, _) in by_time if any(x <= a < y for x, y in window)]
        amount = covering[-1] if covering else base
        begin = whole.pop()[1] if whole and whole[-1][3] == amount else a * 60
        whole.append((0, begin, b * 60, amount, None))
    return [*whole, *longer]


# ---- the three readings: rows, and how often each code is due

COUNTED = re.compile(r"(payload|price|volume|date|duplicate|slug|short|as_of)_\w+")
"""Codes that are counted exactly; the others say that a field is new, of another type, or easily confused."""


def models_reading(payload: dict[str, Any]) -> tuple[dict[str, list[Any]], Counter[str]]:
    """Return the rows of `catalogue` and `prices`, and the codes; a dimension nobody knows is None."""
    catalogue: list[Any] = []
    prices: list[Any] = []
    codes: Counter[str] = Counter()
    if not payload["data"]:
        codes["payload_empty"] += 1
    ids = Counter(
        row["id"] for row in payload["data"] if isinstance(row, dict) and type(row.get("id")) is str
    )
    codes["duplicate_id"] += ids.total() - len(ids)
    for ordinal, row in enumerate(payload["data"]):
        if not isinstance(row, dict):
            continue
        model_id, canonical = row.get("id"), row.get("canonical_slug")
        if type(model_id) is str and model_id.startswith("~"):
            continue
        parts = slug_parts(model_id)
        named = parts if canonical is None else slug_parts(canonical)
        if parts is None or named is None or (type(canonical) is str and ":" in canonical):
            codes["slug_grammar"] += 1
            continue
        created = row.get("created")
        sound = type(created) is int and abs(created) <= 2**53
        author, _, name = named[0].partition("/")
        catalogue.append(
            (ordinal, model_id, named[0], author, name, parts[1], created if sound else 0, _text_only(row))
        )
        pricing = row.get("pricing")
        pricing = pricing if isinstance(pricing, dict) else {}
        prices += ((ordinal, *found) for found in _prices(pricing, parts[1] == "free", codes))
    return {"catalogue": catalogue, "prices": prices}, codes


def _text_only(row: dict[str, Any]) -> bool | None:
    architecture = row.get("architecture")
    modalities = architecture.get("output_modalities") if isinstance(architecture, dict) else None
    if not isinstance(modalities, list) or any(type(one) is not str for one in modalities):
        return None
    return modalities == ["text"]


def _prices(pricing: dict[str, Any], free: bool, codes: Counter[str]) -> Iterator[tuple[Any, ...]]:
    used: list[Used] | None
    try:
        used = overrides_used(pricing)
    except NotRead:
        used = None
        codes["price_window"] += 1
    if pricing.get("completion") is None:
        codes["price_absent"] += 1
        yield ("completion", 0, 0, DAY_SECONDS, None, None, "price_absent")
    for dimension, posted in pricing.items():
        if dimension == "overrides" or posted is None:
            continue
        shown = dimension if re.fullmatch("[a-z0-9_]{1,160}", dimension) else None
        base, code = price(dimension, posted)
        codes[code or ""] += 1
        codes["price_zero"] += base == 0 and dimension == "completion" and not free
        if base is None or used is None:
            yield (shown, 0, 0, DAY_SECONDS, None, base, code or "price_window")
            continue
        for tier, start, end, amount, why in tiles(dimension, base, used):
            codes[why or ""] += 1
            yield (shown, tier, start, end, amount, base, why)


def rankings_reading(
    payload: dict[str, Any], captured_at: int
) -> tuple[dict[str, list[Any]], Counter[str], int]:
    """Return the rows of `volumes` and `volume_days` (reason: every possible one), the codes, and the instant."""
    codes: Counter[str] = Counter()
    meta = payload.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    as_of = microseconds(meta.get("as_of"))
    instant = captured_at if as_of is None else as_of
    if instant > captured_at + 3600 * 10**6:
        codes["as_of_future"] += 1
        instant = captured_at
    first, last = day_number(meta.get("start_date")), day_number(meta.get("end_date"))
    if not payload["data"]:
        codes["payload_empty"] += 1
    totals: dict[tuple[int, str, str], tuple[object, int]] = {}
    why: dict[int, set[str]] = {}
    for row in payload["data"]:
        if not isinstance(row, dict):
            continue
        day = day_number(row.get("date"))
        over = min(instant, captured_at) // DAY_MICROSECONDS
        if day is None or day >= over or day < (day if first is None else first):
            codes["date_range"] += 1
            continue
        if last is not None and day > last:
            codes["date_range"] += 1
            continue
        permaslug = row.get("model_permaslug")
        parts = ("other", "standard") if permaslug == "other" else slug_parts(permaslug)
        if parts is None:
            codes["slug_grammar"] += 1
            continue
        reasons = why.setdefault(day, set())
        tokens = total(row.get("total_tokens"))
        if tokens is None:
            codes["volume_range"] += 1
            reasons.add("volume_range")
        elif totals.setdefault((day, *parts), (permaslug, tokens)) != (permaslug, tokens):
            codes["volume_duplicate"] += 1
            reasons.add("volume_duplicate")
    for entry in payload["unresolved"] if isinstance(payload.get("unresolved"), list) else []:
        reason = entry.get("reason") if isinstance(entry, dict) else None
        if reason in ("volume_duplicate", "volume_range"):
            codes[reason] += 1
    rows = [(*key, tokens) for key, (_, tokens) in totals.items() if not why[key[0]]]
    named = Counter(day for day, slug, *_ in rows if slug != "other")
    codes["short_capture"] += sum(not reasons and named[day] < 50 for day, reasons in why.items())
    return {"volumes": rows, "volume_days": sorted(why.items())}, codes, instant


def endpoints_reading(payload: dict[str, Any]) -> tuple[list[tuple[Any, ...]], Counter[str], str | None]:
    """Return (ordinal, tag, status, standard tier, price, price seconds, code) of each row, the codes, and the id."""
    codes: Counter[str] = Counter()
    model = payload["data"]
    parts = slug_parts(model.get("id"))
    codes["slug_grammar"] += parts is None
    codes["payload_empty"] += not model["endpoints"]
    rows = []
    for ordinal, row in enumerate(model["endpoints"]):
        if not isinstance(row, dict) or type(row.get("provider_name")) is not str:
            continue
        tag, status = row.get("tag"), row.get("status")
        standard = type(tag) is str and tag.split("/")[-1] not in ("flex", "priority", "fast")
        pricing = row.get("pricing")
        pricing = pricing if isinstance(pricing, dict) else {}
        amounts = _of_the_day(pricing, parts is not None and parts[1] == "free", codes)
        healthy = status if type(status) is int and abs(status) < 2**31 else None
        rows.append((ordinal, type(tag) is str, healthy, standard, *amounts))
    return rows, codes, model["id"] if parts else None


def _of_the_day(
    pricing: dict[str, Any], free: bool, codes: Counter[str]
) -> tuple[int | None, int | None, str | None]:
    base, code = price("completion", pricing.get("completion"))
    codes[code or ""] += 1
    codes["price_zero"] += base == 0 and not free
    try:
        used = overrides_used(pricing)
    except NotRead:
        codes["price_window"] += 1
        return base, None, code or "price_window"
    if base is None:
        return None, None, code
    day = tiles("completion", base, used)
    if day[0][4]:
        codes[day[0][4]] += 1
        return base, None, day[0][4]
    codes.update(why for *_, why in day if why)
    return base, sum((end - start) * (amount or 0) for tier, start, end, amount, _ in day if not tier), None


# ---- what is wrong with what a decoder returned


def objections(kind: str, raw: bytes, captured_at: int) -> list[str]:
    """Return what is wrong with the reading of a response by its decoder; nothing, if all is well."""
    seen, found = _decoded(kind, raw, captured_at), _decoded(kind, raw, captured_at)
    if seen != found:
        return ["decoded twice, read differently"]
    readable, codes, faults, rows = seen
    wrong = [f"{code} is no declared code" for code in codes if code not in CODES]
    rows_made = observe_capture(0, _capture(kind, raw, captured_at), raw)
    wrong += [f"{table}.{column} cannot hold {value!r}" for table, column, value in unfit(rows_made)]
    payload = _payload(kind, raw)
    if payload is None or not readable:
        if payload is not None or readable:
            wrong.append(f"readable is {readable}")
        if len(faults) != 1 or not next(iter(codes)).startswith("payload_") or any(rows.values()):
            wrong.append(f"unreadable with {dict(codes)} and {rows}")
        return wrong
    wrong += _differences(kind, payload, rows, codes, captured_at)
    data = payload["data"] if kind != KIND_ENDPOINTS else payload["data"]["endpoints"]
    wrong += [
        f"row {number} is no object and has no fault"
        for number, row in enumerate(data[:LISTED_MAX])
        if not isinstance(row, dict)
        and ("schema_type", f"data{'.endpoints' * (kind == KIND_ENDPOINTS)}[{number}]") not in faults
    ]
    return [*wrong, *_good_row_lost(kind, payload, captured_at)]


def _payload(kind: str, raw: bytes) -> dict[str, Any] | None:
    """Return the payload if it is one of the kind."""
    try:
        payload = strict(raw)
    except NotRead:
        return None
    data = payload.get("data") if isinstance(payload, dict) else None
    if kind == KIND_ENDPOINTS:
        data = data.get("endpoints") if isinstance(data, dict) else None
    return payload if isinstance(data, list) else None


Decoded = tuple[bool, Counter[str], list[tuple[str, str]], dict[str, list[Any]]]
"""(readable, codes, (code, place) of each fault, rows)."""


def _decoded(kind: str, raw: bytes, captured_at: int) -> Decoded:
    faults: Iterable[Any]
    if kind == KIND_MODELS:
        models = decode_models(raw)
        readable, faults = models.readable, models.faults
        rows: dict[str, list[Any]] = {
            "catalogue": [tuple(row) for row in models.catalogue],
            "prices": [tuple(row) for row in models.prices],
        }
    elif kind == KIND_RANKINGS:
        rankings = decode_rankings(raw, captured_at)
        readable, faults = rankings.readable, rankings.faults
        rows = {"volumes": rankings.rows, "volume_days": sorted(rankings.days.items())}
    else:
        endpoints = decode_endpoints(raw)
        readable, faults = endpoints.readable, endpoints.faults
        rows = {"endpoints": [tuple(row) for row in endpoints.rows]}
    listed = list(faults)
    codes: Counter[str] = Counter()
    for fault in listed:
        more = re.fullmatch("([0-9]+) more", fault.found) if not fault.place and not fault.subject else None
        codes[fault.code] += int(more[1]) if more else 1
    return readable, codes, [(fault.code, fault.place) for fault in listed], rows


def _differences(
    kind: str, payload: dict[str, Any], rows: dict[str, list[Any]], codes: Counter[str], captured_at: int
) -> Iterator[str]:
    if kind == KIND_MODELS:
        wanted, due = models_reading(payload)
        yield from _unequal("catalogue", rows["catalogue"], wanted["catalogue"])
        shown = [
            (row[0], None if want[1] is None else row[1], *row[2:])
            for row, want in zip(rows["prices"], wanted["prices"], strict=False)
        ]
        yield from _unequal("prices", shown + rows["prices"][len(shown) :], wanted["prices"])
    elif kind == KIND_RANKINGS:
        wanted, due, _ = rankings_reading(payload, captured_at)
        shown = [(day, slug.slug, slug.variant, tokens) for day, slug, tokens in rows["volumes"]]
        yield from _unequal("volumes", shown, wanted["volumes"])
        days, reasons = dict(rows["volume_days"]), dict(wanted["volume_days"])
        sound = days.keys() == reasons.keys() and all(
            reason in (reasons[day] or {None}) for day, reason in days.items()
        )
        if not sound:
            yield f"volume_days are {days}, wanted {reasons}"
    else:
        expected, due, _ = endpoints_reading(payload)
        shown = [
            (ordinal, tag is not None, *more[:4], more[5]) for ordinal, _, tag, *more in rows["endpoints"]
        ]
        yield from _unequal("endpoints", shown, expected)
    for code in sorted(set(codes) | set(due)):
        if COUNTED.fullmatch(code) and codes[code] != due[code]:
            yield f"{code} {codes[code]} times, wanted {due[code]}"


def _unequal(name: str, found: list[Any], wanted: list[Any]) -> Iterator[str]:
    if len(found) != len(wanted):
        yield f"{len(found)} {name}, wanted {len(wanted)}"
    for one, other in zip(found, wanted, strict=False):
        if one != other:
            yield f"{name}: {one}, wanted {other}"


def _good_row_lost(kind: str, payload: dict[str, Any], captured_at: int) -> Iterator[str]:
    """A row known to be good is added last; only a date that R-2 rejects, or none to take it, may lose it."""
    good = GOOD[kind]
    data = payload["data"] if kind != KIND_ENDPOINTS else payload["data"]["endpoints"]
    changed = [*data, good]
    extended = {**payload, "data": changed}
    if kind == KIND_ENDPOINTS:
        extended["data"] = {**payload["data"], "endpoints": changed}
    _, _, _, rows = _decoded(kind, written(extended).encode(), captured_at)
    if kind == KIND_MODELS:
        kept = (len(data), "completion", 0, 0, DAY_SECONDS, 123 * 10**12, 123 * 10**12, None)
        if kept not in rows["prices"]:
            yield "the price of a good row was lost"
    elif kind == KIND_ENDPOINTS:
        row = rows["endpoints"][-1]
        if (row[0], row[5], row[6]) != (len(data), 123 * 10**12, 123 * 10**12 * DAY_SECONDS):
            yield "a good endpoint was lost"
    else:
        day = 20_621
        rejected = dict(rows["volume_days"]).get(day)
        meta = payload["meta"] if isinstance(payload.get("meta"), dict) else {}
        window = [day_number(meta.get(name)) for name in ("start_date", "end_date")]
        as_of = microseconds(meta.get("as_of"))
        outside = (
            (window[0] is not None and day < window[0])
            or (window[1] is not None and day > window[1])
            or (as_of is not None and as_of // DAY_MICROSECONDS <= day)
        )
        kept_row = any(
            (one, slug.slug, tokens) == (day, "known-good/row", 123456)
            for one, slug, tokens in rows["volumes"]
        )
        if not rejected and not outside and not kept_row:
            yield "a good total was lost"


def unfit(observed: Rows) -> list[tuple[str, str, object]]:
    """Return each value that its column cannot hold: (table, column, value)."""
    return [
        (table, column, value)
        for table, columns in TABLES.items()
        for row in observed[table]
        for (column, kind), value in zip(columns.items(), row, strict=True)
        if value is not None and not holds(kind, value)
    ]


def holds(kind: str, value: object) -> bool:
    """Return whether a column of an SQL type can hold a value; texts are printable ASCII."""
    if kind == "VARCHAR":
        return isinstance(value, str) and value.isprintable() and value.isascii()
    if kind == "BOOLEAN":
        return isinstance(value, bool)
    most = {"INTEGER": 2**31, "BIGINT": 2**63, "DECIMAL(38, 0)": 10**38}[kind]
    return type(value) is int and -most <= value < most


def _capture(kind: str, raw: bytes, captured_at: int) -> Capture:
    return Capture(
        captured_at=format_instant(captured_at),
        collector="a",
        kind=kind,
        sha256="0" * 64,
        bytes=len(raw),
        obtained="",
        subject="a/b" if kind == KIND_ENDPOINTS else None,
    )
