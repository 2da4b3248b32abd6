"""Make the golden bundle of a methodology: fixing dates that between them show every rule, and their exact records.

usage: make_golden.py FOLDER

It was run once for each version, before its first publication. What it wrote is never made again: an existing
bundle is refused. Three markets: the bundled sample, `rungs` and `source`, made by hand below so that each line shows
one rule, most of them at the very edge of it. Days are counted from the fixing date 2026-01-10.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from golden_bundle import Case, fact_line, head_line, response_line, store_of, write_lines
from mtok.archive import KIND_ENDPOINTS, KIND_MODELS, KIND_RANKINGS, RANKINGS_DAILY, Response, Store
from mtok.calendar import format_date, format_instant, parse_date, parse_instant
from mtok.canonical import canonical_bytes
from mtok.determination.assembly import Request
from mtok.determination.determine import determine
from mtok.determination.inputs import Evidence
from mtok.engine import EmbeddedEngine
from mtok.methodology import load
from mtok.observations import Observations
from mtok.progress import silent
from mtok.publication.facts_evidence import facts_of
from mtok.records import Determination
from mtok.replay import Recording
from mtok.replay.collecting import collect_recorded

VERSION = "1.0"
D = parse_date("2026-01-10")
OLD = (D - 400) * 86_400
SAMPLE_DATES = ("2026-05-22", "2026-05-24", "2026-05-25", "2026-06-12", "2026-06-17", "2026-06-20")
RUNGS_DATES = (-9, 0, 1, 2, 3, 4, 5, 31)
SAMPLE_AS_OF = "2026-06-27T14:00:00Z"

Json = dict[str, Any]


# ---- what a response holds


def price(usd_per_mtok: str) -> str:
    """Return USD per million tokens as OpenRouter writes it: USD per token."""
    return f"{Decimal(usd_per_mtok) / 10**6:f}"


def row(model_id: str, completion: Any, **more: Any) -> Json:
    """Return a row of /api/v1/models. completion : USD per million, or the whole of `pricing`."""
    pricing = completion if isinstance(completion, dict) else {"completion": price(completion)}
    return {
        "id": model_id,
        "canonical_slug": more.get("slug", model_id.partition(":")[0].removeprefix("~")),
        "created": more.get("created", OLD),
        "architecture": {"output_modalities": more.get("output", ["text"])},
        "pricing": {"prompt": "0.000001"} | pricing,
    }


def at(day: int, time: str) -> int:
    """Return an instant of a day counted from D."""
    return parse_instant(f"{format_date(D + day)}T{time}Z")


def listing(day: int, time: str, rows: Iterable[Json], collector: str = "primary") -> Response:
    """Return a response of /api/v1/models."""
    raw = json.dumps({"data": list(rows)}, separators=(",", ":")).encode()
    return Response(
        raw=raw, captured_at=at(day, time), kind=KIND_MODELS, obtained="golden", collector=collector
    )


def ranking(
    day: int,
    time: str,
    days: dict[int, list[tuple[str, Any]]],
    *,
    as_of: str | None = None,
    source: str = RANKINGS_DAILY,
) -> Response:
    """Return a response of rankings-daily: by day (permaslug, tokens). as_of : `meta.as_of`, a time of that day"""
    rows = [
        {"date": format_date(D + on), "model_permaslug": name, "total_tokens": str(tokens)}
        for on, totals in days.items()
        for name, tokens in totals
    ]
    content: Json = {"data": rows}
    if as_of:
        dates = [format_date(D + on) for on in days]
        content["meta"] = {
            "as_of": format_instant(at(day, as_of)),
            "start_date": min(dates),
            "end_date": max(dates),
            "version": "v1",
        }
    return Response(
        raw=json.dumps(content, separators=(",", ":")).encode(),
        captured_at=at(day, time),
        kind=KIND_RANKINGS,
        obtained="golden",
        volume_source=source,
    )


def market(totals: dict[str, int], *, named: int, least: int, tail: int) -> list[tuple[str, Any]]:
    """Return the totals of a day with `named` models, the fillers of other companies at `least` tokens or more."""
    fillers = named - len(totals)
    assert fillers > 0, (named, len(totals))
    return [
        *totals.items(),
        *((f"author/model-{number}", least + number - 1) for number in range(1, fillers + 1)),
        ("other", tail),
    ]


# ---- the market `rungs`

NIGHT = {
    "completion": price("10"),
    "overrides": [
        {"utc_start": 2200, "utc_end": 400, "completion": price("20")},
        {"utc_start": 2330, "utc_end": 30, "completion": price("30")},
        {"utc_start": 1200, "utc_end": 1230},
        {"min_prompt_tokens": 200_000, "completion": price("99")},
        {"min_prompt_tokens": 400_000, "completion": "-1"},
        {"region": "eu", "utc_start": 0, "utc_end": 2400, "completion": price("98")},
    ],
}
"""Windows over midnight, one inside the other, one that names no price; a tier by prompt length; another condition."""

FAULTS = {
    "03:00:00": {"completion": "-1"},
    "12:00:00": {"completion": "1_0"},
    "12:00:00.25": {"completion": "0.0010000000000000001"},
    "18:00:00": {"request": "0"},
    "23:59:59": {"completion": price("10"), "overrides": [{"utc_start": 100, "completion": price("1")}]},
}
"""By capture of D what none of them can use: a router, no number, above the highest, no price, half a window."""


def openai(n: int, time: str) -> list[Json]:
    """Return what OpenAI's rows are in the primary collector's capture of a day and time."""
    always = range(-30, 60)
    until_2 = range(-8, 3)
    rows = [
        ("gpt-direct", until_2 if n < 3 else always, "11" if (n, time) >= (0, "18:00:00") else "10", {}),
        ("gpt-direct:thinking", range(-8, 2), "12.5", {}),
        ("gpt-direct:free", always, {-3: "1", 1: "2"}.get(n, "0"), {}),
        ("gpt-second", range(-8, 3), "8.5" if time == "12:00:00.25" else "8", {}),
        ("gpt-major", range(-2, 2), "10", {}),
        ("gpt-minor", range(-2, 2), "10", {}),
        ("gpt-agree", range(-2, 2), "10", {"output": ["text", "image"] if n == 1 else ["text"]}),
        ("gpt-five", range(-2, 2), "10", {}),
        ("gpt-fallback", range(1, 2), "0", {}),
        ("gpt-carried-1", (-3, -1), "6" if n == -3 else "7.000000000001", {}),
        ("gpt-carried-7", (-7,), "5", {}),
        ("gpt-carried-8", (-8,), "5", {}),
        ("gpt-launch", range(1, 3), "20", {"created": (D - 2) * 86_400}),
        ("gpt-late", range(1, 3), "21", {"created": (D - 2) * 86_400 - 1}),
        ("gpt-glitch", range(-1, 2), "0" if (n, time) == (0, "18:00:00") else "12", {}),
        ("gpt-glitch-7", (-7, 0), "9" if n == -7 else "0", {}),
        ("gpt-zero-8", (-8, 0, 1), {-8: "9", 0: "0"}.get(n, "3"), {}),
        ("gpt-night", range(-1, 2), NIGHT, {}),
        ("gpt-faulty", range(-1, 2), FAULTS[time] if n == 0 else "13", {}),
        ("gpt-half", range(2), FAULTS["03:00:00"] if (n, time) == (0, "03:00:00") else "14", {}),
        (
            "gpt-drawing",
            range(-2, 2),
            "15",
            {"output": ["text"] if n == 1 or (n, time) == (0, "03:00:00") else ["text", "image"]},
        ),
        ("gpt-drawing-7", (-7, 1), "16", {"output": ["text"] if n == 1 else ["image"]}),
        ("gpt-drawing-8", (-8, 0), "17", {"output": ["image"] if n == -8 else None}),
        (
            "gpt-drawing-next",
            (0, 1),
            "18",
            {"output": (["text"] if time == "18:00:00" else ["audio"]) if n == 1 else None},
        ),
        ("gpt-tiny", (-1, 0), "0" if n == 0 else "0.000000000001", {}),
        ("gpt-yesterday", (30,), "68", {}),
        ("gpt-brand-new", range(1, 2), "22", {"created": (D + 1) * 86_400}),
        ("gpt-absent-a", range(-1, 2), "40", {}),
        ("gpt-absent-b", range(-1, 2), "1.5", {}),
        ("gpt-absent-c", range(-1, 2), "0.25", {}),
        ("gpt-absent-lent", (0,), {"completion": "-1"}, {}),
        ("gpt-absent:free", range(-1, 2), "0.5" if n == 1 else "0", {}),
        ("gpt-absent-drawing", range(-1, 2), "50", {"output": ["image"]}),
        ("gpt-new-1", range(2, 4), "30", {}),
        ("gpt-new-2", range(2, 4), "33", {}),
        ("gpt-week", (24,), "6", {}),
        ("gpt-eight", (23,), "6.5", {}),
        ("gpt-week-absent", (24,), "66", {}),
        ("gpt-eight-absent", (23,), "67", {}),
    ]
    found = [row(f"openai/{name}", value, **more) for name, days, value, more in rows if n in days]
    if n in range(-1, 2):
        found += [
            row("openai/gpt-twin-a", "70", slug="openai/gpt-twin", created=OLD),
            row("openai/gpt-twin-b", "7", slug="openai/gpt-twin", created=OLD + 1),
            row("openai/gpt-tie-b", "70", slug="openai/gpt-tie"),
            row("openai/gpt-tie-a", "7.5", slug="openai/gpt-tie"),
            row("~openai/gpt-direct", "900"),
            row("openai/gpt-dated", "3.3", slug="openai/gpt-dated-2025-08-07"),
        ]
    return found


def others(n: int) -> list[Json]:
    """Return the rows of the other companies in the primary collector's captures of a day."""
    rows: list[tuple[str, Iterable[int], Any]] = [
        ("google/gemini-a", range(-1, 60), "4"),
        ("google/gemini-b", range(-1, 60), "2"),
        ("google/gemini-old", (-1,), "3"),
        ("google/gemini-odd", range(-1, 60), "5"),
        ("google/gemma-a", range(-1, 60), "0.1"),
        ("anthropic/claude-a", range(-1, 60), "20"),
        ("anthropic/claude-old", (-1,), "10"),
        ("anthropic/claude-b", range(1, 60), "12"),
        ("deepseek/deepseek-a", range(-1, 60), "1.2" if n else "1"),
        ("deepseek/deepseek-b", range(-1, 60), "2.4" if n else "2"),
        *((f"deepseek/deepseek-spare-{k}", range(2), f"{k}") for k in range(1, 21)),
        ("deepseek/deepseek-spare-21", (1,), "0.5"),
        ("tngtech/deepseek-r", range(-1, 60), "9"),
        ("qwen/qwen-a", range(-1, 60), "1"),
        ("qwen/qwen-b", range(-1, 60), "3"),
        ("moonshotai/kimi-a", range(-1, 60), "2.5"),
        ("moonshotai/kimi-b", range(-1, 60), "3.5"),
    ]
    found = [row(name, value) for name, days, value in rows if n in days]
    if n == 0:  # before 2025-06-14 rows had no canonical_slug
        del found[0]["canonical_slug"]
    return found


