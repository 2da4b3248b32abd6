"""A small made-up market, recorded, and a replay of it in a process of its own, whose clock stands still.

Twelve priced models of the six companies and 38 more; 72 catalogues, an hour apart; what twelve models' providers ask.
While the clock stands still the same question gets the same bytes, so two collections can be compared to the byte.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.request import ProxyHandler, Request, build_opener

from mtok.calendar import DAY, SECOND, day_of, format_date, format_instant, parse_instant

DAYS_BEFORE: Final = ("2026-06-19T12:00:00Z", "2026-06-20T12:00:00Z")
"""When the store that is collected into was brought up to date: it has one day with values."""
NOW: Final = "2026-06-21T12:00:00Z"
"""When it is collected into: the prices, the rankings of a new day and twelve models' providers are due."""

_RANKED_DAYS: Final = 6
_AUTHORS: Final = ("openai", "google", "anthropic", "deepseek", "qwen", "moonshotai")
MODELS: Final = [
    f"{author}/{'gemini-' if author == 'google' else 'model-'}{number}"
    for author in _AUTHORS
    for number in (1, 2)
]
"""The priced models, those with most tokens first."""

WITHOUT_PANDAS: Final = str(Path(__file__).parent / "without")
"""In front of what is installed: a command starts in two thirds of the time, as for people who have no pandas."""

SECONDS_MAX: Final = 60
"""How long anything started here may take."""


def write_recording(folder: Path, now: str = NOW) -> Path:
    """Write the recording as `mtok replay` and `mtok import` read it, and return its folder.

    now : when the last of it was captured, or a little later
    """
    today = day_of(parse_instant(now))
    for name in ("models", "rankings", "endpoints"):
        (folder / name).mkdir(parents=True)
    for hour in range(72):
        instant = format_instant((today - 2) * DAY + (hour - 11) * 3600 * SECOND)
        _write(folder / "models", instant, {"data": [_row(model, hour) for model in MODELS]})
    for model in MODELS:
        offers = {"id": model, "name": model, "endpoints": [_offer(model)]}
        name = f"{format_date(today - 1)}T010000Z-{model.replace('/', '-')}.json"
        (folder / "endpoints" / name).write_text(json.dumps({"data": offers}))
    for day in (today - 3, today - 2, today - 1):
        _write(folder / "rankings", f"{format_date(day + 1)}T06:00:00Z", _rankings(day))
    return folder


def _write(folder: Path, instant: str, content: object) -> None:
    (folder / f"{instant.replace(':', '')}.json").write_text(json.dumps(content))


def _row(model: str, hour: int) -> dict[str, Any]:
    price = f"0.0000{MODELS.index(model) + 10 + hour // 24}"
    return {
        "id": model,
        "canonical_slug": model,
        "name": model,
        "created": 1_700_000_000,
        "architecture": {"output_modalities": ["text"]},
        "pricing": {"prompt": "0.000001", "completion": price},
    }


def _offer(model: str) -> dict[str, Any]:
    return {
        "provider_name": model.partition("/")[0],
        "tag": "direct",
        "pricing": {"prompt": "0.000001", "completion": "0.00001"},
        "status": 0,
    }


def _rankings(last_day: int) -> dict[str, Any]:
    first_day = last_day + 1 - _RANKED_DAYS
    names = [*MODELS, *(f"author/model-{number:02}" for number in range(50 - len(MODELS)))]
    rows = [
        {
            "date": format_date(day),
            "model_permaslug": name,
            "total_tokens": str(10**9 * (100 - place) + day),
        }
        for day in range(first_day, last_day + 1)
        for place, name in enumerate(names)
    ]
    return {
        "data": rows,
        "meta": {
            "as_of": f"{format_date(last_day + 1)}T06:00:00Z",
            "version": "v1",
            "start_date": format_date(first_day),
            "end_date": format_date(last_day),
        },
    }


def mtok(*arguments: str | Path, **environment: str) -> subprocess.Popen[bytes]:
    """Start `mtok` in a process of its own, without a key and without a proxy unless these are given."""
    known = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MTOK_", "OPENROUTER_")) and not name.lower().endswith("_proxy")
    }
    return subprocess.Popen(
        [sys.executable, "-m", "mtok", *map(str, arguments)],
        env={**known, "NO_COLOR": "1", "PYTHONPATH": WITHOUT_PANDAS, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


class Replay:
    """`mtok replay` in a process of its own, while the `with` block lasts. faults : as in a plan, see docs/replay.md"""

    def __init__(self, recording: Path, *faults: dict[str, Any], at: str = NOW) -> None:
        self._at = at
        self._faults = faults
        self._process = mtok("replay", recording, "--at", at, "--rate", "0")
        assert self._process.stdout
        self.url = self._process.stdout.readline().decode().strip()
        self.said = b""

    def __enter__(self) -> Self:
        self.put("faults", list(self._faults))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGTERM)
        self.said += b"".join(self._process.communicate(timeout=SECONDS_MAX))

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self._process.pid

    def get(self, what: str) -> Any:
        """Return `state` or `requests` as it tells them."""
        return json.loads(self.raw(what))

    def raw(self, what: str) -> bytes:
        """Return the bytes of `state` or `requests`."""
        return self._ask(Request(f"{self._origin}/_replay/{what}"))

    def put(self, what: str, content: object) -> None:
        """Set its `clock` or its `faults`."""
        body = json.dumps(content).encode()
        self._ask(Request(f"{self._origin}/_replay/{what}", data=body, method="PUT"))

    def forget_what_was_asked(self) -> None:
        """Begin to count requests for data sets anew: it counts by the minute and the day of its clock.

        A clock that stands still would soon have the 30 requests of its minute behind it.
        """
        self.put("clock", {"now": format_instant(parse_instant(self._at) + 10 * DAY)})
        headers = {"Authorization": "Bearer any-key-at-all"}
        self._ask(Request(f"{self.url}/datasets/rankings-daily", headers=headers))
        self.put("clock", {"now": self._at})

    @property
    def _origin(self) -> str:
        return self.url.removesuffix("/api/v1")

    def _ask(self, request: Request) -> bytes:
        opener = build_opener(ProxyHandler({}))
        with opener.open(request, timeout=SECONDS_MAX) as answer:
            raw: bytes = answer.read()
        return raw
