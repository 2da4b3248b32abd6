"""The files that a publication makes anew: the same points in each format, feeds that readers can read.

The records are those of the bundled sample, wrapped as the vintages of made-up publications; what is expected is
computed here again, from the records or by hand.
"""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from msgspec.structs import asdict, replace

from mtok.archive import Store
from mtok.calendar import format_date, parse_date, parse_instant
from mtok.day import determine_days
from mtok.determination.folder import Determinations
from mtok.points import points_csv
from mtok.publication.datapackage import COLUMNS
from mtok.publication.views import (
    FEED_ITEMS_MAX,
    address,
    citation_file,
    datapackage_file,
    feeds,
    latest_file,
    rankings_as_of,
    readme_file,
    series_files,
    sums_text,
    vintages_files,
)
from mtok.records import Determination, File, PublishedRecord, RankingsCapture, point_fields
from mtok.sources.sample import sample_responses

ORIGIN = "index.example.org/prices/log"
FIRST = "2026-05-21T06:00:03Z"
REASONS = {"parser_bug": "a response was read wrongly", "source_late": "the source answered late"}
WITHHELD = "2026-06-10"
RESTATED = "2026-06-20"
INFORMED = "2026-06-15"
ATOM = "{http://www.w3.org/2005/Atom}"


@dataclass(frozen=True)
class Told:
    """A notice."""

    kind: str
    text: str
    time: str
    series: str | None = None
    first_date: str | None = None
    last_date: str | None = None


def published(record: Determination, vintage: int, stage: str, known_at: str, **more: Any) -> PublishedRecord:
    fields = {name: getattr(record, name) for name in Determination.__struct_fields__}
    file = File(path=f"observations/{record.date}.parquet", sha256="0" * 64)
    added: dict[str, Any] = {
        "as_of": f"{day_after(record.date)}T06:00:00Z",
        "stage": stage,
        "vintage": vintage,
        "known_at": known_at,
        "determination_sha256": record.sha256,
        "observations": file,
        "prices": File(path=f"prices/{record.date}.json", sha256="1" * 64),
        "policy_sha256": "2" * 64,
        "supersedes": vintage - 1 if vintage else None,
    }
    return PublishedRecord(**(fields | added | more))


def day_after(date: str) -> str:
    return format_date(parse_date(date) + 1)


@pytest.fixture(scope="module")
def determined(tmp_path_factory: pytest.TempPathFactory) -> list[Determination]:
    """The last two weeks and a half of the sample, by series and date; a day of Qwen is withheld by hand."""
    store = Store.create(tmp_path_factory.mktemp("views") / "store")
    with store.writing():
        assert all(new for _, new in store.archive(sample_responses()))
    determine_days(store)
    folder = Determinations(store, "1.0")
    found = [record for series in folder.series() for record in folder.read(series, parse_date("2026-06-09"))]
    return [
        replace(record, value=None, n=None, move=None, quality="withheld", reasons=("truncation",))
        if (record.series, record.date) == ("qwen", WITHHELD)
        else record
        for record in found
    ]


@pytest.fixture(scope="module")
def vintages(determined: list[Determination]) -> list[PublishedRecord]:
    """A preliminary print one per mille lower, the final one, one corrected, one known better a week later."""
    found = []
    for record in determined:
        morning, noon = f"{day_after(record.date)}T06:00:03Z", f"{day_after(record.date)}T14:00:02.5Z"
        value = record.value and f"{Decimal(record.value) * 999 / 1000:.6f}"
        found.append(published(replace(record, value=value), 0, "prelim", morning))
        found.append(published(record, 1, "final", noon))
        corrected = record.value and f"{Decimal(record.value) * 2:.6f}"
        again = replace(record, value=corrected)
        if (record.series, record.date) == ("openai", RESTATED):
            evening = f"{day_after(record.date)}T18:30:00Z"
            found.append(published(again, 2, "final", evening, reason="parser_bug"))
        if (record.series, record.date) == ("deepseek", INFORMED):
            found.append(published(again, 2, "informational", "2026-06-22T09:00:00Z", reason="parser_bug"))
    return found


@pytest.fixture(scope="module")
def qwen(vintages: list[PublishedRecord]) -> list[PublishedRecord]:
    return [record for record in vintages if record.series == "qwen" and record.stage == "final"]


# ---- points


def said(record: PublishedRecord) -> dict[str, Any]:
    """Return every field of a point, read from the record by hand: texts and integers."""
    own = (
        "date series value unit methodology quality reasons notes as_of origin average_7d average_7d_days average_30d "
        "average_30d_days price_index stage vintage reason"
    ).split()
    return {
        **{name: getattr(record, name) for name in own},
        "published_at": record.known_at,
        "record_sha256": record.sha256,
        **asdict(record.diagnostics),
    }


