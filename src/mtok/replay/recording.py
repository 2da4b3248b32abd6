"""What was recorded of OpenRouter, by time: the material every answer of the replay is made of.

Catalogue responses are kept as the bytes they were. Of rankings the rows are kept, since a replay is asked for
other windows than were recorded. What cannot be placed is left out and listed in `left_out`.
"""

from __future__ import annotations

import zlib
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from mtok.archive import KIND_ENDPOINTS, KIND_MODELS, KIND_RANKINGS, Response
from mtok.calendar import parse_date, parse_instant
from mtok.errors import BadInput
from mtok.sources import FoundFile, Refused, find_files, read_response
from mtok.sources.files import KIND_NOT_RECOGNISED, UNPACKED_BYTES_MAX, read_bytes
from mtok.sources.sample import sample_responses

SAMPLE: Final = "sample"
REPLAY: Final = "replay"
RECORDING_BYTES_MAX: Final = 2**30
"""How much is held in memory: about four years of catalogues, one a day."""

MARKET_TAIL: Final = "other"

_DECODER: Final = msgspec.json.Decoder(float_hook=Decimal)
_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")


def decode(raw: bytes) -> Any:
    """Return the JSON of `raw`; numbers that are no integers become Decimal. Raises ValueError."""
    try:
        return _DECODER.decode(raw)
    except RecursionError:
        raise ValueError("JSON nested too deep") from None


def encode(content: Any) -> bytes:
    """Return compact JSON, a Decimal as a number."""
    return _ENCODER.encode(content)


class Recorded(NamedTuple):
    """A response as it was recorded; `origin_sha256` names the original of one that was rendered from facts."""

    instant: int
    raw: bytes
    origin_sha256: str | None


class Pull(NamedTuple):
    """The rows of one recorded rankings response: day → (permaslug, total_tokens), in the order of the API."""

    as_of: int
    days: dict[int, list[tuple[str, Any]]]


