"""Observations: tables that may be deleted at any time, and decoders that read every recorded schema and lose nothing.

The recorded responses are decoded here a second time by plain `json` and `Fraction`, and mutated by hypothesis:
whatever a byte or a value is turned into, nothing raises and no other record changes.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mtok.archive import (
    KIND_ENDPOINTS,
    KIND_MODELS,
    KIND_RANKINGS,
    KIND_TABLE,
    KIND_UNKNOWN,
    Capture,
    Objects,
    Response,
    Store,
)
from mtok.calendar import parse_date, parse_instant
from mtok.canonical import sha256_hex
from mtok.errors import EnvironmentFailed
from mtok.observations import Observations, decode_endpoints, decode_models, decode_rankings
from mtok.observations.models import Models
from mtok.observations.rankings import Rankings
from mtok.observations.tables import TABLES, observe_capture, parquet_bytes
from oracles import objections, unfit

DOCUMENT = Path(__file__).parents[1] / "docs" / "observations.md"
FAULTS = Path(__file__).parent / "faults"
PROFILE = settings.get_profile(settings.get_current_profile_name())
MUTATIONS = settings(
    PROFILE,
    max_examples=PROFILE.max_examples * 6,
    deadline=None,
    suppress_health_check=[*PROFILE.suppress_health_check, HealthCheck.function_scoped_fixture],
)
FLIPS = settings(MUTATIONS, max_examples=PROFILE.max_examples * 3)


def silent(what: str, done: int, total: int) -> None:
    """Report no progress."""


# ---- tables


def market() -> list[Response]:
    """Return captures of three days: both endpoints, a broken payload, one nobody knows, and a table behind others."""

    def response(kind: str, name: str, captured_at: str) -> Response:
        raw = (FAULTS / name).read_bytes()
        return Response(
            raw=raw, captured_at=parse_instant(captured_at), kind=kind, obtained=f"fixture {name}"
        )

    return [
        response(KIND_MODELS, "models/price_zero.json", "2026-06-17T08:00:00Z"),
        response(KIND_RANKINGS, "rankings/total_negative.json", "2026-06-18T08:30:00Z"),
        response(KIND_MODELS, "models/window_to_2400.json", "2026-06-18T08:00:00Z"),
        response(KIND_MODELS, "models/lone_surrogate.json", "2026-06-18T09:00:00Z"),
        response(KIND_RANKINGS, "rankings/truncated.json", "2026-06-18T10:00:00Z"),
        response(KIND_TABLE, "unknown/not_an_endpoint.json", "2026-06-18T11:00:00Z"),
        response(KIND_MODELS, "models/html_200.json", "2026-06-17T23:59:59.999999Z"),
        response(KIND_UNKNOWN, "unknown/not_an_endpoint.json", "2026-06-19T00:00:00Z"),
    ]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store with its tables, not to be changed."""
    store = Store.create(tmp_path_factory.mktemp("observed") / "store")
    with store.writing():
        for _ in store.archive(market()):
            pass
        Observations(store).refresh(silent)
    return store


@pytest.fixture
def store(made: Store, tmp_path: Path) -> Store:
    """A copy of it."""
    shutil.copytree(made.path, tmp_path / "store")
    return Store.open(tmp_path / "store")


def sealed(content: bytes) -> bytes:
    """Return a manifest with its own sha256 on its second line."""
    return content + b"\n" + sha256_hex(content).encode() + b"\n"


def refreshed(store: Store) -> dict[str, bytes]:
    """Bring the tables up to the register, name them all as one does who reads them, and return every file."""
    with store.writing():
        observations = Observations(store)
        observations.refresh(silent)
        for table in TABLES:
            observations.files(table)
    return tables(store)


def tables(store: Store) -> dict[str, bytes]:
    """Return every file below observations/."""
    folder = store.path / "observations"
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def rows(store: Store, table: str) -> list[dict[str, Any]]:
    """Return all rows of a table."""
    paths = Observations(store).files(table)
    return [row for path in paths for row in pq.read_table(path).to_pylist()]


DAYS = ("2026-06-17", "2026-06-18", "2026-06-19")


