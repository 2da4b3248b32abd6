"""Pages, API, CSV, Parquet, Arrow, command line and client print the same digits of every point that is published.

What they are held against is read from the published records by this file alone, as JSON, without a line of what
writes points.
"""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from mtok.cli.app import app
from mtok.client import Client

SERIES = ["openai", "google-gemini", "anthropic", "deepseek", "qwen", "moonshot"]
UNTYPED = {"date", "as_of", "published_at", "reasons", "notes"}
"""What Parquet and frames have in types of their own; the texts are compared in the other forms."""

Table = dict[str, dict[str, str | None]]
"""The point of each date: text by field, None for what is absent."""


def get(address: str) -> bytes:
    """Return what an address answers."""
    with urlopen(address, timeout=60) as answer:
        body: bytes = answer.read()
    return body


def published(store: Path, series: str) -> Table:
    """Return what the records in force say: of each date the last vintage that is not informational."""
    found: Table = {}
    paths = (store / "publication" / "records" / series).glob("*.json")
    for path in sorted(paths, key=lambda path: (path.name[:10], int(path.name.split(".")[1]))):
        record = json.loads(path.read_text())
        if record["stage"] != "informational":
            found[record["date"]] = {
                name: value
                for name, value in (record | record["diagnostics"]).items()
                if isinstance(value, str)
            }
    return found


def texts(rows: list[dict[str, Any]]) -> Table:
    """Return rows of any form as texts: what is empty is absent."""
    return {
        str(row["date"]): {
            name: None if value is None or value == "" else str(value) for name, value in row.items()
        }
        for row in rows
    }


def from_csv(raw: bytes) -> Table:
    return texts(list(csv.DictReader(io.StringIO(raw.decode()))))


def from_table(table: pa.Table) -> Table:
    return texts(table.to_pylist())


def from_json(raw: bytes) -> Table:
    return texts(json.loads(raw)["points"])


def shown(*arguments: str) -> bytes:
    outcome = CliRunner().invoke(app, ["show", *arguments])
    assert outcome.exit_code == 0, outcome.output
    return outcome.stdout_bytes


@pytest.mark.parametrize("series", SERIES)
def test_the_same_digits_everywhere(series: str, published_sample: Path, site: str, tmp_path: Path) -> None:
    expected = published(published_sample, series)
    points, files = f"{site}/v1/series/{series}/points", f"{site}/series/{series}"
    parquet = tmp_path / "points.parquet"
    shown(series, "--format", "parquet", "--out", str(parquet), "--store", str(published_sample))
    with (
        Client(site, cache=tmp_path / "cache") as at_address,
        Client(published_sample, cache=None) as in_folder,
    ):
        from_client = [from_table(client.series(series).to_arrow()) for client in (at_address, in_folder)]
    forms = {
        "file json": from_json(get(f"{files}.json")),
        "file csv": from_csv(get(f"{files}.csv")),
        "file parquet": from_table(pq.read_table(io.BytesIO(get(f"{files}.parquet")))),
        "api json": from_json(get(f"{points}?limit=1000")),
        "api csv": from_csv(get(f"{points}?format=csv")),
        "api parquet": from_table(pq.read_table(io.BytesIO(get(f"{points}?format=parquet")))),
        "api arrow": from_table(pa.ipc.open_stream(get(f"{points}?format=arrow")).read_all()),
        "cli json": from_json(shown(series, "--format", "json", "--store", str(published_sample))),
        "cli csv": from_csv(shown(series, "--format", "csv", "--store", str(published_sample))),
        "cli parquet": from_table(pq.read_table(parquet)),
        "client, address": from_client[0],
        "client, folder": from_client[1],
    }
    for form, table in forms.items():
        assert table.keys() == expected.keys(), form
        for date, point in table.items():
            for name in point.keys() - UNTYPED:
                if name in expected[date] or name in ("value", "average_7d", "average_30d", "price_index"):
                    assert point[name] == expected[date].get(name), (form, date, name)
            assert {"value", "price_index", "price_coverage", "token_weight", "vintage"} <= point.keys(), form


@pytest.mark.parametrize("series", SERIES)
def test_pages_show_the_published_digits(series: str, published_sample: Path, site: str) -> None:
    expected = published(published_sample, series)
    table = get(f"{site}/series/{series}?range=all").decode()
    for date, record in expected.items():
        assert record["value"], "the sample prints every day"
        row = re.search(
            rf'<tr[^>]*>(?:(?!</tr>).)*/series/{series}/{date}"(?:(?!</tr>).)*</tr>', table, re.DOTALL
        )
        assert row, date
        assert record["value"] in row[0], (date, row[0])
    for date in list(expected)[::6]:
        assert f'<data value="{expected[date]["value"]}">' in get(f"{site}/series/{series}/{date}").decode()
    last = expected[max(expected)]["value"]
    assert last is not None
    assert last in get(f"{site}/").decode()