def typed(row: dict[str, Any]) -> dict[str, Any]:
    """Return a point with values as a database has them."""
    found = dict(row)
    found["date"] = dt.date.fromisoformat(row["date"])
    for name in ("as_of", "published_at"):
        found[name] = row[name] and dt.datetime.fromisoformat(row[name])
    for name in ("reasons", "notes"):
        found[name] = list(row[name])
    for name, value in row.items():
        if isinstance(value, str) and re.fullmatch(r"-?[0-9]+\.[0-9]{6}", value):
            found[name] = Decimal(value)
    return found


def cells(row: dict[str, Any]) -> dict[str, str]:
    return {
        name: "" if value is None else " ".join(value) if isinstance(value, tuple) else str(value)
        for name, value in row.items()
    }


def test_the_points_of_a_series_are_the_same_in_every_format(qwen: list[PublishedRecord]) -> None:
    files = series_files("qwen", reversed(qwen))
    assert list(files) == ["series/qwen.json", "series/qwen.csv", "series/qwen.parquet"]
    as_json = json.loads(files["series/qwen.json"])
    assert {name: as_json[name] for name in as_json if name != "points"} == {
        "series": "qwen",
        "unit": "USD_PER_MTOK_OUTPUT",
        "methodology": "1.0",
    }
    expected = [said(record) for record in qwen]
    assert [row["date"] for row in expected] == sorted(row["date"] for row in expected)
    assert as_json["points"] == [
        {name: list(value) if isinstance(value, tuple) else value for name, value in row.items()}
        for row in expected
    ]
    as_csv = csv.DictReader(io.StringIO(files["series/qwen.csv"].decode()))
    assert list(as_csv) == [cells(row) for row in expected]
    table = pq.read_table(io.BytesIO(files["series/qwen.parquet"]))
    assert table.to_pylist() == [typed(row) for row in expected]
    assert table.column_names == list(as_json["points"][0]) == as_csv.fieldnames
    assert table.column_names == list(point_fields(PublishedRecord))


def test_columns_of_parquet_have_the_types_of_the_contract(qwen: list[PublishedRecord]) -> None:
    schema = pq.read_schema(io.BytesIO(series_files("qwen", qwen)["series/qwen.parquet"]))
    kinds = {field.name: field.type for field in schema}
    utc = pa.timestamp("us", tz="UTC")
    assert kinds["date"] == pa.date32()
    assert (kinds["published_at"], kinds["as_of"]) == (utc, utc)
    assert (kinds["vintage"], kinds["token_weight"]) == (pa.int64(), pa.int64())
    assert {kinds[name] for name in ("value", "average_7d", "price_index", "hhi", "first_party_gap")} == {
        pa.decimal128(38, 6)
    }
    assert not any(pa.types.is_floating(kind) for kind in kinds.values())


def test_pandas_and_duckdb_read_dates_and_decimals_as_such(
    qwen: list[PublishedRecord], tmp_path: Path
) -> None:
    files = series_files("qwen", qwen)
    (tmp_path / "qwen.parquet").write_bytes(files["series/qwen.parquet"])
    (tmp_path / "qwen.csv").write_bytes(files["series/qwen.csv"])
    expected = [(dt.date.fromisoformat(row.date), row.value and Decimal(row.value)) for row in qwen]
    frame = pd.read_csv(tmp_path / "qwen.csv", parse_dates=["date"], dtype={"value": str})
    values = [None if pd.isna(value) else Decimal(value) for value in frame["value"]]
    assert list(zip(frame["date"].dt.date, values, strict=True)) == expected
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    found = connection.execute(
        f"SELECT date, value, vintage, epoch_us(published_at) FROM '{tmp_path}/qwen.parquet' ORDER BY date"
    ).fetchall()
    assert found == [
        (*row, 1, parse_instant(record.known_at)) for row, record in zip(expected, qwen, strict=True)
    ]
    kinds = connection.execute(f"DESCRIBE FROM '{tmp_path}/qwen.parquet'").fetchall()
    named = {name: kind for name, kind, *_ in kinds}
    assert named["value"] == "DECIMAL(38,6)"
    assert named["published_at"] == "TIMESTAMP WITH TIME ZONE"
    assert not {"DOUBLE", "FLOAT"} & set(named.values())
    of_csv = connection.execute(f"DESCRIBE FROM read_csv('{tmp_path}/qwen.csv')").fetchall()
    assert {"date": "DATE", "vintage": "BIGINT"}.items() <= {name: kind for name, kind, *_ in of_csv}.items()