def test_each_day_of_capture_has_its_tables(made: Store) -> None:
    expected = {"manifest.json"} | {f"{day}/{table}.parquet" for day in DAYS for table in TABLES}
    assert tables(made).keys() == expected
    assert {row["capture"] for row in rows(made, "captures")} == {0, 1, 2, 3, 4, 6, 7}, "5 is the table"
    readable = {row["capture"]: row["readable"] for row in rows(made, "captures")}
    assert readable == {0: True, 1: True, 2: True, 3: True, 4: False, 6: False, 7: False}


def test_files_are_those_of_a_range_of_days(made: Store) -> None:
    def named(first: str | None, last: str | None) -> list[str]:
        bounds = [parse_date(date) if date else None for date in (first, last)]
        return [path.split("/")[-2] for path in Observations(made).files("prices", *bounds)]

    assert named(None, None) == list(DAYS)
    assert named("2026-06-18", None) == ["2026-06-18", "2026-06-19"]
    assert named(None, "2026-06-18") == ["2026-06-17", "2026-06-18"]
    assert named("2026-06-18", "2026-06-18") == ["2026-06-18"]
    assert named("2026-06-20", None) == []


def test_tables_deleted_are_made_again_with_the_same_bytes(store: Store) -> None:
    before = tables(store)
    shutil.rmtree(store.path / "observations")
    assert refreshed(store) == before


def test_tables_that_are_sound_are_left_alone(store: Store) -> None:
    folder = store.path / "observations"
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    refreshed(store)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_a_file_deleted_is_made_again(store: Store) -> None:
    before = tables(store)
    for name in before:
        (store.path / "observations" / name).unlink()
        assert refreshed(store) == before, name


@FLIPS
@given(st.data())
def test_a_bit_flipped_in_any_file_is_noticed_and_the_file_made_anew(
    store: Store, data: st.DataObject
) -> None:
    before = tables(store)
    name = data.draw(st.sampled_from(sorted(before)))
    path = store.path / "observations" / name
    flipped = bytearray(before[name])
    bit = data.draw(st.integers(0, len(flipped) * 8 - 1))
    flipped[bit // 8] ^= 1 << bit % 8
    path.write_bytes(flipped)
    assert refreshed(store) == before
    assert rows(store, "captures")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b'{"format":"mtok-observations-4"}',
        sealed(b'{"format":"mtok-observations-4"}'),
        sealed(b'{"format":"mtok-observations-4","days":[]}'),
        sealed(b'{"format":"mtok-observations-4","days":{"2026-06-18":5}}'),
        sealed(b'{"format":"mtok-observations-4","days":{"2026-06-18":{"prices.parquet":"x"}}}'),
        sealed(b'{"format":"mtok-observations-4","days":{"../objects":{"prices.parquet":"x"}}}'),
        sealed(b'{"format":"mtok-observations-0","days":{}}'),
    ],
)
def test_a_manifest_that_is_none_is_made_anew(content: bytes, store: Store) -> None:
    """Whatever it says, it leads to no deletion outside observations/."""
    before = tables(store)
    (store.path / "observations" / "manifest.json").write_bytes(content)
    assert refreshed(store) == before
    assert all(store.objects.get(one.sha256) for one in store.register.read())


def test_a_manifest_that_leaves_out_a_table_is_not_believed(store: Store) -> None:
    before = tables(store)
    path = store.path / "observations" / "manifest.json"
    manifest = json.loads(path.read_bytes().splitlines()[0])
    del manifest["days"]["2026-06-18"]["prices.parquet"]
    path.write_bytes(sealed(json.dumps(manifest).encode()))
    (path.parent / "2026-06-18" / "prices.parquet").write_bytes(b"")
    assert refreshed(store) == before


def test_captures_that_are_gone_from_the_register_leave_no_rows(store: Store) -> None:
    """As after restoring an older register from a backup, which leaves newer tables beside it."""
    file = store.path / "captures" / "register.jsonl"
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:7]))
    refreshed(store)
    assert not (store.path / "observations" / "2026-06-19").exists()
    assert {row["capture"] for row in rows(store, "captures")} == {0, 1, 2, 3, 4, 6}


def test_a_new_capture_changes_the_tables_of_its_day_only(store: Store) -> None:
    before = tables(store)
    [first, *_] = market()
    later = Response(
        raw=first.raw, captured_at=parse_instant("2026-06-19T01:00:00Z"), kind=KIND_MODELS, obtained=""
    )
    with store.writing():
        list(store.archive([later]))
    after = refreshed(store)
    changed = {name for name in before if after[name] != before[name]}
    assert {name.split("/")[0] for name in changed} == {"2026-06-19", "manifest.json"}
    assert len([row for row in rows(store, "catalogue") if row["capture"] == 8]) == 4


