"""Request logs as a router would keep them, and the prices posted meanwhile; all made up, the same for the same seed.

usage: usage_logs.py FOLDER SIZE [--days N] [--seed N] [--workers N]

SIZE is a number of requests, 1M, 10M, 100M or 1B for short. Whatever it is, the requests spread over two years that end
on 2026-06-30 (`--days` for fewer), because what a day costs is part of what is measured with them. FOLDER gets

usage/day=YYYY-MM-DD/part-0.parquet : the requests of a UTC day in order of time, none where a day has no request
next/day=2026-07-01/part-0.parquet : the requests of the day after, an average day
models/YYYY-MM-DDT120000Z.json : what was posted at noon, in the shape of `/api/v1/models`
made.json : what was made, written last; a folder without it is not whole

Columns: `ts` (µs, UTC), `day` (INT32, days since 1970-01-01), `model_permaslug`, `provider`, `prompt_tokens`,
`completion_tokens` (INT64). 400 models, of which six in ten belong to a series, 60 providers, requests by Zipf's law
over the models. Models come, pause for a week and go; 20 are free variants, four are posted at a price that depends
(`-1`), four are never posted. One day in 91 has no request, one in 61 no capture of prices. One request in a
thousand is there twice, equal in every column: two requests. Completion tokens do not follow prompt tokens, so both
weight bases differ.

The bytes depend on the arguments, numpy and pyarrow, and not on the number of workers: each day has a seed of its own.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from statistics import NormalDist
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mtok.calendar import DAY, SECOND, format_date, format_instant, parse_date

SIZES: Final = {"1M": 10**6, "10M": 10**7, "100M": 10**8, "1B": 10**9}
LAST_DAY: Final = parse_date("2026-06-30")
DAYS: Final = 730
MODELS: Final = 400
PROVIDERS: Final = 60
ROW_GROUP: Final = 2**20
MADE: Final = "made.json"

AUTHORS: Final = (
    ("openai", "model"),
    ("anthropic", "model"),
    ("google", "gemini-model"),
    ("x-ai", "model"),
    ("deepseek", "model"),
    ("qwen", "model"),
    ("moonshotai", "model"),
    ("meta-llama", "model"),
    ("mistralai", "model"),
    ("z-ai", "model"),
)
"""Author and name prefix of the models, by rank in turn."""

_BUCKETS: Final = 2**16
_FREE, _DYNAMIC, _UNPOSTED = (20, 19), (100, 45), (100, 64)
_NO_REQUEST, _NO_CAPTURE = (91, 13), (61, 17)
_DUPLICATES: Final = 1000
_OFFERS: Final = 16
_PRICE_DAYS: Final = 60
_NOON: Final = DAY // 2


@dataclass(frozen=True, kw_only=True)
class Market:
    """What is offered, one entry a model by rank; days are days since 1970-01-01.

    begins, ends : first day, and the first day after the last · pauses : first day of a week without requests
    offers : MODELS × 16 places in `providers`, equally likely
    prompt, completion : sixteenths of the tokens of an ordinary request
    price : 10⁻⁹ USD per completion token · changes : MODELS × 16 percentages of it, one after the other
    """

    slugs: tuple[str, ...]
    providers: tuple[str, ...]
    begins: np.ndarray
    ends: np.ndarray
    pauses: np.ndarray
    offers: np.ndarray
    prompt: np.ndarray
    completion: np.ndarray
    price: np.ndarray
    changes: np.ndarray

    def asked_for(self, day: int) -> np.ndarray:
        """Return, for each model, whether it has requests on a day."""
        pausing = (self.pauses <= day) & (day < self.pauses + 7)
        return (self.begins <= day) & (day < self.ends) & ~pausing


@cache
def market(seed: int) -> Market:
    """Return the market of a seed: a third of the models begin, a sixth end, in the two years to LAST_DAY."""
    draw = np.random.Generator(np.random.PCG64([seed]))
    first = LAST_DAY - DAYS + 1
    begins = np.where(
        draw.integers(0, 3, MODELS) == 0,
        first + draw.integers(1, 500, MODELS),
        first - draw.integers(8, 300, MODELS),
    )
    ends = np.where(draw.integers(0, 6, MODELS) == 0, first + draw.integers(550, DAYS, MODELS), LAST_DAY + 30)
    return Market(
        slugs=tuple(_slug(rank) for rank in range(MODELS)),
        providers=tuple(f"provider-{number:02d}" for number in range(1, PROVIDERS + 1)),
        begins=begins,
        ends=ends,
        pauses=first + draw.integers(0, DAYS, MODELS),
        offers=np.where(
            draw.integers(0, 2, (MODELS, _OFFERS)) == 0,
            np.arange(MODELS)[:, None] % PROVIDERS,
            draw.integers(0, PROVIDERS, (MODELS, _OFFERS)),
        ).astype(np.int8),
        prompt=draw.integers(6, 40, MODELS),
        completion=draw.integers(3, 72, MODELS),
        price=np.exp(draw.uniform(np.log(50), np.log(75_000), MODELS)).astype(np.int64),
        changes=draw.integers(60, 141, (MODELS, 16)),
    )


def _slug(rank: int) -> str:
    """Return the permaslug of a rank; a free variant is one of the model ten ranks before, of the same author."""
    free = _is(rank, _FREE)
    author, prefix = AUTHORS[rank % len(AUTHORS)]
    return f"{author}/{prefix}-{rank - len(AUTHORS) * free:03d}{':free' * free}"


def _is(number: int, every: tuple[int, int]) -> bool:
    return number % every[0] == every[1]


def requests_a_day(rows: int, days: int) -> dict[int, int]:
    """Return the number of requests of each day; it doubles over the days, weekends have four fifths."""
    first = LAST_DAY - days + 1
    weights = [
        0 if _is(place, _NO_REQUEST) else (days + place) * (4 if (first + place) % 7 in (2, 3) else 5)
        for place in range(days)
    ]
    total, seen, before, found = sum(weights), 0, 0, {}
    for place, weight in enumerate(weights):
        seen += weight
        until = rows * seen // total
        found[first + place] = until - before
        before = until
    return found


def requests(day: int, rows: int, seed: int) -> pa.Table:
    """Return the requests of a day in order of time."""
    made = market(seed)
    draw = np.random.Generator(np.random.PCG64([seed, day]))
    # One draw of 16 bits a quantity, looked up in a table: ten times as fast as drawing from the distribution.
    model_at, prompt_at, completion_at, offer_at = np.frombuffer(draw.bytes(8 * rows), "<u2").reshape(4, rows)
    model = _models_by_bucket(made, day)[model_at]
    columns = [
        _instants(draw, day, rows),
        model,
        made.offers[model, offer_at % _OFFERS],
        np.maximum(_tokens(1_200, 13)[prompt_at] * made.prompt[model] >> 4, 1),
        _tokens(350, 11)[completion_at] * made.completion[model] >> 4,
    ]
    if rows > 1:
        again = draw.integers(1, rows, max(1, rows // _DUPLICATES))
        for column in columns:
            column[again] = column[again - 1]
    instants, model, provider, prompt, completion = columns
    return pa.table(
        {
            "ts": pa.array(instants, pa.timestamp("us", "UTC")),
            "day": pa.array(np.full(rows, day, np.int32)),
            "model_permaslug": pa.DictionaryArray.from_arrays(model, list(made.slugs)),
            "provider": pa.DictionaryArray.from_arrays(provider, list(made.providers)),
            "prompt_tokens": prompt,
            "completion_tokens": completion,
        }
    )


def _models_by_bucket(made: Market, day: int) -> np.ndarray:
    """Return 65,536 ranks in which each model stands as often as Zipf's law has it requested on a day."""
    weights = made.asked_for(day) / np.arange(1, MODELS + 1)
    edges = np.rint(np.cumsum(weights) / weights.sum() * _BUCKETS).astype(np.int64)
    return np.repeat(np.arange(MODELS, dtype=np.int16), np.diff(edges, prepend=0))


