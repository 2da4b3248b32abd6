"""Generated markets whose volumes are daily cubes of usage: posted prices as in `generated`, tokens drawn apart.

A cube is given to the reference as a response of the same day with the tokens of one basis, since its rules are the
same for either.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import generated
import reference
from markets import Taken, at, make_store, models
from mtok.archive import KIND_MODELS, KIND_USAGE, PRIMARY, Response, Store
from mtok.calendar import DAY, format_date, parse_date
from mtok.canonical import sha256_hex
from mtok.observations.usage import Cube

SOURCE = "acme"
TOTAL, COMPLETION = "total_tokens", "completion_tokens"


@dataclass(frozen=True, kw_only=True)
class TakenCube:
    """A cube as it was taken. cells : (prompt tokens, completion tokens) by permaslug."""

    date: str
    instant: int
    cells: dict[str, tuple[int, int]]

    @property
    def raw(self) -> bytes:
        """Its canonical JSON."""
        cells = [
            (model, "2", str(prompt), str(completion), str(prompt + completion))
            for model, (prompt, completion) in sorted(self.cells.items())
        ]
        rows = str(2 * len(cells))
        return Cube(source=SOURCE, date=self.date, rows=rows, rejected={}, models=cells).canonical

    def response(self) -> Response:
        """As an import of usage logs archives it."""
        return Response(
            raw=self.raw,
            captured_at=self.instant,
            kind=KIND_USAGE,
            obtained="test market",
            collector=PRIMARY,
            volume_source=SOURCE,
            origin="usage",
            subject=self.date,
        )

    def capture(self, basis: str) -> reference.Capture:
        """As the reference takes it, weighed by a basis."""
        rows = [
            {
                "date": self.date,
                "model_permaslug": model,
                "total_tokens": completion if basis == COMPLETION else prompt + completion,
            }
            for model, (prompt, completion) in self.cells.items()
        ]
        return reference.Capture(
            kind="rankings-daily",
            captured_at=self.instant,
            sha256=sha256_hex(self.raw),
            payload={"data": rows},
            volume_source=SOURCE,
        )


@dataclass(frozen=True, kw_only=True)
class UsageMarket:
    """Posted prices and cubes."""

    prices: list[Taken]
    cubes: list[TakenCube]

    def store(self, path: Path) -> Store:
        """Return a store that holds all of it."""
        store = make_store(path, self.prices)
        with store.writing():
            for _ in store.archive(cube.response() for cube in self.cubes):
                pass
        return store

    def captures(self, basis: str) -> list[reference.Capture]:
        """Return what the reference is given."""
        return [taken.capture() for taken in self.prices] + [cube.capture(basis) for cube in self.cubes]


def usage_market(seed: int) -> UsageMarket:
    """Return the market of a seed: cubes of some days, some of them late, some of a day that was not over."""
    random = Random(seed)
    prices = [taken for taken in generated.market(seed) if taken.kind == KIND_MODELS]
    named = [slug + suffix for slug, suffixes in generated._MODELS.values() for suffix in suffixes]
    cubes = []
    for day in range(generated.FIRST_DAY, generated.FIRST_DAY + generated.DAYS):
        for late in sorted(random.sample((0, 1, 1, 2, 3), random.choice((0, 1, 1, 2)))):
            instant = (day + late) * DAY + random.randrange(DAY)
            cubes.append(TakenCube(date=format_date(day), instant=instant, cells=_cells(random, named)))
    return UsageMarket(prices=prices, cubes=cubes)


def _cells(random: Random, named: list[str]) -> dict[str, tuple[int, int]]:
    scale = random.choice((10, 1_000_000, 10**15))
    silent = random.choice((0.05, 0.3, 1.0))
    return {
        model: (random.randrange(scale), 0 if random.random() < silent else random.randrange(1 + scale // 8))
        for model in named
        if random.random() < random.choice((0.3, 0.8))
    }


def gap(of_total: dict[str, Any], of_completion: dict[str, Any]) -> str | None:
    """Return (U_completion − U_total) ÷ U_total of what the reference finds priced by each basis."""
    total, completion = _mean(of_total), _mean(of_completion)
    if total is None or completion is None:
        return None
    return reference.decimal_text((completion - total) / total, 6)


def other_value(other: dict[str, Any]) -> str:
    """Return the value of the other basis, whatever its quality."""
    mean = _mean(other)
    assert mean is not None
    return reference.decimal_text(mean / reference.USD_PER_MTOK, 6)


def _mean(found: dict[str, Any]) -> Fraction | None:
    priced = found["constituents"].values()
    tokens = sum(row["tokens"] for row in priced)
    return Fraction(sum(row["tokens"] * row["price_seconds"] for row in priced), tokens) if tokens else None


PLAIN_DATE = "2026-06-20"


def plain_market(cells: dict[str, tuple[int, int]] | None = None) -> UsageMarket:
    """Return a day made by hand: two priced models of openai, a free one, one that answered nothing, an image model.

    gpt-a at 10 USD per million: 900 prompt, 100 completion; gpt-b at 2 USD: 100 prompt, 300 completion; gpt-c at
    5 USD: 200 prompt, 0 completion. The image model is not eligible, `gpt-a:free` not paid. cells : other tokens
    """
    posted = {
        "openai/gpt-a": "0.00001",
        "openai/gpt-a:free": "0",
        "openai/gpt-b": "0.000002",
        "openai/gpt-c": "0.000005",
        "openai/gpt-image": "0.00005",
    }
    rows = [
        {
            "id": name,
            "canonical_slug": name.removesuffix(":free"),
            "created": 1_700_000_000,
            "architecture": {"output_modalities": ["image"] if "image" in name else ["text"]},
            "pricing": {"prompt": "0.000001", "completion": price},
        }
        for name, price in posted.items()
    ]
    cells = cells or {
        "openai/gpt-a": (900, 100),
        "openai/gpt-a:free": (5000, 5000),
        "openai/gpt-b": (100, 300),
        "openai/gpt-c": (200, 0),
        "openai/gpt-image": (10, 70),
    }
    day_after = format_date(parse_date(PLAIN_DATE) + 1)
    return UsageMarket(
        prices=[models(at(PLAIN_DATE), rows)],
        cubes=[TakenCube(date=PLAIN_DATE, instant=at(day_after, "06:00:00"), cells=cells)],
    )