def test_captures_observed_one_by_one_give_the_bytes_of_all_at_once(made: Store, tmp_path: Path) -> None:
    store = Store.create(tmp_path / "slow")
    for number, response in enumerate(market()):
        with store.writing():
            list(store.archive([response]))
            observations = Observations(store)
            assert observations.refresh(silent) == range(number, number + 1)
            assert observations.refresh(silent) == range(number + 1, number + 1)
    assert tables(store) == tables(made)


@pytest.mark.parametrize("table", ["captures", "prices"])
def test_a_day_that_is_damaged_when_a_capture_comes_is_made_anew(
    table: str, made: Store, tmp_path: Path
) -> None:
    store = Store.create(tmp_path / "damaged")
    *first, last = market()[:5]
    for responses in (first, [last]):
        with store.writing():
            list(store.archive(responses))
            Observations(store).refresh(silent)
        damaged = store.path / "observations" / "2026-06-18" / f"{table}.parquet"
        sound = damaged.read_bytes()
        if responses is first:
            damaged.write_bytes(sound[:-1])
    assert [row["capture"] for row in rows(store, "captures")] == [0, 1, 2, 3, 4]
    assert damaged.read_bytes() == sound


def test_only_new_captures_are_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    get = Objects.get

    def noted(self: Objects, sha256: str) -> bytes:
        read.append(sha256)
        return get(self, sha256)

    monkeypatch.setattr(Objects, "get", noted)
    later = Response(
        raw=b"{}", captured_at=parse_instant("2026-06-18T23:00:00Z"), kind=KIND_MODELS, obtained=""
    )
    with store.writing():
        list(store.archive([later]))
        Observations(store).refresh(silent)
    assert read == [sha256_hex(b"{}")]


def test_an_attempt_that_failed_has_a_row_and_its_fault_and_nothing_else(store: Store) -> None:
    failed = Response(
        raw=b'{"data":[]}',
        captured_at=parse_instant("2026-06-20T01:00:00.5Z"),
        kind=KIND_MODELS,
        obtained="GET https://openrouter.ai/api/v1/models",
        http_status=503,
        failure="http_503",
        found="503 Service Unavailable",
        server_date=parse_instant("2026-06-20T00:59:58Z"),
        not_before=parse_instant("2026-06-20T01:01:00Z"),
    )
    with store.writing():
        store.recorder()(failed)
        store.recorder()(failed)
        Observations(store).refresh(silent)
    assert len(store.register.read()) == 9
    [row] = [row for row in rows(store, "captures") if row["capture"] == 8]
    assert (row["readable"], row["failure"], row["http_status"]) == (False, "http_503", 503)
    assert (row["skew"], row["not_before"] - row["captured"]) == (2_500_000, 59_500_000)
    [fault] = [row for row in rows(store, "faults") if row["capture"] == 8]
    assert (fault["code"], fault["found"]) == ("http_503", "503 Service Unavailable")
    assert not [
        row for table in ("catalogue", "volume_days") for row in rows(store, table) if row["capture"] == 8
    ]


WINDOW = {"start_date": "2026-06-16", "end_date": "2026-06-17"}


