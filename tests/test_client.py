"""The client gives what is published, to the digit, wherever it lies: a folder, a plain web server, `mtok serve`.

Expected values are read from the files with `json` and `csv`, not with the client; moves come from the code that made
the records, which the client's own arithmetic shares nothing with.
"""

from __future__ import annotations

import csv
import datetime as dt
import functools
import json
import os
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from fractions import Fraction
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import combinations
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest
import stamina
from mcp.server.mcpserver.exceptions import ToolError

from mtok.agents import Tools
from mtok.canonical import canonical_bytes, sha256_hex
from mtok.client import (
    CallRefused,
    Client,
    Damaged,
    ExtraMissing,
    NotPublished,
    OfflineCopy,
    Point,
    SeriesUnknown,
    Unreachable,
    frames,
    move,
    open_source,
)
from mtok.client.cache import Cache, cache_folder
from mtok.client.held import HeldFiles
from mtok.client.one_value import verify_value
from mtok.client.points import plain, written
from mtok.client.vintages import as_known, instant_of, numbered
from mtok.determination.move import explain_move
from mtok.errors import BadCall, MtokError
from mtok.notes import Checkpoint, PrivateKey, sign_note
from mtok.proofs import Proof, Tree, bundle_path, bundles_of, encode_bundle, encode_proof, leaf_hash
from mtok.records import PublishedRecord, decode_published, point_fields
from released import FIRST_KEY, SECOND_KEY

SIX = ["openai", "google-gemini", "anthropic", "deepseek", "qwen", "moonshot"]
NAIVE = dt.datetime.fromisoformat("2026-06-26T12:00:00")
FIRST, SECOND = str(FIRST_KEY.public), str(SECOND_KEY.public)


@pytest.fixture(scope="module", autouse=True)
def _impatient() -> Iterator[None]:
    """Tries follow one another without a wait."""
    with stamina.set_testing(True, attempts=10, cap=True):
        yield


@pytest.fixture(scope="module")
def publication(published_sample: Path) -> Path:
    return published_sample / "publication"


@pytest.fixture
def offline(publication: Path) -> Client:
    """A client of the folder itself."""
    return Client(publication)


class Web:
    """A plain web server over a folder, as any static host is, which counts what it is asked and can misbehave."""

    def __init__(self, folder: Path, etags: bool) -> None:
        self.folder = folder
        self.etags = etags
        self.answers: Counter[tuple[int, str]] = Counter()
        self.misbehave: Callable[[SimpleHTTPRequestHandler], bool] = lambda _: False
        self.address = ""

    def count(self, status: int | None = None) -> int:
        return sum(n for (found, _), n in self.answers.items() if status in (None, found))


