"""Generated markets: small, hostile, and together wide enough to reach every branch of the rulebook."""

from __future__ import annotations

import json
from decimal import Decimal
from random import Random
from typing import Any

from markets import Taken, day_instant
from mtok.archive import KIND_MODELS, KIND_RANKINGS
from mtok.calendar import format_date, format_instant, parse_date

FIRST_DAY = parse_date("2026-01-09")
DAYS = 7

_MODELS = {
    "openai/gpt-a": ("openai/gpt-a-2025", ("", ":batch", ":free")),
    "openai/gpt-b": ("openai/gpt-b-2025", ("",)),
    "openai/gpt-c": ("openai/gpt-c", ("", ":thinking")),
    "openai/gpt-d": ("openai/gpt-d", ("",)),
    "openai/gpt-e": ("openai/gpt-e", ("",)),
    "openai/gpt-f": ("openai/gpt-f", ("", ":batch")),
    "openai/gpt-new": ("openai/gpt-new-2026", ("",)),
    "openai/gpt-image": ("openai/gpt-image-1", ("",)),
    "openai/text-embedding": ("openai/text-embedding-1", ("",)),
    "openai/rerank": ("openai/rerank-1", ("",)),
    "google/gemini-a": ("google/gemini-a", ("", ":free")),
    "google/gemini-b": ("google/gemini-b", ("",)),
    "google/gemma-a": ("google/gemma-a", ("",)),
    "qwen/qwen-a": ("qwen/qwen-a-07", ("",)),
    "qwen/qwen-b": ("qwen/qwen-b-07", ("",)),
    "tngtech/deepseek-x": ("tngtech/deepseek-x", ("",)),
    "moonshotai/kimi-a": ("moonshotai/kimi-a", ("",)),
}
_PRICES = ("0.000001", "0.0000025", "1e-5", "2E-06", "0.0000000000000000015", "0.0000300", "1e-18")
_NEAR = {
    price: tuple(
        f"{Decimal(price) * Decimal(factor):f}" for factor in ("1.004", "1.005", "1.01", "1.05", "1.06", "0")
    )
    for price in _PRICES
}
_BAD_PRICES: tuple[Any, ...] = (
    "-1",
    "NaN",
    "0.5",
    "1_0",
    "1e-25",
    "",
    "+1",
    "１",
    0.000002,
    7,
    True,
    None,
    [],
    "0.0010000000001",
)
_WINDOWS = ((0, 600), (2200, 400), (600, 2400), (30, 30), (1200, 1230), (2359, 1))
_BAD_WINDOWS = ((0, None), (2400, 100), (60, 100), ("0000", "0600"), (True, 100), (0, 2401), (1.5, 100))


def market(seed: int) -> list[Taken]:
    """Return the market of a seed: responses of two or three collectors over some days."""
    random = Random(seed)
    calm = random.random() < 0.5
    posted = {name: random.choice(_PRICES) for name in _MODELS}
    listed = {name: _listed(random, name) for name in _MODELS}
    free_from = {name: FIRST_DAY - random.randrange(7) for name in _MODELS if random.random() < 0.15}
    free_until = {name: FIRST_DAY + random.randrange(DAYS) for name in _MODELS if random.random() < 0.15}
    taken: list[Taken] = []
    for day in range(FIRST_DAY - 9, FIRST_DAY + DAYS + 2):
        for name in _MODELS:
            if random.random() < 0.1:
                posted[name] = random.choice(_PRICES * 6 + ("0", "-1"))
            if day >= free_from.get(name, day + 1):
                posted[name] = "0"
        today = {
            name: "0" if day < free_until.get(name, 0) else price
            for name, price in posted.items()
            if day in listed[name]
        }
        for second in _seconds(random, random.choice((0, 1, 1, 2, 3))):
            taken.append(_models(random, day, second, today, calm))
        if random.random() < 0.3:
            rank = random.choice((2, 3))
            others = {
                name: random.choice(
                    (price, random.choice(_NEAR.get(price, (price,))), random.choice(_PRICES))
                )
                for name, price in today.items()
            }
            found = _models(random, day, random.randrange(86_400), others, calm)
            taken.append(
                Taken(
                    kind=KIND_MODELS,
                    instant=found.instant,
                    raw=found.raw,
                    collector=f"archive-{rank}",
                    rank=rank,
                )
            )
    taken += _rankings(random, calm)
    return taken


def _listed(random: Random, name: str) -> range:
    """Return the days a model is in the catalogue: from a launch on, for some weeks, never, or always."""
    if "new" in name:
        return range(FIRST_DAY + random.randrange(DAYS), FIRST_DAY + 30)
    first, last = FIRST_DAY - 30, FIRST_DAY + 30
    change = random.random()
    if change < 0.15:
        first = FIRST_DAY + random.randrange(1, DAYS)
    elif change < 0.3:
        last = FIRST_DAY - random.randrange(8)
    return range(first, last)


def _seconds(random: Random, count: int) -> list[int]:
    return [random.choice((0, 3600, 43_200, 86_399, random.randrange(86_400))) for _ in range(count)]


