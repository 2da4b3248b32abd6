"""What a collection takes and when, against a real server on the loopback whose clock is the collector's."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from mtok.archive import KIND_ENDPOINTS, KIND_MODELS, KIND_RANKINGS
from mtok.calendar import SECOND, format_date, parse_date, parse_instant
from mtok.collection import CATCH_UP_DAYS, ENDPOINTS_ATTEMPTS_MAX, RANKINGS_ATTEMPTS_MAX, constituents, sound
from mtok.determination.folder import Determinations
from mtok.errors import BadCall
from mtok.replay import Fault, Recording
from mtok.sources import Limits
from worlds import World, recorded_endpoints, world

SAMPLE = Recording.sample()


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., World]]:
    """Make a world of the sample at an instant."""
    with ExitStack() as stack:

        def made(at: str, limits: Limits | None = None, recording: Recording = SAMPLE) -> World:
            path = tmp_path / f"store-{at[:10]}"
            return stack.enter_context(world(path, recording, monkeypatch, at=at, limits=limits))

        yield made


def rankings(first: str, last: str) -> str:
    return f"/datasets/rankings-daily?start_date={first}&end_date={last}"


# ---- what is due


def test_a_first_collection_takes_prices_and_the_day_that_is_over(make: Callable[..., World]) -> None:
    """Days before the first capture have no prices: one day back, a launch may be priced (R-6)."""
    here = make("2026-06-10T02:00:00Z")
    collected = here.collect()
    assert here.asked() == ["/models", rankings("2026-06-09", "2026-06-09")]
    assert [outcome.failure for outcome in collected.outcomes] == [None, None]
    assert (collected.lines, collected.left, collected.failed) == (range(2), (), [])
    captures = here.rows("captures", "kind", "http_status", "origin", "skew", "readable")
    assert captures == [(KIND_MODELS, 200, "sample", 0, True), (KIND_RANKINGS, 200, "sample", 0, True)]


@pytest.mark.parametrize(("time", "asked"), [("01:59:59", []), ("02:00:00", ["2026-06-09"])])
def test_a_day_is_asked_for_from_two_o_clock_on(
    time: str, asked: list[str], make: Callable[..., World]
) -> None:
    here = make(f"2026-06-10T{time}Z")
    here.collect()
    assert here.asked("datasets") == [rankings(date, date) for date in asked]


def test_a_week_is_asked_for_again_once_a_day(make: Callable[..., World]) -> None:
    here = make("2026-06-01T12:00:00Z")
    for day in range(1, 13):
        here.collect(f"2026-06-{day:02}T12:00:00Z")
    here.asked()
    here.collect("2026-06-13T00:50:00Z")
    assert here.asked() == ["/models", rankings("2026-06-06", "2026-06-11")]
    here.collect("2026-06-13T01:35:00Z")
    assert here.asked() == ["/models"]
    here.collect("2026-06-13T02:05:00Z")
    assert here.asked() == ["/models", rankings("2026-06-12", "2026-06-12")]
    here.collect("2026-06-13T02:50:00Z")
    assert here.asked() == ["/models"]


def test_a_day_that_is_late_is_asked_for_until_it_is_there(make: Callable[..., World]) -> None:
    here = make("2026-06-10T02:05:00Z")
    here.server.arm(Fault("late", last=parse_instant("2026-06-10T11:00:00Z")))
    for time in ("02:05", "02:50", "10:50"):
        assert here.collect(f"2026-06-10T{time}:00Z").failed == []
        assert here.asked("datasets") == [rankings("2026-06-09", "2026-06-09")]
    here.collect("2026-06-10T11:05:00Z")
    here.asked()
    here.collect("2026-06-10T11:50:00Z")
    assert here.asked("datasets") == []


def test_missed_days_are_taken_in_one_request(make: Callable[..., World]) -> None:
    here = make("2026-06-01T12:00:00Z")
    here.collect()
    here.collect("2026-06-20T12:00:00Z")
    assert here.asked("datasets") == [
        rankings("2026-05-31", "2026-05-31"),
        rankings("2026-06-01", "2026-06-19"),
    ]


def test_days_are_caught_up_with_thirty_days_back(make: Callable[..., World]) -> None:
    here = make("2026-05-20T12:00:00Z")
    here.collect()
    here.asked()
    here.collect("2026-06-25T12:00:00Z")
    first = format_date(parse_date("2026-06-25") - CATCH_UP_DAYS)
    assert here.asked("datasets") == [rankings(first, "2026-06-24")]


def test_a_hole_older_than_a_week_is_asked_for_once_a_day(make: Callable[..., World]) -> None:
    here = make("2026-06-01T12:00:00Z")
    here.collect()
    here.server.arm(Fault("volume_negative", on=KIND_RANKINGS, last=parse_instant("2026-06-02T23:00:00Z")))
    here.collect("2026-06-02T12:00:00Z")
    assert ("volume_range",) in here.rows("volume_days", "reason")
    for day in range(3, 12):
        here.collect(f"2026-06-{day:02}T12:00:00Z", days=(parse_date(f"2026-06-{day - 1:02}"),) * 2)
    here.asked()
    here.collect("2026-06-12T12:00:00Z")
    assert here.asked("datasets") == [rankings("2026-06-01", "2026-06-11")]


def test_days_upstream_does_not_have_are_asked_for_once_a_day_when_older_than_a_week(
    make: Callable[..., World],
) -> None:
    """The sample has no totals before 20 May."""
    here = make("2026-05-12T13:00:00Z")
    here.collect()
    here.asked()
    here.collect("2026-05-28T12:05:00Z")
    assert here.asked("datasets") == [rankings("2026-05-11", "2026-05-27")]
    here.collect("2026-05-28T12:50:00Z")
    assert here.asked("datasets") == []


def test_a_rejected_day_is_asked_for_again(make: Callable[..., World]) -> None:
    """Upstream may have mended it."""
    here = make("2026-06-10T02:05:00Z")
    here.server.arm(Fault("volume_duplicate", on=KIND_RANKINGS, times=1))
    here.collect()
    here.collect("2026-06-10T02:50:00Z")
    here.collect("2026-06-10T03:05:00Z")
    assert here.asked("datasets") == [rankings("2026-06-09", "2026-06-09")] * 2
    assert here.rows("volume_days", "reason") == [("volume_duplicate",), (None,)]


def test_days_asked_for_are_all_that_is_taken(make: Callable[..., World]) -> None:
    here = make("2026-06-20T00:10:00Z")
    here.collect(days=(parse_date("2026-05-21"), parse_date("2026-06-19")))
    assert here.asked() == [rankings("2026-05-21", "2026-06-19")]


@pytest.mark.parametrize(
    ("days", "code"),
    [
        (("2026-06-19", "2026-06-20"), "day_not_over"),
        (("2024-12-31", "2026-06-01"), "day_before_data"),
        (("2026-06-02", "2026-06-01"), "dates_out_of_order"),
    ],
)
def test_days_that_cannot_be_asked_for(days: tuple[str, str], code: str, make: Callable[..., World]) -> None:
    here = make("2026-06-20T12:00:00Z")
    with pytest.raises(BadCall) as raised:
        here.collect(days=(parse_date(days[0]), parse_date(days[1])))
    assert raised.value.code == code
    assert here.asked() == []


# ---- what upstream refuses


def test_prices_are_captured_without_a_key(make: Callable[..., World]) -> None:
    here = make("2026-06-10T12:00:00Z")
    here.key = None
    collected = here.collect()
    assert [outcome.failure for outcome in collected.failed] == ["key_missing"]
    assert here.asked() == ["/models"]
    assert here.rows("captures", "kind", "readable") == [(KIND_MODELS, True)]


def test_a_server_that_asks_to_be_left_alone_is_left_alone_by_later_collections(
    make: Callable[..., World],
) -> None:
    """A daily quota: X-RateLimit-Reset is the next midnight, in milliseconds."""
    here = make("2026-06-10T12:00:00Z")
    here.server.arm(Fault("http_429_reset", on=KIND_RANKINGS, times=1))
    assert [outcome.failure for outcome in here.collect().failed] == ["http_429"]
    assert here.asked("datasets") == [rankings("2026-06-09", "2026-06-09")]
    collected = here.collect("2026-06-10T23:50:00Z")
    what, because = collected.left[0]
    assert what == "rankings of 2026-06-09 … 2026-06-09"
    assert because == "the server asks to be left alone until 2026-06-11T00:00:00Z"
    assert here.asked("datasets") == []
    here.collect("2026-06-11T02:05:00Z")
    assert here.asked("datasets") == [rankings("2026-06-09", "2026-06-10")]


def test_attempts_at_rankings_are_limited_by_the_day(make: Callable[..., World]) -> None:
    here = make("2026-06-10T02:00:00Z")
    here.server.arm(Fault("http_500", on=KIND_RANKINGS))
    collections = 0
    while not (left := here.collect(here.clock.now() + 600 * SECOND).left):
        collections += 1
    assert collections * 5 == RANKINGS_ATTEMPTS_MAX
    assert left[0][1] == f"{RANKINGS_ATTEMPTS_MAX} attempts today"
    here.server.disarm()
    assert here.collect("2026-06-11T02:05:00Z").left == ()


def test_prices_are_left_alone_too_when_the_server_asks_for_it(make: Callable[..., World]) -> None:
    here = make("2026-06-10T12:00:00Z")
    here.server.arm(Fault("http_429_reset", on=KIND_MODELS, times=1))
    here.collect()
    here.asked()
    assert here.collect("2026-06-10T12:50:00Z").left == (
        ("prices", "the server asks to be left alone until 2026-06-11T00:00:00Z"),
    )
    assert here.asked() == []
    here.collect("2026-06-11T00:05:00Z")
    assert here.asked("/models") == ["/models"]


def test_days_that_are_asked_for_by_name_wait_as_well(make: Callable[..., World]) -> None:
    here = make("2026-06-10T12:00:00Z")
    here.server.arm(Fault("http_429_reset", on=KIND_RANKINGS, times=1))
    here.collect()
    here.asked()
    assert here.collect("2026-06-10T12:50:00Z", days=(parse_date("2026-06-01"),) * 2).left
    assert here.asked() == []


def test_days_that_no_answer_holds_are_named(make: Callable[..., World]) -> None:
    here = make("2026-06-10T12:00:00Z")
    collected = here.collect(days=(parse_date("2026-05-18"), parse_date("2026-05-21")))
    assert collected.left == (
        ("rankings of 2 days in 2026-05-18 … 2026-05-19", "OpenRouter's answer does not hold them"),
    )


def test_a_clock_that_was_ahead_once_blocks_nothing(make: Callable[..., World]) -> None:
    here = make("2026-06-10T12:00:00Z")
    here.server.arm(Fault("http_429_reset", times=2))
    here.collect("2027-06-10T12:00:00Z")
    here.server.disarm()
    here.asked()
    assert here.collect("2026-06-10T12:00:00Z").left == ()
    assert here.asked() == ["/models", rankings("2026-06-09", "2026-06-09")]


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("truncated_json", "payload_json"),
        ("html_200", "payload_html"),
        ("bad_utf8", "payload_utf8"),
        ("too_deep", "payload_depth"),
        ("duplicate_key", "payload_duplicate_key"),
        ("nan", "payload_not_finite"),
        ("empty_body", "payload_no_bytes"),
        ("empty_data", "payload_empty"),
        ("cut_body", "http_truncated"),
        ("http_502", "http_502"),
        ("gzip_cut", "payload_gzip"),
    ],
)
def test_prices_are_asked_for_again_at_once_and_every_attempt_is_kept(
    fault: str, code: str, make: Callable[..., World]
) -> None:
    here = make("2026-06-10T00:05:00Z")
    here.server.arm(Fault(fault, on=KIND_MODELS, times=2))
    collected = here.collect()
    assert (collected.failed, collected.outcomes[0].attempts) == ([], 3)
    assert collected.faults[code] == 2
    captures = here.rows("captures", "readable", "failure", "captured")
    failure = code if code.startswith("http") else None
    readable = code == "payload_empty"
    assert [row[:2] for row in captures] == [(readable, failure)] * 2 + [(True, None)]
    assert captures[0][2] < captures[1][2] < captures[2][2]
    assert here.rows("catalogue", "id")


def test_no_answer_at_all_is_reported_and_the_rest_is_taken(make: Callable[..., World]) -> None:
    here = make("2026-06-10T12:00:00Z")
    here.server.arm(Fault("http_503", on=KIND_MODELS))
    collected = here.collect()
    assert [(outcome.kind, outcome.failure) for outcome in collected.failed] == [(KIND_MODELS, "http_503")]
    assert [day for (day,) in here.rows("volume_days", "day")] == [parse_date("2026-06-09")]


@pytest.mark.parametrize(
    ("kind", "raw", "code"),
    [
        (KIND_MODELS, b'{"data":[{}]}', None),
        (KIND_MODELS, b'{"data":[]}', "payload_empty"),
        (KIND_RANKINGS, b'{"data":[]}', None),
        (KIND_RANKINGS, b'{"data":{}}', "payload_shape"),
        (KIND_ENDPOINTS, b'{"data":{}}', None),
        (KIND_ENDPOINTS, b'{"data":[]}', "payload_shape"),
        (KIND_ENDPOINTS, b"<html>", "payload_html"),
    ],
)
def test_what_is_worth_having(kind: str, raw: bytes, code: str | None) -> None:
    assert sound(kind, raw) == code


# ---- endpoints


@pytest.fixture(scope="module")
def determined(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of the sample's first two weeks, determined."""
    patch = pytest.MonkeyPatch()
    path = tmp_path_factory.mktemp("collected") / "store"
    with world(path, SAMPLE, patch, at="2026-05-20T12:00:00Z") as here:
        for day in range(20, 32):
            here.collect(
                f"2026-05-{day}T12:00:00Z",
            )
        here.run("2026-06-01T12:00:00Z", endpoints=False)
    patch.undo()
    return path