def test_a_withheld_day_is_empty_and_never_zero(qwen: list[PublishedRecord], tmp_path: Path) -> None:
    files = series_files("qwen", qwen)
    [in_json] = [row for row in json.loads(files["series/qwen.json"])["points"] if row["date"] == WITHHELD]
    assert in_json["value"] is None
    assert in_json["quality"] == "withheld"
    lines = csv.DictReader(io.StringIO(files["series/qwen.csv"].decode()))
    assert [row["value"] for row in lines if row["date"] == WITHHELD] == [""]
    (tmp_path / "qwen.parquet").write_bytes(files["series/qwen.parquet"])
    query = f"SELECT count(*), count(value), min(value) > 0 FROM '{tmp_path}/qwen.parquet'"
    assert duckdb.connect().execute(query).fetchall() == [(len(qwen), len(qwen) - 1, True)]


def test_a_file_has_one_kind_of_record(qwen: list[PublishedRecord]) -> None:
    determination = qwen[0].determination
    with pytest.raises(AssertionError):
        points_csv([determination, qwen[1]], Determination)
    with pytest.raises(AssertionError):
        series_files("qwen", [qwen[0], determination])  # type: ignore[list-item]
    plain = points_csv([determination], Determination).decode().splitlines()[0].split(",")
    assert "stage" not in plain
    assert "record_sha256" not in plain


def test_a_series_has_one_vintage_a_date(vintages: list[PublishedRecord]) -> None:
    with pytest.raises(AssertionError, match="two vintages"):
        series_files("qwen", [record for record in vintages if record.series == "qwen"])
    with pytest.raises(AssertionError, match="another series"):
        series_files("openai", [record for record in vintages if record.series == "qwen"])


# ---- vintages

QUERY = """SELECT * FROM 'vintages.parquet' WHERE date = '{date}' AND published_at < '{known}'
    AND stage <> 'informational'
    QUALIFY row_number() OVER (PARTITION BY series, methodology ORDER BY vintage DESC) = 1"""


def in_order(records: Sequence[PublishedRecord]) -> list[PublishedRecord]:
    return sorted(records, key=lambda record: (record.series, record.date, record.vintage))


@pytest.mark.parametrize(
    ("date", "known"),
    [
        (RESTATED, "2026-06-21"),
        (RESTATED, "2026-06-21T06:00:03Z"),
        (RESTATED, "2026-06-21T06:00:03.001Z"),
        (RESTATED, "2026-06-21T14:00:02Z"),
        (RESTATED, "2026-06-21T14:00:02.5Z"),
        (RESTATED, "2026-07-03"),
        (INFORMED, "2026-07-03"),
        (WITHHELD, "2026-07-03"),
    ],
)
def test_what_was_said_then_is_one_query(
    vintages: list[PublishedRecord], tmp_path: Path, date: str, known: str
) -> None:
    """The query of docs/formats.md against a plain loop."""
    document = (Path(__file__).parents[1] / "docs" / "formats.md").read_text("utf-8")
    words = " ".join(QUERY.format(date="2026-06-30", known="2026-07-04T00:00:00Z").split())
    assert words in " ".join(document.split())
    (tmp_path / "vintages.parquet").write_bytes(vintages_files(in_order(vintages))["vintages.parquet"])
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    query = QUERY.format(date=date, known=known).replace("vintages.parquet", f"{tmp_path}/vintages.parquet")
    found = connection.execute(f"SELECT series, vintage, value, record_sha256 FROM ({query})").fetchall()
    until = parse_instant(known if "T" in known else f"{known}T00:00:00Z")
    expected: dict[str, PublishedRecord] = {}
    for record in vintages:
        eligible = record.date == date and record.stage != "informational"
        if eligible and parse_instant(record.known_at) < until:
            expected[record.series] = max(
                record, expected.get(record.series, record), key=lambda one: one.vintage
            )
    assert sorted(found) == [
        (series, record.vintage, record.value and Decimal(record.value), record.sha256)
        for series, record in sorted(expected.items())
    ]
    assert len(found) == (0 if until <= parse_instant(f"{day_after(date)}T06:00:03Z") else 6)


def test_all_vintages_are_in_csv_and_parquet_alike(vintages: list[PublishedRecord]) -> None:
    files = vintages_files(iter(in_order(vintages)))
    expected = [said(record) for record in in_order(vintages)]
    assert list(csv.DictReader(io.StringIO(files["vintages.csv"].decode()))) == [
        cells(row) for row in expected
    ]
    assert pq.read_table(io.BytesIO(files["vintages.parquet"])).to_pylist() == [
        typed(row) for row in expected
    ]