@pytest.mark.parametrize(
    ("asked", "window", "found", "held"),
    [
        ("2026-06-16/2026-06-17", WINDOW, [], [16, 17]),
        ("2026-06-16/2026-06-18", WINDOW, ["2026-06-16/2026-06-17"], [16, 17]),
        ("2026-06-17/2026-06-17", WINDOW, ["2026-06-16/2026-06-17"], [17]),
        ("2026-06-18/2026-06-18", WINDOW, ["2026-06-16/2026-06-17"], []),
        ("2026-06-17/2026-06-17", {}, ["0001-01-01/9999-12-31"], [17]),
        (None, {}, [], [16, 17]),
    ],
)
def test_the_dates_that_were_asked_for_are_held_against_those_answered(
    asked: str | None, window: dict[str, str], found: list[str], held: list[int], tmp_path: Path
) -> None:
    """A row of a day that nobody asked for would outrank what is held of that day (R-2)."""
    rows_of = [
        {"date": f"2026-06-{day}", "model_permaslug": "qwen/a", "total_tokens": "1"} for day in (16, 17)
    ]
    payload = {"data": rows_of, "meta": {"as_of": "2026-06-19T02:00:00Z", "version": "v1"} | window}
    response = Response(
        raw=json.dumps(payload).encode(),
        captured_at=parse_instant("2026-06-19T02:00:00Z"),
        kind=KIND_RANKINGS,
        obtained="GET",
        subject=asked,
    )
    store = Store.create(tmp_path / "asked")
    with store.writing():
        store.recorder()(response)
        Observations(store).refresh(silent)
    differing = [row for row in rows(store, "faults") if row["code"] == "window_differs"]
    assert [row["found"] for row in differing] == found
    assert [row["day"] for row in rows(store, "volume_days")] == [
        parse_date(f"2026-06-{day}") for day in held
    ]
    rejected = [row for row in rows(store, "faults") if row["code"] == "date_range"]
    assert len(rejected) == 2 - len(held)


def test_a_reader_without_the_lock_writes_nothing(store: Store) -> None:
    """A writer replaces the files of a day before it names them: meanwhile they do not match."""
    before = tables(store)
    path = store.path / "observations" / "2026-06-18" / "prices.parquet"
    path.write_bytes(b"new")
    with pytest.raises(EnvironmentFailed, match="are being written by another process") as raised:
        Observations(store).files("prices")
    assert raised.value.code == "store_in_use"
    assert path.read_bytes() == b"new"
    assert Observations(store).files("volumes")
    assert refreshed(store) == before


def test_a_damaged_object_stops_the_refresh_and_is_named(store: Store) -> None:
    before = tables(store)
    sha256 = sha256_hex(market()[2].raw)
    path = store.objects.path(sha256)
    sound = path.read_bytes()
    path.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    assert refreshed(store) == before, "sound tables are not made again"
    shutil.rmtree(store.path / "observations" / "2026-06-18")
    with pytest.raises(EnvironmentFailed, match=f"object {sha256} at {path} is damaged"):
        refreshed(store)
    path.unlink()
    with pytest.raises(EnvironmentFailed, match=f"object {sha256} is in the register but not at {path}"):
        refreshed(store)
    path.write_bytes(sound)
    assert refreshed(store) == before


def test_the_tables_have_the_columns_of_the_document_and_of_the_files(made: Store) -> None:
    """docs/observations.md, Tables."""
    documented = {}
    for line in DOCUMENT.read_text("utf-8").split("## Tables")[1].splitlines():
        if line.startswith("| `"):
            _, table, _, columns, _ = line.split("|")
            documented[table.strip(" `")] = re.sub(r"\(.*?\)", "", columns).replace(" ", "").split(",")
    written = {table: pq.read_schema(Observations(made).files(table)[0]).names for table in TABLES}
    assert documented == written


# ---- recorded responses


