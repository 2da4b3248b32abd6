"""Faults in the rows of `rankings-daily`: missing days, restatements, totals no reader should believe."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from mtok.calendar import day_of, format_date, parse_date
from mtok.replay.modes.mode import RANKINGS, Change, Mode, Scene, as_of_text
from mtok.replay.recording import MARKET_TAIL, is_total

_ONLY: Final = (RANKINGS,)


def _late(content: Any, scene: Scene) -> None:
    yesterday = format_date(day_of(scene.now) - 1)
    content["data"] = [row for row in content["data"] if row["date"] != yesterday]


def _restate(content: Any, scene: Scene) -> None:
    value = scene.value
    day = parse_date(value) if isinstance(value, str) else day_of(scene.since) - int(value or 0)
    for row in _sound(content):
        if row["date"] == format_date(day) and row["model_permaslug"] != MARKET_TAIL:
            row["total_tokens"] = str(int(row["total_tokens"]) * 101 // 100)
            return


def _missing_other(content: Any, _: Scene) -> None:
    content["data"] = [row for row in content["data"] if row["model_permaslug"] != MARKET_TAIL]


def _sound(content: Any) -> list[dict[str, Any]]:
    return [row for row in content["data"] if is_total(row["total_tokens"])]


def _first_of_latest(content: Any) -> dict[str, Any] | None:
    """Return the largest row of the latest day, None when there are no rows."""
    rows = _sound(content)
    latest = max((row["date"] for row in rows), default=None)
    return next((row for row in rows if row["date"] == latest), None)


def _volume_duplicate(content: Any, _: Scene) -> None:
    row = _first_of_latest(content)
    if row:
        content["data"].append({**row, "total_tokens": str(int(row["total_tokens"]) + 1)})


def _volume_float(content: Any, _: Scene) -> None:
    row = _first_of_latest(content)
    if row:
        row["total_tokens"] = Decimal(f"{row['total_tokens']}.5")


def _volume_int(content: Any, _: Scene) -> None:
    for row in _sound(content):
        row["total_tokens"] = int(row["total_tokens"])


def _set_total(text: str) -> Change:
    def change(content: Any, _: Scene) -> None:
        row = _first_of_latest(content)
        if row:
            row["total_tokens"] = text

    return change


def _volume_outside_meta(content: Any, _: Scene) -> None:
    row = _first_of_latest(content)
    if row:
        beyond = parse_date(content["meta"]["end_date"]) + 1
        content["data"].append({**row, "date": format_date(beyond)})


def _as_of_moves(content: Any, scene: Scene) -> None:
    content["meta"]["as_of"] = as_of_text(scene.now + scene.number * 1000)


MODES: Final[dict[str, Mode[Change]]] = {
    "late": Mode(what="the day before is missing", act=_late, routes=_ONLY),
    "restate": Mode(
        what="the largest total of one past day, 3 days before the fault began, is 1 % higher",
        act=_restate,
        routes=_ONLY,
        value="day",
        default=3,
    ),
    "missing_other": Mode(what="no market tail `other`", act=_missing_other, routes=_ONLY),
    "volume_duplicate": Mode(
        what="a row of the latest day twice, with different totals", act=_volume_duplicate, routes=_ONLY
    ),
    "volume_float": Mode(
        what="a total of the latest day is a JSON number with a fraction", act=_volume_float, routes=_ONLY
    ),
    "volume_int": Mode(what="totals are JSON integers, which is sound", act=_volume_int, routes=_ONLY),
    "volume_negative": Mode(what="a total of the latest day is negative", act=_set_total("-1"), routes=_ONLY),
    "volume_oversize": Mode(
        what="a total of the latest day is 2^63", act=_set_total(str(2**63)), routes=_ONLY
    ),
    "volume_outside_meta": Mode(
        what="a row dated the day after meta.end_date", act=_volume_outside_meta, routes=_ONLY
    ),
    "as_of_moves": Mode(
        what="meta.as_of differs on every call, even when the clock stands still",
        act=_as_of_moves,
        routes=_ONLY,
    ),
}
