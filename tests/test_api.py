"""The REST API: its digits are those of the published files, its proofs hold, and what is asked wrongly is told so."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import itertools
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from asking import Answered, ask
from mtok.notes import Checkpoint, open_note
from mtok.proofs import check_consistency, check_inclusion, decode_proof
from mtok.publication.published import Published
from mtok.records import point
from presses import SERIES
from released import FIRST_KEY, SECOND_KEY
from served import serving

DATE = "2026-06-25"
"""It has a preliminary and a final print."""


@pytest.fixture(scope="module")
def published(published_sample: Path) -> Published:
    return Published(published_sample / "publication")


@pytest.fixture(scope="module")
def files(published_sample: Path) -> Path:
    return published_sample / "publication"


def v1(site: str, path: str, **headers: str) -> Answered:
    return ask(site, f"/v1/{path}", **headers)


def good(site: str, path: str) -> Any:
    answer = v1(site, path)
    assert answer.status == 200, answer
    return answer.json


# ---- the same digits everywhere


@pytest.mark.parametrize("series", SERIES)
def test_points_are_those_of_the_files(site: str, files: Path, series: str) -> None:
    published = json.loads((files / "series" / f"{series}.json").read_text())
    assert good(site, f"series/{series}/points")["points"] == published["points"]
    assert (
        v1(site, f"series/{series}/points?format=csv").body
        == (files / "series" / f"{series}.csv").read_bytes()
    )
    as_parquet = v1(site, f"series/{series}/points?format=parquet").body
    assert as_parquet == (files / "series" / f"{series}.parquet").read_bytes()
    as_arrow = pa.ipc.open_stream(v1(site, f"series/{series}/points?format=arrow").body).read_all()
    assert as_arrow.equals(pq.read_table(io.BytesIO(as_parquet)))


def test_every_point_of_every_record_is_the_same_from_all_addresses(site: str, published: Published) -> None:
    for series in SERIES:
        rows = good(site, f"series/{series}/points?vintage=all")["points"]
        expected = [
            json.loads(json.dumps(point(published.record(vintage))))
            for vintage in sorted(published.vintages.all(), key=lambda one: (one.date, one.vintage))
            if vintage.series == series
        ]
        assert rows == expected
    for series, vintage in itertools.product(SERIES[:2], (0, 1)):
        one = good(site, f"series/{series}/points/{DATE}?vintage={vintage}")
        among = good(site, f"series/{series}/points/{DATE}/vintages")["vintages"]
        assert one["point"] == among[vintage]
        summary = good(site, f"series/{series}")
        assert summary["point"] == good(site, f"series/{series}/points/{summary['last_date']}")["point"]
        assert summary in good(site, "series")["series"]


def test_a_record_is_given_digit_for_digit(site: str, files: Path) -> None:
    raw = (files / "records" / "qwen" / f"{DATE}.1.json").read_bytes()
    answer = v1(site, f"series/qwen/points/{DATE}?vintage=1")
    assert b'"record":' + raw + b"}" in answer.body
    assert answer.json["point"]["record_sha256"] == hashlib.sha256(raw).hexdigest()
    record = json.loads(raw)
    constituents = good(site, f"series/qwen/points/{DATE}/constituents")
    for name in ("constituents", "left_out", "conflicts", "discarded", "absent"):
        assert constituents[name] == record.get(name, [])


def test_no_cell_of_a_csv_begins_a_formula(site: str) -> None:
    rows = csv.reader(io.StringIO(v1(site, "series/qwen/points?format=csv&vintage=all").body.decode()))
    cells = [cell for row in rows for cell in row if cell]
    assert len(cells) > 1000
    for cell in cells:
        assert cell[0].isascii(), cell
        assert cell[0].isalnum() or Fraction(cell) < 0, cell


def test_posted_prices_are_those_of_the_files(site: str, files: Path) -> None:
    published = json.loads((files / "prices" / f"{DATE}.json").read_text())["prices"]
    assert good(site, f"prices/{DATE}")["prices"] == published
    model = published[0]["constituent"]
    rows = good(site, f"prices?model={model}")["prices"]
    assert {"date": DATE, **published[0]} in rows
    dates = [row["date"] for row in rows]
    assert dates == sorted(set(dates))
    assert dates[0] == "2026-05-20"
    narrow = good(site, f"prices?model={model}&start={DATE}&end={DATE}")["prices"]
    assert [row["date"] for row in narrow] == [DATE]


# ---- what was said when


def test_as_of_is_answered_as_it_was_then(site: str) -> None:
    def stage(as_of: str) -> tuple[str, int]:
        found = good(site, f"series/openai/points/{DATE}?as_of={as_of}")["point"]
        return found["stage"], found["vintage"]

    assert stage("2026-06-26T06:05:00Z") == ("prelim", 0)
    assert stage("2026-06-26T14:04:59Z") == ("prelim", 0)
    assert stage("2026-06-26T14:05:00Z") == ("final", 1)
    assert stage("2026-06-26") == ("final", 1)
    before = v1(site, f"series/openai/points/{DATE}?as_of=2026-06-26T06:04:59Z")
    assert (before.status, before.code) == (404, "no_point")
    then = good(site, "series/openai/points?as_of=2026-06-26T06:05:00Z")["points"]
    assert (then[-1]["date"], then[-1]["stage"]) == (DATE, "prelim")
    assert [row["vintage"] for row in good(site, "series/openai/points?vintage=1")["points"]] == [1]


# ---- pages


def pages(site: str, path: str) -> Iterator[tuple[Answered, dict[str, str]]]:
    while path:
        answer = ask(site, path)
        assert answer.status == 200, answer
        links = {
            part.split('rel="')[1].rstrip('"'): part.split(">")[0].lstrip("<")
            for part in answer.headers["link"].split(", ")
        }
        yield answer, links
        assert links.get("next") == answer.json["next"]
        path = answer.json["next"]


def test_pages_are_the_whole_and_lead_back(site: str) -> None:
    whole = good(site, "series/openai/points")["points"]
    read = list(pages(site, "/v1/series/openai/points?limit=7&start=2026-05-21"))
    assert [row for answer, _ in read for row in answer.json["points"]] == whole[1:]
    assert {answer.json["count"] for answer, _ in read} == {len(whole) - 1}
    assert "prev" not in read[0][1]
    for (_, earlier), (_, later) in itertools.pairwise(read[1:]):
        assert (
            ask(site, later["prev"]).json["points"]
            == ask(site, read[1][1]["first"] and later["prev"]).json["points"]
        )
        assert later["first"] == earlier["first"]
    back = ask(site, read[-1][1]["prev"]).json["points"]
    assert back == read[-2][0].json["points"]


def test_a_cursor_is_of_its_query_alone(site: str) -> None:
    following = good(site, "series/openai/points?limit=2")["next"].removeprefix("/v1/")
    assert v1(site, following).status == 200
    assert v1(site, following.replace("limit=2", "limit=3")).status == 200
    for other in (
        following.replace("openai", "qwen"),
        following + "&start=2026-06-01",
        following.replace("cursor=", "cursor=x"),
        "series/openai/points?cursor=",
        "series/openai/points?cursor=" + base64.urlsafe_b64encode(b"999999.0.0123456789abcdef").decode(),
    ):
        answer = v1(site, other)
        assert (answer.status, answer.code) == (400, "cursor_invalid"), other


def test_pages_are_of_the_log_their_cursor_names(site: str, published: Published) -> None:
    then = "2026-06-26T14:05:00Z"
    size = sum(entry["time"] <= then for entry in published.entries)
    first = good(site, "series/openai/points?limit=1000")
    [link] = v1(site, "series/openai/points?limit=1000").headers["link"].split(", ")
    cursor = link.split("cursor=")[1].split(">")[0]
    now, place, digest = base64.urlsafe_b64decode(cursor + "==").decode().split(".")
    assert (int(now), place) == (published.size, "0")
    earlier = base64.urlsafe_b64encode(f"{size}.0.{digest}".encode()).decode().rstrip("=")
    found = good(site, f"series/openai/points?limit=1000&cursor={earlier}")
    assert found["log_size"] == size
    assert found["points"] == good(site, f"series/openai/points?as_of={then}")["points"]
    assert len(found["points"]) == len(first["points"]) - 1


# ---- proofs, checked by what shares nothing with the answers


def test_proofs_hold_under_the_signed_head(site: str) -> None:
    head = good(site, "log/checkpoint")
    signed = Checkpoint.parse(open_note(head["note"].encode(), [SECOND_KEY.public]).text)
    assert (head["size"], base64.b64decode(head["root"])) == (signed.size, signed.root)
    assert head["vkey"] == str(SECOND_KEY.public)
    assert [one["key_id"] for one in head["signatures"]] == [SECOND_KEY.public.id.hex()]
    for index in (0, 1, 100, signed.size - 1):
        proof = good(site, f"log/proof?index={index}")
        entry = good(site, f"log/entries/{index}")
        raw = json.dumps(entry["entry"], sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        leaf = hashlib.sha256(b"\0" + raw).digest()
        assert base64.b64decode(entry["leaf_hash"]) == leaf == base64.b64decode(proof["leaf_hash"])
        hashes = [base64.b64decode(text) for text in proof["hashes"]]
        assert check_inclusion(index, signed.size, leaf, hashes, signed.root)
        assert not check_inclusion(index ^ 1, signed.size, leaf, hashes, signed.root)
    grown = good(site, f"log/consistency?first=100&second={signed.size}")
    roots = base64.b64decode(grown["first_root"]), base64.b64decode(grown["second_root"])
    assert roots[0] == base64.b64decode(good(site, "log/proof?index=0&size=100")["root"])
    hashes = [base64.b64decode(text) for text in grown["hashes"]]
    assert check_consistency(100, roots[0], signed.size, signed.root, hashes)


def test_the_proof_of_a_record_holds(site: str) -> None:
    for date, key in ((DATE, FIRST_KEY), ("2026-06-26", SECOND_KEY)):
        found = good(site, f"series/qwen/points/{date}/proof")
        proof = decode_proof(found["proof"].encode())
        signed = Checkpoint.parse(open_note(proof.checkpoint, [key.public]).text)
        leaf = base64.b64decode(found["leaf_hash"])
        assert proof.index == found["index"]
        assert check_inclusion(proof.index, signed.size, leaf, proof.hashes, signed.root)
        assert found["entry"]["record_sha256"] == found["record_sha256"]
        record = good(site, f"series/qwen/points/{date}")
        assert (record["index"], record["point"]["record_sha256"]) == (found["index"], found["record_sha256"])


def test_the_evidence_verifies_itself(site: str, tmp_path: Path) -> None:
    answer = v1(site, f"series/qwen/points/{DATE}/evidence?vintage=1")
    assert answer.headers["content-disposition"] == f'attachment; filename="qwen-{DATE}.1.zip"'
    assert answer.headers["cache-control"] == "public, max-age=60", (
        "the verifier in it changes with the software"
    )
    assert answer.headers["etag"] == f'"{hashlib.sha256(answer.body).hexdigest()}"'
    zipfile.ZipFile(io.BytesIO(answer.body)).extractall(tmp_path)
    assert (tmp_path / "vkey").read_text().strip() == str(FIRST_KEY.public)
    command = [sys.executable, "-I", "verify.py", "--key", str(FIRST_KEY.public)]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_notices_methodologies_and_parameters(site: str, files: Path) -> None:
    notices = good(site, "notices")["notices"]
    assert [notice["kind"] for notice in notices] == ["key_rotation", "incident"]
    assert (notices[1]["first_date"], notices[1]["series"]) == ("2026-06-25", None)
    assert good(site, f"log/entries/{notices[1]['index']}")["entry"]["text"] == notices[1]["text"]
    [listed] = good(site, "methodologies")["methodologies"]
    one = good(site, "methodologies/1.0")
    assert one.items() >= listed.items()
    for file in one["files"]:
        assert hashlib.sha256(ask(site, file["path"]).body).hexdigest() == file["sha256"]
    parameters = good(site, "methodologies/1.0/parameters")
    assert parameters["parameters_sha256"] == one["parameters_sha256"]
    assert parameters["parameters"]["quality"]["coverage_withheld"]["value"] == [3, 4]
    assert [entry["series"] for entry in parameters["series"]] == list(SERIES)


# ---- moves


def test_the_move_to_the_day_after_is_the_recorded_one(site: str, published: Published) -> None:
    found = good(site, f"series/openai/points/{DATE}")["record"]
    move = found["move"]
    direct = good(site, f"series/openai/move?from={move['from_date']}&to={DATE}")
    assert direct["move"] == move
    assert direct["to"]["value"] == found["value"]


def test_a_move_between_any_two_dates_is_computed_directly(site: str) -> None:
    first, last = "2026-05-20", "2026-06-26"
    move = good(site, f"series/anthropic/move?from={first}&to={last}")["move"]

    def basket(date: str) -> dict[str, tuple[int, Fraction]]:
        rows = good(site, f"series/anthropic/points/{date}/constituents")["constituents"]
        return {
            row["constituent"]: (int(row["tokens"]), Fraction(int(row["price_seconds"]), 86_400 * 10**12))
            for row in rows
        }

    def average(of: dict[str, tuple[int, Fraction]], names: Any) -> Fraction:
        return sum((of[name][0] * of[name][1] for name in names), Fraction(0)) / sum(
            of[name][0] for name in names
        )

    old, new = basket(first), basket(last)
    both = old.keys() & new.keys()
    parts = {
        "change": average(new, new) - average(old, old),
        "entry": average(new, new) - average(new, both),
        "exit": average(old, both) - average(old, old),
    }
    weights = [sum(of[name][0] for name in both) for of in (old, new)]
    shares = {
        name: [Fraction(of[name][0], weight) for of, weight in zip((old, new), weights, strict=True)]
        for name in both
    }
    parts["price"] = sum(
        (sum(shares[name], Fraction(0)) / 2 * (new[name][1] - old[name][1]) for name in both), Fraction(0)
    )
    parts["mix"] = parts["change"] - parts["entry"] - parts["exit"] - parts["price"]
    for name, expected in parts.items():
        assert abs(Fraction(move[name]) - expected) <= Fraction(1, 2 * 10**12), name


# ---- asked wrongly

WRONG = {
    "series/nobody": (404, "series_unknown"),
    "series/nobody/points": (404, "series_unknown"),
    "series/nobody/points/2026-06-20/evidence": (404, "series_unknown"),
    "series/openai/points/2027-01-01": (404, "no_point"),
    "series/openai/points/2026-05-19": (404, "no_point"),
    "series/openai/points/0001-01-01": (404, "no_point"),
    "series/openai/points/2026-06-20?vintage=7": (404, "no_point"),
    "series/openai/points/2026-02-30": (400, "parameter_invalid"),
    "series/openai/points/0000-01-01": (400, "parameter_invalid"),
    "series/openai/points/2026-6-2": (400, "parameter_invalid"),
    "series/openai/points/2026-06-20?vintage=-1": (400, "parameter_invalid"),
    "series/openai/points/2026-06-20?vintage=1" + "0" * 400: (400, "parameter_invalid"),
    "series/openai/points/2026-06-20?vintage=0.0": (400, "parameter_invalid"),
    "series/openai/points?start=2026-06-20&end=2026-06-01": (400, "dates_out_of_order"),
    "series/openai/points?start=2026-06-20T00:00:00Z": (400, "parameter_invalid"),
    "series/openai/points?start=2027-01-01": (404, "no_point"),
    "series/openai/points?end=2026-05-19": (404, "no_point"),
    "series/openai/points?start=": (400, "parameter_invalid"),
    "series/openai/points?strat=2026-06-01": (400, "parameter_unknown"),
    "series/openai/points?start=2026-06-01&start=2026-06-02": (400, "parameter_invalid"),
    "series/openai/points?as_of=2026-06-27T15:00:01Z": (400, "parameter_invalid"),
    "series/openai/points?as_of=2026-06-27": (400, "parameter_invalid"),
    "series/openai/points?as_of=9999-12-31": (400, "parameter_invalid"),
    "series/openai/points?as_of=2026-06-26T24:00:00Z": (400, "parameter_invalid"),
    "series/openai/points?as_of=2026-06-26T12:00:00%2B01:00": (400, "parameter_invalid"),
    "series/openai/points?as_of=2020-01-01": (404, "no_point"),
    "series/openai/points?format=xlsx": (400, "parameter_invalid"),
    "series/openai/points?format=CSV": (400, "parameter_invalid"),
    "series/openai/points?format=csv&limit=10": (400, "parameter_invalid"),
    "series/openai/points?methodology=9.9": (404, "methodology_unknown"),
    "series/openai/points?limit=0": (400, "parameter_invalid"),
    "series/openai/points?limit=1001": (400, "parameter_invalid"),
    "series/openai/points?limit=-5": (400, "parameter_invalid"),
    "series/openai/points?limit=%D9%A1": (400, "parameter_invalid"),
    "series/openai/points?limit=1e2": (400, "parameter_invalid"),
    "series/openai/points?start=%0d%0aSet-Cookie:%20a=b": (400, "parameter_invalid"),
    "series/openai/points?start=%00": (400, "parameter_invalid"),
    "series/openai/points?start=%ff%fe": (400, "parameter_invalid"),
    "series/openai/points?%ff=1": (400, "parameter_unknown"),
    "series/openai/points?cursor=%00%ff": (400, "cursor_invalid"),
    "series/openai/points?" + "&".join(f"a{number}=1" for number in range(40)): (400, "request_invalid"),
    "series/openai/points?start=" + "9" * 6000: (400, "parameter_invalid"),
    "series/..%2f..%2fkeys/points": (404, "page_unknown"),
    "series/%00/points": (404, "series_unknown"),
    "series/open%0d%0aai": (404, "series_unknown"),
    "series/%ff": (404, "series_unknown"),
    "../store.json": (404, "file_unknown"),
    "series/openai/move?from=2026-06-20&to=2026-06-20": (400, "dates_out_of_order"),
    "series/openai/move?from=2026-06-21&to=2026-06-20": (400, "dates_out_of_order"),
    "series/openai/move?from=2026-06-20": (400, "parameter_missing"),
    "series/openai/move?from=2026-05-19&to=2026-06-20": (404, "no_point"),
    "prices": (400, "parameter_missing"),
    "prices?model=nobody": (400, "parameter_invalid"),
    "prices?model=nobody/nothing": (404, "model_unknown"),
    "prices?model=..%2F..%2Fkeys": (400, "parameter_invalid"),
    "prices/2027-01-01": (404, "no_prices"),
    "methodologies/9.9": (404, "methodology_unknown"),
    "methodologies/..": (404, "methodology_unknown"),
    "log/entries/1000000": (404, "entry_unknown"),
    "log/entries/-1": (400, "parameter_invalid"),
    "log/entries/00": (400, "parameter_invalid"),
    "log/proof?index=5&size=5": (400, "parameter_invalid"),
    "log/proof?index=0&size=1000000": (400, "parameter_invalid"),
    "log/proof?index=0&size=0": (400, "parameter_invalid"),
    "log/consistency?first=0": (400, "parameter_invalid"),
    "log/consistency?first=9&second=8": (400, "parameter_invalid"),
    "nothing": (404, "page_unknown"),
}


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path[:60] or "root")
def test_what_is_asked_wrongly_is_told_so(site: str, published_sample: Path, path: str) -> None:
    answer = v1(site, path)
    assert (answer.status, answer.code) == WRONG[path]
    assert "set-cookie" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"
    assert str(published_sample) not in answer.body.decode()
    assert len(answer.body) < 1000


@pytest.mark.parametrize(
    ("path", "remedy"),
    [
        ("series/openai/points?limit=9999", "Write a whole number from 1 to 1000, digits alone."),
        ("series/openai/points/2026-06-25?vintage=7", "Vintages of 2026-06-25: 0, 1."),
        (
            "series/openai/points/2026-06-25/proof?vintage=7&as_of=2026-06-26T07:00:00Z",
            "Vintages of 2026-06-25: 0.",
        ),
        ("series/openai/points/2027-01-01?vintage=0", "Published: 2026-05-20 to 2026-06-26."),
        ("prices?model=openai/nothing-like-it", "/v1/prices/{date} lists every model of a date."),
        ("nothing", "The board is at /; /api explains the API, /v1/openapi.json describes it to programs."),
    ],
)
def test_a_remedy_says_what_there_is(site: str, path: str, remedy: str) -> None:
    assert v1(site, path).json["remedy"] == remedy


def test_a_model_without_prices_is_told_its_neighbours(site: str) -> None:
    priced = {row["constituent"] for row in good(site, "prices/2026-06-26")["prices"]}
    name = min(name for name in priced if name.startswith("anthropic/"))
    for asked in (name[:-2], name.replace("anthropic", "antropic")):
        answer = v1(site, f"prices?model={asked}")
        assert (answer.status, answer.code) == (404, "model_unknown")
        assert answer.json["remedy"].startswith("Did you mean "), asked
        assert name in answer.json["remedy"], asked
    answer = v1(site, f"prices?model={name}&end=2026-05-01")
    assert answer.json["remedy"].startswith("It has prices of other dates."), answer


def test_the_root_of_the_api_leads_to_its_page(site: str) -> None:
    for path in ("/v1", "/v1/"):
        answer = ask(site, path)
        assert (answer.status, answer.headers["location"]) == (308, "/api"), path
        assert ask(site, path, "POST").status == 405
    assert ask(site, "/api").status == 200


def test_methods_and_values_no_one_has(site: str) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH", "TRACE"):
        answer = ask(site, "/v1/series", method)
        assert (answer.status, answer.code) == (405, "method_not_allowed")
        assert answer.headers["allow"] == "GET, HEAD, OPTIONS"
    long = ask(site, "/v1/series?x=" + "a" * 100_000)
    assert 400 <= long.status < 500


# ---- where nothing is, and where something is damaged


def test_an_empty_store_has_nothing_to_say(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with serving(tmp_path / "empty") as site:
        for path in (
            *("series", "series/openai", "series/openai/points", f"series/openai/points/{DATE}/proof"),
            *("prices?model=a/b", f"prices/{DATE}", "methodologies", "methodologies/1.0", "notices"),
            *("log/checkpoint", "log/entries/0", "log/proof?index=0", "log/consistency?first=1"),
        ):
            answer = v1(site, path)
            assert (answer.status, answer.code) == (404, "nothing_published"), path
            assert str(tmp_path) not in answer.body.decode()
        assert v1(site, "openapi.json").status == 200


def test_a_damaged_record_is_refused_and_no_other(published_sample: Path, tmp_path: Path) -> None:
    folder = tmp_path / "publication"
    shutil.copytree(published_sample / "publication", folder)
    record = folder / "records" / "openai" / f"{DATE}.1.json"
    record.write_bytes(record.read_bytes().replace(b'"good"', b'"poor"', 1))
    (folder / "proofs" / "openai" / f"{DATE}.0.tlog-proof").unlink()
    (folder / "prices" / "2026-06-26.json").unlink()
    (folder / "methodology" / "1.0" / "parameters.toml").write_bytes(b"\xff")
    with serving(folder) as site:
        for path in (
            f"series/openai/points/{DATE}",
            "series/openai/points",
            "series/openai/points?format=parquet",
            f"series/openai/points/{DATE}/constituents",
            f"series/openai/points/{DATE}/evidence",
            f"series/openai/points/{DATE}/proof?vintage=0",
            f"series/openai/move?from=2026-06-20&to={DATE}",
            "prices/2026-06-26",
            "methodologies/1.0/parameters",
            "series/qwen/points/2026-06-26/evidence",
        ):
            answer = v1(site, path)
            assert (answer.status, answer.code) == (503, "publication_damaged"), path
            assert answer.headers["retry-after"] == "60"
            assert str(tmp_path) not in answer.body.decode()
        for path in (
            "series",
            f"series/openai/points/{DATE}?vintage=0",
            f"series/qwen/points/{DATE}",
            "series/openai/points?end=2026-06-24",
            "series/openai/move?from=2026-06-20&to=2026-06-26",
            f"series/openai/points/{DATE}/proof?vintage=1",
            "log/checkpoint",
        ):
            assert v1(site, path).status == 200, path