def test_row_groups_do_not_change_what_is_said(
    vintages: list[PublishedRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mtok.points.ROW_GROUP_ROWS", 100)
    file = pq.ParquetFile(io.BytesIO(vintages_files(in_order(vintages))["vintages.parquet"]))
    assert file.num_row_groups == -(-len(vintages) // 100)
    assert file.read().to_pylist() == [typed(said(record)) for record in in_order(vintages)]


def test_vintages_out_of_order_are_refused(vintages: list[PublishedRecord]) -> None:
    with pytest.raises(AssertionError, match="out of order"):
        vintages_files(reversed(in_order(vintages)))
    with pytest.raises(AssertionError, match="out of order"):
        vintages_files([vintages[0], vintages[0]])


def test_a_log_without_records_has_tables_without_rows() -> None:
    files = vintages_files([])
    assert files["vintages.csv"].decode() == ",".join(point_fields(PublishedRecord)) + "\n"
    table = pq.read_table(io.BytesIO(files["vintages.parquet"]))
    assert (table.num_rows, table.column_names) == (0, list(point_fields(PublishedRecord)))


def test_latest_has_the_last_date_of_each_series_and_the_size_of_the_log(
    vintages: list[PublishedRecord],
) -> None:
    latest = {record.series: record for record in vintages if record.date == "2026-06-26"}
    raw = latest_file(latest, origin=ORIGIN, size=321, known_at="2026-06-27T14:00:02.5Z")
    content = json.loads(raw)
    assert (content["origin"], content["size"], content["known_at"]) == (
        ORIGIN,
        321,
        "2026-06-27T14:00:02.5Z",
    )
    assert [row["series"] for row in content["points"]] == list(latest)
    assert [row["value"] for row in content["points"]] == [record.value for record in latest.values()]
    assert len(content["points"]) == 6


# ---- the same bytes


def everything(records: list[PublishedRecord]) -> dict[str, bytes]:
    """Return every file the module makes, from records in order."""
    final = [record for record in records if record.stage == "final" and record.vintage == 1]
    names = sorted({record.series for record in records})
    files = vintages_files(records)
    for name in names:
        files |= series_files(name, [record for record in final if record.series == name])
    latest = {record.series: record for record in final}
    last = final[-1]
    files["latest.json"] = latest_file(latest, origin=ORIGIN, size=9, known_at=last.known_at)
    files["datapackage.json"] = datapackage_file(names, homepage=address(ORIGIN))
    files["CITATION.txt"] = citation_file(as_of=rankings_as_of(records), origin=ORIGIN, size=9, example=last)
    files["README.txt"] = readme_file(origin=ORIGIN, vkey="index.example.org/prices/log+abcd+efgh")
    notices = [Told("incident", "a late start", last.known_at)]
    return files | feeds(records, notices, origin=ORIGIN, first_known_at=FIRST, reasons=REASONS)


AGAIN = """
import sys
sys.path.insert(0, {tests!r})
from mtok.canonical import sha256_hex
from mtok.records import decode_published
from test_views import everything
records = [decode_published(line) for line in open({lines!r}, "rb").read().splitlines()]
for path, raw in sorted(everything(records).items()):
    print(sha256_hex(raw), path)
"""


def test_same_records_same_bytes_whatever_the_machine_is_set_to(
    vintages: list[PublishedRecord], tmp_path: Path
) -> None:
    records = in_order(vintages)
    lines = tmp_path / "records.jsonl"
    lines.write_bytes(b"".join(record.canonical + b"\n" for record in records))
    program = AGAIN.format(tests=str(Path(__file__).parent), lines=str(lines))
    seen = set()
    for seed, zone, locale in (("0", "UTC", "C"), ("1", "America/St_Johns", "tr_TR.UTF-8")):
        environment = os.environ | {"PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": locale}
        seen.add(
            subprocess.run(
                [sys.executable, "-c", program], env=environment, capture_output=True, check=True
            ).stdout
        )
    assert len(seen) == 1
    [text] = seen
    here = everything(records)
    assert text.decode().splitlines() == digests(here)
    assert digests(everything(records)) == digests(here)
    assert len(here) == 2 + 6 * 3 + 4 + 6


def digests(files: dict[str, bytes]) -> list[str]:
    return [f"{hashlib.sha256(raw).hexdigest()} {path}" for path, raw in sorted(files.items())]


# ---- feeds


class _Paragraphs(HTMLParser):
    """The texts of the paragraphs, with every tag that occurs."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        assert not attrs
        self.tags.add(tag)
        self.texts.append("")

    def handle_data(self, data: str) -> None:
        self.texts[-1] += data


def read_atom(raw: bytes) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """Return a feed and its entries after holding them against RFC 4287, 4.1.1 and 4.1.2."""
    root = ElementTree.fromstring(raw)
    assert root.tag == f"{ATOM}feed"

    def one(parent: ElementTree.Element, name: str) -> str:
        [element] = parent.findall(ATOM + name)
        assert element.text
        return element.text

    feed = {name: one(root, name) for name in ("id", "title", "updated")}
    assert all(one(author, "name") for author in root.findall(f"{ATOM}author"))
    assert root.findall(f"{ATOM}author")
    entries = []
    for entry in root.findall(f"{ATOM}entry"):
        [content] = entry.findall(f"{ATOM}content")
        assert content.get("type") == "html"
        found: dict[str, Any] = {name: one(entry, name) for name in ("id", "title", "updated", "published")}
        links = [link.attrib for link in entry.findall(f"{ATOM}link")]
        assert len([link for link in links if link["rel"] == "alternate"]) <= 1
        html = _Paragraphs(content.text or "")
        assert html.tags <= {"p"}
        entries.append(found | {"lines": html.texts, "links": [link["href"] for link in links]})
    ids = [feed["id"], *(entry["id"] for entry in entries)]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"tag:[a-z0-9.-]+,[0-9]{4}:[A-Za-z0-9._~!$&'()*,;=:@/%-]+", one) for one in ids)
    times = [feed["updated"], *(entry["updated"] for entry in entries)]
    assert all(dt.datetime.fromisoformat(time).utcoffset() == dt.timedelta(0) for time in times)
    instants = [parse_instant(entry["updated"]) for entry in entries]
    assert instants == sorted(instants, reverse=True)
    assert not entries or feed["updated"] == entries[0]["updated"]
    return feed, entries


def read_json_feed(raw: bytes) -> dict[str, Any]:
    """Return a feed after holding it against https://jsonfeed.org/version/1.1."""
    feed: dict[str, Any] = json.loads(raw)
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    assert isinstance(feed["title"], str)
    assert isinstance(feed["items"], list)
    for item in feed["items"]:
        assert isinstance(item["id"], str)
        assert item["content_html"]
        assert item["content_text"]
        assert dt.datetime.fromisoformat(item["date_published"]).tzinfo
    return feed


def made(
    records: Sequence[PublishedRecord] = (), notices: Sequence[Told] = (), origin: str = ORIGIN
) -> dict[str, bytes]:
    return feeds(records, notices, origin=origin, first_known_at=FIRST, reasons=REASONS)


def test_feeds_can_be_read_and_say_the_same_in_both_formats(vintages: list[PublishedRecord]) -> None:
    notices = [Told("incident", "late", FIRST), Told("cessation", "the end", "2026-06-30T06:00:00Z", "qwen")]
    files = made(in_order(vintages), notices)
    assert sorted(files) == [
        f"feeds/{name}.{form}"
        for name in ("notices", "publications", "revisions")
        for form in ("atom", "json")
    ]
    for name, count in (("publications", 38), ("revisions", FEED_ITEMS_MAX), ("notices", 2)):
        feed, entries = read_atom(files[f"feeds/{name}.atom"])
        other = read_json_feed(files[f"feeds/{name}.json"])
        assert len(entries) == count
        assert feed["title"] == other["title"] == f"{ORIGIN}: {name}"
        assert [(entry["id"], entry["title"], entry["updated"]) for entry in entries] == [
            (item["id"], item["title"], item["date_published"]) for item in other["items"]
        ]
        assert ["\n".join(entry["lines"]) for entry in entries] == [
            item["content_text"] for item in other["items"]
        ]
        assert other["feed_url"] == f"https://index.example.org/prices/feeds/{name}.json"


def test_a_publication_is_one_item_with_six_values_in_words(vintages: list[PublishedRecord]) -> None:
    _, entries = read_atom(made(in_order(vintages))["feeds/publications.atom"])
    final = f"tag:index.example.org,2026:prices/log/publications/{WITHHELD}/final/2026-06-11T14:00:02.5Z"
    [entry] = [entry for entry in entries if entry["id"] == final]
    records = {
        record.series: record for record in vintages if record.date == WITHHELD and record.stage == "final"
    }
    stage, *lines, source = entry["lines"]
    assert stage == "Stage final."
    assert [line.partition(":")[0] for line in lines] == [
        "OpenAI",
        "Google Gemini",
        "Anthropic",
        "DeepSeek",
        "Qwen",
        "Moonshot AI",
    ]
    openai = records["openai"]
    assert openai.move
    assert openai.value
    change = round(Decimal(openai.value) / Decimal(openai.move.from_value) * 100 - 100, 1)
    said = f"{change:+}".replace("-", "−")
    assert lines[0].startswith(
        f"OpenAI: {openai.value} USD per million output tokens, {said} % since 2026-06-09; {openai.quality}"
    )
    assert records["qwen"].diagnostics.truncation_exposure
    exposure = round(Decimal(records["qwen"].diagnostics.truncation_exposure) * 100, 1)
    assert lines[4] == (f"Qwen: withheld (one unseen model could weigh {exposure} % of what is seen).")
    assert source == (
        "Source: OpenRouter (openrouter.ai/rankings), as of 2026-06-27T07:32:19.341Z. "
        "Licensed under CC BY 4.0. Index computed from it by mtok."
    )
    assert entry["links"] == [f"https://index.example.org/prices/prices/{WITHHELD}.json"]


def test_a_stage_that_is_printed_twice_is_two_items(vintages: list[PublishedRecord]) -> None:
    _, entries = read_atom(made(in_order(vintages))["feeds/publications.atom"])
    found = [entry["title"] for entry in entries if f"publications/{RESTATED}/final/" in entry["id"]]
    assert found == [f"{RESTATED}, final: one series", f"{RESTATED}, final: 6 series"]


def test_a_revision_says_the_old_value_the_new_one_and_why(vintages: list[PublishedRecord]) -> None:
    of_day = [record for record in vintages if (record.series, record.date) == ("openai", RESTATED)]
    prelim, final, corrected = of_day
    _, entries = read_atom(made(of_day)["feeds/revisions.atom"])
    base = f"tag:index.example.org,2026:prices/log/revisions/openai/1.0/{RESTATED}"
    assert [entry["id"] for entry in entries] == [f"{base}/2", f"{base}/1"]
    unit = "USD per million output tokens"
    assert entries[0]["lines"] == [
        f"OpenAI, {RESTATED}: was {final.value}, is {corrected.value} {unit} (+100.0 %).",
        "Reason parser_bug: a response was read wrongly.",
        f"Vintage 2, final. Record sha256 {corrected.sha256}.",
    ]
    assert entries[1]["lines"][:2] == [
        f"OpenAI, {RESTATED}: was {prelim.value}, is {final.value} {unit} (+0.1 %).",
        "No reason: the next print of that date, as scheduled.",
    ]
    assert entries[0]["links"] == [f"https://index.example.org/prices/records/openai/{RESTATED}.2.json"]


def test_what_is_a_revision_and_what_is_not(qwen: list[PublishedRecord]) -> None:
    record = next(one for one in qwen if one.value)
    first = replace(record, vintage=0, supersedes=None)
    withdrawn = replace(record, vintage=1, value=None, quality="withheld")

    def said_of(*records: PublishedRecord) -> list[str]:
        return [entry["lines"][0] for entry in read_atom(made(records)["feeds/revisions.atom"])[1]]

    day, unit = record.date, "USD per million output tokens"
    assert said_of(first) == []
    assert said_of(first, record) == []
    assert said_of(replace(first, reason="source_late")) == [f"Qwen, {day}: {record.value} {unit}."]
    assert said_of(first, withdrawn) == [f"Qwen, {day}: was {record.value}, is withheld."]
    assert said_of(replace(withdrawn, vintage=0), record) == [
        f"Qwen, {day}: was withheld, is {record.value} {unit}."
    ]
    assert said_of(first, replace(record, reason="parser_bug")) == [
        f"Qwen, {day}: was {record.value}, is {record.value} {unit}."
    ]
    assert said_of(replace(first, value="0.000000"), replace(record, value="0.000001")) == [
        f"Qwen, {day}: was 0.000000, is 0.000001 {unit} (up from 0, which has no percentage)."
    ]
    assert said_of(first, replace(withdrawn, vintage=0, methodology="1.0", date="2026-06-11")) == []


HOSTILE = [
    "]]></content><script>alert(1)</script>",
    "&lt;b&gt; & \"quotes\" 'too'",
    "".join(map(chr, range(1, 9))) + "\x00\x0b\x0c\x1f\x7f\x85\x9f",
    "\ud800 alone, \ufffe and \uffff",
    "price fell 🎉 to 零, for 👩‍👩‍👧",
    "x" * 10_000,
    "first line\r\nsecond line\u2028third",
    "",
    "<?xml version='1.0'?><!DOCTYPE x [<!ENTITY y SYSTEM 'file:///etc/passwd'>]>&y;",
]


def letters(text: str) -> str:
    return "".join(one for one in text if one.isascii() and one.isprintable())


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_notice_can_break_a_feed(text: str) -> None:
    files = made((), [Told("incident", text, FIRST, "qwen", "2026-06-01", "2026-06-02")])
    _, [entry] = read_atom(files["feeds/notices.atom"])
    [item] = json.loads(files["feeds/notices.json"])["items"]
    printed = "".join(entry["lines"])
    assert letters(printed) == letters(text)
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff]", printed)
    assert printed == item["content_text"].replace("\n", "")
    assert entry["title"] == "Incident: qwen, 2026-06-01 to 2026-06-02"


def test_what_can_be_shown_of_a_notice_is_shown_to_the_letter() -> None:
    for text in (HOSTILE[0], HOSTILE[1], HOSTILE[4], HOSTILE[5], HOSTILE[8]):
        _, [entry] = read_atom(made((), [Told("incident", text, FIRST)])["feeds/notices.atom"])
        assert entry["lines"] == [text]


def test_notices_of_one_publication_have_ids_of_their_own_for_ever() -> None:
    one, two = Told("incident", "same", FIRST), Told("incident", "same", FIRST)
    later = Told("disruption", "later", "2026-05-22T06:00:00Z")
    _, entries = read_atom(made((), [one, two, later])["feeds/notices.atom"])
    base = "tag:index.example.org,2026:prices/log/notices"
    expected = [f"{base}/2026-05-22T06:00:00Z/000000", f"{base}/{FIRST}/000001", f"{base}/{FIRST}/000000"]
    assert [entry["id"] for entry in entries] == expected
    _, before = read_atom(made((), [one, two])["feeds/notices.atom"])
    assert [entry["id"] for entry in before] == expected[1:]


def test_a_fraction_of_a_second_is_later_than_none() -> None:
    """As text `00.5Z` stands before `00Z`."""
    notices = [Told("incident", text, f"2026-05-22T06:00:0{text}Z") for text in ("0", "0.5", "1")]
    feed, entries = read_atom(made((), notices)["feeds/notices.atom"])
    assert [entry["lines"] for entry in entries] == [["1"], ["0.5"], ["0"]]
    assert feed["updated"] == "2026-05-22T06:00:01Z"


def test_a_feed_has_the_newest_hundred() -> None:
    notices = [
        Told("incident", str(number), f"2026-05-22T06:{number // 60:02}:{number % 60:02}Z")
        for number in range(101)
    ]
    _, entries = read_atom(made((), notices)["feeds/notices.atom"])
    assert [entry["lines"] for entry in entries] == [[str(number)] for number in range(100, 0, -1)]


def test_an_empty_feed_is_valid_and_says_when_the_log_began() -> None:
    files = made()
    for name in ("publications", "revisions", "notices"):
        feed, entries = read_atom(files[f"feeds/{name}.atom"])
        assert (entries, feed["updated"]) == ([], FIRST)
        assert read_json_feed(files[f"feeds/{name}.json"])["items"] == []


@pytest.mark.parametrize(
    ("origin", "where", "begin"),
    [
        ("index.example.org/log", "https://index.example.org", "tag:index.example.org,2026:log/"),
        ("example.org/a/b/log", "https://example.org/a/b", "tag:example.org,2026:a/b/log/"),
        ("example.org/catalog", None, "tag:example.org,2026:catalog/"),
        ("example.org:8443/log", "https://example.org:8443", "tag:mtok.invalid,2026:example.org:8443/log/"),
        ("laptop/log", None, "tag:laptop,2026:log/"),
        ("My Laptop/log", None, "tag:mtok.invalid,2026:My%20Laptop/log/"),
    ],
)
def test_links_are_there_where_the_address_is_known(origin: str, where: str | None, begin: str) -> None:
    assert address(origin) == where
    files = made((), [Told("incident", "x", FIRST)], origin)
    feed, [entry] = read_atom(files["feeds/notices.atom"])
    assert feed["id"] == f"{begin}feeds/notices"
    assert entry["id"].startswith(begin)
    links = set(re.findall(rb"https?://[^\"<]*", files["feeds/notices.atom"] + files["feeds/notices.json"]))
    formats = {b"http://www.w3.org/2005/Atom", b"https://jsonfeed.org/version/1.1"}
    assert all(link.startswith((where or "none").encode()) for link in links - formats)
    assert bool(links - formats) == (where is not None)


# ---- what describes the rest

TYPES = {
    "date": "date",
    "published_at": "datetime",
    "vintage": "integer",
    "value": "number",
    "stage": "string",
}


def test_the_data_package_describes_every_column_with_its_unit(vintages: list[PublishedRecord]) -> None:
    """The rules of https://datapackage.org/standard/, version 2.0."""
    records = in_order(vintages)
    files = everything(records)
    package = json.loads(files["datapackage.json"])
    assert package["$schema"] == "https://datapackage.org/profiles/2.0/datapackage.json"
    assert package["homepage"] == "https://index.example.org/prices"
    assert [one["title"] for one in package["sources"]] == ["OpenRouter"]
    assert [one["name"] for one in package["licenses"]] == ["CC-BY-4.0"]
    assert re.fullmatch(r"[a-z0-9._/-]+", package["name"])
    resources = package["resources"]
    assert len({one["name"] for one in resources}) == len(resources)
    tables = {path for path in files if re.match(r"series/|vintages\.", path)}
    assert {one["path"] for one in resources} == tables
    mediatypes = {
        "csv": "text/csv",
        "json": "application/json",
        "parquet": "application/vnd.apache.parquet",
    }
    for resource in resources:
        form = resource["path"].rpartition(".")[2]
        assert (resource["format"], resource["mediatype"]) == (form, mediatypes[form])
        assert resource.get("encoding") == (None if form == "parquet" else "utf-8")
        assert ("schema" in resource) == (resource.get("type") == "table") == (form != "json")
    for resource in resources:
        if resource["format"] != "csv":
            continue
        schema, rows = resource["schema"], list(csv.DictReader(io.StringIO(files[resource["path"]].decode())))
        assert [field["name"] for field in schema["fields"]] == list(rows[0])
        assert schema["missingValues"] == [""]
        types = {field["name"]: field["type"] for field in schema["fields"]}
        assert TYPES.items() <= types.items()
        for field in schema["fields"]:
            assert field["unit"]
            assert field["description"].endswith(f". Unit: {field['unit']}.")
            assert all(conforms(row[field["name"]], field["type"]) for row in rows)
        keys = [tuple(row[name] for name in schema["primaryKey"]) for row in rows]
        assert len(set(keys)) == len(keys)
        assert ("vintage" in schema["primaryKey"]) == (resource["path"] == "vintages.csv")


def conforms(cell: str, kind: str) -> bool:
    """Return whether a cell of CSV is of a type of Table Schema, or missing."""
    if cell == "" or kind == "string":
        return True
    pattern = {
        "integer": "-?[0-9]+",
        "number": r"-?[0-9]+\.[0-9]{6}",
        "date": "[0-9]{4}-[0-9]{2}-[0-9]{2}",
        "datetime": r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?Z",
    }[kind]
    return re.fullmatch(pattern, cell) is not None


def test_no_column_is_described_that_does_not_exist() -> None:
    assert set(COLUMNS) == set(point_fields(PublishedRecord))


def test_the_citation_has_the_line_openrouter_asks_for(vintages: list[PublishedRecord]) -> None:
    record = vintages[-1]
    as_of = rankings_as_of(vintages)
    assert as_of == "2026-06-27T07:32:19.341Z"
    text = citation_file(as_of=as_of, origin=ORIGIN, size=321, example=record).decode()
    assert text.splitlines()[0] == (
        "Source: OpenRouter (openrouter.ai/rankings), as of 2026-06-27T07:32:19.341Z. Licensed under CC BY 4.0."
    )
    for part in (
        record.series,
        record.date,
        f"vintage {record.vintage}",
        record.sha256,
        f"log {ORIGIN}, size 321",
    ):
        assert part in text
    before = citation_file(as_of=None, origin=ORIGIN, size=1, example=None).decode()
    assert before.startswith("Source: OpenRouter (openrouter.ai/rankings). Licensed")
    assert rankings_as_of([]) is None


def test_the_latest_rankings_are_found_by_time_and_named_verbatim(qwen: list[PublishedRecord]) -> None:
    def resting_on(*instants: str) -> list[PublishedRecord]:
        found = [RankingsCapture(as_of=as_of, sha256="3" * 64) for as_of in instants]
        return [replace(qwen[0], inputs=replace(qwen[0].inputs, rankings=one)) for one in found]

    assert (
        rankings_as_of(resting_on("2026-06-21T02:00:00Z", "2026-06-21T02:00:00.500Z"))
        == "2026-06-21T02:00:00.500Z"
    )
    without = replace(qwen[0], inputs=replace(qwen[0].inputs, rankings=None))
    assert rankings_as_of([without]) is None


def test_the_readme_says_what_the_folder_is_and_how_to_verify_it() -> None:
    text = readme_file(origin=ORIGIN, vkey="name+0123abcd+key").decode()
    assert "https://index.example.org/prices" in text
    assert "mtok verify" in text
    assert "sha256sum --check SHA256SUMS" in text
    assert "\n    name+0123abcd+key\n" in text
    assert max(map(len, text.splitlines())) <= 120
    assert "published at" not in readme_file(origin="laptop", vkey="k").decode()


def test_sums_are_sorted_and_as_sha256sum_reads_them(tmp_path: Path) -> None:
    files = {
        "series/qwen.csv": b"a",
        "series/Qwen.csv": b"b",
        "README.txt": b"",
        "a-b.txt": b"c",
        "a/b.txt": b"d",
    }
    for path, raw in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(raw)
    text = sums_text({path: hashlib.sha256(raw).hexdigest() for path, raw in files.items()})
    assert [line[66:] for line in text.splitlines()] == [
        "README.txt",
        "a-b.txt",
        "a/b.txt",
        "series/Qwen.csv",
        "series/qwen.csv",
    ]
    (tmp_path / "SHA256SUMS").write_text(text)
    subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=tmp_path, check=True, capture_output=True
    )
    assert sums_text({}) == ""
