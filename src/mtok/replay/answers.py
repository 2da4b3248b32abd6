"""What the replay says: each route of the API answered from the recording, with the faults of the content.

It knows neither sockets nor headers of a request; `server` does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

from mtok.calendar import DAY, SECOND, day_of, format_date
from mtok.replay.modes.mode import ENDPOINTS, MODELS, RANKINGS, Answer, as_of_text, error
from mtok.replay.questions import NotAnswered, asked_window
from mtok.replay.recording import Recording, decode, encode

PREFIX: Final = "/api/v1"
NO_KEY: Final = "Missing Authentication header"
NOT_FOUND: Final = "Resource not found"
PROVIDERS: Final = "providers"

PAGE_ROWS: Final = 500
PAGE_ROWS_MAX: Final = 1000
_OFFSET_MAX: Final = 1_000_000
_HOUR: Final = 3600 * SECOND
_UNRECORDED_FILTERS: Final = frozenset(
    "category supported_parameters input_modalities sort q context min_price max_price min_output_price "
    "max_output_price arch model_authors providers distillable zdr region use_rss use_rss_chat_links".split()
)

Faulty = Callable[[Any], bool]
"""Changes decoded content as the armed faults say; returns whether any did."""


class Place(NamedTuple):
    """Where a request goes: the route faults are armed on, None for none, and what it names."""

    route: str | None
    model: str = ""


def place_of(path: str) -> Place:
    """Return the place of a path; a path that is none of the API's has the route None."""
    if path == f"{PREFIX}/datasets/rankings-daily":
        return Place(RANKINGS)
    if path == f"{PREFIX}/models":
        return Place(MODELS)
    if path == f"{PREFIX}/providers":
        return Place(PROVIDERS)
    parts = path.removeprefix(f"{PREFIX}/models/").split("/")
    if path.startswith(f"{PREFIX}/models/") and len(parts) == 3 and parts[2] == "endpoints":
        return Place(ENDPOINTS, unquote(f"{parts[0]}/{parts[1]}"))
    return Place(None)


class Answers:
    """Answers from a recording. ready_hour : hour of UTC from which the day before is offered"""

    def __init__(self, recording: Recording, *, ready_hour: int, refuse_today: bool) -> None:
        self._recording = recording
        self._ready_hour = ready_hour
        self._refuse_today = refuse_today

    def answer(self, place: Place, query: Mapping[str, str], now: int, faulty: Faulty) -> Answer:
        """Return the answer of a place at an instant."""
        try:
            match place.route:
                case "rankings-daily":
                    return self._rankings(query, now, faulty)
                case "models":
                    return self._models(query, now, faulty)
                case "endpoints":
                    return self._endpoints(place.model, now, faulty)
                case "providers":
                    return self._ok(encode({"data": _PROVIDERS}))
        except NotAnswered as refusal:
            return error(400, str(refusal))
        return error(404, NOT_FOUND)

    def _ok(self, body: bytes, *headers: tuple[str, str]) -> Answer:
        return Answer(200, body, (("X-Replay-Origin", self._recording.origin), *headers))

    def _rankings(self, query: Mapping[str, str], now: int, faulty: Faulty) -> Answer:
        window = asked_window(query, day_of(now), refuse_today=self._refuse_today)
        rows = [
            {"date": format_date(day), "model_permaslug": permaslug, "total_tokens": total}
            for day in range(window.start, window.end + 1)
            if now >= (day + 1) * DAY + self._ready_hour * _HOUR
            for permaslug, total in self._recording.rows(day, now)
        ]
        meta = {
            "as_of": as_of_text(now),
            "version": "v1",
            "start_date": format_date(window.start),
            "end_date": format_date(window.end),
        }
        content = {"data": rows, "meta": meta}
        faulty(content)
        return self._ok(encode(content))

    def _models(self, query: Mapping[str, str], now: int, faulty: Faulty) -> Answer:
        _check_filters(query)
        recorded = self._recording.models_at(now)
        if recorded is None:
            return error(404, "this replay's recording holds no response of /models")
        content = _content(recorded.raw)
        changed = content is not None and faulty(content)
        if content is not None and query.keys() & {"offset", "limit"}:
            _turn_to_page(content, query)
            changed = True
        if changed:
            return self._ok(encode(content))
        named = (("X-Replay-Sha256", recorded.origin_sha256),) if recorded.origin_sha256 else ()
        return self._ok(recorded.raw, *named)

    def _endpoints(self, model: str, now: int, faulty: Faulty) -> Answer:
        recorded = self._recording.endpoints_at(model, now)
        if recorded is None:
            return error(404, NOT_FOUND)
        content = decode(recorded.raw)
        return self._ok(encode(content) if faulty(content) else recorded.raw)


def _content(raw: bytes) -> dict[str, Any] | None:
    """Return a recorded catalogue, None where it is broken: then it is served as it is."""
    try:
        content = decode(raw)
    except ValueError:
        return None
    sound = isinstance(content, dict) and isinstance(content.get("data"), list)
    return content if sound else None


def _check_filters(query: Mapping[str, str]) -> None:
    asked = _UNRECORDED_FILTERS & query.keys()
    if query.get("output_modalities", "text") != "text":
        asked |= {"output_modalities"}
    if asked:
        raise NotAnswered(f"this replay's recording holds no list by {', '.join(sorted(asked))}")


def _turn_to_page(content: dict[str, Any], query: Mapping[str, str]) -> None:
    offset = _whole(query, "offset", 0, 0, _OFFSET_MAX)
    limit = _whole(query, "limit", PAGE_ROWS, 1, PAGE_ROWS_MAX)
    rows = content["data"]
    beyond = offset + limit
    following = f"{PREFIX}/models?offset={beyond}&limit={limit}" if beyond < len(rows) else None
    content.update(data=rows[offset:beyond], total_count=len(rows), links={"next": following})


def _whole(query: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = query.get(name, str(default))
    if text.isascii() and text.isdecimal() and len(text) <= 7 and least <= int(text) <= most:
        return int(text)
    raise NotAnswered(f"{name} is not a whole number from {least} to {most}")


def _provider(name: str, slug: str) -> dict[str, Any]:
    """Return a provider of whom nothing but the name was recorded."""
    unknown = "privacy_policy_url terms_of_service_url status_page_url headquarters datacenters"
    return {"name": name, "slug": slug, **dict.fromkeys(unknown.split())}


_PROVIDERS: Final = [
    _provider("Alibaba", "alibaba"),
    _provider("Anthropic", "anthropic"),
    _provider("DeepSeek", "deepseek"),
    _provider("Google", "google-vertex"),
    _provider("Google AI Studio", "google-ai-studio"),
    _provider("Moonshot AI", "moonshotai"),
    _provider("OpenAI", "openai"),
]