def _instants(draw: np.random.Generator, day: int, rows: int) -> np.ndarray:
    """Return instants of a day in order, µs since 1970-01-01: sums of random steps, stretched to the day."""
    steps = np.cumsum(draw.integers(1, 2**20, rows + 1, dtype=np.int32), dtype=np.int64)
    return (steps[:-1] * (DAY / int(steps[-1]))).astype(np.int64) + day * DAY


@cache
def _tokens(median: int, tenths: int) -> np.ndarray:
    """Return the quantiles of a lognormal distribution at the middles of 65,536 buckets, whole tokens."""
    normal = NormalDist()
    middles = [normal.inv_cdf((place + 0.5) / _BUCKETS) for place in range(_BUCKETS)]
    return (median * np.exp(np.array(middles) * tenths / 10)).astype(np.int64)


def write_day(folder: Path, day: int, rows: int, seed: int) -> int:
    """Write the partition of a day; return its bytes."""
    path = folder / f"day={format_date(day)}" / "part-0.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        requests(day, rows, seed),
        path,
        row_group_size=ROW_GROUP,
        compression="zstd",
        compression_level=1,
        use_dictionary=["day", "model_permaslug", "provider", "prompt_tokens", "completion_tokens"],
        column_encoding={"ts": "DELTA_BINARY_PACKED"},
        store_schema=False,  # the dictionaries are a matter of the file: readers are to see texts
    )
    return path.stat().st_size


