"""Faults in `/models/{author}/{slug}/endpoints`: tiers, discounts, offers out of order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from mtok.replay.modes.mode import ENDPOINTS, Change, Mode, Scene
from mtok.replay.modes.prices import is_paid, times
from mtok.replay.recording import decode

_ONLY: Final = (ENDPOINTS,)


def _repriced(pricing: dict[str, Any], factor: str) -> dict[str, Any]:
    return {key: times(price, factor) if is_paid(price) else price for key, price in pricing.items()}


def _offers(content: Any) -> list[dict[str, Any]]:
    offers = content["data"]["endpoints"]
    return [one for one in offers if isinstance(one, dict) and isinstance(one.get("pricing"), dict)]


def _first(change: Callable[[dict[str, Any], Scene], None]) -> Change:
    def act(content: Any, scene: Scene) -> None:
        for offer in _offers(content)[:1]:
            change(offer, scene)

    return act


def _flex_first(content: Any, _: Scene) -> None:
    for offer in _offers(content)[:1]:
        flex = {"tag": f"{offer.get('tag', 'replay')}/flex", "pricing": _repriced(offer["pricing"], "0.5")}
        content["data"]["endpoints"].insert(0, {**offer, **flex})


def _discount(share: str, factor: str) -> Change:
    """Return a change to a discount; a posted price is net of it, so the price moves along."""

    def change(offer: dict[str, Any], _: Scene) -> None:
        offer["pricing"] = {**_repriced(offer["pricing"], factor), "discount": decode(share.encode())}

    return _first(change)


def _status(offer: dict[str, Any], scene: Scene) -> None:
    offer["status"] = scene.value


def _null_latency(content: Any, _: Scene) -> None:
    for offer in _offers(content):
        offer.update(latency_last_30m=None, throughput_last_30m=None)


def _endpoints_empty(content: Any, _: Scene) -> None:
    content["data"]["endpoints"] = []


MODES: Final[dict[str, Mode[Change]]] = {
    "flex_first": Mode(
        what="a flex tier at half the price stands before the first endpoint", act=_flex_first, routes=_ONLY
    ),
    "discount_half": Mode(
        what="discount 0.5 on the first endpoint, whose prices are halved",
        act=_discount("0.5", "0.5"),
        routes=_ONLY,
    ),
    "discount_negative": Mode(
        what="discount -0.2 on the first endpoint, whose prices are 1.2 times as high",
        act=_discount("-0.2", "1.2"),
        routes=_ONLY,
    ),
    "status_negative": Mode(
        what="the first endpoint is not healthy, status -2 or the one given",
        act=_first(_status),
        routes=_ONLY,
        value="status",
        default=-2,
    ),
    "null_latency": Mode(
        what="no latency and no throughput, as without a key", act=_null_latency, routes=_ONLY
    ),
    "endpoints_empty": Mode(what="a model without endpoints", act=_endpoints_empty, routes=_ONLY),
}