ARCHIVE_A = {
    "openai/gpt-major": "10.51",
    "openai/gpt-minor": "10.0501",
    "openai/gpt-agree": "10.05",
    "openai/gpt-five": "10.5",
    "openai/gpt-fallback": "6.5",
    "openai/gpt-fallback-zero": "0",
    "openai/gpt-absent-lent": "2.2",
    "google/gemini-lent": "6",
    "google/gemini-odd": "6",
}
ARCHIVE_B = {
    "openai/gpt-major": "10",
    "openai/gpt-fallback": "7.5",
    "openai/gpt-fallback-zero": "7.5",
    "openai/gpt-fallback-b": "4.4",
}
"""What the archives of rank 2 and 3 list on D, USD per million."""

MILLION = 1_000_000


def rungs_volumes() -> dict[int, list[tuple[str, Any]]]:
    """Return the totals of each fixing date. On D and D+1 the smallest of exactly fifty rows is T = 1,000."""
    of_openai = {
        **{"gpt-direct": 400, "gpt-direct:thinking": 90, "gpt-direct:free": 30, "gpt-second": 60},
        **{"gpt-major": 110, "gpt-minor": 50, "gpt-agree": 40, "gpt-five": 45, "gpt-fallback": 35},
        **{"gpt-fallback-zero": 6, "gpt-fallback-b": 25, "gpt-carried-1": 24, "gpt-carried-7": 23},
        **{"gpt-carried-8": 22, "gpt-launch": 21, "gpt-late": 20, "gpt-glitch": 19, "gpt-glitch-7": 18},
        **{"gpt-zero-8": 17, "gpt-night": 16, "gpt-faulty": 15, "gpt-half": 14, "gpt-drawing": 13},
        **{"gpt-drawing-7": 12, "gpt-drawing-8": 11, "gpt-drawing-next": 10, "text-embedding-9": 9},
        **{"gpt-unseen": 100, "gpt-tiny": 4, "gpt-twin": 7, "gpt-tie": 6, "gpt-dated-2025-08-07": 5},
    }
    d0 = {f"openai/{name}": tokens * MILLION for name, tokens in of_openai.items()}
    d0 |= {
        # exactly 9/10 covered, 1/10 carried or lent, 1/10 in conflict: none of it a reason
        "google/gemini-a": 70 * MILLION,
        "google/gemini-b": 2 * MILLION,
        "google/gemini-old": 5 * MILLION,
        "google/gemini-lent": 4 * MILLION,
        "google/gemini-odd": 9 * MILLION,
        "google/gemini-gone": 10 * MILLION,
        # exactly half carried: not estimated
        "anthropic/claude-a": 50 * MILLION,
        "anthropic/claude-old": 50 * MILLION,
        # W = 10 T, twenty absent: exposure exactly 1/10, unseen ratio exactly 2
        "deepseek/deepseek-a": 6_000,
        "deepseek/deepseek-b": 4_000,
        # W = 2 T: exposure exactly 1/2
        "qwen/qwen-a": 1_000,
        "qwen/qwen-b": 1_000,
        # exactly 3/4 covered
        "moonshotai/kimi-a": 30 * MILLION,
        "moonshotai/kimi-gone": 10 * MILLION,
        "tngtech/deepseek-r": 9 * MILLION,
    }
    d1_openai = {
        **{"gpt-direct": 300, "gpt-direct:free": 30, "gpt-absent-a": 50, "gpt-brand-new": 40, "gpt-late": 39},
        **{"gpt-zero-8": 38, "gpt-drawing": 37, "gpt-carried-7": 36, "gpt-fallback": 35, "gpt-agree": 34},
        **{"gpt-launch": 33, "gpt-major": 32, "gpt-night": 31, "gpt-five": 30, "gpt-glitch": 29},
        **{"gpt-half": 28, "gpt-twin": 27, "gpt-tie": 26, "gpt-carried-1": 85},
    }
    d1 = {f"openai/{name}": tokens * MILLION for name, tokens in d1_openai.items()} | {
        "google/gemini-a": 70 * MILLION,
        "google/gemini-b": 2 * MILLION,
        "google/gemini-odd": 9 * MILLION,
        "google/gemini-old": 5 * MILLION,
        "google/gemini-lent": 4 * MILLION,
        "google/gemini-gone": 30 * MILLION,
        # those that continue hold exactly half of both days
        "anthropic/claude-old": 50 * MILLION + 1,
        "anthropic/claude-b": 50 * MILLION - 1,
        "deepseek/deepseek-a": 6_000,
        "deepseek/deepseek-b": 4_000,
        "qwen/qwen-a": 1_000,
        "qwen/qwen-b": 999,
        "moonshotai/kimi-a": 30 * MILLION,
        "moonshotai/kimi-gone": 10 * MILLION + 1,
    }
    d2 = {
        "openai/gpt-new-1": 50 * MILLION,
        "openai/gpt-new-2": 70 * MILLION,
        "openai/gpt-direct": 0,
        "google/gemini-a": 50 * MILLION,
        "google/gemini-b": 50 * MILLION,
        "anthropic/claude-a": 50 * MILLION,
        "anthropic/claude-b": 50 * MILLION,
        "qwen/qwen-a": 30 * MILLION,
        # never described: the name decides, case-sensitive
        "moonshotai/kimi-tts-1": MILLION,
        "moonshotai/kimi-image-1": MILLION,
        "moonshotai/kimi-audio-1": MILLION,
        "moonshotai/kimi-transcribe": MILLION,
        "moonshotai/kimi-rerank": MILLION,
        "moonshotai/rerank-1": MILLION,
        "moonshotai/kimi-embedding": MILLION,
        "moonshotai/Kimi-Embedding": MILLION,
    }
    d3 = {
        "openai/gpt-new-1": 49 * MILLION,
        "openai/gpt-direct": 51 * MILLION,
        "google/gemini-a": 50 * MILLION,
        "google/gemini-odd": 1,
        "google/gemini-b": 50 * MILLION,
        "anthropic/claude-a": 50 * MILLION,
        "qwen/qwen-a": 30 * MILLION,
        "qwen/qwen-b": 30 * MILLION,
    }
    d5 = {
        "openai/gpt-direct:free": 5 * MILLION,
        "google/gemma-a": 50 * MILLION,
        "google/gemini-a": 20 * MILLION,
        "google/gemini-b": 100 * MILLION,
        "qwen/qwen-a": 1_999,
    }
    d31 = {
        "openai/gpt-week": 5 * MILLION,
        "openai/gpt-eight": 1 * MILLION,
        "openai/gpt-direct": 5 * MILLION,
        "google/gemini-a": 50 * MILLION,
        "anthropic/claude-a": 50 * MILLION,
        "deepseek/deepseek-a": 50 * MILLION,
        "deepseek/deepseek-b": 50 * MILLION,
        "qwen/qwen-a": 50 * MILLION,
        "moonshotai/kimi-a": 50 * MILLION,
        "moonshotai/kimi-b": 50 * MILLION,
    }
    return {
        -9: market(
            {"openai/gpt-direct": 5 * MILLION, "openai/gpt-second": MILLION}, named=51, least=7, tail=10**9
        ),
        0: market(d0, named=50, least=1_000, tail=10**9),
        1: market(d1, named=50, least=1_000, tail=20_500),
        2: market(d2, named=60, least=900, tail=10**9),
        3: market(d3, named=49, least=900, tail=10**9),
        5: market(d5, named=50, least=1_000, tail=500),
        31: market(d31, named=50, least=1_000, tail=10**9),
    }