def posted(day: int, seed: int) -> dict[str, Any]:
    """Return the response of /models at noon of a day: a model is posted from its first day to its last."""
    made = market(seed)
    there = (made.begins <= day) & (day < made.ends)
    return {
        "data": [
            _posted_row(seed, rank, (day + rank * 7) // _PRICE_DAYS % made.changes.shape[1])
            for rank in np.flatnonzero(there).tolist()
            if not _is(rank, _UNPOSTED)
        ]
    }


@cache
def _posted_row(seed: int, rank: int, turn: int) -> dict[str, Any]:
    """Return the row of a model of which all but the price stays; the price changes by turns."""
    made = market(seed)
    slug = made.slugs[rank]
    units = int(made.price[rank]) * int(made.changes[rank, turn])
    if _is(rank, _DYNAMIC):
        prompt, completion = "-1", "-1"
    elif _is(rank, _FREE):
        prompt, completion = "0", "0"
    else:
        prompt, completion = _usd(units // 4), _usd(units)
    return {
        "id": slug,
        "canonical_slug": slug.removesuffix(":free"),
        "created": int(made.begins[rank]) * DAY // SECOND,
        "architecture": {"output_modalities": ["text"]},
        "pricing": {"prompt": prompt, "completion": completion},
    }


def _usd(units: int) -> str:
    return f"{Decimal(units).scaleb(-11).normalize():f}"


def write_prices(folder: Path, days: int, seed: int) -> None:
    """Write a capture of each day at noon, but for days without one; the last is of the day after `next`."""
    folder.mkdir(parents=True, exist_ok=True)
    first = LAST_DAY - days + 1
    for place in range(days + 2):
        if not _is(place, _NO_CAPTURE):
            instant = format_instant((first + place) * DAY + _NOON).replace(":", "")
            raw = json.dumps(posted(first + place, seed), separators=(",", ":"))
            (folder / f"{instant}.json").write_text(raw)


def make_logs(folder: Path, rows: int, days: int, seed: int, workers: int) -> Iterator[tuple[int, int]]:
    """Write everything; yield the rows and bytes of each partition as it is written, `next` among them."""
    plan = [("usage", day, count) for day, count in requests_a_day(rows, days).items() if count]
    plan.append(("next", LAST_DAY + 1, max(1, rows // days)))
    write_prices(folder / "models", days, seed)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        parts, of_day, counts = zip(*plan, strict=True)
        sizes = pool.map(write_day, (folder / part for part in parts), of_day, counts, [seed] * len(plan))
        yield from zip(counts, sizes, strict=True)
    (folder / MADE).write_text(json.dumps({"rows": rows, "days": days, "seed": seed}) + "\n")


def size_of(text: str) -> int:
    """Return the number of requests that a text asks for. Raises ArgumentTypeError for any other text."""
    if text in SIZES:
        return SIZES[text]
    if text.isascii() and text.isdecimal() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no size: say {', '.join(SIZES)}, or a number of requests")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("size", type=size_of)
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    started, rows, size = time.monotonic(), 0, 0
    made = make_logs(options.folder, options.size, options.days, options.seed, options.workers)
    for number, (count, written) in enumerate(made, start=1):
        rows, size = rows + count, size + written
        if number % 50 == 0:
            print(f"{rows:,} requests, {size / 10**6:,.0f} MB", file=sys.stderr)
    seconds = time.monotonic() - started
    print(
        f"{rows:,} requests, {size / 10**6:,.1f} MB, {size / rows:.2f} bytes a request, {seconds:.1f} s, "
        f"{rows / seconds / 10**6:.2f} million requests a second"
    )


if __name__ == "__main__":
    main()