@dataclass(kw_only=True)
class Recording:
    """Everything a replay can answer with. Make one with `Recording.sample` or `Recording.of_paths`.

    origin : `sample` or `replay`, the label of captures made from it
    models, pulls : by time · endpoints : id of a model → its responses, by time
    names : canonical slug → id, of the models that have recorded endpoints
    left_out : files that could not be placed, each with its reason
    """

    origin: str
    models: list[Recorded] = field(default_factory=list)
    pulls: list[Pull] = field(default_factory=list)
    endpoints: dict[str, list[Recorded]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    left_out: list[Refused] = field(default_factory=list)

    @classmethod
    def sample(cls) -> Recording:
        """Return the recording of the bundled sample. Raises EnvironmentFailed for a damaged sample file."""
        recording = cls(origin=SAMPLE)
        for response in sample_responses():
            recording._take(response, f"the sample's response of {response.captured_at}")
        return recording._settled("the bundled sample")

    @classmethod
    def of_paths(cls, paths: Iterable[Path]) -> Recording:
        """Return the recording of files and folders of recorded responses (`.json`, `.json.gz`).

        Raises BadCall `path_missing`, BadInput `recording_empty` where nothing was recorded, and BadInput
        `recording_size` over 1 GiB.
        """
        paths = list(paths)
        recording = cls(origin=REPLAY)
        held = 0
        for file in find_files(paths):
            held += recording._read(file)
            if held > RECORDING_BYTES_MAX:
                raise BadInput(
                    "recording_size",
                    f"the recording is over {RECORDING_BYTES_MAX} bytes at {file.shown}",
                    "Replay fewer files.",
                )
        return recording._settled(", ".join(str(path) for path in paths))

    def instants(self) -> list[int]:
        """Return when something recorded changes, in order: each catalogue, rankings pull and endpoints response."""
        offers = (recorded for responses in self.endpoints.values() for recorded in responses)
        return sorted(
            {
                *(pull.as_of for pull in self.pulls),
                *(recorded.instant for recorded in self.models),
                *(recorded.instant for recorded in offers),
            }
        )

    def models_at(self, now: int) -> Recorded | None:
        """Return the catalogue in force at an instant: the latest recorded, before all of them the first."""
        return _in_force(self.models, now)

    def endpoints_at(self, model: str, now: int) -> Recorded | None:
        """Return the endpoints of a model in force at an instant; `model` is an id or a canonical slug."""
        return _in_force(self.endpoints.get(model) or self.endpoints.get(self.names.get(model, ""), []), now)

    def rows(self, day: int, now: int) -> list[tuple[str, Any]]:
        """Return the rows of a day: of the latest pull until `now` that holds it, else of the first after."""
        holding = [pull for pull in self.pulls if day in pull.days]
        if not holding:
            return []
        until = bisect_right([pull.as_of for pull in holding], now)
        return holding[max(until - 1, 0)].days[day]

    def _read(self, file: FoundFile) -> int:
        """Take a file and return its size as it is held, bytes; 0 for one that is left out."""
        response = read_response(file)
        kind = response.kind if isinstance(response, Response) else response.code
        found = _endpoints_response(file) if kind in (KIND_ENDPOINTS, KIND_NOT_RECOGNISED) else None
        if found:
            model, recorded = found
            self.endpoints.setdefault(model, []).append(recorded)
            return len(recorded.raw)
        if isinstance(response, Response):
            return self._take(response, file.shown)
        self.left_out.append(response)
        return 0

    def _take(self, response: Response, shown: str) -> int:
        if response.kind == KIND_MODELS:
            recorded = Recorded(response.captured_at, response.raw, response.origin_sha256)
            self.models.append(recorded)
            return len(recorded.raw)
        pull = _pull(response) if response.kind == KIND_RANKINGS else None
        if pull is None:
            self.left_out.append(
                Refused(
                    path=shown,
                    code="recording_unreadable",
                    found="its rows cannot be read",
                    remedy="Record the response again, or leave the file out.",
                )
            )
            return 0
        self.pulls.append(pull)
        return len(response.raw)

    def _settled(self, asked: str) -> Recording:
        """Put everything in order of time. Raises BadInput `recording_empty`."""
        if not (self.models or self.pulls or self.endpoints):
            reasons = "; ".join(f"{one.path}: {one.found}" for one in self.left_out[:3])
            raise BadInput(
                "recording_empty",
                f"nothing recorded in {asked or 'no path'}" + (f" ({reasons})" if reasons else ""),
                "Name files or folders of recorded responses: rankings-daily, models, endpoints.",
            )
        self.models.sort(key=lambda recorded: recorded.instant)
        self.pulls.sort(key=lambda pull: pull.as_of)
        for responses in self.endpoints.values():
            responses.sort(key=lambda recorded: recorded.instant)
        if self.endpoints:
            for recorded in self.models:
                self.names.update(_names(recorded.raw, self.endpoints))
        return self


def _in_force(responses: list[Recorded], now: int) -> Recorded | None:
    until = bisect_right([recorded.instant for recorded in responses], now)
    return responses[max(until - 1, 0)] if responses else None


def _pull(response: Response) -> Pull | None:
    """Return the rows of a rankings response that have a date and a name; None where there are none to read."""
    try:
        content = decode(response.raw)
    except ValueError:
        return None
    content = content if isinstance(content, dict) else {"data": content}
    days: dict[int, list[tuple[str, Any]]] = {}
    for row in content["data"] if isinstance(content.get("data"), list) else []:
        try:
            permaslug, total = row["model_permaslug"], row["total_tokens"]
            days.setdefault(parse_date(row["date"]), []).append(
                (permaslug, str(total) if type(total) is int else total)
            )
        except (KeyError, TypeError, ValueError):
            continue
    for rows in days.values():
        rows.sort(key=_place)
    try:
        as_of = parse_instant(content["meta"]["as_of"])
    except (KeyError, TypeError, ValueError):
        as_of = response.captured_at
    return Pull(as_of, days) if days else None


def _place(row: tuple[str, Any]) -> tuple[bool, int, str]:
    """Return the key of the API's order: totals descending, ties by name, the market tail last."""
    permaslug, total = row
    return permaslug == MARKET_TAIL, -int(total) if is_total(total) else 0, str(permaslug)


def is_total(total: Any) -> bool:
    """Whether a recorded total is text of a whole number."""
    return isinstance(total, str) and len(total) <= 40 and total.isascii() and total.isdecimal()


def _endpoints_response(file: FoundFile) -> tuple[str, Recorded] | None:
    """Return model and response of a recorded `/models/{author}/{slug}/endpoints`, None for anything else."""
    raw = read_bytes(file)
    if isinstance(raw, Refused):
        return None
    try:
        if raw.startswith(b"\x1f\x8b"):
            raw = zlib.decompressobj(wbits=31).decompress(raw, UNPACKED_BYTES_MAX)
        data = decode(raw)["data"]
        model, offers = data["id"], data["endpoints"]
        name = file.path.name
        instant = parse_instant(f"{name[:13]}:{name[13:15]}:{name[15:18]}")
    except (KeyError, TypeError, ValueError, zlib.error):
        return None
    if not isinstance(model, str) or not isinstance(offers, list):
        return None
    return model, Recorded(instant, raw, None)


def _names(raw: bytes, models: Iterable[str]) -> dict[str, str]:
    """Return canonical slug → id of those rows of a catalogue that are among `models`; plain ids win."""
    try:
        rows = decode(raw)["data"]
        found = [(row["canonical_slug"], row["id"]) for row in rows if row["id"] in models]
    except (KeyError, TypeError, ValueError):
        return {}
    return dict(sorted(found, key=lambda name: ":" not in name[1]))