def endpoint(provider: str, usd_per_mtok: str, tag: str, status: int = 0) -> Json:
    """Return a row of a model's endpoints."""
    pricing = {"prompt": "0.000001", "completion": price(usd_per_mtok)}
    return {"provider_name": provider, "tag": tag, "status": status, "pricing": pricing}


def endpoints(day: int, time: str, slug: str, about: str, rows: list[Json]) -> Response:
    """Return a response of /api/v1/models/{slug}/endpoints about the model `about`."""
    raw = json.dumps({"data": {"id": about, "endpoints": rows}}, separators=(",", ":")).encode()
    return Response(raw=raw, captured_at=at(day, time), kind=KIND_ENDPOINTS, obtained="golden", subject=slug)


def rungs() -> list[Response]:
    """Return the responses of the market `rungs`."""
    volumes = rungs_volumes()
    taken = [
        # the archive is primary before the first own capture; its days are labelled backcast
        listing(-10, "12:00:00", [row("openai/gpt-direct", "9.5")], "archive-a"),
        listing(-9, "12:00:00", [row("openai/gpt-direct", "9"), row("openai/gpt-second", "8")], "archive-a"),
        listing(0, "06:00:00", [row(name, usd) for name, usd in ARCHIVE_A.items()], "archive-a"),
        listing(0, "07:00:00", [row(name, usd) for name, usd in ARCHIVE_B.items()], "archive-b"),
        listing(0, "08:00:00", [row("openai/gpt-unseen", "1")], "a stranger without a rank"),
        endpoints(
            0,
            "02:00:00",
            "anthropic/claude-a",
            "anthropic/claude-a",
            [endpoint("Anthropic", "1", "anthropic")],
        ),
        endpoints(
            0,
            "02:30:00",
            "anthropic/claude-a",
            "anthropic/claude-a",
            [
                endpoint("Anthropic", "22", "anthropic"),
                endpoint("Anthropic", "25", "anthropic"),
                endpoint("Anthropic", "3", "anthropic", -2),
                endpoint("Anthropic", "2", "anthropic/flex"),
                endpoint("Google", "1", "google"),
            ],
        ),
        endpoints(
            0,
            "02:30:01",
            "deepseek/deepseek-b",
            "deepseek/deepseek-a",
            [endpoint("DeepSeek", "9", "deepseek")],
        ),
        ranking(0, "20:00:00", {0: volumes[5], -1: volumes[2]}, as_of="20:00:00"),
        ranking(1, "02:00:00", {0: volumes[2]}, as_of="01:59:59.5"),
        ranking(2, "01:00:00", {day: volumes[day] for day in (-9, 0, 1)}, as_of="00:59:00"),
        ranking(
            3,
            "01:00:00",
            {0: [*volumes[0], ("openai/gpt-direct:standard", 5)], 2: volumes[2]},
            as_of="00:59:00",
        ),
        ranking(4, "01:00:00", {0: [*volumes[0], ("openai/gpt-x", -5)], 3: volumes[3]}, as_of="00:59:00"),
        ranking(6, "01:00:00", {5: volumes[5]}),
        ranking(32, "01:00:00", {31: volumes[31]}, as_of="00:59:00"),
        ranking(33, "01:00:00", dict.fromkeys(range(4), volumes[31]), as_of="00:59:00"),
    ]
    for day in (*range(-8, 6), 23, 24, 30):
        times = {0: tuple(FAULTS), 1: ("12:00:00", "18:00:00")}.get(day, ("12:00:00",))
        known = others(day) if day >= -1 else []
        taken += [listing(day, time, [*openai(day, time), *known]) for time in times]
    return sorted(taken, key=lambda response: response.captured_at)