def _models(random: Random, day: int, second: int, posted: dict[str, str], calm: bool) -> Taken:
    rows: list[dict[str, Any]] = []
    schema_with_slugs = random.random() < 0.9
    for name, price in posted.items():
        slug, suffixes = _MODELS[name]
        for suffix in suffixes:
            if random.random() < (0.05 if calm else 0.25):
                continue
            row: dict[str, Any] = {
                "id": name + suffix,
                "pricing": _pricing(random, price, suffix, calm),
            }
            if schema_with_slugs:
                row["canonical_slug"] = slug
            _describe(random, row, name, day)
            rows.append(row)
            if random.random() < 0.05:
                rows.append(
                    row
                    | {
                        "id": f"{name}-twin{suffix}",
                        "created": random.choice((1, row.get("created", 0), day * 86_400)),
                        "pricing": _pricing(random, random.choice(_PRICES), suffix, calm),
                    }
                )
            if random.random() < 0.05:
                rows.append(row | {"id": "~" + name, "pricing": {"completion": "0.0009"}})
    random.shuffle(rows)
    instant = day_instant(day, second) + random.choice((0, 0, 250_000, 750_000))
    return Taken(kind=KIND_MODELS, instant=instant, raw=json.dumps({"data": rows}).encode())


def _describe(random: Random, row: dict[str, Any], name: str, day: int) -> None:
    if random.random() < 0.9:
        age = random.choice((-1, 0, 1, 3, 4)) if "new" in name else random.choice((3, 4, 100, 100))
        row["created"] = (day - age) * 86_400 - random.choice((0, 1, 3600))
    modalities = random.choice((["text"],) * 12 + (["text", "image"], [], None, "text", ["text", 1]))
    if "image" in name:
        modalities = ["text", "image"]
    if random.random() < 0.9:
        row["architecture"] = {"output_modalities": modalities}


def _pricing(random: Random, price: str, suffix: str, calm: bool) -> Any:
    trouble = random.random() * (5 if calm else 1)
    if suffix == ":free":
        return {"prompt": "0", "completion": random.choice(("0", "0", "0", price))}
    if trouble < 0.06:
        return {"prompt": "0.000001", "completion": random.choice(_BAD_PRICES)}
    if trouble < 0.12:
        return {"prompt": "0.000001", "completion": random.choice(("0", "0.0", "-0"))}
    if trouble < 0.14:
        return random.choice((None, {}, "free", {"prompt": "0.000001"}))
    if trouble < 0.3:
        overrides = [_override(random) for _ in range(random.choice((1, 2, 3)))]
        return {"prompt": "0.000001", "completion": price, "overrides": overrides}
    if trouble < 0.32:
        return {"completion": price, "overrides": random.choice((None, {}, "x", [1]))}
    return {"prompt": "0.000001", "completion": price}


def _override(random: Random) -> dict[str, Any]:
    start, end = random.choice(_WINDOWS * 6 + _BAD_WINDOWS)
    override: dict[str, Any] = {"utc_start": start, "utc_end": end}
    if random.random() < 0.8:
        override["completion"] = random.choice(_PRICES * 5 + _BAD_PRICES)
    if random.random() < 0.15:
        override["min_prompt_tokens"] = random.choice((200_000, None))
    if random.random() < 0.05:
        override["region"] = "eu"
    if random.random() < 0.1:
        del override["utc_start"], override["utc_end"]
    return override


def _rankings(random: Random, calm: bool) -> list[Taken]:
    named = [slug + suffix for slug, suffixes in _MODELS.values() for suffix in suffixes] + [
        "openrouter/auto-x"
    ]
    taken = []
    held = [day for day in range(FIRST_DAY, FIRST_DAY + DAYS) if random.random() < 0.95]
    for _ in range(random.choice((1, 2, 3))):
        when = random.choice((FIRST_DAY + DAYS, FIRST_DAY + DAYS + 1, FIRST_DAY + DAYS - 2))
        rows = [row for day in held for row in _day(random, day, named, calm)]
        payload: dict[str, Any] = {"data": rows}
        second = random.randrange(86_400)
        if random.random() < 0.8:
            as_of = day_instant(when, second) + random.choice((0, 341_000))
            payload["meta"] = {
                "as_of": format_instant(as_of),
                "start_date": format_date(FIRST_DAY),
                "end_date": format_date(FIRST_DAY + DAYS - 1),
            }
        taken.append(
            Taken(kind=KIND_RANKINGS, instant=day_instant(when, second), raw=json.dumps(payload).encode())
        )
    return taken


def _day(random: Random, day: int, named: list[str], calm: bool) -> list[dict[str, Any]]:
    date = format_date(day)
    scale = random.choice((10, 1_000_000, 10**12))
    traded = [name for name in named if random.random() < random.choice((0.15, 0.6, 0.6))]
    totals: list[tuple[str, Any]] = [(name, random.randrange(scale)) for name in traded]
    fillers = random.choice((0, 38, 60, 60, 60))
    low = random.choice((0, scale // 100, scale // 10, scale))
    totals += [(f"author/model-{number}", low + random.randrange(scale)) for number in range(fillers)]
    if random.random() < 0.8:
        totals.append(("other", random.choice((0, random.randrange(scale), random.randrange(scale * 4)))))
    if not calm:
        totals += random.choice(
            [[]] * 12
            + [
                [("openai/gpt-a-2025", 0)],
                [("openai/gpt-b-2025", -1)],
                [("openai/gpt-b-2025", 2**63)],
                [("openai/gpt-b-2025", "1.5")],
                [("qwen/qwen-a-07:standard", 5), ("qwen/qwen-a-07", 5)],
                [("qwen/qwen-b-07:free:x", 5)],
                [("openai/gpt-c", 7), ("openai/gpt-c", 7)],
                [("other", 5), ("other", 6)],
                [("Perplexity/Embed-0.6B", 50)],
                [("no slug", 50)],
            ]
        )
    rows = [
        {"date": date, "model_permaslug": name, "total_tokens": _total(random, total)}
        for name, total in totals
    ]
    random.shuffle(rows)
    return rows


def _total(random: Random, total: Any) -> Any:
    return str(total) if random.random() < 0.9 else total