def recorded(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name and bytes of each recorded response of a folder."""
    for path in sorted(folder.glob("*.json.gz")):
        yield path.name, gzip.decompress(path.read_bytes())


@pytest.fixture(scope="module")
def models_payloads(recordings: Path) -> dict[str, bytes]:
    """Every schema of /models there is a recording of, 2024-09 to 2026-06."""
    every = 1 if settings.get_current_profile_name() == "long" else 12
    recent = list(recorded(recordings / "models"))[::every]
    return dict([*recorded(recordings / "models-drift"), *recent])


@pytest.fixture(scope="module")
def rankings_payloads(recordings: Path) -> dict[str, bytes]:
    """Every recorded response of rankings-daily."""
    return dict([*recorded(recordings / "rankings-drift"), *recorded(recordings / "rankings-daily")])


def test_every_recorded_model_is_read_as_it_stands(models_payloads: dict[str, bytes]) -> None:
    """Against plain `json`: each row but the aliases is in the catalogue, with its names and its date."""
    for name, raw in models_payloads.items():
        payload = json.loads(raw)
        listed = [(i, row) for i, row in enumerate(payload["data"]) if not row["id"].startswith("~")]
        assert [
            (row.ordinal, row.id, row.slug, row.variant, row.created) for row in decode_models(raw).catalogue
        ] == [
            (
                ordinal,
                row["id"],
                row.get("canonical_slug", row["id"].split(":")[0]),
                row["id"].partition(":")[2] or "standard",
                row["created"],
            )
            for ordinal, row in listed
        ], name


def test_every_recorded_pricing_key_is_a_price_or_a_listed_reason(models_payloads: dict[str, bytes]) -> None:
    """Against plain `json` and `Fraction`: no key is lost, and each price is the text times 10¹⁸, half-even."""
    for name, raw in models_payloads.items():
        payload, models = json.loads(raw), decode_models(raw)
        found = {(row.ordinal, row.dimension): row for row in models.prices}
        assert len(found) == len(models.prices), f"{name}: no recorded row has overrides yet"
        expected = {
            (row.ordinal, key): text
            for row in models.catalogue
            for key, text in payload["data"][row.ordinal]["pricing"].items()
        }
        assert found.keys() == expected.keys(), name
        for key, text in expected.items():
            usd = Fraction(text)
            price, reason = (None, "price_dynamic") if usd < 0 else (round(usd * 10**18), None)
            assert (found[key].price, found[key].base_price, found[key].reason) == (price, price, reason), (
                name
            )


def test_nearly_every_recorded_row_has_a_completion_price(models_payloads: dict[str, bytes]) -> None:
    """At least 95 % have one; every other row has exactly one reason, and it is listed as a fault."""
    for name, raw in models_payloads.items():
        models = decode_models(raw)
        completion = [row for row in models.prices if row.dimension == "completion"]
        assert len(completion) == len(models.catalogue) > 170, name
        priced = [row for row in completion if row.price is not None]
        assert len(priced) >= 0.95 * len(completion), name
        unpriced = Counter(str(row.reason) for row in completion if row.price is None)
        listed = Counter(
            fault.code for fault in models.faults if fault.place.endswith(("pricing", "pricing.completion"))
        )
        assert {code: listed[code] for code in unpriced} == unpriced, name


def test_recorded_responses_hold_no_broken_record(models_payloads: dict[str, bytes]) -> None:
    """The alarms of the recorded days, looked at once: routers at -1, and zeros on a variant other than `free`."""
    codes = {fault.code for raw in models_payloads.values() for fault in decode_models(raw).faults}
    assert codes == {"price_dynamic", "price_zero"}


def test_the_zero_glitch_of_kimi_k2_5_is_listed(models_payloads: dict[str, bytes]) -> None:
    """On 2026-04-18 /models showed it at 0 USD; R-5.4 discards that, the observation keeps it."""
    models = decode_models(models_payloads["2026-04-18T122133Z.json.gz"])
    [row] = [row for row in models.catalogue if row.id == "moonshotai/kimi-k2.5"]
    [price] = [
        price for price in models.prices if (price.ordinal, price.dimension) == (row.ordinal, "completion")
    ]
    assert (price.price, price.base_price, price.reason) == (0, 0, None)
    assert [fault.code for fault in models.faults if fault.subject == row.id] == ["price_zero"]


def test_every_recorded_total_is_read_as_it_stands(rankings_payloads: dict[str, bytes]) -> None:
    """Against plain `json`; every recorded date has fifty named models and a tail."""
    for name, raw in rankings_payloads.items():
        payload = json.loads(raw)
        rankings = decode_rankings(raw, parse_instant("2026-06-28T00:00:00Z"))
        assert not list(rankings.faults), name
        assert [(day, _permaslug(slug), tokens) for day, slug, tokens in rankings.rows] == [
            (parse_date(row["date"]), row["model_permaslug"], int(row["total_tokens"]))
            for row in payload["data"]
        ], name
        assert set(Counter(day for day, _, _ in rankings.rows).values()) == {51}
        if "meta" in payload:
            assert rankings.instant == parse_instant(payload["meta"]["as_of"])


def _permaslug(slug: Any) -> str:
    return str(slug.slug) if slug.variant == "standard" else f"{slug.slug}:{slug.variant}"


# ---- mutations


BUILT_IN_MODELS = {
    "data": [
        {
            "id": f"maker-{number}/model{':free' if number % 3 == 0 else ''}",
            "canonical_slug": f"maker-{number}/model-20260101",
            "created": 1_767_225_600 + number,
            "architecture": {"modality": "text->text", "output_modalities": ["text"]},
            "pricing": {
                "prompt": "0.000001",
                "completion": "0.000002",
                "overrides": [{"utc_start": 100, "utc_end": 400, "completion": "0.000003"}],
            },
            "supported_parameters": ["tools"],
        }
        for number in range(8)
    ],
    "total_count": 8,
    "links": {"next": None},
}

BUILT_IN_RANKINGS = {
    "data": [
        {"date": date, "model_permaslug": slug, "total_tokens": str(10_000 + number)}
        for date in ("2026-06-16", "2026-06-17")
        for number, slug in enumerate(["a/one", "a/two:free", "b/three", "other"])
    ],
    "meta": {
        "as_of": "2026-06-18T08:20:44.552Z",
        "version": "v1",
        "start_date": "2026-06-16",
        "end_date": "2026-06-17",
    },
}

BUILT_IN_ENDPOINTS = {
    "data": {
        "id": "maker/model",
        "name": "Maker: Model",
        "created": 1_767_225_600,
        "architecture": {"modality": "text->text"},
        "endpoints": [
            {
                "name": f"Host {number} | maker/model",
                "provider_name": f"Host {number}",
                "tag": f"host-{number}/{tier}",
                "status": -number,
                "context_length": 131_072,
                "pricing": {
                    "prompt": "0.000001",
                    "completion": "0.000002",
                    "discount": number,
                    "overrides": [
                        {"utc_start": 100, "utc_end": 400, "completion": "0.000003"},
                        {"min_prompt_tokens": 200_000, "completion": "0.000004"},
                    ],
                },
            }
            for number, tier in enumerate(["fp8", "flex", "eu", "bf16"])
        ],
    }
}

CAPTURED_AT = parse_instant("2026-07-01T00:00:00Z")
"""After every date of the payloads above and recorded."""


RECORDED = {KIND_MODELS: ["models-drift"], KIND_RANKINGS: ["rankings-drift", "rankings-daily"]}
"""Folders of recorded responses, by kind; of endpoints none was recorded."""

MADE_UP_OR_RECORDED = pytest.mark.parametrize("origin", ["made up", "recorded"])


@pytest.fixture
def payloads(origin: str, request: pytest.FixtureRequest) -> dict[str, list[dict[str, Any]]]:
    """Payloads to mutate, by kind: made up, or recorded ones; without recordings that run is skipped."""
    if origin == "made up":
        return {
            KIND_MODELS: [BUILT_IN_MODELS],
            KIND_RANKINGS: [BUILT_IN_RANKINGS],
            KIND_ENDPOINTS: [BUILT_IN_ENDPOINTS],
        }
    thinned: dict[str, list[dict[str, Any]]] = request.getfixturevalue("thinned_recordings")
    return thinned


@pytest.fixture(scope="module")
def thinned_recordings(recordings: Path) -> dict[str, list[dict[str, Any]]]:
    """Some ten rows of each recorded response."""
    found: dict[str, list[dict[str, Any]]] = {kind: [] for kind in RECORDED}
    for kind, folders in RECORDED.items():
        for _, raw in (each for folder in folders for each in recorded(recordings / folder)):
            payload = json.loads(raw)
            found[kind].append(payload | {"data": payload["data"][:: len(payload["data"]) // 10]})
    return found


NASTY = [
    *("null", "true", "0", "-1", "1.5", "1e400", "-0", "9" * 5_000, "9223372036854775808"),
    *("[]", "{}", "[[]]", '{"": ""}', '{"\\udfff": "\\udfff"}', '{"completion": {"completion": []}}'),
    *(
        '""',
        '"-1"',
        '"NaN"',
        '"0"',
        '"1e-30"',
        '"1e999999999"',
        '"1_0"',
        '"１２"',
        '"٣"',
        '" 0.000001"',
        '"0.1\\n"',
    ),
    *(
        '"\\ud800"',
        '"\\u0000"',
        '"' + "x" * 100_000 + '"',
        '"9223372036854775808"',
        '"2026-02-30"',
        '"0000-00-00"',
    ),
    *('"~a/b"', '"a/b"', '"a/b:c:d"', '"other"'),
    *('[{"utc_start": 100}]', '[{"utc_start": 2360, "utc_end": 0, "completion": "1"}]'),
    *("NaN", "-Infinity", "[" * 40 + "]" * 40, '{"a": 1, "a": 2}'),
]
"""JSON texts to stand in for a value: what reads as something else, and what is not to be read at all."""

UNREADABLE = {"NaN", "-Infinity", "[" * 40 + "]" * 40, '{"a": 1, "a": 2}'}
"""Those that make the whole payload unreadable, wherever they stand."""

PLACE = "here a value is put"


def places(content: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of every value below `content`."""
    members = (
        content.items()
        if isinstance(content, dict)
        else enumerate(content)
        if isinstance(content, list)
        else ()
    )
    for key, value in members:
        yield (*path, key)
        yield from places(value, (*path, key))


def swapped(payload: dict[str, Any], path: tuple[str | int, ...], text: str) -> bytes:
    """Return the payload with the JSON text in the place of one value."""
    content = deepcopy(payload)
    target: Any = content
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = PLACE
    return json.dumps(content).replace(json.dumps(PLACE), text).encode("utf-8")


def capture(kind: str, raw: bytes) -> Capture:
    """Return a capture of these bytes, taken after every date of the payloads."""
    return Capture(
        captured_at="2026-07-01T00:00:00Z",
        collector="a",
        kind=kind,
        sha256="0" * 64,
        bytes=len(raw),
        obtained="",
    )


def assert_sound_rows(kind: str, raw: bytes) -> None:
    """Fail when a record is admitted that must not be, or a table cannot be written."""
    assert not objections(kind, raw, CAPTURED_AT)
    observed = observe_capture(0, capture(kind, raw), raw)
    for name, found in observed.items():
        written = pq.read_table(io.BytesIO(parquet_bytes(name, found)))
        assert written.num_rows == len(found)
    for _, _, model_id, slug, *_ in observed["catalogue"]:
        assert re.fullmatch(
            r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(:[A-Za-z0-9][\w.-]*)?", model_id, re.ASCII
        )
        assert slug.isascii()
    for _, _, _, _, start, end, price, base, reason in observed["prices"]:
        assert 0 <= start < end <= 86_400
        assert (price is None) == (reason is not None)
        assert all(amount is None or 0 <= amount <= 9 * 10**18 for amount in (price, base))
    assert all(0 <= tokens < 2**63 for *_, tokens in observed["volumes"])
    for *_, price, price_seconds, _, reason in observed["endpoints"]:
        assert (price_seconds is None) == (reason is not None)
        assert price is None or 0 <= price <= 10**15
    assert all(code and len(place) < 2_000 for _, code, place, *_ in observed["faults"])


@pytest.mark.parametrize(
    ("origin", "kind"),
    [
        *(("made up", kind) for kind in (KIND_MODELS, KIND_RANKINGS, KIND_ENDPOINTS)),
        *(("recorded", kind) for kind in RECORDED),
    ],
)
@MUTATIONS
@given(data=st.data())
def test_bytes_changed_anywhere_raise_nothing_and_admit_nothing_bad(
    kind: str, payloads: dict[str, list[dict[str, Any]]], data: st.DataObject
) -> None:
    raw = bytearray(json.dumps(data.draw(st.sampled_from(payloads[kind]))).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        where = data.draw(st.integers(0, len(raw) - 1))
        match data.draw(st.sampled_from(["change", "cut", "drop", "insert", "repeat"])):
            case "change":
                raw[where] = data.draw(st.integers(0, 255))
            case "cut":
                raw = raw[: where + 1]
            case "drop":
                del raw[where : where + data.draw(st.integers(0, 40))]
            case "insert":
                raw[where:where] = data.draw(st.binary(max_size=6))
            case "repeat":
                raw[where:where] = raw[where : where + data.draw(st.integers(0, 200))]
        if not raw:
            break
    assert_sound_rows(kind, bytes(raw))


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        (KIND_MODELS, BUILT_IN_MODELS),
        (KIND_RANKINGS, BUILT_IN_RANKINGS),
        (KIND_ENDPOINTS, BUILT_IN_ENDPOINTS),
    ],
    ids=[KIND_MODELS, KIND_RANKINGS, KIND_ENDPOINTS],
)
def test_every_nasty_value_in_every_place_is_read_without_an_error(
    kind: str, payload: dict[str, Any]
) -> None:
    """In the first two rows and beside them; in the others the places repeat."""
    for path in places(payload):
        if any(type(key) is int and key >= 2 for key in path):
            continue
        for text in NASTY:
            raw = swapped(payload, path, text)
            assert not unfit(observe_capture(0, capture(kind, raw), raw)), (path, text[:40])


