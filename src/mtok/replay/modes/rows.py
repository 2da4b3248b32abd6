"""Faults any list of rows can have: too few of them, or fields nobody knows."""

from __future__ import annotations

from typing import Any, Final

from mtok.replay.modes.mode import MODELS, RANKINGS, Change, Mode, Scene

_LISTS: Final = (MODELS, RANKINGS)
_UNKNOWN: Final = "replay_unknown"


def _empty_data(content: Any, _: Scene) -> None:
    content["data"] = []


def _half_data(content: Any, _: Scene) -> None:
    rows = content["data"]
    content["data"] = rows[: max(len(rows) - 1, 0) // 2]


def _unknown_fields(content: Any, _: Scene) -> None:
    data = content["data"]
    rows = data if isinstance(data, list) else [data, *data["endpoints"]]
    for row in [row for row in rows if isinstance(row, dict)]:
        if isinstance(row.get("pricing"), dict):
            row["pricing"][_UNKNOWN] = "0.5"
        row[_UNKNOWN] = {"text": "unknown"}
    content[_UNKNOWN] = [1]


MODES: Final[dict[str, Mode[Change]]] = {
    "empty_data": Mode(what="no rows", act=_empty_data, routes=_LISTS),
    "half_data": Mode(what="fewer than half of the rows", act=_half_data, routes=_LISTS),
    "unknown_fields": Mode(
        what="a field nobody knows at the top, in each row and in each price object", act=_unknown_fields
    ),
}
