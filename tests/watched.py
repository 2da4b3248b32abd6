"""Stores to watch: live responses made up for one alarm each, archived and observed for real."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

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
from mtok.calendar import parse_date, parse_instant
from mtok.engine import EmbeddedEngine
from mtok.observations import Observations
from mtok.progress import silent
from mtok.watch import Alarm, alarms_of

NAMED = 50


def at(text: str) -> int:
    """Return the instant of `2026-06-20 12:00:00`."""
    return parse_instant(f"{text}Z")


def live(when: str, kind: str, payload: object, **fields: Any) -> Response:
    """Return a response as received from the live API."""
    return Response(
        raw=json.dumps(payload).encode(),
        captured_at=at(when),
        kind=kind,
        obtained="made up",
        http_status=200,
        volume_source=RANKINGS_DAILY if kind == KIND_RANKINGS else None,
        **fields,
    )


def prices(
    when: str, posted: Mapping[str, Any], slugs: Mapping[str, str] | None = None, **fields: Any
) -> Response:
    """Return a /models response: id → completion price, USD per token; slugs : id → canonical slug, else the id."""
    rows = [
        {
            "id": model,
            "canonical_slug": (slugs or {}).get(model, model.partition(":")[0]),
            "pricing": {"completion": price},
        }
        for model, price in posted.items()
    ]
    return live(when, KIND_MODELS, {"data": rows}, **fields)


def volumes(when: str, days: Mapping[str, Mapping[str, int]], named: int = NAMED, **fields: Any) -> Response:
    """Return a rankings-daily response: date → model → tokens, filled up to `named` models with one token each."""
    rows = []
    for date, totals in days.items():
        filled = {f"author/model-{number:02}": 1 for number in range(named - len(totals))} | dict(totals)
        rows += [
            {"date": date, "model_permaslug": model, "total_tokens": str(tokens)}
            for model, tokens in filled.items()
        ]
    return live(when, KIND_RANKINGS, {"data": rows}, **fields)


def failed(when: str, failure: str, kind: str = KIND_MODELS, **fields: Any) -> Response:
    """Return an attempt that yielded no response."""
    return Response(
        raw=b"",
        captured_at=at(when),
        kind=kind,
        obtained="made up",
        failure=failure,
        found="made up",
        **fields,
    )


def store_of(path: Path, responses: Iterable[Response]) -> Store:
    """Return a store of these responses, observed; other collectors than the own one rank behind it."""
    listed = list(responses)
    store = Store.create(path)
    others = sorted({response.collector for response in listed} - {PRIMARY})
    ranked = [Collector(collector=name, rank=rank) for rank, name in enumerate([PRIMARY, *others], start=1)]
    store.write_parameters(StoreParameters(collectors=tuple(ranked)))
    with store.writing():
        for _ in store.archive(listed):
            pass
        Observations(store).refresh(silent)
    return store


def alarms(store: Store, first: str, last: str, now: str) -> list[Alarm]:
    """Return the alarms of the days, seen at `now`."""
    return alarms_of(Observations(store), EmbeddedEngine(), parse_date(first), parse_date(last), at(now))


def raised(
    path: Path, responses: Iterable[Response], *codes: str, now: str = "2026-06-20 12:30:00"
) -> list[tuple[str, str, str]]:
    """Return (code, subject, found) of the alarms of 20 June 2026, of the codes named alone."""
    found = alarms(store_of(path, responses), "2026-06-20", "2026-06-20", now)
    return [(alarm.code, alarm.subject, alarm.found) for alarm in found if alarm.code in codes]