@pytest.fixture
def grown(determined: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A world that goes on from there, with endpoints of some OpenAI models."""
    import shutil

    shutil.copytree(determined, tmp_path / "grown")
    folder = recorded_endpoints(
        tmp_path / "endpoints", ["openai/gpt-5.4", "openai/gpt-5.5"], "2026-06-01T10:00:00Z", "0.00001"
    )
    with_endpoints = Recording.of_paths([folder])
    recording = Recording.sample()
    recording.endpoints.update(with_endpoints.endpoints)
    slugs = {slug for model in recording.models for slug in _slugs(model.raw)}
    recording.names.update({slug: model_id for model_id, slug in slugs if model_id in recording.endpoints})
    with world(tmp_path / "grown", recording, monkeypatch, at="2026-06-01T12:05:00Z") as here:
        yield here


def _slugs(raw: bytes) -> set[tuple[str, str]]:
    return {(row["id"], row["canonical_slug"]) for row in json.loads(raw)["data"]}


def test_the_constituents_of_the_last_week_are_asked_for_most_used_first(grown: World) -> None:
    wanted = constituents(grown.store, grown.clock, "1.0")
    records = [
        record
        for series in ("openai", "google-gemini", "anthropic", "deepseek", "qwen", "moonshot")
        for record in Determinations(grown.store, "1.0").read(
            series, parse_date("2026-05-25"), parse_date("2026-05-31")
        )
    ]
    assert len(records) == 42
    tokens = {
        slug: sum(row.tokens for record in records for row in record.constituents if row.constituent == slug)
        for slug in wanted
    }
    assert len(wanted) > 20
    assert [tokens[slug] for slug in wanted] == sorted(tokens.values(), reverse=True)
    collected = grown.collect()
    assert grown.asked("/endpoints") == [f"/models/{slug}/endpoints" for slug in wanted]
    assert collected.failed == [], "a model nobody serves is an answer"
    answered = [
        outcome for outcome in collected.outcomes if outcome.kind == KIND_ENDPOINTS and not outcome.failure
    ]
    assert len(answered) == 2


def test_endpoints_are_asked_for_once_a_day(grown: World) -> None:
    grown.collect()
    grown.asked()
    grown.collect("2026-06-01T12:50:00Z")
    assert grown.asked("/endpoints") == []
    grown.collect("2026-06-02T00:05:00Z")
    assert len(grown.asked("/endpoints")) > 20


def test_endpoints_without_an_answer_are_asked_for_by_the_next_collection(grown: World) -> None:
    grown.server.arm(Fault("http_502", on=KIND_ENDPOINTS, times=2))
    collected = grown.collect()
    assert [outcome.failure for outcome in collected.failed] == ["http_502"] * 2
    first = grown.asked("/endpoints")
    assert len(first) == len(set(first)), "one try each"
    grown.collect("2026-06-01T12:50:00Z")
    assert grown.asked("/endpoints") == first[:2]


def test_endpoints_are_left_to_the_next_collection_when_nothing_answers(grown: World) -> None:
    grown.server.arm(Fault("http_502", on=KIND_ENDPOINTS))
    [(what, because)] = grown.collect().left
    assert len(grown.asked("/endpoints")) == 3
    assert re.fullmatch(r"endpoints of [0-9]+ models", what)
    assert because == "3 in a row found no answer"


def test_endpoints_are_left_alone_when_the_server_asks_for_it(grown: World) -> None:
    """A wait of seconds too: there is no second try that would keep it."""
    grown.server.arm(Fault("http_429", on=KIND_ENDPOINTS, times=1))
    grown.collect()
    assert len(grown.asked("/endpoints")) == 1


def test_attempts_at_endpoints_are_limited_by_the_day(grown: World) -> None:
    grown.server.arm(Fault("http_502", on=KIND_ENDPOINTS))
    for collection in range(29):
        left = grown.collect(grown.clock.now() + 60 * SECOND * (collection > 0)).left
    assert len(grown.asked("/endpoints")) == ENDPOINTS_ATTEMPTS_MAX
    assert left[0][1] == f"{ENDPOINTS_ATTEMPTS_MAX} attempts a day"


def test_endpoints_stop_when_they_take_too_long(grown: World) -> None:
    connect = grown.connect

    def slow(keep: object) -> object:
        client = connect(keep)  # type: ignore[arg-type]
        asked = client.endpoints

        def slowly(slug: str) -> object:
            grown.clock.set(grown.clock.now() + 300 * SECOND)
            return asked(slug)

        client.endpoints = slowly  # type: ignore[method-assign, assignment]
        return client

    grown.connect = slow  # type: ignore[method-assign, assignment]
    collected = grown.collect()
    assert len(grown.asked("/endpoints")) == 4
    assert collected.left[0][1] == "900 s have passed"


def test_the_gap_to_the_company_s_own_price_is_in_the_record(grown: World) -> None:
    """OpenAI asks 10 USD here for both models; only what the formula says of the record's own rows is expected."""
    from fractions import Fraction

    grown.run()
    grown.run("2026-06-02T12:05:00Z", endpoints=False)
    [record] = Determinations(grown.store, "1.0").read(
        "openai", parse_date("2026-06-01"), parse_date("2026-06-01")
    )
    asked = {capture.constituent for capture in record.inputs.endpoints}
    both = [row for row in record.constituents if row.constituent in asked]
    assert len(both) == 2
    own = 10 * 86_400 * 10**12
    apart = sum(row.tokens * abs(own - row.price_seconds) for row in both)
    gap = Fraction(apart, sum(row.tokens * row.price_seconds for row in both))
    assert record.diagnostics.first_party_gap is not None
    assert abs(Fraction(record.diagnostics.first_party_gap) - gap) <= Fraction(1, 2 * 10**6)
    assert gap > 0