@contextmanager
def web(folder: Path, *, etags: bool = True) -> Iterator[Web]:
    made = Web(folder, etags)

    class Handler(SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            file = folder / self.path.lstrip("/")
            self.etag = f'"{sha256_hex(file.read_bytes())}"' if made.etags and file.is_file() else ""
            if made.misbehave(self):
                return
            if self.etag and self.headers.get("If-None-Match") == self.etag:
                self.send_response(304)
                self.end_headers()
                return
            super().do_GET()

        def end_headers(self) -> None:
            if self.etag:
                self.send_header("ETag", self.etag)
            super().end_headers()

        def log_request(self, code: Any = "-", *_: Any) -> None:
            made.answers[int(code), self.path.lstrip("/")] += 1

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
    server.daemon_threads = True
    made.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def served(publication: Path) -> Iterator[Web]:
    with web(publication) as made:
        yield made


@pytest.fixture
def copied(publication: Path, tmp_path: Path) -> Path:
    """A copy of the publication that may be changed, without what nobody reads here."""
    without = shutil.ignore_patterns("observations", "raw", "captures")
    return Path(shutil.copytree(publication, tmp_path / "copy", ignore=without))


def vintages(publication: Path) -> list[dict[str, str]]:
    with (publication / "vintages.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def listed(publication: Path, series: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((publication / f"series/{series}.json").read_text())["points"]
    return found


def texts(point: Point) -> dict[str, str]:
    return {name: written(getattr(point, name)) for name in Point.__struct_fields__}


def as_texts(row: dict[str, Any]) -> dict[str, str]:
    """Return a point of a JSON file as the cells of a CSV file."""
    return {
        name: "" if value is None else " ".join(value) if isinstance(value, list) else str(value)
        for name, value in row.items()
    }


# ---- the same from everywhere, with the digits of the files


def everything(client: Client) -> list[Any]:
    return [
        client.latest(),
        *(client.series(name) for name in SIX),
        client.series("qwen", "2026-06-20", dt.date(2026, 6, 24), as_of="2026-06-26T08:00:00Z"),
        client.series("openai", vintage=1),
        client.point("openai", "2026-06-20"),
        client.explain("qwen", "2026-05-25", "2026-06-24"),
        client.prices("2026-06-24"),
        client.price("qwen/qwen3-235b-a22b-07-25", "2026-06-20", "2026-06-22"),
        client.notices(),
        client.proof(client.point("openai", "2026-06-20")),
    ]


def test_folder_store_static_host_and_our_server_give_the_same_objects(
    published_sample: Path, publication: Path, served: Web, site: str, tmp_path: Path
) -> None:
    expected = everything(Client(publication))
    assert everything(Client(published_sample)) == expected
    assert all(expected)
    for number, address in enumerate((served.address, site)):
        with Client(address, cache=tmp_path / str(number)) as client:
            assert everything(client) == expected
            assert everything(client) == expected  # from copies, where there are some
            assert not client.offline


def test_a_series_has_the_digits_of_its_files(offline: Client, publication: Path) -> None:
    assert Point.__struct_fields__ == point_fields(PublishedRecord)
    for name in SIX:
        found = offline.series(name)
        assert [texts(point) for point in found] == [as_texts(row) for row in listed(publication, name)]
        assert found.to_csv() == (publication / f"series/{name}.csv").read_text()
        assert len(found) == 38
        assert found[-1].value == Decimal(listed(publication, name)[-1]["value"])


def test_a_stretch_has_both_its_ends(offline: Client) -> None:
    found = offline.series("openai", dt.date(2026, 6, 1), "2026-06-03")
    assert [point.date for point in found] == [dt.date(2026, 6, day) for day in (1, 2, 3)]
    assert found[1:].points == found.points[1:]
    assert not offline.series("openai", "2031-01-01")


def test_points_are_frozen(offline: Client) -> None:
    point = offline.latest()[0]
    with pytest.raises(AttributeError):
        point.value = Decimal(1)  # type: ignore[misc]


def test_the_latest_are_in_the_order_of_the_rulebook(offline: Client) -> None:
    assert [point.series for point in offline.latest()] == SIX
    assert {point.date for point in offline.latest()} == {dt.date(2026, 6, 26)}


# ---- as known then


def told_then(publication: Path, series: str, before: str) -> dict[str, tuple[str, str]]:
    """Return value and vintage of each date, of what was published before an instant: text compared with text."""
    found: dict[str, tuple[str, str]] = {}
    for row in vintages(publication):  # sorted by vintage
        if row["series"] == series and row["published_at"] < before and row["stage"] != "informational":
            found[row["date"]] = (row["value"], row["vintage"])
    return found


@pytest.mark.parametrize(
    ("as_of", "before"),
    [
        ("2026-06-24", "2026-06-25"),
        ("2026-06-25", "2026-06-26"),
        ("2026-06-26T06:00:00Z", "2026-06-26T06:00:00Z"),
        ("2026-06-26T08:00:00Z", "2026-06-26T08:00:00Z"),
        (dt.date(2026, 6, 26), "2026-06-27"),
        (dt.datetime(2026, 6, 26, 12, tzinfo=dt.timezone(dt.timedelta(hours=4))), "2026-06-26T08:00:00Z"),
        ("2026-06-27", "2026-06-28"),
    ],
)
def test_as_of_is_what_was_said_then(offline: Client, publication: Path, as_of: Any, before: str) -> None:
    for name in SIX:
        found = {str(p.date): (written(p.value), str(p.vintage)) for p in offline.series(name, as_of=as_of)}
        assert found == told_then(publication, name, before)


def test_as_of_changes_what_is_said(offline: Client) -> None:
    """Otherwise the test above would show nothing: 25 June was a preliminary print in the morning."""
    morning = offline.series("openai", "2026-06-25", as_of="2026-06-26T08:00:00Z")
    assert [point.stage for point in morning] == ["prelim"]
    assert [point.stage for point in offline.series("openai", "2026-06-25", "2026-06-25")] == ["final"]
    assert not offline.series("openai", as_of="2026-06-24")


def test_a_publication_counts_from_its_own_instant(offline: Client) -> None:
    for instant in {point.published_at for point in offline.series("openai")}:
        then = offline.series("openai", as_of=instant)
        before = offline.series("openai", as_of=instant - dt.timedelta(microseconds=1))
        assert any(point.published_at == instant for point in then)
        assert all(point.published_at < instant for point in before)


def test_a_vintage_by_its_number(offline: Client, publication: Path) -> None:
    rows = [row for row in vintages(publication) if row["series"] == "openai" and row["vintage"] == "1"]
    assert rows
    assert [texts(point) for point in offline.series("openai", vintage=1)] == rows
    first = offline.point("openai", "2026-06-25", vintage=0)
    assert first.point.stage == "prelim"
    assert first.record.vintage == 0


# ---- one value, and moves


def test_a_point_comes_with_the_record_it_was_published_with(offline: Client, publication: Path) -> None:
    receipt = offline.point("qwen", "2026-06-20")
    assert receipt.raw == (publication / "records/qwen/2026-06-20.0.json").read_bytes()
    assert receipt.record.canonical == receipt.raw
    assert receipt.point.record_sha256 == sha256_hex(receipt.raw)
    assert receipt.point == next(p for p in offline.series("qwen") if p.date == dt.date(2026, 6, 20))


def test_moves_are_those_of_the_rules_between_all_pairs_of_days(publication: Path) -> None:
    """The client's arithmetic and the one that makes records are written apart; they agree to the twelfth decimal."""
    pairs = 0
    for name in SIX:
        files = sorted((publication / f"records/{name}").glob("*.0.json"))
        printed = [one for one in (decode_published(f.read_bytes()) for f in files) if one.value is not None]
        made = {one.date: one.determination for one in printed}
        for before, after in combinations(printed, 2):
            expected = msgspec.to_builtins(explain_move(made[before.date], made[after.date]))
            found = plain(move(before, after))
            del expected["from_sha256"]
            expected["constituents"] = list(expected["constituents"])
            assert {key: value for key, value in found.items() if key in expected} == expected
            assert (found["to_date"], found["to_value"]) == (after.date, after.value)
            pairs += 1
    assert pairs > 6 * 600


def test_the_parts_of_a_move_add_up(offline: Client) -> None:
    found = offline.explain("openai", dt.date(2026, 5, 20), "2026-06-26")
    assert found.replacement is None
    assert found.factors is not None
    parts = [Fraction(part) for part in (found.price, found.mix, found.entry, found.exit) if part is not None]
    assert abs(sum(parts) - Fraction(found.change)) < Fraction(4, 10**12)
    product = Fraction(1)
    for factor in (found.factors.price, found.factors.mix, found.factors.entry, found.factors.exit):
        product *= Fraction(factor)
    assert abs(product - Fraction(found.to_value) / Fraction(found.from_value)) < Fraction(1, 10**6)


def test_a_move_is_of_two_values_of_one_methodology(publication: Path) -> None:
    record = decode_published((publication / "records/openai/2026-06-20.0.json").read_bytes())
    withheld = msgspec.structs.replace(record, value=None, reasons=("truncation",), date="2026-06-21")
    other = msgspec.structs.replace(record, methodology="2.0", date="2026-06-21")
    with pytest.raises(NotPublished, match="2026-06-21: withheld, truncation") as refused:
        move(record, withheld)
    assert refused.value.code == "no_value"
    with pytest.raises(CallRefused, match="methodology"):
        move(record, other)


# ---- posted prices, notices


def test_prices_are_the_published_ones(offline: Client, publication: Path) -> None:
    published = json.loads((publication / "prices/2026-06-20.json").read_text())["prices"]
    found = [plain(row) for row in offline.prices("2026-06-20")]
    for row in published:
        del row["price_seconds"]
        for name in ("age_days", "captures", *(["tokens"] if "tokens" in row else [])):
            row[name] = int(row[name])
    assert len(published) > 100
    assert found == [{**row, "date": "2026-06-20", "vintage": 0} for row in published]


def test_the_price_of_a_model_over_time(offline: Client) -> None:
    days = [f"2026-06-{day}" for day in range(18, 23)]
    found = offline.price("openai/gpt-5-mini-2025-08-07", days[0], days[-1])
    expected = [
        row
        for day in days
        for row in offline.prices(day)
        if row.constituent == "openai/gpt-5-mini-2025-08-07"
    ]
    assert list(found) == expected
    assert len(found) == 5


@pytest.mark.parametrize("model", ["x", "meta/llama", "google/gemma-3", "openai/", ""])
def test_a_model_of_no_series_is_refused(offline: Client, model: str) -> None:
    with pytest.raises(SeriesUnknown) as refused:
        offline.price(model)
    assert refused.value.code == "model_unknown"
    assert "openai" in refused.value.remedy


def test_notices_come_from_the_log(offline: Client) -> None:
    incident, rotation = offline.notices()
    assert (incident.kind, incident.text) == (
        "incident",
        "Rankings of 25 June came after six in the morning.",
    )
    assert incident.first_date == incident.last_date == dt.date(2026, 6, 25)
    assert incident.published_at == dt.datetime(2026, 6, 26, 15, tzinfo=dt.UTC)
    assert (rotation.kind, rotation.old_key, rotation.new_key) == ("key_rotation", FIRST, SECOND)


# ---- tables


def test_tables_are_those_of_the_parquet_files(offline: Client, publication: Path) -> None:
    for name in SIX:
        expected = pq.read_table(publication / f"series/{name}.parquet")
        assert offline.series(name).to_arrow().equals(expected)


def test_polars_keeps_decimals_and_dates(offline: Client) -> None:
    import polars as pl

    found = offline.series("openai")
    frame = found.to_polars()
    assert frame.schema["value"] == pl.Decimal(38, 6)
    assert frame.schema["date"] == pl.Date
    assert frame.schema["published_at"] == pl.Datetime("us", "UTC")
    assert frame["value"].to_list() == [point.value for point in found]
    assert frame["average_30d"].null_count() == sum(point.average_30d is None for point in found) > 0


def test_pandas_keeps_decimals_and_dates(offline: Client) -> None:
    found = offline.series("openai")
    frame = found.to_pandas()
    assert {type(kind).__name__ for kind in frame.dtypes} == {"ArrowDtype"}
    assert str(frame["value"].dtype) == "decimal128(38, 6)[pyarrow]"
    assert frame["value"].tolist() == [point.value for point in found]
    assert frame["date"].tolist() == [point.date for point in found]


def test_an_empty_stretch_has_all_columns(offline: Client) -> None:
    empty = offline.series("openai", "2031-01-01")
    assert empty.to_arrow().schema == offline.series("openai").to_arrow().schema
    assert empty.to_csv().split("\n")[0].startswith("date,series,value,")


@pytest.mark.parametrize("name", ["pyarrow", "polars", "pandas"])
def test_a_package_that_is_not_there_is_named(
    offline: Client, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ExtraMissing, match=name) as refused:
        {"pyarrow": frames.arrow, "polars": frames.polars, "pandas": frames.pandas}[name](offline.latest())
    assert "pip install" in refused.value.remedy


def test_asking_and_verifying_import_nothing_heavy(publication: Path) -> None:
    script = (
        "import sys; import mtok.client; c = mtok.client.Client(sys.argv[1]); c.series('openai', as_of='2026-06-26');"
        "c.explain('openai', '2026-06-01', '2026-06-26'); assert c.verify('openai', '2026-06-20', key=sys.argv[2]).ok;"
        "heavy = 'duckdb pyarrow pandas polars numpy httpx2 stamina django typer rich'.split();"
        "print([name for name in heavy if name in sys.modules])"
    )
    command = [sys.executable, "-c", script, str(publication), FIRST]
    assert subprocess.run(command, capture_output=True, check=True, text=True).stdout == "[]\n"


# ---- copies


def test_what_never_changes_is_asked_once_and_the_rest_conditionally(served: Web, tmp_path: Path) -> None:
    with Client(served.address, cache=tmp_path) as client:
        client.explain("openai", "2026-06-20", "2026-06-21")
        assert served.count(304) < served.count(200) == 4  # the series, the sums, two records
        served.answers.clear()
        client.explain("openai", "2026-06-20", "2026-06-21")
        assert served.count(200) == 0
        assert {path for _, path in served.answers} == {"series/openai.json", "SHA256SUMS"}
    served.answers.clear()
    with Client(served.address, cache=tmp_path) as client:  # another process has the same copies
        client.series("openai")
        assert served.count(200) == 0
    served.answers.clear()
    with Client(served.address, cache=None) as client:
        client.series("openai")
        client.series("openai")
        assert (served.count(200), served.count(304)) == (4, 0)


def test_a_server_without_etags_is_asked_for_all_of_it(publication: Path, tmp_path: Path) -> None:
    with web(publication, etags=False) as plain_web, Client(plain_web.address, cache=tmp_path) as client:
        assert client.series("openai") == client.series("openai")
        assert plain_web.count(304) == 0


def test_a_new_publication_is_seen(copied: Path, tmp_path: Path) -> None:
    with web(copied) as changing, Client(changing.address, cache=tmp_path / "cache") as client:
        assert len(client.series("openai")) == 38
        other = json.loads((copied / "series/openai.json").read_text())
        other["points"] = other["points"][:30]
        replaced(copied, "series/openai.json", json.dumps(other).encode())
        assert len(client.series("openai")) == 30


def replaced(publication: Path, path: str, raw: bytes, *, sums: bool = True) -> None:
    """Put another file in the place of one, and its digest into SHA256SUMS."""
    before = sha256_hex((publication / path).read_bytes())
    (publication / path).write_bytes(raw)
    if sums:
        text = (publication / "SHA256SUMS").read_text()
        assert before in text
        (publication / "SHA256SUMS").write_text(text.replace(before, sha256_hex(raw)))


def test_without_network_the_copies_answer_and_say_so(served: Web, tmp_path: Path) -> None:
    with Client(served.address, cache=tmp_path) as client:
        expected = client.series("openai")
        served.misbehave = lambda handler: not handler.wfile.close() or True  # type: ignore[func-returns-value]
        with pytest.warns(OfflineCopy, match="answering from the copy"):
            assert client.series("openai") == expected
        assert client.offline
        with pytest.raises(Unreachable, match=r"latest\.json") as refused:
            client.latest()
        assert refused.value.code == "source_failed"
        assert refused.value.remedy
        served.misbehave = lambda _: False
        assert client.series("openai") == expected
        assert not client.offline


def unanswered(*names: str) -> Callable[[SimpleHTTPRequestHandler], bool]:
    """Return what answers 503 where one of the names is asked for."""
    return lambda handler: any(name in handler.path for name in names) and answered(503)(handler)


def test_an_answer_is_a_copy_when_any_of_it_is(served: Web, tmp_path: Path) -> None:
    with Client(served.address, cache=tmp_path) as client:
        expected = client.series("openai")
        for name in ("series/", "SHA256SUMS"):  # the other one is answered
            served.misbehave = unanswered(name)
            with pytest.warns(OfflineCopy, match=name) as warned:
                assert client.series("openai") == expected
            assert len(warned) == 1
            assert client.offline, name
        served.misbehave = unanswered("series/")
        with client.gathering():
            with pytest.warns(OfflineCopy):
                client.series("openai")
            client.latest()
            assert client.offline  # of all that was gathered
        client.latest()
        assert not client.offline


def test_an_agent_is_warned_when_any_of_its_answer_is_a_copy(served: Web, tmp_path: Path) -> None:
    with Client(served.address, cache=tmp_path) as client:
        tools = Tools(client)
        assert tools.list_series().warning is None
        served.misbehave = unanswered("latest.json")
        with pytest.warns(OfflineCopy):
            assert "cannot be asked" in (
                tools.list_series().warning or ""
            )  # every series came from the address
        assert tools.get_series("openai").warning is None
        served.misbehave = unanswered("series/", "latest.json")
        with pytest.warns(OfflineCopy), pytest.raises(ToolError, match=r"not_published.* cannot be asked"):
            tools.get_point("openai", "2030-01-01")


def test_a_copy_is_a_property_of_the_answer_of_its_own_thread(served: Web, tmp_path: Path) -> None:
    with Client(served.address, cache=tmp_path) as client, ThreadPoolExecutor(1) as other:
        client.series("openai")
        served.misbehave = unanswered("openai")
        with pytest.warns(OfflineCopy):
            other.submit(client.series, "openai").result()
        client.series("qwen")
        assert not client.offline
        assert other.submit(lambda: client.offline).result()


def test_only_what_was_found_right_is_kept(served: Web, tmp_path: Path) -> None:
    with Client(served.address, cache=tmp_path) as client:
        expected = client.series("openai")
        other = answered(200, b'{"points":[]}')
        served.misbehave = lambda handler: (
            other(handler) if "series/" in handler.path else answered(503)(handler)
        )
        with pytest.warns(OfflineCopy), pytest.raises(Unreachable, match="SHA256SUMS"):
            client.series("openai")  # what came cannot be held against anything
        served.misbehave = answered(503)
        with pytest.warns(OfflineCopy):
            assert client.series("openai") == expected


def test_entries_that_do_not_give_the_root_are_not_kept(served: Web, tmp_path: Path) -> None:
    with Client(served.address, cache=tmp_path) as client:
        head = (served.folder / "log/tile/entries").rglob("*")
        raw = next(file for file in head if file.is_file()).read_bytes()[:-1]
        served.misbehave = lambda handler: "entries/" in handler.path and answered(200, raw)(handler)
        with pytest.raises(Damaged):
            client.notices()
        served.misbehave = lambda _: False
        assert len(client.notices()) == 2


def test_copies_of_two_moments_answer_without_network(copied: Path, tmp_path: Path) -> None:
    """The sums were asked for again after the series was: they need not agree any more."""
    with web(copied) as changing, Client(changing.address, cache=tmp_path / "cache") as client:
        expected = client.series("openai")
        for name in ("openai", "qwen"):
            raw = (copied / f"series/{name}.json").read_bytes()
            replaced(copied, f"series/{name}.json", raw + b"\n")
        client.series("qwen")
        changing.misbehave = lambda handler: not handler.wfile.close() or True  # type: ignore[func-returns-value]
        with pytest.warns(OfflineCopy):
            assert client.series("openai") == expected


def test_a_damaged_copy_is_no_copy(served: Web, tmp_path: Path) -> None:
    with Client(served.address, cache=tmp_path) as client:
        expected = client.series("openai")
        files = [file for file in tmp_path.rglob("*") if file.is_file()]
        assert len(files) == 2
        for file in files:
            file.write_bytes(file.read_bytes()[:-1])
        served.answers.clear()
        assert client.series("openai") == expected
        assert (served.count(200), served.count(304)) == (2, 0)


def test_a_folder_that_cannot_be_written_keeps_nothing(served: Web, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file, so that there can be no folder")
    with Client(served.address, cache=tmp_path / "cache") as client:
        assert len(client.series("openai")) == 38


def test_a_cache_has_a_size(tmp_path: Path) -> None:
    cache = Cache(tmp_path, "here", bytes_max=100_000)
    for number in range(300):
        cache.put(f"records/{number}", bytes(1000), "")
        os.utime(next(iter(tmp_path.glob("*/*"))))
    size = sum(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file())
    assert size < 100_000 + 64 * 1_200
    cache.put("records/large", bytes(100_001), "")
    assert cache.get("records/large") is None
    assert cache.get("records/299") is not None


def test_several_may_write_at_once(tmp_path: Path) -> None:
    def work(number: int) -> bool:
        cache = Cache(tmp_path, "here", bytes_max=50_000)
        for turn in range(50):
            raw = bytes([number]) * (100 + turn)
            cache.put("series/openai.json", raw, str(number))
            found = cache.get("series/openai.json")
            if found is not None and found.raw != bytes([int(found.etag)]) * len(found.raw):
                return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))
    assert len([file for file in tmp_path.rglob("*") if file.is_file()]) == 1


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "/home/x/.cache/mtok"),
        ({"XDG_CACHE_HOME": "/c"}, "/c/mtok"),
        ({"XDG_CACHE_HOME": "c"}, "/home/x/.cache/mtok"),
    ],
)
def test_where_copies_are_kept(environment: dict[str, str], expected: str) -> None:
    assert cache_folder(environment, Path("/home/x")) == Path(expected)


