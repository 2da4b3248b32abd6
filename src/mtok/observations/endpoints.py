"""`GET /api/v1/models/{author}/{slug}/endpoints`: who serves a model and what each asks for it.

`/models` shows one endpoint's price; for models that many companies serve it is seldom their maker's. No rule reads
these rows: they say how far the company's own price lies from the one used (`first_party_gap`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from mtok.observations.faults import Faults, printable
from mtok.observations.models import COMPLETION
from mtok.observations.numbers import PRICE_ABSENT
from mtok.observations.payload import PayloadFault, decode_payload
from mtok.observations.schedule import (
    DIMENSIONS,
    PRICE_WINDOW,
    UnreadableSchedule,
    posted_price,
    read_overrides,
    tiles,
)
from mtok.observations.schema import FIELDS, MANY, NUMBER, TEXT, TRUTH, WHOLE, Shape
from mtok.observations.slugs import SLUG_GRAMMAR, split_slug

SERVICE_TIERS: Final = frozenset({"flex", "priority", "fast"})
"""Last segments of a tag that default routing never uses."""

_RESPONSE: Final = Shape("", {"data": FIELDS})
_MODEL: Final = Shape(
    "data.",
    {
        "id": TEXT,
        "name": TEXT,
        "created": WHOLE,
        "description": TEXT,
        "architecture": FIELDS,
        "endpoints": MANY,
    },
)
_ENDPOINT: Final = Shape(
    "data.endpoints[].",
    {
        "name": TEXT,
        "model_id": TEXT,
        "model_name": TEXT,
        "provider_name": TEXT,
        "tag": TEXT,
        "pricing": FIELDS,
        "quantization": TEXT,
        "status": WHOLE,
        "context_length": WHOLE,
        "max_completion_tokens": WHOLE,
        "max_prompt_tokens": WHOLE,
        "uptime_last_5m": NUMBER,
        "uptime_last_30m": NUMBER,
        "uptime_last_1d": NUMBER,
        "latency_last_30m": FIELDS,
        "throughput_last_30m": FIELDS,
        "supported_parameters": MANY,
        "supports_implicit_caching": TRUTH,
        "supports_voice_cloning": TRUTH,
    },
)
_STATUS_MAX: Final = 2**31 - 1
_DISCOUNT: Final = "discount"


class EndpointRow(NamedTuple):
    """One endpoint of a model, in the order of the response.

    provider, tag : as printable ASCII · status : an open list upstream, 0 is healthy
    standard_tier : the tag says so; an endpoint without one is not known to be of the standard tier
    price : base price of completion tokens, 10⁻¹⁸ USD per token, net of the discount as posted
    price_seconds : Σ price × seconds over the UTC day by the endpoint's own schedule (R-5.2), base tier
    discount : as it stands there, as printable ASCII · reason : why there is no price_seconds
    """

    ordinal: int
    provider: str
    tag: str | None
    status: int | None
    standard_tier: bool
    price: int | None
    price_seconds: int | None
    discount: str | None
    reason: str | None


@dataclass(kw_only=True)
class Endpoints:
    """The endpoints of one response, the `id` it says it is about, and its faults.

    `readable` is false for a broken payload; `id` is None where it is no `author/name[:variant]`.
    """

    readable: bool = True
    id: str | None = None
    rows: list[EndpointRow] = field(default_factory=list)
    faults: Faults = field(default_factory=Faults)


def decode_endpoints(raw: bytes) -> Endpoints:
    """Return the endpoints of one response; a broken payload has none and one `payload_…` fault."""
    endpoints = Endpoints()
    faults = endpoints.faults
    try:
        payload = decode_payload(raw, dict)
        model = payload["data"]
        if not isinstance(model.get("endpoints"), list):
            raise PayloadFault("payload_shape", "no list `data.endpoints`")
    except PayloadFault as fault:
        endpoints.readable = False
        faults.add(fault.code, "", "", fault.found)
        return endpoints
    _RESPONSE.check(payload, faults)
    _MODEL.check(model, faults)
    model_id = model.get("id")
    slug = split_slug(model_id) if isinstance(model_id, str) else None
    if slug:
        endpoints.id = model_id
    else:
        faults.add(SLUG_GRAMMAR, "data.id", "", f"id {model_id!r}")
    for ordinal, row in enumerate(model["endpoints"]):
        _read_row(ordinal, row, slug is not None and slug.variant == "free", endpoints)
    if not model["endpoints"]:
        faults.add("payload_empty", "data.endpoints", model_id or "", "no endpoints")
    return endpoints


def _read_row(ordinal: int, row: Any, free: bool, endpoints: Endpoints) -> None:
    faults, place = endpoints.faults, f"data.endpoints[{ordinal}]"
    if not isinstance(row, dict):
        faults.add("schema_type", place, "", f"{type(row).__name__}, wanted an object")
        return
    _ENDPOINT.check(row, faults)
    provider, tag = row.get("provider_name"), row.get("tag")
    if not isinstance(provider, str):
        faults.add("schema_type", f"{place}.provider_name", "", f"{provider!r}, wanted a text")
        return
    tag = tag if isinstance(tag, str) else None
    pricing = row.get("pricing")
    pricing = pricing if isinstance(pricing, dict) else {}
    for key in sorted(pricing.keys() - DIMENSIONS - {"overrides"}):
        faults.schema("schema_unknown", f"data.endpoints[].pricing.{key}", type(pricing[key]).__name__)
    price, price_seconds, reason = _prices(pricing, f"{place}.pricing", tag or provider, free, faults)
    endpoints.rows.append(
        EndpointRow(
            ordinal,
            printable(provider),
            None if tag is None else printable(tag),
            _status(row.get("status"), faults),
            tag is not None and tag.rpartition("/")[2] not in SERVICE_TIERS,
            price,
            price_seconds,
            _discount(pricing.get(_DISCOUNT), faults),
            reason,
        )
    )


def _prices(
    pricing: dict[str, Any], place: str, subject: str, free: bool, faults: Faults
) -> tuple[int | None, int | None, str | None]:
    """Return (base price, price_seconds, reason) of completion tokens; of an unreadable schedule the first alone."""
    posted = pricing.get(COMPLETION)
    base, reason = posted_price(COMPLETION, posted)
    if reason:
        faults.add(reason, place, subject, "no completion price" if reason == PRICE_ABSENT else posted)
    if base == 0 and not free:
        faults.add("price_zero", place, subject, posted)
    try:
        overrides = read_overrides(pricing, faults)
    except UnreadableSchedule as error:
        faults.add(PRICE_WINDOW, f"{place}.overrides", subject, str(error))
        return base, None, reason or PRICE_WINDOW
    if base is None:
        return None, None, reason
    price_seconds = 0
    for tile in tiles(COMPLETION, base, overrides):
        if tile.reason:
            faults.add(tile.reason, f"{place}.overrides", subject, tile)
        if tile.min_prompt_tokens:
            continue
        if tile.price is None:
            return base, None, tile.reason
        price_seconds += tile.price * (tile.end_second - tile.start_second)
    return base, price_seconds, None


def _status(value: Any, faults: Faults) -> int | None:
    if type(value) is not int:
        return None
    if abs(value) > _STATUS_MAX:
        faults.schema("schema_type", "data.endpoints[].status", "an integer over 32 bits")
        return None
    return value


def _discount(value: Any, faults: Faults) -> str | None:
    if value is None:
        return None
    if isinstance(value, str) or type(value) in NUMBER:
        return printable(value)
    faults.schema("schema_type", f"data.endpoints[].pricing.{_DISCOUNT}", type(value).__name__)
    return None