@MADE_UP_OR_RECORDED
@MUTATIONS
@given(data=st.data())
def test_a_value_of_models_swapped_changes_no_other_row(
    payloads: dict[str, list[dict[str, Any]]], data: st.DataObject
) -> None:
    payload = data.draw(st.sampled_from(payloads[KIND_MODELS]))
    path = data.draw(st.sampled_from([path for path in places(payload) if path != ("data",)]))
    text = data.draw(st.sampled_from(NASTY))
    raw = swapped(payload, path, text)
    assert_sound_rows(KIND_MODELS, raw)
    found = decode_models(raw)
    assert found.readable == (text not in UNREADABLE)
    if found.readable:
        touched = path[1] if path[0] == "data" else None
        assert _rows_but(found, touched) == _rows_but(decode_models(json.dumps(payload).encode()), touched)


def _rows_but(models: Models, ordinal: object) -> list[Any]:
    catalogue = [row for row in models.catalogue if row.ordinal != ordinal]
    return [*catalogue, *(row for row in models.prices if row.ordinal != ordinal)]


@MADE_UP_OR_RECORDED
@MUTATIONS
@given(data=st.data())
def test_a_value_of_rankings_swapped_changes_no_other_date_and_none_but_its_row(
    payloads: dict[str, list[dict[str, Any]]], data: st.DataObject
) -> None:
    """A total that is none, or contradicts another, rejects its date (R-2); anything else costs its row alone."""
    payload = data.draw(st.sampled_from(payloads[KIND_RANKINGS]))
    path = data.draw(st.sampled_from([path for path in places(payload) if path != ("data",)]))
    text = data.draw(st.sampled_from(NASTY))
    raw = swapped(payload, path, text)
    assert_sound_rows(KIND_RANKINGS, raw)
    found, whole = (
        decode_rankings(raw, CAPTURED_AT),
        decode_rankings(json.dumps(payload).encode(), CAPTURED_AT),
    )
    assert found.readable == (text not in UNREADABLE)
    if not found.readable:
        return
    if path[0] != "data":
        assert _by_row(found) == _by_row(whole)
        return
    row = payload["data"][path[1]]
    day = parse_date(row["date"])
    rejected = found.days.get(day)
    assert rejected in (None, "volume_range", "volume_duplicate")
    assert {key: tokens for key, tokens in _by_row(found).items() if key[0] != day} == {
        key: tokens for key, tokens in _by_row(whole).items() if key[0] != day
    }
    if rejected:
        assert path[-1] in ("total_tokens", "model_permaslug")
        assert day not in {key[0] for key in _by_row(found)}
    else:
        kept = {key: tokens for key, tokens in _by_row(whole).items() if key != (day, row["model_permaslug"])}
        assert kept.items() <= _by_row(found).items()


def _by_row(rankings: Rankings) -> dict[tuple[int, str], int]:
    return {(day, _permaslug(slug)): tokens for day, slug, tokens in rankings.rows}


@MUTATIONS
@given(data=st.data())
def test_a_value_of_endpoints_swapped_changes_no_other_endpoint(data: st.DataObject) -> None:
    """What they are about decides one thing: whether a price of zero is an alarm, which is no row."""
    shapes = [("data",), ("data", "endpoints")]
    path = data.draw(st.sampled_from([path for path in places(BUILT_IN_ENDPOINTS) if path not in shapes]))
    text = data.draw(st.sampled_from(NASTY))
    raw = swapped(BUILT_IN_ENDPOINTS, path, text)
    assert_sound_rows(KIND_ENDPOINTS, raw)
    found, whole = decode_endpoints(raw), decode_endpoints(json.dumps(BUILT_IN_ENDPOINTS).encode())
    assert found.readable == (text not in UNREADABLE)
    if found.readable:
        touched = path[2] if len(path) > 2 and path[1] == "endpoints" else None
        kept = [row for row in whole.rows if row.ordinal != touched]
        assert [row for row in found.rows if row.ordinal != touched] == kept
