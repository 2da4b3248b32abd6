"""Archived tables: prices and volumes rendered as payloads, every cell exact, every row that is left said why."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mtok.archive import KIND_MODELS, KIND_RANKINGS, KIND_TABLE, KIND_UNKNOWN, Capture, Response, Store
from mtok.calendar import DAY, format_instant, parse_date, parse_instant
from mtok.canonical import sha256_hex
from mtok.errors import BadCall, BadInput
from mtok.observations import Catalogue, Observations, decode_models, decode_rankings
from mtok.observations.rankings import UNRESOLVED_REASONS
from mtok.sources import (
    FoundFile,
    Refused,
    Table,
    TableReport,
    check_volume_source,
    find_files,
    price_responses,
    read_table,
    refuse_changed_import,
    tables,
    volume_responses,
    volume_tables,
)

DOCUMENT = Path(__file__).parents[1] / "docs" / "tables.md"


def texts(header: str, *rows: str) -> bytes:
    """Return a CSV table."""
    return "\n".join((header, *rows, "")).encode()


def parquet(columns: Mapping[str, Any]) -> bytes:
    """Return a Parquet table."""
    sink = io.BytesIO()
    pq.write_table(pa.table(dict(columns)), sink)
    return sink.getvalue()


def written(folder: Path, raw: bytes, name: str = "") -> FoundFile:
    """Write a table where a user would name it."""
    path = folder / (name or ("table.parquet" if raw.startswith(b"PAR1") else "table.csv"))
    path.write_bytes(raw)
    return FoundFile(path=path, shown=name or path.name, named=True)


def opened(folder: Path, raw: bytes, *, captured_at: int | None = None) -> Table:
    """Open a table that must not be refused."""
    table = read_table(written(folder, raw), captured_at=captured_at)
    assert isinstance(table, Table), table
    return table


def refused(folder: Path, raw: bytes, name: str = "") -> Refused:
    """Open a table that must be refused."""
    refusal = read_table(written(folder, raw, name))
    assert isinstance(refusal, Refused), refusal
    assert refusal.found
    assert refusal.remedy
    return refusal


def rendered_prices(table: Table) -> tuple[list[Response], TableReport]:
    """Render a table of prices; the table itself is checked and left out."""
    report = TableReport()
    first, *rest = price_responses(table, collector="attic", report=report)
    assert (first.kind, first.raw, first.captured_at) == (KIND_TABLE, table.raw, table.latest)
    return rest, report


def rendered_volumes(
    table: Table,
    catalogue: Mapping[str, str] | None = None,
    *,
    captured_at: int | None = None,
    source: str = "pages",
) -> tuple[list[Response], TableReport]:
    """Render a table of volumes against a catalogue of id → slug; the table itself is checked and left out."""
    report = TableReport()
    known = catalogue or {}
    assert check_volume_source(table, source) is None
    first, *rest = volume_responses(
        table,
        volume_source=source,
        resolve=lambda model_id, _: known.get(model_id),
        captured_at=captured_at,
        report=report,
    )
    assert (first.kind, first.raw, first.captured_at) == (KIND_TABLE, table.raw, table.latest)
    return rest, report


def payload(response: Response) -> dict[str, Any]:
    """Return what was rendered, after checking that it is compact and sorted."""
    content: dict[str, Any] = json.loads(response.raw)
    assert response.raw == json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    return content


def volumes(response: Response) -> dict[str, str]:
    """Return permaslug → total of a rendered date, in the order it has there."""
    return {row["model_permaslug"]: row["total_tokens"] for row in payload(response)["data"]}


# Opening


PRICES_HEADER = "observed_at,model_id,completion"
PRICES = texts(PRICES_HEADER, "2026-06-20T01:05:20Z,qwen/qwen3-max,0.000006")
VOLUMES_HEADER = "date,model_permaslug,total_tokens"
VOLUMES = texts(VOLUMES_HEADER, "2026-06-17,qwen/qwen3-max,12")


def test_the_layout_is_told_by_the_columns(tmp_path: Path) -> None:
    assert opened(tmp_path, PRICES).layout == "prices"
    assert opened(tmp_path, VOLUMES).layout == "volumes"
    assert opened(tmp_path, VOLUMES.replace(b"model_permaslug", b"model_id")).layout == "volumes"


@pytest.mark.parametrize(
    "header",
    [
        "observed_at,model_id,price",
        "date,total_tokens",
        "date,model_id",
        "Date,model_id,total_tokens",
        "observed_at,model_id,completion,date,total_tokens",
    ],
)
def test_a_table_of_neither_layout_or_of_both_is_left_out_of_a_folder(tmp_path: Path, header: str) -> None:
    raw = texts(header, ",".join("x" for _ in header.split(",")))
    refusal = refused(tmp_path, raw)
    assert (refusal.code, refusal.left_out) == ("kind_unknown", False)
    [met] = find_files([tmp_path])
    left_out = read_table(met)
    assert isinstance(left_out, Refused)
    assert left_out.left_out


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("empty.csv", b""),
        ("ragged.csv", texts(PRICES_HEADER, "2026-06-20T01:05:20Z,a/b")),
        ("no_utf8.csv", PRICES.replace(b"max", b"m\xffx")),
        ("empty.parquet", b""),
        ("no.parquet", PRICES),
        (
            "truncated.parquet",
            parquet({"date": ["2026-06-17"], "model_id": ["a/b"], "total_tokens": [1]})[:-9],
        ),
    ],
)
def test_a_damaged_table_is_refused(tmp_path: Path, name: str, raw: bytes) -> None:
    assert refused(tmp_path, raw, name).code == "table_unreadable"


def test_text_in_parquet_that_is_no_utf8_is_refused(tmp_path: Path) -> None:
    bad = pa.Array.from_buffers(pa.string(), 1, pa.array([b"a\xffb"], pa.binary()).buffers())
    raw = parquet({"observed_at": ["2026-06-20T01:05:20Z"], "model_id": bad, "completion": ["0"]})
    assert refused(tmp_path, raw).code == "table_unreadable"


def test_lines_inside_quotes_do_not_part_rows_however_long_the_table(tmp_path: Path) -> None:
    rows = [f'2026-06-20T01:05:20Z,a/{number},0,"{"one" + chr(10) * 40}"' for number in range(30_000)]
    assert opened(tmp_path, texts(PRICES_HEADER + ",name", *rows)).rows.num_rows == 30_000


def test_a_table_without_rows_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, texts(PRICES_HEADER)).code == "table_empty"
    nothing = pa.array([], pa.string())
    raw = parquet({"observed_at": nothing, "model_id": nothing, "completion": nothing})
    assert refused(tmp_path, raw).code == "table_empty"


def test_a_table_of_too_many_rows_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = {"date": ["2026-06-17"] * 3, "model_id": ["a/b"] * 3, "total_tokens": [1] * 3}
    monkeypatch.setattr(tables, "TABLE_ROWS_MAX", 3)
    assert opened(tmp_path, parquet(columns)).rows.num_rows == 3
    monkeypatch.setattr(tables, "TABLE_ROWS_MAX", 2)
    assert refused(tmp_path, parquet(columns)).code == "table_size"
    assert refused(tmp_path, texts(VOLUMES_HEADER, *["2026-06-17,a/b,1"] * 3)).code == "table_size"


ONE_INSTANT = pa.array([dt.datetime(2026, 6, 20, 1, 5, 20, tzinfo=dt.UTC)], pa.timestamp("us", "UTC"))


@pytest.mark.parametrize(
    ("columns", "column"),
    [
        ({"observed_at": ONE_INSTANT, "model_id": ["a/b"], "completion": [0.1]}, "completion"),
        ({"observed_at": ONE_INSTANT, "model_id": ["a/b"], "completion": [0]}, "completion"),
        ({"observed_at": ONE_INSTANT, "model_id": ["a/b"], "completion": ["0"], "created": [1.5]}, "created"),
        (
            {"observed_at": ONE_INSTANT.cast(pa.timestamp("us")), "model_id": ["a/b"], "completion": ["0"]},
            "observed_at",
        ),
        ({"observed_at": [dt.date(2026, 6, 20)], "model_id": ["a/b"], "completion": ["0"]}, "observed_at"),
        ({"date": ["2026-06-17"], "model_id": ["a/b"], "total_tokens": [12.0]}, "total_tokens"),
        ({"date": ONE_INSTANT, "model_id": ["a/b"], "total_tokens": [12]}, "date"),
        (
            {"date": ["2026-06-17"], "model_id": ["a/b"], "total_tokens": [1], "is_partial_day": [0]},
            "is_partial_day",
        ),
        ({"date": ["2026-06-17"], "model_id": [["a/b"]], "total_tokens": [1]}, "model_id"),
    ],
)
def test_a_column_of_the_wrong_type_is_refused_by_name(
    tmp_path: Path, columns: dict[str, Any], column: str
) -> None:
    refusal = refused(tmp_path, parquet(columns))
    assert refusal.code == "table_schema"
    assert refusal.found.startswith(f"column {column} holds ")


def test_a_column_twice_is_refused(tmp_path: Path) -> None:
    raw = texts("observed_at,model_id,completion,completion", "2026-06-20T01:05:20Z,a/b,0.1,0.2")
    refusal = refused(tmp_path, raw)
    assert (refusal.code, refusal.found) == ("table_schema", "column completion 2 times")


@pytest.mark.parametrize(
    "raw",
    [
        texts(PRICES_HEADER, "soon,a/b,0", "2026-06-20,a/b,0", ",a/b,0"),
        texts(VOLUMES_HEADER, "2026-02-30,a/b,1", ",a/b,1"),
        texts(VOLUMES_HEADER + ",as_of", "2026-06-17,a/b,1,soon"),
    ],
)
def test_a_table_no_row_of_which_is_dated_is_refused(tmp_path: Path, raw: bytes) -> None:
    assert refused(tmp_path, raw).code == "captured_at_unknown"


def test_a_table_that_cannot_be_read_is_refused_as_any_file(tmp_path: Path) -> None:
    refusal = read_table(FoundFile(path=tmp_path / "gone.csv", shown="gone.csv", named=False))
    assert isinstance(refusal, Refused)
    assert (refusal.code, refusal.left_out) == ("file_unreadable", False)


def test_the_table_is_kept_with_the_last_instant_in_it(tmp_path: Path) -> None:
    table = opened(tmp_path, texts(PRICES_HEADER, "2026-06-20T01:05:20Z,a/b,0", "2026-06-19T00:00:00Z,a/b,0"))
    assert format_instant(table.latest) == "2026-06-20T01:05:20Z"
    first = next(price_responses(table, collector="attic"))
    assert (first.kind, first.obtained, first.collector, first.origin) == (
        KIND_TABLE,
        "file table.csv",
        "attic",
        None,
    )
    header = VOLUMES_HEADER + ",as_of"
    dated = opened(
        tmp_path, texts(header, "2026-06-17,a/b,1,2026-06-20", "2026-06-18,a/b,1,2026-06-19T00:00:00Z")
    )
    assert format_instant(dated.latest) == "2026-06-20T23:59:59Z"
    partly = opened(tmp_path, texts(header, "2026-06-17,a/b,1,2026-06-18", "2026-06-18,a/b,1,"))
    assert format_instant(partly.latest) == "2026-06-19T00:00:00Z"
    for given in ("2026-06-17T12:00:00Z", "2026-07-01T00:00:00Z"):
        instant = parse_instant(given)
        assert opened(tmp_path, VOLUMES, captured_at=instant).latest == instant


# Prices


def test_prices_stand_in_the_rendering_exactly_as_in_the_table(tmp_path: Path) -> None:
    header = (
        "observed_at,model_id,canonical_slug,created,prompt,completion,cache_read,cache_write,reasoning,request,image,"
        "web_search,pricing_other_json,name"
    )
    table = opened(
        tmp_path,
        texts(
            header,
            "2026-06-20T01:05:20Z,qwen/b,qwen/b-1,1758662808,1E-6,0.0000060,0.1,0.2,0.3,0.4,0.5,0.6,,B",
            '2026-06-20T01:05:20Z,qwen/a:free,,,,-1,,,,,,,"{""audio"":""0.7"",""overrides"":[{""utc_start"":30}]}",A',
        ),
    )
    [response], report = rendered_prices(table)
    assert payload(response) == {
        "data": [
            {
                "id": "qwen/a:free",
                "pricing": {"completion": "-1", "audio": "0.7", "overrides": [{"utc_start": 30}]},
            },
            {
                "id": "qwen/b",
                "canonical_slug": "qwen/b-1",
                "created": 1758662808,
                "pricing": {
                    "prompt": "1E-6",
                    "completion": "0.0000060",
                    "input_cache_read": "0.1",
                    "input_cache_write": "0.2",
                    "internal_reasoning": "0.3",
                    "request": "0.4",
                    "image": "0.5",
                    "web_search": "0.6",
                },
            },
        ]
    }
    assert response.kind == KIND_MODELS
    assert format_instant(response.captured_at) == "2026-06-20T01:05:20Z"
    assert (response.collector, response.origin, response.origin_sha256) == (
        "attic",
        "table",
        sha256_hex(table.raw),
    )
    assert response.volume_source is None
    assert (report.rows, report.captures, report.unresolved.total()) == (2, 1, 0)


def test_parquet_and_csv_of_the_same_rows_render_to_the_same_bytes(tmp_path: Path) -> None:
    raw = texts(
        "observed_at,model_id,canonical_slug,created,completion",
        "2026-06-20T01:05:20Z,qwen/b,,1758662808,0.000006",
        "2026-06-20T01:05:20.5Z,qwen/a,qwen/a-1,,NaN",
    )
    columns = {
        "observed_at": pa.array(
            [
                dt.datetime(2026, 6, 20, 3, 5, 20, 500_000 * half, dt.timezone(dt.timedelta(hours=2)))
                for half in (0, 1)
            ],
            pa.timestamp("ns", "Europe/Berlin"),
        ),
        "model_id": pa.array(["qwen/b", "qwen/a"]).dictionary_encode(),
        "canonical_slug": pa.array([None, "qwen/a-1"], pa.large_string()),
        "created": pa.array([1758662808, None], pa.int64()),
        "completion": pa.array(["0.000006", "NaN"], pa.string_view()),
        "prompt": pa.nulls(2),
    }
    from_csv, from_parquet = (rendered_prices(opened(tmp_path, one))[0] for one in (raw, parquet(columns)))
    assert [one.raw for one in from_csv] == [one.raw for one in from_parquet]
    assert [one.captured_at for one in from_csv] == [one.captured_at for one in from_parquet]
    assert [format_instant(one.captured_at) for one in from_csv] == [
        "2026-06-20T01:05:20Z",
        "2026-06-20T01:05:20.5Z",
    ]


def test_one_capture_for_each_instant_and_source_in_the_order_of_time(tmp_path: Path) -> None:
    table = opened(
        tmp_path,
        texts(
            "observed_at,source_repo,source_path,source_commit,source_kind,model_id,completion",
            "2026-06-20T01:05:20Z,r/1,p,c,verbatim,x/new,3",
            "2026-06-19 01:05:20Z,r/1,p,c,verbatim,x/b,2",
            "2026-06-19T01:05:20+00:00,r/1,p,c,verbatim,x/a,1",
            "2026-06-19T01:05:20Z,r/2,p,c,verbatim,x/other,1",
            "2026-06-19T01:05:20Z,r/1,p,d,verbatim,x/commit,1",
            "2026-06-19T01:05:20Z,r/1,q,c,verbatim,x/path,1",
            "2026-06-19T01:05:20Z,,,,,x/none,1",
            "2026-06-19T01:05:20Z,,,,,x/alike,1",
        ),
    )
    responses, report = rendered_prices(table)
    ids = [[row["id"] for row in payload(response)["data"]] for response in responses]
    assert ids == [["x/alike", "x/none"], ["x/a", "x/b"], ["x/commit"], ["x/path"], ["x/other"], ["x/new"]]
    assert responses[1].obtained == "table table.csv, r/1, p, c, verbatim"
    assert responses[0].obtained == "table table.csv"
    assert (report.rows, report.captures) == (8, 6)


def test_rows_of_one_id_keep_the_order_of_the_table(tmp_path: Path) -> None:
    rows = [f"2026-06-19T01:05:20Z,x/a,{price}" for price in ("3", "1", "2")]
    [response], _ = rendered_prices(opened(tmp_path, texts(PRICES_HEADER, *rows)))
    assert [row["pricing"]["completion"] for row in payload(response)["data"]] == ["3", "1", "2"]
    assert {fault.code for fault in decode_models(response.raw).faults} == {"duplicate_id", "price_range"}


def test_a_row_without_an_instant_is_reported_and_costs_nothing_else(tmp_path: Path) -> None:
    table = opened(
        tmp_path,
        texts(
            PRICES_HEADER,
            "2026-06-19T01:05:20Z,x/a,1",
            "2026-06-19,x/b,1",
            ",x/c,1",
            "2026-02-30T00:00:00Z,x/d,1",
        ),
    )
    [response], report = rendered_prices(table)
    assert [row["id"] for row in payload(response)["data"]] == ["x/a"]
    assert report.unresolved == {"captured_at_unknown": 3}
    assert report.listed["captured_at_unknown"] == [
        "row 2: observed_at '2026-06-19', 'x/b'",
        "row 3: observed_at None, 'x/c'",
        "row 4: observed_at '2026-02-30T00:00:00Z', 'x/d'",
    ]
    assert report.rows == 4


def test_a_row_without_id_or_price_is_left_to_the_decoder(tmp_path: Path) -> None:
    rows = ["2026-06-19T01:05:20Z,,1", "2026-06-19T01:05:20Z,x/a,"]
    [response], _ = rendered_prices(opened(tmp_path, texts(PRICES_HEADER, *rows)))
    assert {fault.code for fault in decode_models(response.raw).faults} == {"slug_grammar", "price_absent"}


@pytest.mark.parametrize("created", ["soon", "1.5", "01", "１２", "9" * 19])
def test_a_creation_time_that_is_no_integer_stays_text(tmp_path: Path, created: str) -> None:
    raw = texts(PRICES_HEADER + ",created", f"2026-06-19T01:05:20Z,x/a,0.0001,{created}")
    [response], _ = rendered_prices(opened(tmp_path, raw))
    assert payload(response)["data"][0]["created"] == created
    models = decode_models(response.raw)
    assert [row.created for row in models.catalogue] == [0]
    assert {fault.code for fault in models.faults} == {"schema_type"}


UNREADABLE_PRICING = {
    "truncated": '{"overrides":[{"utc_start":30',
    "list": '["0.1"]',
    "text": '"0.1"',
    "real_number": '{"audio":0.1}',
    "nan": '{"audio":NaN}',
    "duplicate_key": '{"audio":"1","audio":"2"}',
    "column_again": '{"completion":"0.1"}',
    "deep": '{"a":' * 9 + "1" + "}" * 9,
    "very_deep": '{"a":' * 100_000,
    "huge_integer": '{"a":' + "9" * 5_000 + "}",
    "long": '{"a":"' + "9" * 65_536 + '"}',
}


@pytest.mark.parametrize("defect", UNREADABLE_PRICING)
def test_further_pricing_that_cannot_be_read_leaves_the_row_without_a_price(
    tmp_path: Path, defect: str
) -> None:
    sink = io.StringIO()
    rows = csv.writer(sink)
    rows.writerow(["observed_at", "model_id", "completion", "pricing_other_json"])
    rows.writerow(["2026-06-19T01:05:20Z", "x/a", "0.0001", UNREADABLE_PRICING[defect]])
    rows.writerow(["2026-06-19T01:05:20Z", "x/b", "0.0002", '{"audio":null,"input_cache_write_1h":"0.3"}'])
    [response], report = rendered_prices(opened(tmp_path, sink.getvalue().encode()))
    assert report.unresolved == {"pricing_other_unreadable": 1}
    assert report.listed["pricing_other_unreadable"][0].startswith("row 1: 'x/a', ")
    bad, good = payload(response)["data"]
    assert bad["pricing"] == {"pricing_other_json": UNREADABLE_PRICING[defect][:65_536]}
    assert good["pricing"] == {"completion": "0.0002", "input_cache_write_1h": "0.3"}
    models = decode_models(response.raw)
    assert models.readable
    found = [(row.ordinal, row.price) for row in models.prices if row.dimension == "completion"]
    assert found == [(0, None), (1, 2 * 10**14)]


def test_what_is_listed_is_bounded_and_counted_to_the_end(tmp_path: Path) -> None:
    rows = [f"never,x/{number},1" for number in range(150)]
    table = opened(
        tmp_path, texts(PRICES_HEADER, "2026-06-19T01:05:20Z,x/a,1", "n\u0085" + "o" * 900 + ",x/b,1", *rows)
    )
    _, report = rendered_prices(table)
    assert report.unresolved["captured_at_unknown"] == 151
    listed = report.listed["captured_at_unknown"]
    assert len(listed) == 100
    assert max(map(len, listed)) <= 400
    assert all(line.isprintable() for line in listed)


# Volumes


def test_a_date_becomes_one_response_of_rankings(tmp_path: Path) -> None:
    table = opened(
        tmp_path,
        texts(
            "date,model_permaslug,variant,total_tokens,as_of",
            "2026-06-18,qwen/late,standard,5,2026-07-02T00:00:00Z",
            "2026-06-17,qwen/b,standard,7,2026-07-01T00:00:00Z",
            "2026-06-17,qwen/a,standard,7,2026-07-01T10:00:00+00:00",
            "2026-06-17,qwen/c,free,9223372036854775807,2026-06-30",
            "2026-06-17,other,standard,10,2026-06-30",
            "2026-06-17,qwen/zero,standard,0,2026-06-30",
        ),
    )
    [first, second], report = rendered_volumes(table)
    assert payload(first) == {
        "data": [
            {"date": "2026-06-17", "model_permaslug": "qwen/c:free", "total_tokens": "9223372036854775807"},
            {"date": "2026-06-17", "model_permaslug": "other", "total_tokens": "10"},
            {"date": "2026-06-17", "model_permaslug": "qwen/a", "total_tokens": "7"},
            {"date": "2026-06-17", "model_permaslug": "qwen/b", "total_tokens": "7"},
            {"date": "2026-06-17", "model_permaslug": "qwen/zero", "total_tokens": "0"},
        ],
        "meta": {
            "as_of": "2026-07-01T10:00:00Z",
            "version": "v1",
            "start_date": "2026-06-17",
            "end_date": "2026-06-17",
        },
    }
    assert format_instant(first.captured_at) == "2026-07-01T10:00:00Z"
    assert (first.kind, first.volume_source, first.origin) == (KIND_RANKINGS, "pages", "table")
    assert first.origin_sha256 == sha256_hex(table.raw)
    assert first.obtained == "table table.csv, pages of 2026-06-17"
    assert volumes(second) == {"qwen/late": "5"}
    assert (report.rows, report.captures, report.repeated, report.unresolved.total()) == (6, 2, 0, 0)
    decoded = decode_rankings(first.raw, first.captured_at)
    assert len(decoded.rows) == 5
    assert {fault.code for fault in decoded.faults} == {"short_capture"}


def test_parquet_and_csv_volumes_render_to_the_same_bytes(tmp_path: Path) -> None:
    raw = texts(
        "date,model_id,total_tokens,as_of,is_partial_day",
        "2026-06-17,a/b,7,2026-07-01,False",
        "2026-06-17,c/d,-8,,true",
    )
    columns = {
        "date": [dt.date(2026, 6, 17)] * 2,
        "model_id": ["a/b", "c/d"],
        "total_tokens": [7, -8],
        "as_of": [dt.date(2026, 7, 1), None],
        "is_partial_day": [False, True],
    }
    from_csv, from_parquet = (
        rendered_volumes(opened(tmp_path, one), {"a/b": "a/b"})[0] for one in (raw, parquet(columns))
    )
    assert [one.raw for one in from_csv] == [one.raw for one in from_parquet]


def test_an_id_is_resolved_and_a_permaslug_is_taken_as_it_is(tmp_path: Path) -> None:
    table = opened(
        tmp_path,
        texts(
            "date,model_permaslug,model_id,variant,total_tokens",
            "2026-06-17,,x/id,standard,9",
            "2026-06-17,x/given,x/id,standard,8",
            "2026-06-17,,x/id,free,7",
            "2026-06-17,,x/only:free,,6",
            "2026-06-17,,x/only,thinking,5",
            "2026-06-17,x/given:free,,,4",
            "2026-06-17,x/given:exacto,,exacto,3",
            "2026-06-17,x/plain:standard,,,2",
        ),
    )
    known = {"x/id": "x/id-1", "x/id:free": "x/id-0", "x/only:free": "x/only-2", "x/only": "x/only-3"}
    [response], report = rendered_volumes(table, known)
    assert list(volumes(response)) == [
        "x/id-1",
        "x/given",
        "x/id-0:free",
        "x/only-2:free",
        "x/only-3:thinking",
        "x/given:free",
        "x/given:exacto",
        "x/plain",
    ]
    assert report.unresolved.total() == 0


def test_the_day_is_given_to_the_catalogue(tmp_path: Path) -> None:
    asked: list[tuple[str, int]] = []

    def resolve(model_id: str, day: int) -> str | None:
        asked.append((model_id, day))
        return None

    table = opened(tmp_path, texts("date,model_id,variant,total_tokens", "2026-06-17,a/b,free,1"))
    list(volume_responses(table, volume_source="pages", resolve=resolve))
    assert asked == [("a/b:free", parse_date("2026-06-17")), ("a/b", parse_date("2026-06-17"))]


REASONS = [
    ("variants_summed", "a/b,all_variants_summed,7,,"),
    ("as_of_unreadable", "a/b,,7,soon,"),
    ("partial_day", "a/b,,7,,true"),
    ("partial_day", "a/b,,7,,TRUE"),
    ("partial_day", "a/b,,7,,perhaps"),
    ("partial_day", "a/b,,7,2026-06-17,false"),
    ("partial_day", "a/b,,7,2026-06-17T23:59:59.999Z,false"),
    ("volume_range", "a/b,,,,"),
    ("volume_range", "a/b,,-7,,"),
    ("volume_range", "a/b,,7.0,,"),
    ("volume_range", "a/b,,1e9,,"),
    ("volume_range", "a/b,,７,,"),
    ("volume_range", "a/b,,9223372036854775808,,"),
    ("volume_range", "a/b,,NaN,,"),
    ("variant_conflict", "a/b:free,standard,7,,"),
    ("id_unknown", "a/unknown,,7,,"),
    ("id_unknown", ",,7,,"),
    ("id_unknown", ":free,,7,,"),
]


@pytest.mark.parametrize(("reason", "row"), REASONS)
def test_a_row_that_is_no_observation_is_listed_with_its_reason(
    tmp_path: Path, reason: str, row: str
) -> None:
    table = opened(
        tmp_path,
        texts(
            "date,model_id,variant,total_tokens,as_of,is_partial_day",
            "2026-06-17,a/good,,5,,false",
            "2026-06-17," + row,
            "2026-06-18,a/good,,5,,",
        ),
    )
    [response, _], report = rendered_volumes(table, {"a/b": "a/b", "a/b:free": "a/b", "a/good": "a/good"})
    assert volumes(response) == {"a/good": "5"}
    assert report.unresolved == {reason: 1}
    [entry] = payload(response)["unresolved"]
    model_id, variant, total, _, _ = row.split(",")
    cells = {"model_id": model_id, "variant": variant, "total_tokens": total, "reason": reason}
    assert entry == {name: cell for name, cell in cells.items() if cell}
    [fault] = [fault for fault in decode_rankings(response.raw, 0).faults if fault.code == reason]
    assert (fault.place, fault.subject) == ("unresolved[0]", model_id)


def test_every_reason_is_known_to_the_decoder_and_the_document_and_tested() -> None:
    assert volume_tables.UNRESOLVED == UNRESOLVED_REASONS
    assert {reason for reason, _ in REASONS} | {"volume_duplicate"} == UNRESOLVED_REASONS
    section = DOCUMENT.read_text().split("## Rows that are no observation")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| `([a-z_]+)`", section, re.MULTILINE)) == UNRESOLVED_REASONS


def test_equal_totals_of_one_constituent_count_once_and_different_ones_not_at_all(tmp_path: Path) -> None:
    table = opened(
        tmp_path,
        texts(
            "date,model_permaslug,model_id,variant,total_tokens",
            "2026-06-17,x/equal,,,5",
            "2026-06-17,,x/alias,standard,5",
            "2026-06-17,x/equal:standard,,,05",
            "2026-06-17,x/other,,,8",
            "2026-06-17,,x/two,,7",
            "2026-06-17,x/other,,,8",
            "2026-06-17,x/other,,,9",
            "2026-06-17,x/other,,free,9",
        ),
    )
    [response], report = rendered_volumes(table, {"x/alias": "x/equal", "x/two": "x/other"})
    assert volumes(response) == {"x/other:free": "9", "x/equal": "5"}
    assert report.repeated == 2
    assert report.unresolved == {"volume_duplicate": 4}
    assert payload(response)["unresolved"] == [
        {"model_id": "x/two", "reason": "volume_duplicate", "total_tokens": "7"},
        {"model_permaslug": "x/other", "reason": "volume_duplicate", "total_tokens": "8"},
        {"model_permaslug": "x/other", "reason": "volume_duplicate", "total_tokens": "8"},
        {"model_permaslug": "x/other", "reason": "volume_duplicate", "total_tokens": "9"},
    ]
    decoded = decode_rankings(response.raw, response.captured_at)
    assert decoded.days == {parse_date("2026-06-17"): None}
    assert [fault.code for fault in decoded.faults].count("volume_duplicate") == 4


def test_a_row_without_a_date_is_reported_since_it_has_no_day(tmp_path: Path) -> None:
    table = opened(
        tmp_path,
        texts(
            "series,date,model_id,total_tokens",
            "others,2026-06-31,a/x,1",
            "pages,2026-06-31,a/b,1",
            "pages,2026-06-17,a/b,2",
            "pages,,a/b,3",
            "pages,17.06.2026,a/b,4",
            "pages,9999-12-31,a/b,5",
        ),
    )
    [response], report = rendered_volumes(table, {"a/b": "a/b"})
    assert volumes(response) == {"a/b": "2"}
    assert report.unresolved == {"date_range": 4}
    assert report.listed["date_range"] == [
        "row 2: date '2026-06-31', 'a/b'",
        "row 4: date None, 'a/b'",
        "row 5: date '17.06.2026', 'a/b'",
        "row 6: date '9999-12-31', 'a/b'",
    ]
    assert report.rows == 5


@pytest.mark.parametrize(
    ("as_of", "captured_at", "expected"),
    [
        ((), None, "2026-06-18T00:00:00Z"),
        ((), "2026-07-01T00:00:00Z", "2026-07-01T00:00:00Z"),
        (("", "2026-06-25"), None, "2026-06-25T23:59:59Z"),
        (("", "2026-06-25"), "2026-07-01T00:00:00Z", "2026-07-01T00:00:00Z"),
        (("2026-06-18T00:00:00Z", "2026-06-20T10:00:00.25Z"), None, "2026-06-20T10:00:00.25Z"),
        (("2026-06-20", "2026-06-19"), "2026-07-01T00:00:00Z", "2026-06-20T23:59:59Z"),
        (("2026-06-17", "2026-06-17"), None, "2026-06-17T23:59:59Z"),
        (("soon", "2026-06-19"), None, "2026-06-19T23:59:59Z"),
    ],
)
def test_as_of_is_the_latest_of_the_date(
    tmp_path: Path, as_of: Iterable[str], captured_at: str | None, expected: str
) -> None:
    instant = parse_instant(captured_at) if captured_at else None
    rows = [f"2026-06-17,a/{number},{number},{text}" for number, text in enumerate(as_of or ["", ""])]
    table = opened(tmp_path, texts(VOLUMES_HEADER + ",as_of", *rows), captured_at=instant)
    [response], _ = rendered_volumes(table, captured_at=instant)
    assert payload(response)["meta"]["as_of"] == expected
    assert format_instant(response.captured_at) == expected


def test_a_date_all_of_whose_rows_cannot_say_when_counts_from_its_end(tmp_path: Path) -> None:
    rows = ["2026-06-17,a/b,1,soon", "2026-06-19,a/b,1,2026-06-20"]
    [response, _], _ = rendered_volumes(opened(tmp_path, texts(VOLUMES_HEADER + ",as_of", *rows)))
    assert format_instant(response.captured_at) == "2026-06-18T00:00:00Z"
    assert payload(response)["data"] == []
    assert "payload_empty" in {fault.code for fault in decode_rankings(response.raw, 0).faults}


def test_only_the_named_series_is_taken(tmp_path: Path) -> None:
    table = opened(
        tmp_path,
        texts(
            "series," + VOLUMES_HEADER,
            "pages,2026-06-17,a/b,1",
            "views,2026-06-17,a/b,2",
            ",2026-06-17,a/b,3",
            "pages2,2026-06-17,a/b,4",
        ),
    )
    for source, total in (("pages", "1"), ("views", "2"), ("pages2", "4")):
        [response], report = rendered_volumes(table, source=source)
        assert volumes(response) == {"a/b": total}
        assert (report.rows, response.volume_source) == (1, source)


def test_the_volume_source_is_asked_for_and_checked(tmp_path: Path) -> None:
    table = opened(
        tmp_path, texts("series," + VOLUMES_HEADER, "views,2026-06-17,a/b,1", "pages,2026-06-17,a/b,1")
    )
    needed = check_volume_source(table, None)
    assert needed is not None
    assert (needed.code, needed.path) == ("volume_source_needed", "table.csv")
    assert "pages, views" in needed.remedy
    with pytest.raises(BadInput, match="pages, views") as unknown:
        check_volume_source(table, "page")
    assert unknown.value.code == "volume_source_unknown"
    unnamed = opened(tmp_path, VOLUMES)
    needed = check_volume_source(unnamed, None)
    assert needed is not None
    assert needed.code == "volume_source_needed"
    assert check_volume_source(unnamed, "any-name_1") is None


@pytest.mark.parametrize("name", ["", "-x", "_x", "X", "a b", "a/b", "a" * 41, "é", "a\n", "rankings-daily"])
def test_a_volume_source_has_a_plain_name_that_is_not_openrouters(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadCall) as caught:
        check_volume_source(opened(tmp_path, VOLUMES), name)
    assert caught.value.code == "volume_source_name"


def test_many_names_are_not_all_listed(tmp_path: Path) -> None:
    rows = [f"s{number:02},2026-06-17,a/b,1" for number in range(23)]
    needed = check_volume_source(opened(tmp_path, texts("series," + VOLUMES_HEADER, *rows)), None)
    assert needed is not None
    assert needed.remedy.endswith("s18, s19 and 3 more.")


def captures(store: Store, responses: Iterable[Response]) -> list[Capture]:
    """Archive responses and return the captures that are new."""
    with store.writing():
        return [capture for capture, new in store.archive(responses) if new]


def test_the_same_table_again_is_the_same_captures_and_a_grown_catalogue_is_refused(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "store")
    rows = ["2026-06-17,a/b,1", "2026-06-18,a/new,2"]
    table = opened(tmp_path, texts("date,model_id,total_tokens", *rows))

    def again(catalogue: dict[str, str], source: str = "pages") -> list[Response]:
        return list(
            volume_responses(table, volume_source=source, resolve=lambda name, _: catalogue.get(name))
        )

    small, grown = {"a/b": "a/b"}, {"a/b": "a/b", "a/new": "a/new-1"}
    assert len(captures(store, again(small)[:2])) == 2
    refuse_changed_import(store.register.read(), again(small))
    assert len(captures(store, again(small))) == 1, "an interrupted import is completed"
    refuse_changed_import(store.register.read(), again(small))
    assert captures(store, again(small)) == []
    refuse_changed_import(store.register.read(), again(grown, source="views"))
    refuse_changed_import([], again(grown))
    other = opened(tmp_path, texts("date,model_id,total_tokens", *rows, "2026-06-19,a/b,3"))
    refuse_changed_import(
        store.register.read(),
        volume_responses(other, volume_source="pages", resolve=lambda name, _: grown.get(name)),
    )
    with pytest.raises(BadInput, match=r"pages of 2026-06-18") as caught:
        refuse_changed_import(store.register.read(), again(grown))
    assert caught.value.code == "already_imported"
    assert "fresh store" in caught.value.remedy


def test_progress_is_told_to_the_end(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []

    def progress(what: str, done: int, total: int) -> None:
        told.append((what, done, total))

    rows = [f"2026-06-{day}T00:00:00Z,a/b,1" for day in (10, 11, 11)]
    list(price_responses(opened(tmp_path, texts(PRICES_HEADER, *rows)), progress=progress))
    table = opened(tmp_path, VOLUMES)
    list(volume_responses(table, volume_source="pages", resolve=lambda *_: None, progress=progress))
    assert told == [("rendering prices", 1, 3), ("rendering prices", 3, 3), ("rendering volumes", 1, 1)]


# The decoder's side


@pytest.mark.parametrize(
    "entry",
    [None, 7, "id_unknown", [], {}, {"reason": None}, {"reason": ["id_unknown"]}, {"reason": "price_zero"}],
)
def test_an_unresolved_entry_of_another_form_is_a_fault_and_no_more(entry: object) -> None:
    raw = json.dumps(
        {"data": [], "unresolved": [entry, {"reason": "id_unknown", "model_id": "a/b"}]}
    ).encode()
    faults = [fault for fault in decode_rankings(raw, 0).faults if fault.place.startswith("unresolved")]
    assert [(fault.code, fault.place) for fault in faults] == [
        ("schema_type", "unresolved[0]"),
        ("id_unknown", "unresolved[1]"),
    ]
    assert faults[1].found == "variant None, total_tokens None"


def test_unresolved_that_is_no_list_is_one_fault() -> None:
    faults = decode_rankings(b'{"data": [], "unresolved": {"reason": "id_unknown"}}', 0).faults
    assert [(fault.code, fault.place, fault.found) for fault in faults if fault.place == "unresolved"] == [
        ("schema_type", "unresolved", "dict")
    ]


# The catalogue


def test_the_nearest_row_to_noon_names_the_slug() -> None:
    noon = DAY // 2
    catalogue = Catalogue(
        [
            (0, "a/b", "a/1"),
            (2 * DAY, "a/b", "a/1"),
            (3 * DAY, "a/b", "a/2"),
            (9 * DAY, "a/b", "a/1"),
            (9 * DAY, "c/d", "c/d"),
        ]
    )
    found = {day: catalogue.resolve("a/b", day) for day in (-5, 0, 1, 2, 3, 5, 6, 40)}
    assert found == {-5: "a/1", 0: "a/1", 1: "a/1", 2: "a/1", 3: "a/2", 5: "a/2", 6: "a/1", 40: "a/1"}
    assert catalogue.resolve("c/d", 0) == "c/d"
    assert catalogue.resolve("x/unknown", 0) is None
    tied = Catalogue([(noon - 5, "a/b", "a/early"), (noon + 5, "a/b", "a/late")])
    assert tied.resolve("a/b", 0) == "a/early"
    nearer = Catalogue([(noon - 5, "a/b", "a/early"), (noon + 4, "a/b", "a/late")])
    assert nearer.resolve("a/b", 0) == "a/late"


def test_a_canonical_slug_stands_for_itself_unless_it_is_an_id() -> None:
    catalogue = Catalogue([(0, "a/b", "a/b-1"), (0, "a/b-2", "a/b-3")])
    assert [catalogue.resolve(name, 0) for name in ("a/b-1", "a/b-2", "a/b-3")] == ["a/b-1", "a/b-3", "a/b-3"]


def models(instant: str, *rows: dict[str, Any], kind: str = KIND_MODELS) -> Response:
    """Return a response of `/models`."""
    return Response(
        raw=json.dumps({"data": rows}).encode(),
        captured_at=parse_instant(instant),
        kind=kind,
        obtained="test",
    )


def test_the_catalogue_of_a_store_is_made_of_its_models_captures(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "store")
    captures(
        store,
        [
            models("2026-06-20T00:00:00Z", {"id": "a/b", "canonical_slug": "a/b-2"}, {"id": "~a/alias"}),
            models("2024-06-20T00:00:00Z", {"id": "a/b"}, {"id": "a/free:free"}, {"id": "not a slug"}),
            models("2024-06-20T00:00:00Z", {"id": "a/hidden"}, kind=KIND_UNKNOWN),
        ],
    )
    observations = Observations(store)
    observations.refresh(lambda *_: None)
    catalogue = Catalogue.from_observations(observations)
    early, late = parse_date("2024-06-20"), parse_date("2026-06-20")
    assert [catalogue.resolve("a/b", day) for day in (early, late)] == ["a/b", "a/b-2"]
    assert catalogue.resolve("a/free:free", late) == "a/free"
    assert [catalogue.resolve(name, late) for name in ("~a/alias", "not a slug", "a/hidden")] == [
        None,
        None,
        None,
    ]


# The document and the recordings


def test_the_examples_of_the_document_can_be_imported(tmp_path: Path) -> None:
    prices, volumes_table = re.findall(r"```csv\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    [response], report = rendered_prices(opened(tmp_path, prices.encode()))
    assert report.unresolved.total() == 0
    models_read = decode_models(response.raw)
    assert list(models_read.faults) == []
    assert {row.id for row in models_read.catalogue} == {"qwen/qwen3-max", "openai/gpt-audio"}
    known = {row["id"]: row["id"] for row in payload(response)["data"]} | {
        "deepseek/deepseek-v4-flash": "d/d-1"
    }
    [response], report = rendered_volumes(opened(tmp_path, volumes_table.encode()), known)
    assert report.unresolved.total() == 0
    assert volumes(response) == {"d/d-1": "709860998176", "qwen/qwen3-max:free": "202621683"}


def test_the_document_names_every_column_and_every_code_of_a_refused_table() -> None:
    text = DOCUMENT.read_text()
    for layout, columns in tables.COLUMNS.items():
        section = text.split(f"## {layout.capitalize()}\n")[1].split("\n## ")[0]
        for column in columns:
            assert f"`{column}`" in section, column
    refusals = text.split("## Tables that are refused")[1]
    codes = {tables.TABLE_EMPTY, tables.TABLE_SCHEMA, tables.TABLE_SIZE, tables.TABLE_UNREADABLE}
    codes |= {"kind_unknown", "captured_at_unknown", "volume_source_needed", "file_unreadable", "file_size"}
    assert codes == set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", refusals))


def test_the_recorded_tables_are_recognised(recordings: Path) -> None:
    layouts = {}
    for folder in ("backfill", "endpoints"):
        for file in find_files([recordings / folder]):
            if file.is_table:
                table = read_table(file)
                layouts[file.path.name] = table.layout if isinstance(table, Table) else table.code
    assert layouts == {
        "activity_daily.parquet": "volumes",
        "model_prices.parquet": "prices",
        "official_prices.parquet": "kind_unknown",
        "effective_pricing_2026-07-17_19.parquet": "kind_unknown",
        "endpoints_2026-07-17_19.parquet": "kind_unknown",
    }


def test_a_recorded_capture_is_rendered_with_every_price_of_its_table(recordings: Path) -> None:
    path = recordings / "backfill" / "model_prices.parquet"
    [file] = find_files([path])
    table = read_table(file)
    assert isinstance(table, Table)
    first = next(response for response in price_responses(table) if response.kind == KIND_MODELS)
    rows = pq.read_table(
        path, filters=[("observed_at", "=", dt.datetime(2024, 9, 21, 2, 9, 31, tzinfo=dt.UTC))]
    )
    assert format_instant(first.captured_at) == "2024-09-21T02:09:31Z"
    expected = {
        row["model_id"]: (row["prompt"], row["completion"], row["created"]) for row in rows.to_pylist()
    }
    found = {
        row["id"]: (row["pricing"]["prompt"], row["pricing"]["completion"], row["created"])
        for row in payload(first)["data"]
    }
    assert found == expected
    assert len(found) > 100


def test_the_recorded_volumes_lose_no_token(recordings: Path) -> None:
    path = recordings / "backfill" / "activity_daily.parquet"
    [file] = find_files([path])
    table = read_table(file)
    assert isinstance(table, Table)
    responses, report = rendered_volumes(table, source="model_activity_frontend")
    rows = pq.read_table(path, filters=[("series", "=", "model_activity_frontend")])
    assert report.rows == rows.num_rows == 5661
    assert sum(int(total) for response in responses for total in volumes(response).values()) == sum(
        rows["total_tokens"].to_pylist()
    )
    summed, report = rendered_volumes(table, source="rankings_models_view_day")
    assert report.unresolved == {"variants_summed": 1965}
    assert [payload(response)["data"] for response in summed] == [[]] * 5
