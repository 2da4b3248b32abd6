"""A store as a live collector would have left it after many days, and a recording of the day after; all made up.

usage: made_up_store.py STORE DAYS --template PATH [--earlier N] [--recording PATH]

The last day is 2027-07-31, whatever DAYS is, and the same days of two stores have the same responses: prices at
minutes 5 and 50 of each hour, of which one changes every six hours; at 02:05 the token totals of seven days, and
who serves each constituent. Everything goes through the archive, the decoders and the rules, as it would live.
Days more than 45 before the last one have N captures of prices only (48 without it), because decoding takes long.
The catalogue is that of the response at PATH (gzip), with copies of its models up to 420.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, Final

from mtok.archive import KIND_ENDPOINTS, KIND_MODELS, KIND_RANKINGS, RANKINGS_DAILY, Response, Store
from mtok.calendar import DAY, SECOND, format_date, format_instant, parse_date
from mtok.day import determine_days
from mtok.methodology import load

LAST_DAY: Final = parse_date("2027-07-31")
FULL_DAYS: Final = 45
CAPTURES: Final = 48
MODELS: Final = 420
CONSTITUENTS: Final = 40
NAMED_ROWS: Final = 50
_CHANGES: Final = 4
_FIRST_CHANGE: Final = (LAST_DAY - 400) * _CHANGES
_TAKEN_AT: Final = 2 * 3_600 + 5 * 60
_TOTAL: Final = 10**12


class Market:
    """A made-up market: `models` in the shape of a template, of which CONSTITUENTS belong to a series."""

    def __init__(self, template: dict[str, Any]) -> None:
        rows = template["data"]
        copies = (_copy(row, number) for number in range(1, MODELS) for row in rows if _plain(row))
        self._envelope = template
        self._models = [*rows[:MODELS], *islice(copies, max(0, MODELS - len(rows)))]
        self._posted = [row["pricing"].get("completion") for row in self._models]
        self._changes, self._raw = 0, b""
        own: list[list[dict[str, Any]]] = [
            [
                row
                for row in self._models
                if _plain(row) and row["id"].startswith(f"{entry.author}/{entry.name_prefix}")
            ]
            for entry in load("1.0").series
        ]
        turns = (row for place in range(MODELS) for rows in own for row in rows[place : place + 1])
        self.constituents = list(islice(turns, CONSTITUENTS))
        authors = {entry.author for entry in load("1.0").series}
        others = (row for row in self._models if _plain(row) and row["id"].split("/")[0] not in authors)
        self._named = [*self.constituents, *islice(others, NAMED_ROWS - CONSTITUENTS)]

    def catalogue(self, instant: int) -> bytes:
        """Return the response of /models at an instant; instants are asked for in order."""
        for change in range(self._changes, instant * _CHANGES // DAY - _FIRST_CHANGE + 1):
            place = change * 37 % len(self._models)
            posted = self._posted[place]
            if posted and Decimal(posted) > 0:
                price = Decimal(posted) * (100 + change % 5) / 100
                self._models[place]["pricing"]["completion"] = f"{price.normalize():f}"
            self._changes, self._raw = change + 1, b""
        self._raw = self._raw or _json(self._envelope | {"data": self._models})
        return self._raw

    def totals(self, first_day: int, last_day: int, instant: int) -> bytes:
        """Return the response of rankings-daily at an instant: fifty models a day and the market tail."""
        rows = []
        for day in range(first_day, last_day + 1):
            for place, row in enumerate(self._named, start=1):
                tokens = _TOTAL // place * (900 + (day * 7 + place * 13) % 200) // 1000
                rows.append(_row(day, row["canonical_slug"], tokens))
            rows.append(_row(day, "other", _TOTAL))
        meta = {"as_of": format_instant(instant), "version": "v1"}
        return _json(
            {
                "data": rows,
                "meta": meta | {"start_date": format_date(first_day), "end_date": format_date(last_day)},
            }
        )

    def endpoints(self, row: dict[str, Any], day: int) -> bytes:
        """Return who serves a model on a day: five providers, whose load differs from day to day."""
        offers = [
            {
                "name": f"Provider {number} | {row['canonical_slug']}",
                "model_name": row.get("name", ""),
                "provider_name": f"Provider {number}",
                "tag": f"provider-{number}/fp8",
                "pricing": {name: row["pricing"].get(name) for name in ("prompt", "completion")},
                "status": 0,
                "context_length": 131_072,
                "uptime_last_30m": 99 + (day * 13 + number) % 100 / 100,
                "supported_parameters": row.get("supported_parameters", []),
            }
            for number in range(1, 6)
        ]
        return _json({"data": {"id": row["id"], "name": row.get("name", ""), "endpoints": offers}})


def responses(market: Market, days: int, earlier: int) -> Iterator[Response]:
    """Yield what a collector that began `days` days ago has captured, in order of time."""
    for day in range(LAST_DAY - days + 1, LAST_DAY + 1):
        captures = CAPTURES if day > LAST_DAY - FULL_DAYS else earlier
        for place in range(CAPTURES):
            second = place // 2 * 3_600 + (5 if place % 2 == 0 else 50) * 60
            if place % (CAPTURES // captures) == 0 or second == _TAKEN_AT:
                instant = day * DAY + second * SECOND
                yield _response(KIND_MODELS, instant, market.catalogue(instant), "/models")
            if second == _TAKEN_AT:
                yield from _once_a_day(market, day, max(day - 7, LAST_DAY - days + 1))


def _once_a_day(market: Market, day: int, first_day: int) -> Iterator[Response]:
    instant = day * DAY + (_TAKEN_AT + 10) * SECOND
    if first_day < day:
        span = f"/datasets/rankings-daily?start_date={format_date(first_day)}&end_date={format_date(day - 1)}"
        yield _response(KIND_RANKINGS, instant, market.totals(first_day, day - 1, instant), span)
        for number, row in enumerate(market.constituents, start=1):
            raw, slug = market.endpoints(row, day), row["canonical_slug"]
            yield _response(KIND_ENDPOINTS, instant + number * SECOND, raw, f"/models/{slug}/endpoints", slug)


def write_recording(market: Market, folder: Path) -> None:
    """Write what a replay needs to answer on the day after the last one."""
    day = LAST_DAY + 1
    answers = {
        "models/{}.json": [
            (hour * 3_600, market.catalogue(day * DAY + hour * 3_600 * SECOND)) for hour in (0, 12)
        ],
        "rankings-daily/{}.json": [(7_200, market.totals(day - 14, day - 1, day * DAY + 7_200 * SECOND))],
    }
    for number, row in enumerate(market.constituents):
        answers[f"endpoints/{{}}-{number}.json"] = [(0, market.endpoints(row, day))]
    for name, bodies in answers.items():
        for second, raw in bodies:
            instant = format_instant(day * DAY + second * SECOND).replace(":", "")
            path = folder / name.format(instant)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(raw)


def _response(kind: str, instant: int, raw: bytes, asked: str, subject: str | None = None) -> Response:
    return Response(
        raw=raw,
        captured_at=instant,
        kind=kind,
        obtained=f"GET https://openrouter.ai/api/v1{asked}",
        volume_source=RANKINGS_DAILY if kind == KIND_RANKINGS else None,
        subject=subject,
        http_status=200,
        server_date=instant,
    )


def _plain(row: dict[str, Any]) -> bool:
    """Return whether a catalogue row can be a constituent: priced, text alone, no variant, no alias."""
    price = row["pricing"].get("completion") or "0"
    apart = (
        row["id"].startswith("~") or ":" in row["id"] or row["architecture"]["output_modalities"] != ["text"]
    )
    return not apart and Decimal(price) > 0


def _copy(row: dict[str, Any], number: int) -> dict[str, Any]:
    names = {name: f"{row[name]}-made-up-{number}" for name in ("id", "canonical_slug")}
    copied: dict[str, Any] = json.loads(json.dumps(row | names), parse_float=str)
    return copied


def _row(day: int, slug: str, tokens: int) -> dict[str, str]:
    return {"date": format_date(day), "model_permaslug": slug, "total_tokens": str(tokens)}


def _json(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("store", type=Path)
    parser.add_argument("days", type=int)
    parser.add_argument("--earlier", type=int, default=CAPTURES)
    parser.add_argument("--template", type=Path, required=True)
    parser.add_argument("--recording", type=Path)
    options = parser.parse_args()
    market = Market(json.loads(gzip.decompress(options.template.read_bytes())))
    store = Store.create(options.store)
    with store.writing():
        for _ in store.archive(responses(market, options.days, options.earlier)):
            pass
    if options.days:
        determine_days(store)
    if options.recording:
        write_recording(market, options.recording)


if __name__ == "__main__":
    main()