def source() -> list[Response]:
    """Return the responses of the market `source`: volumes of another source, which names every model."""
    totals = market({"qwen/qwen-a": 30, "qwen/qwen-b": 20, "openai/gpt-a": 5}, named=6, least=1, tail=9)
    rows = [row("qwen/qwen-a", "1"), row("qwen/qwen-b", "3"), row("qwen/qwen-c", "5")]
    return [
        listing(0, "12:00:00", rows),
        ranking(1, "01:00:00", {0: totals}, source="acme"),
        ranking(1, "02:00:00", {0: totals[:1]}),
    ]


MARKETS = {"rungs": rungs, "source": source}
COLLECTORS: dict[str, list[Json]] = {
    "rungs": [
        {"collector": "primary", "rank": "1", "first": format_date(D - 8)},
        {"collector": "archive-a", "rank": "1", "last": format_date(D - 9), "archive": True},
        {"collector": "archive-a", "rank": "2", "first": format_date(D - 8)},
        {"collector": "archive-b", "rank": "3"},
    ],
    "source": [{"collector": "primary", "rank": "1"}],
}


# ---- what the rules make of it


def cases(
    name: str, store: Store, dates: Iterable[int], as_of: int, volume_source: str, *, complete: bool
) -> list[Case]:
    """Return cases of consecutive days, all determined at one `as_of`, each linked to those before it."""
    version = load(VERSION)
    observations = Observations(store)
    with store.writing():
        observations.refresh(silent)
    engine = EmbeddedEngine()
    evidence = Evidence(observations, engine, volume_source=volume_source, as_of=as_of)
    days = evidence.held_days()
    request = Request(
        methodology=version,
        volume_source=volume_source,
        first_day=min(days),
        last_day=max(days),
        as_of=as_of,
        complete=complete,
    )
    records = list(determine(request, evidence, engine, silent, {}))
    found = []
    for day in dates:
        evidence.load_prices(day - request.days_before, day + request.days_after)
        before: dict[str, list[Determination]] = {
            series.series: [
                one for one in records[place :: len(version.series)] if one.date < format_date(day)
            ]
            for place, series in enumerate(version.series)
        }
        engine.table("fixing", {"day": "INTEGER"}, [(day,)])
        for rule in version.rules:
            engine.query(rule.name, rule.text)
        found.append(
            Case(
                name=f"{name}-{format_date(day)}",
                market=name,
                facts=facts_of(request, evidence, engine, day),
                before=before,
                records=[one.canonical for one in records if one.date == format_date(day)],
            )
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    if list(folder.glob("*.xz")):
        sys.exit(f"{folder} holds a bundle: it is never made again (README.md)")
    found: list[Case] = []
    with tempfile.TemporaryDirectory() as temporary:
        for name, make in MARKETS.items():
            lines = [canonical_bytes(response_line(response)) for response in make()]
            write_lines(
                folder / f"{name}.responses.jsonl.xz",
                [canonical_bytes({"collectors": COLLECTORS[name]}), *lines],
            )
        rungs_store = store_of(folder, "rungs", Path(temporary) / "rungs")
        found += cases(
            "rungs",
            rungs_store,
            [D + day for day in RUNGS_DATES],
            at(32, "12:00:00"),
            RANKINGS_DAILY,
            complete=False,
        )
        source_store = store_of(folder, "source", Path(temporary) / "source")
        found += cases("source", source_store, [D], at(2, "00:00:00"), "acme", complete=True)
        sample = Store.create(Path(temporary) / "sample")
        collect_recorded(sample, Recording.sample())
        found += cases(
            "sample",
            sample,
            map(parse_date, SAMPLE_DATES),
            parse_instant(SAMPLE_AS_OF),
            RANKINGS_DAILY,
            complete=False,
        )
    for case in found:
        write_lines(
            folder / f"{case.name}.facts.jsonl.xz",
            [canonical_bytes(head_line(case)), *(canonical_bytes(fact_line(one)) for one in case.facts.rows)],
        )
        write_lines(folder / f"{case.name}.records.jsonl.xz", case.records)
    earlier = {
        one.sha256: one.canonical for case in found for listed in case.before.values() for one in listed
    }
    write_lines(folder / "earlier.jsonl.xz", sorted(earlier.values()))


if __name__ == "__main__":
    main()
