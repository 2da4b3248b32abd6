"""Faults in the rows of `/models`: prices that are none, rows that go or change their names, richer price objects."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Final

from mtok.calendar import second_of_day
from mtok.replay.modes.mode import MODELS, Change, Mode, Scene

_ONLY: Final = (MODELS,)
_PRICES: Final = ("prompt", "completion")
_PLAIN: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,30})?")

WINDOWS: Final = ((1000, 100, 1), (100, 400, 2), (400, 600, 1), (600, 1000, 2))
"""utc_start, utc_end, multiple of the recorded price: off-peak and peak as deepseek posts them."""


def times(price: str, factor: str) -> str:
    """Return a price times a factor, in plain decimals.

    >>> times("0.00000025", "1e6")
    '0.25'
    """
    product = format(Decimal(price) * Decimal(factor), "f")
    return product.rstrip("0").rstrip(".") if "." in product else product


def is_paid(price: Any) -> bool:
    """Whether a posted price is text of a plain decimal above zero."""
    return isinstance(price, str) and _PLAIN.fullmatch(price) is not None and Decimal(price) > 0


def _chosen(content: Any, model: Any) -> list[dict[str, Any]]:
    """Return the rows of a model, by id, else by canonical slug; without a model the first row that has a price."""
    rows = [
        row
        for row in content["data"]
        if isinstance(row, dict) and isinstance(row.get("id"), str) and isinstance(row.get("pricing"), dict)
    ]
    if model is None:
        return [row for row in rows if is_paid(row["pricing"].get("completion"))][:1]
    by_id = [row for row in rows if row.get("id") == model]
    return by_id or [row for row in rows if row.get("canonical_slug") == model]


def _post(*keys: str, price: str) -> Change:
    def change(content: Any, scene: Scene) -> None:
        for row in _chosen(content, scene.value):
            row["pricing"].update(dict.fromkeys(keys, price))

    return change


def _price_missing(content: Any, scene: Scene) -> None:
    for row in _chosen(content, scene.value):
        row["pricing"].pop("completion", None)


def _price_exponent(content: Any, scene: Scene) -> None:
    for row in _chosen(content, scene.value):
        if is_paid(row["pricing"].get("completion")):
            row["pricing"]["completion"] = format(Decimal(row["pricing"]["completion"]).normalize(), "e")


def _price_flip(content: Any, scene: Scene) -> None:
    model, _, price = str(scene.value).partition("=")
    for row in _chosen(content, model):
        row["pricing"]["completion"] = price


def _price_unit_slip(content: Any, scene: Scene) -> None:
    for row in _chosen(content, scene.value):
        for key in _PRICES:
            if is_paid(row["pricing"].get(key)):
                row["pricing"][key] = times(row["pricing"][key], "1e6")


def _row_gone(content: Any, scene: Scene) -> None:
    gone = [id(row) for row in _chosen(content, scene.value)]
    content["data"] = [row for row in content["data"] if id(row) not in gone]


def _row_renamed(content: Any, scene: Scene) -> None:
    for row in _chosen(content, scene.value):
        base, colon, variant = row["id"].partition(":")
        row["id"] = f"{base}-renamed{colon}{variant}"


def _old_envelope(content: Any, _: Scene) -> None:
    for key in content.keys() - {"data"}:
        del content[key]


def _paged_envelope(content: Any, scene: Scene) -> None:
    if scene.query.keys() & {"offset", "limit"}:
        return
    rows = content["data"]
    size = max(len(rows) // 2, 1)
    following = f"/api/v1/models?offset={size}&limit={size}" if size < len(rows) else None
    content.update(data=rows[:size], total_count=len(rows), links={"next": following})


def _alias_row(content: Any, scene: Scene) -> None:
    for row in _chosen(content, scene.value)[:1]:
        author, price = row["id"].partition("/")[0], row["pricing"].get("completion")
        pricing = {**row["pricing"], "completion": times(price, "0.5") if is_paid(price) else price}
        alias = {**row, "id": f"~{author}/x-latest", "pricing": pricing}
        content["data"].append({**alias, "alias_target": {"slug": row["id"], "name": row["id"]}})


def _overrides_tokens(content: Any, scene: Scene) -> None:
    for row in _chosen(content, scene.value):
        dearer = {key: times(row["pricing"][key], "2") for key in _PRICES if is_paid(row["pricing"].get(key))}
        row["pricing"]["overrides"] = [{"min_prompt_tokens": 200_000, **dearer}]


def _overrides_time(content: Any, scene: Scene) -> None:
    second = second_of_day(scene.now)
    hhmm = second // 3600 * 100 + second % 3600 // 60
    for row in _chosen(content, scene.value):
        pricing = row["pricing"]
        price = pricing.get("completion")
        if not is_paid(price):
            continue
        pricing["overrides"] = [
            {"utc_start": start, "utc_end": end, "completion": times(price, str(factor))}
            for start, end, factor in WINDOWS
        ]
        peak = any(factor > 1 and start <= hhmm < end for start, end, factor in WINDOWS)
        pricing["completion"] = times(price, "2" if peak else "1")


def _mode(what: str, act: Change) -> Mode[Change]:
    return Mode(what=what, act=act, routes=_ONLY, value="model")


MODES: Final[dict[str, Mode[Change]]] = {
    "price_minus_one": _mode("prompt and completion are -1, a router's", _post(*_PRICES, price="-1")),
    "price_zero": _mode("prompt and completion are 0", _post(*_PRICES, price="0")),
    "price_missing": _mode("no completion price", _price_missing),
    "price_exponent": _mode("the completion price is written with an exponent", _price_exponent),
    "price_flip": Mode(
        what="another completion price while the fault lasts",
        act=_price_flip,
        routes=_ONLY,
        value="model=price",
        needs_value=True,
    ),
    "price_unit_slip": _mode("prompt and completion are a million times too high", _price_unit_slip),
    "row_gone": _mode("the row is not there", _row_gone),
    "row_renamed": _mode("the id ends in -renamed, the canonical slug is the same", _row_renamed),
    "old_envelope": Mode(what="only `data` at the top, as before July 2026", act=_old_envelope, routes=_ONLY),
    "paged_envelope": Mode(
        what="half the rows and links.next, where the whole list was asked for",
        act=_paged_envelope,
        routes=_ONLY,
    ),
    "alias_row": _mode("a row ~author/x-latest more, at half the price of its model", _alias_row),
    "overrides_tokens": _mode("twice the price above 200,000 prompt tokens", _overrides_tokens),
    "overrides_time": _mode("UTC windows of price; the base is the window in force now", _overrides_time),
}