def test_by_default_copies_are_in_the_users_own_folder(
    served: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with Client(served.address) as client:
        client.series("openai")
    assert len(list(tmp_path.glob("mtok/*/*"))) == 2


# ---- servers that misbehave


def answered(status: int, body: bytes = b"", **headers: str) -> Callable[[SimpleHTTPRequestHandler], bool]:
    def misbehave(handler: SimpleHTTPRequestHandler) -> bool:
        handler.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)
        return True

    return misbehave


def first(times: int, then: Callable[[SimpleHTTPRequestHandler], bool]) -> Callable[[Any], bool]:
    """Return what misbehaves so many times and no more."""
    left = [None] * times

    def misbehave(handler: SimpleHTTPRequestHandler) -> bool:
        return bool(left and (left.pop() or True) and then(handler))

    return misbehave


def torn(handler: SimpleHTTPRequestHandler) -> bool:
    """Promise a thousand bytes, send ten, and go."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(bytes(10))
    handler.close_connection = True
    return True


@pytest.mark.parametrize(
    "fault", [answered(503), answered(429, Retry_After="1"), torn], ids=["503", "429", "torn"]
)
def test_what_passes_is_tried_again(served: Web, fault: Callable[..., bool]) -> None:
    served.misbehave = first(3, fault)
    with Client(served.address, cache=None) as client:
        assert len(client.series("openai")) == 38
    assert served.count() == 3 + 2


@pytest.mark.parametrize(
    ("fault", "kind", "code", "requests"),
    [
        (answered(503), Unreachable, "source_failed", 4),
        (torn, Unreachable, "source_failed", 4),
        (answered(429, Retry_After="3600"), Unreachable, "source_failed", 1),
        (answered(403), Unreachable, "source_failed", 1),
        (answered(304), Unreachable, "source_failed", 1),
        (answered(200, b"<html>log in</html>", Content_Type="text/html"), Damaged, "file_damaged", 1),
        (answered(302, Location="http://elsewhere.invalid/"), Damaged, "file_damaged", 1),
        (answered(200, b"{}"), Damaged, "file_damaged", 4),
        (answered(200, b"{}", Content_Length_="x"), Damaged, "file_damaged", 4),
        (answered(404), SeriesUnknown, "series_unknown", 1),
    ],
    ids=["503", "torn", "429-long", "403", "304", "page", "redirect", "other", "header", "404"],
)
def test_what_does_not_pass_is_refused(
    served: Web, fault: Callable[..., bool], kind: type[MtokError], code: str, requests: int
) -> None:
    def of_series(handler: SimpleHTTPRequestHandler) -> bool:
        return handler.path not in {"/latest.json", "/SHA256SUMS"} and fault(handler)

    served.misbehave = of_series
    with Client(served.address, cache=None) as client, pytest.raises(kind) as refused:
        client.series("openai")
    assert refused.value.code == code
    assert refused.value.remedy
    asked = sum(n for (_, path), n in served.answers.items() if path == "series/openai.json")
    assert asked == requests if requests != 4 or code == "source_failed" else 2


def test_nobody_listens(tmp_path: Path) -> None:
    from served import free_port

    with Client(f"http://127.0.0.1:{free_port()}", cache=tmp_path) as client, pytest.raises(Unreachable):
        client.latest()


# ---- what is damaged


def test_a_file_that_the_sums_do_not_list_is_damaged(copied: Path) -> None:
    client = Client(copied)
    raw = (copied / "series/openai.json").read_bytes()
    replaced(copied, "series/openai.json", raw.replace(b"14.252857", b"14.252858"), sums=False)
    with pytest.raises(Damaged, match=r"series/openai\.json"):
        client.series("openai")
    assert len(client.series("qwen")) == 38


def test_a_record_is_held_against_its_digest_even_when_the_sums_agree(copied: Path) -> None:
    path = "records/openai/2026-06-20.0.json"
    replaced(copied, path, (copied / path).read_bytes().replace(b"12.640247", b"12.640248"))
    with pytest.raises(Damaged, match="2026-06-20"):
        Client(copied).point("openai", "2026-06-20")


def test_a_damaged_record_is_not_kept(served: Web, tmp_path: Path) -> None:
    with Client(served.address, cache=tmp_path) as client:
        once = first(1, answered(200, b"{}"))
        served.misbehave = lambda handler: "records/" in handler.path and once(handler)
        assert client.point("openai", "2026-06-20").record.value == "12.640247"  # asked again at once
        served.misbehave = lambda handler: "records/" in handler.path and answered(200, b"{}")(handler)
        with pytest.raises(Damaged):
            client.point("openai", "2026-06-21")
        served.misbehave = lambda _: False
        assert client.point("openai", "2026-06-21").record.date == "2026-06-21"


@pytest.mark.parametrize("name", ["SHA256SUMS", "records/openai/2026-06-20.0.json", "log/tile/entries/000"])
def test_a_file_that_is_missing_is_damage(copied: Path, name: str) -> None:
    target = copied / name
    target.unlink()
    client = Client(copied)
    with pytest.raises(Damaged, match=r"not there|not the file"):
        client.notices() if name.startswith("log/") else client.point("openai", "2026-06-20")


def test_a_publication_that_is_not_whole_says_so(copied: Path) -> None:
    (copied / "vintages.csv").unlink()
    (copied / "methodology/1.0/parameters.toml").unlink()
    client = Client(copied)
    for ask in (
        lambda: client.series("openai", as_of="2026-06-27"),
        lambda: client.price("openai/gpt-5-mini"),
    ):
        with pytest.raises(NotPublished) as refused:
            ask()
        assert refused.value.code == "publication_missing"


def test_an_instant_still_to_come_means_all_that_is_known(offline: Client) -> None:
    assert offline.series("openai", as_of="8999-01-01") == offline.series("openai")


def test_a_log_that_does_not_give_its_root_is_damaged(copied: Path) -> None:
    for bundle in (copied / "log/tile/entries").rglob("*"):
        if bundle.is_file():
            bundle.write_bytes(bundle.read_bytes().replace(b"six in the morning", b"ten in the morning"))
    with pytest.raises(Damaged, match="root"):
        Client(copied).notices()


# ---- bad calls


@pytest.mark.parametrize(
    "date", ["20 June", "2026-6-20", "2026-02-30", "", "2026-06-20T00:00:00Z", None, 20260620, 1.5]
)
def test_what_is_no_date_is_refused(offline: Client, date: Any) -> None:
    with pytest.raises(CallRefused, match="not a date") as refused:
        offline.point("openai", date)
    assert refused.value.code == "date_invalid"
    with pytest.raises(CallRefused):
        offline.prices(dt.datetime(2026, 6, 20, tzinfo=dt.UTC))


@pytest.mark.parametrize("as_of", ["noon", "", "2026-06-26T25:00:00Z", "2026-06-26T12:00:00+02:00", NAIVE, 3])
def test_what_is_no_instant_is_refused(offline: Client, as_of: Any) -> None:
    with pytest.raises(CallRefused, match="not an instant") as refused:
        offline.series("openai", as_of=as_of)
    assert refused.value.code == "instant_invalid"


@pytest.mark.parametrize("series", ["open-ai", "OpenAI", "", "../../etc/passwd", "a/b", "x\0", "é", None])
def test_an_unknown_series_is_refused_with_those_there_are(offline: Client, series: Any) -> None:
    for as_of in (None, "2026-06-26"):
        with pytest.raises(SeriesUnknown, match="no series") as refused:
            offline.series(series, as_of=as_of)
        assert "google-gemini" in refused.value.remedy


def test_questions_that_cannot_be_meant_are_refused(offline: Client) -> None:
    with pytest.raises(CallRefused, match="start 2026-06-20 is after end 2026-06-01"):
        offline.series("openai", "2026-06-20", "2026-06-01")
    for last in ("2026-06-01", "2026-06-20"):
        with pytest.raises(CallRefused, match="is not before"):
            offline.explain("openai", "2026-06-20", last)
    with pytest.raises(CallRefused, match="at once"):
        offline.series("openai", as_of="2026-06-26", vintage=0)


def test_nothing_published_says_what_there_is(offline: Client) -> None:
    for asked in ({}, {"as_of": "2026-06-26"}, {"vintage": 0}):
        with pytest.raises(NotPublished, match="nothing is published of openai 2026-07-01") as refused:
            offline.point("openai", "2026-07-01", **asked)
        assert refused.value.remedy == "Published are 38 days from 2026-05-20 to 2026-06-26."
    with pytest.raises(NotPublished):
        offline.prices("2026-07-01")


def test_no_publication_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadCall, match="holds no log/checkpoint"):
        Client(tmp_path)
    with (
        web(tmp_path) as empty,
        Client(empty.address, cache=None) as client,
        pytest.raises(NotPublished, match=r"has no latest\.json"),
    ):
        client.series("openai")
    for address in ("ftp://example.org", "https://user:secret@example.org/", "https://example.org/?a=b"):
        with pytest.raises(BadCall, match="refused"):
            Client(address)


# ---- verified


@pytest.mark.parametrize("key", [FIRST, SECOND], ids=["first", "second"])
def test_one_value_is_verified_with_any_key_of_the_log(offline: Client, key: str) -> None:
    """A value of before the key changed, one of after: with the key of then, and the one of now."""
    for date in ("2026-05-20", "2026-06-20", "2026-06-26"):
        report = offline.verify("openai", date, key=key)
        assert not report.findings
        assert (report.ok, report.reached) == (True, "arithmetic")
        assert (report.counts["proofs"], report.counts["records calculated"]) == (1, 1)
    assert offline.verify("openai", "2026-06-25", key=key, vintage=0).ok


def test_a_value_is_verified_at_an_address(served: Web, tmp_path: Path) -> None:
    with Client(served.address, cache=tmp_path) as client:
        assert client.verify("qwen", "2026-06-24", key=FIRST).ok


def test_a_whole_publication_is_verified(offline: Client) -> None:
    assert offline.verify_all(FIRST).ok


def test_another_key_verifies_nothing(offline: Client) -> None:
    other = str(PrivateKey(name=FIRST_KEY.name, seed=bytes(32)).public)
    report = offline.verify("openai", "2026-06-20", key=other)
    assert (report.ok, report.reached) == (False, None)
    with pytest.raises(BadCall, match="no public key") as refused:
        offline.verify("openai", "2026-06-20", key="nothing")
    assert refused.value.code == "key_unreadable"


def test_a_vintage_that_is_not_there_cannot_be_verified(offline: Client) -> None:
    with pytest.raises(NotPublished, match="vintage 7"):
        offline.verify("openai", "2026-06-20", key=FIRST, vintage=7)


def forge(publication: Path, date: str, old: str, new: str) -> None:
    """Change a record and everything that is not signed and names it, as a forger with a web server would."""
    path = f"records/openai/{date}.0.json"
    before = sha256_hex((publication / path).read_bytes())
    raw = (publication / path).read_bytes().replace(old.encode(), new.encode())
    assert sha256_hex(raw) != before
    replaced(publication, path, raw)
    for name in ("series/openai.json", "vintages.csv", "latest.json"):
        replaced(
            publication,
            name,
            (publication / name).read_bytes().replace(before.encode(), sha256_hex(raw).encode()),
        )


@pytest.mark.parametrize(
    ("tampered", "code"),
    [
        ("record", "file_digest"),
        ("earlier record", "file_digest"),
        ("proof of another value", "proof_refused"),
        ("proof cut", "proof_refused"),
        ("no proof", "file_missing"),
        ("entry", "log_root_differs"),
        ("checkpoint", "checkpoint_refused"),
        ("parameters", "file_digest"),
    ],
)
def test_what_was_tampered_with_is_found(copied: Path, tampered: str, code: str) -> None:
    proofs = copied / "proofs/openai"
    match tampered:
        case "record":
            forge(copied, "2026-06-20", "12.640247", "12.640248")
        case "earlier record":
            forge(copied, "2026-06-10", '"tokens":"1', '"tokens":"2')
        case "proof of another value":
            shutil.copy(proofs / "2026-06-19.0.tlog-proof", proofs / "2026-06-20.0.tlog-proof")
        case "proof cut":
            lines = (proofs / "2026-06-20.0.tlog-proof").read_text().split("\n")
            (proofs / "2026-06-20.0.tlog-proof").write_text("\n".join(lines[:2] + lines[3:]))
        case "no proof":
            (proofs / "2026-06-20.0.tlog-proof").unlink()
        case "entry":
            for bundle in (copied / "log/tile/entries").rglob("*"):
                if bundle.is_file():
                    bundle.write_bytes(bundle.read_bytes().replace(b"12.640247", b"12.640248"))
        case "checkpoint":
            text = (copied / "log/checkpoint").read_text()
            (copied / "log/checkpoint").write_text(text.replace("\n\n", "\n\n\n"))
        case "parameters":
            path = "methodology/1.0/parameters.toml"
            replaced(copied, path, (copied / path).read_bytes() + b"\n")
    report = Client(copied).verify("openai", "2026-06-20", key=FIRST)
    assert not report.ok
    assert code in {finding.code for finding in report.findings}


def lie(publication: Path, date: str, old: str, new: str) -> None:
    """Publish another record of a date, with all digests, the proof and the signature right, as its publisher could."""
    path = publication / f"records/openai/{date}.0.json"
    raw = path.read_bytes()
    assert raw.count(old.encode()) == 1
    path.write_bytes(told := raw.replace(old.encode(), new.encode()))
    entries = HeldFiles(publication, None).entries()
    at = next(n for n, entry in enumerate(entries) if entry.get("record_sha256") == sha256_hex(raw))
    value = {"value": json.loads(told)["value"]} if "value" in entries[at] else {}
    entries[at] |= {"record_sha256": sha256_hex(told), **value}
    leaves = [canonical_bytes(entry) for entry in entries]
    for index, width in bundles_of(len(leaves)):
        bundle = encode_bundle(leaves[index * 256 : index * 256 + width])
        (publication / "log" / bundle_path(index, width)).write_bytes(bundle)
    tree = Tree(map(leaf_hash, leaves))
    head = Checkpoint(origin=FIRST_KEY.name, size=tree.size, root=tree.root())
    (publication / "log/checkpoint").write_bytes(note := sign_note(head.text, SECOND_KEY))
    proof = Proof(index=at, hashes=tuple(tree.inclusion(at)), checkpoint=note)
    (publication / f"proofs/openai/{date}.0.tlog-proof").write_bytes(encode_proof(proof))


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ('"value":"12.640247"', '"value":"12.640248"', "value_differs"),
        ('"change":"-2.224249838372"', '"change":"-2.224249838373"', "move_differs"),
        ('"average_7d":"12.643213"', '"average_7d":"12.643214"', "averages_differ"),
        ('"price_index":"100.000000"', '"price_index":"100.000001"', "index_differs"),
    ],
)
def test_a_lie_that_is_signed_is_found_by_arithmetic(copied: Path, old: str, new: str, code: str) -> None:
    lie(copied, "2026-06-20", old, new)
    report = verify_value(open_source(copied), [SECOND_KEY.public], "openai", "2026-06-20", 0)
    assert [finding.code for finding in report.findings] == ["record_differs", code]
    assert report.findings[0].where.endswith("determination_sha256")
    assert report.counts["proofs"] == 1


# ---- which vintage is meant


def test_an_informational_vintage_is_never_in_force() -> None:
    rows = [
        {
            "series": "openai",
            "date": "2026-06-20",
            "vintage": vintage,
            "stage": stage,
            "published_at": f"2026-06-{day}T00:00:00Z",
        }
        for vintage, stage, day in [("0", "final", "21"), ("1", "informational", "22"), ("10", "final", "23")]
    ]
    assert [row["vintage"] for row in as_known(rows, instant_of("2026-06-22"))] == ["0"]
    assert [row["vintage"] for row in as_known(rows[::-1], instant_of("2026-06-23"))] == ["10"]
    assert [row["stage"] for row in numbered(rows, 1)] == ["informational"]
