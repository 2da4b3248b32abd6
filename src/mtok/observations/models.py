"""`GET /api/v1/models`: which models there are and what is posted for them (R-3, R-4, R-5).

Reads every schema seen since September 2024. A row is read when what the rules need of it is sound; every
pricing key becomes a price observation of that dimension. Rows whose `id` starts with `~` repeat another row.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from mtok.calendar import DAY_SECONDS
from mtok.observations.faults import Faults, printable
from mtok.observations.numbers import PRICE_ABSENT
from mtok.observations.payload import PayloadFault, decode_payload
from mtok.observations.schedule import (
    DIMENSIONS,
    PRICE_WINDOW,
    Override,
    UnreadableSchedule,
    posted_price,
    read_overrides,
    tiles,
)
from mtok.observations.schema import FIELDS, MANY, TEXT, WHOLE, Shape
from mtok.observations.slugs import SLUG_GRAMMAR, skeleton, split_slug

COMPLETION: Final = "completion"

_RESPONSE: Final = Shape("", {"data": MANY, "total_count": WHOLE, "links": FIELDS})
_ROW: Final = Shape(
    "data[].",
    {
        "id": TEXT,
        "canonical_slug": TEXT,
        "hugging_face_id": TEXT,
        "name": TEXT,
        "created": WHOLE,
        "description": TEXT,
        "context_length": WHOLE,
        "architecture": FIELDS,
        "pricing": FIELDS,
        "top_provider": FIELDS,
        "per_request_limits": FIELDS,
        "supported_parameters": MANY,
        "default_parameters": FIELDS,
        "supported_voices": MANY,
        "knowledge_cutoff": TEXT,
        "expiration_date": TEXT,
        "links": FIELDS,
        "benchmarks": FIELDS,
        "reasoning": FIELDS,
    },
)
_ARCHITECTURE: Final = Shape(
    "data[].architecture.",
    {
        "modality": TEXT,
        "input_modalities": MANY,
        "output_modalities": MANY,
        "tokenizer": TEXT,
        "instruct_type": TEXT,
    },
)

_CREATED_MAX: Final = 2**53


class CatalogueRow(NamedTuple):
    """One model of a capture; `text_only` is None where the row does not say (R-4)."""

    ordinal: int
    id: str
    slug: str
    author: str
    name: str
    variant: str
    created: int
    text_only: bool | None


class PriceRow(NamedTuple):
    """One posted price of a catalogue row: a tile of a dimension, with the base price beside it (R-5.4)."""

    ordinal: int
    dimension: str
    min_prompt_tokens: int
    start_second: int
    end_second: int
    price: int | None
    base_price: int | None
    reason: str | None


@dataclass(kw_only=True)
class Models:
    """The catalogue rows and prices of one response, and its faults. `readable` is false for a broken payload."""

    readable: bool = True
    catalogue: list[CatalogueRow] = field(default_factory=list)
    prices: list[PriceRow] = field(default_factory=list)
    faults: Faults = field(default_factory=Faults)


def decode_models(raw: bytes) -> Models:
    """Return the catalogue and prices of one response; a broken payload has none and one `payload_…` fault."""
    models = Models()
    try:
        payload = decode_payload(raw)
    except PayloadFault as fault:
        models.readable = False
        models.faults.add(fault.code, "", "", fault.found)
        return models
    _RESPONSE.check(payload, models.faults)
    for ordinal, row in enumerate(payload["data"]):
        _read_row(ordinal, row, models)
    if not payload["data"]:
        models.faults.add("payload_empty", "data", "", "no rows")
    _alarm_ids(payload["data"], models.faults)
    return models


def _read_row(ordinal: int, row: Any, models: Models) -> None:
    faults = models.faults
    if not isinstance(row, dict):
        faults.add("schema_type", f"data[{ordinal}]", "", f"{type(row).__name__}, wanted an object")
        return
    _ROW.check(row, faults)
    model_id = row.get("id")
    model_id = model_id if isinstance(model_id, str) else ""
    if model_id.startswith("~"):
        return
    split = split_slug(model_id)
    canonical = row.get("canonical_slug")
    described = split if canonical is None else split_slug(canonical) if isinstance(canonical, str) else None
    if split is None or described is None or (canonical is not None and ":" in canonical):
        faults.add(
            SLUG_GRAMMAR, f"data[{ordinal}]", model_id, f"id {model_id!r}, canonical_slug {canonical!r}"
        )
        return
    created = row.get("created")
    created = created if type(created) is int and abs(created) <= _CREATED_MAX else 0
    models.catalogue.append(
        CatalogueRow(
            ordinal,
            model_id,
            described.slug,
            described.author,
            described.name,
            split.variant,
            created,
            _text_only(row.get("architecture"), faults),
        )
    )
    _read_prices(ordinal, model_id, split.variant, row.get("pricing"), models)


def _text_only(architecture: Any, faults: Faults) -> bool | None:
    if not isinstance(architecture, dict):
        return None
    _ARCHITECTURE.check(architecture, faults)
    modalities = architecture.get("output_modalities")
    if modalities == ["text"]:
        return True
    texts = isinstance(modalities, list) and all(type(modality) is str for modality in modalities)
    return False if texts else None


def _read_prices(ordinal: int, model_id: str, variant: str, pricing: Any, models: Models) -> None:
    faults, prices = models.faults, models.prices
    place = f"data[{ordinal}].pricing"
    if not isinstance(pricing, dict):
        pricing = {}
    overrides: list[Override] = []
    broken = None
    if "overrides" in pricing:
        try:
            overrides = read_overrides(pricing, faults)
        except UnreadableSchedule as error:
            broken = PRICE_WINDOW
            faults.add(PRICE_WINDOW, f"{place}.overrides", model_id, str(error))
    if pricing.get(COMPLETION) is None:
        faults.add(PRICE_ABSENT, place, model_id, "no completion price")
        prices.append(PriceRow(ordinal, COMPLETION, 0, 0, DAY_SECONDS, None, None, PRICE_ABSENT))
    for key, value in pricing.items():
        if key == "overrides" or value is None:
            continue
        dimension = key
        if key not in DIMENSIONS:
            faults.schema("schema_unknown", f"data[].pricing.{key}", type(value).__name__)
            dimension = printable(key)
        base, reason = posted_price(key, value)
        if reason:
            faults.add(reason, f"{place}.{key}", model_id, value)
        if base == 0 and key == COMPLETION and variant != "free":
            faults.add("price_zero", f"{place}.completion", model_id, value)
        if base is None or broken or not overrides:
            price = None if broken else base
            prices.append(PriceRow(ordinal, dimension, 0, 0, DAY_SECONDS, price, base, reason or broken))
            continue
        for tile in tiles(key, base, overrides):
            if tile.reason:
                faults.add(tile.reason, f"{place}.overrides[].{key}", model_id, tile)
            prices.append(PriceRow(ordinal, dimension, *tile[:4], base, tile.reason))


def _alarm_ids(rows: list[Any], faults: Faults) -> None:
    ids = [row["id"] for row in rows if isinstance(row, dict) and isinstance(row.get("id"), str)]
    unique = set(ids)
    if len(ids) > len(unique):
        seen: set[str] = set()
        for model_id in ids:
            if model_id in seen:
                faults.add("duplicate_id", "data[].id", model_id, "two rows with one id")
            seen.add(model_id)
    folded: dict[str, str] = {}
    for model_id in sorted(unique):
        other = folded.setdefault(skeleton(model_id), model_id)
        if other != model_id:
            faults.add("confusable_id", "data[].id", model_id, f"easily confused with {other}")
