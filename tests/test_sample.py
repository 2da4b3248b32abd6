"""The bundled sample: facts only, whole, and the same as the recordings to everything downstream."""

from __future__ import annotations

import gzip
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mtok.archive import KIND_MODELS, KIND_RANKINGS, RANKINGS_DAILY, Response, Store
from mtok.calendar import format_instant, parse_date
from mtok.canonical import sha256_hex
from mtok.day import determine_days
from mtok.determination.folder import Determinations
from mtok.errors import EnvironmentFailed
from mtok.lab import history
from mtok.observations import decode_models, decode_rankings
from mtok.observations.schedule import DIMENSIONS
from mtok.publication.published import Published
from mtok.sources import sample
from mtok.sources.sample import citation, sample_responses

FOLDER = Path(sample.__file__).parent
SCRIPT = Path(__file__).parents[1] / "scripts" / "make_sample.py"
DATA = ("captures.jsonl", "prices.jsonl", "pulls.jsonl", "volumes.jsonl")
PREFIXES = ("openai/", "google/gemini-", "anthropic/", "deepseek/", "qwen/", "moonshotai/")
SLUG = r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*"
SHA256, DATE, INSTANT = (
    r"[0-9a-f]{64}",
    r"2026-0[56]-[0-9]{2}",
    r"2026-0[56]-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z",
)
AS_OF = INSTANT.replace("Z", r"\.[0-9]{3}Z")


@pytest.fixture(scope="module")
def responses() -> list[Response]:
    return list(sample_responses())


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("make_sample", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        yield module


def lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FOLDER / name).read_bytes().splitlines()]


def of_kind(responses: list[Response], kind: str) -> Iterator[Response]:
    found = [response for response in responses if response.kind == kind]
    assert found
    yield from found


def originals(folder: Path) -> dict[str, bytes]:
    """Return sha256 → bytes of the recorded responses in `folder`."""
    raws = [gzip.decompress(path.read_bytes()) for path in folder.glob("*.json.gz")]
    return {sha256_hex(raw): raw for raw in raws}


def test_sample_is_at_most_500_kb() -> None:
    files = [path for path in FOLDER.iterdir() if path.is_file()]
    assert {path.name for path in files} == {*DATA, "README.md", "SHA256SUMS", "__init__.py"}
    assert sum(path.stat().st_size for path in files) <= 500_000


def test_rendering_twice_gives_equal_bytes(responses: list[Response]) -> None:
    assert list(sample_responses()) == responses
    for response in responses:
        content = json.loads(response.raw)
        assert json.dumps(content, separators=(",", ":")).encode() == response.raw


def test_responses_say_what_they_are(responses: list[Response]) -> None:
    pulls = list(of_kind(responses, KIND_RANKINGS))
    captures = list(of_kind(responses, KIND_MODELS))
    assert (len(pulls), len(captures)) == (9, 84)
    assert [response.captured_at for response in responses] == sorted(r.captured_at for r in responses)
    assert {(r.origin, r.obtained, r.collector) for r in responses} == {
        ("sample", "bundled sample", "primary")
    }
    assert {response.volume_source for response in pulls} == {RANKINGS_DAILY}
    assert {response.volume_source for response in captures} == {None}
    assert format_instant(pulls[-1].captured_at) == "2026-06-27T07:32:19Z"
    assert json.loads(pulls[-1].raw)["meta"]["as_of"] == "2026-06-27T07:32:19.341Z"
    assert len({response.origin_sha256 for response in responses}) == len(responses)


def test_rankings_prove_themselves_by_the_sha256_of_their_original(responses: list[Response]) -> None:
    for response in of_kind(responses, KIND_RANKINGS):
        indented = json.dumps(json.loads(response.raw), indent=2) + "\n"
        assert sha256_hex(indented.encode()) == response.origin_sha256


def test_decoding_finds_no_fault(responses: list[Response]) -> None:
    for response in of_kind(responses, KIND_MODELS):
        models = decode_models(response.raw)
        assert models.catalogue
        assert models.prices
        assert list(models.faults) == []
    for response in of_kind(responses, KIND_RANKINGS):
        rankings = decode_rankings(response.raw, response.captured_at)
        assert len(rankings.days) == 30
        assert list(rankings.faults) == []


def test_store_takes_the_sample_and_keeps_the_origin(responses: list[Response], tmp_path: Path) -> None:
    store = Store.create(tmp_path / "store")
    with store.writing():
        assert all(new for _, new in store.archive(responses))
    captures = store.register.read()
    assert [capture.origin_sha256 for capture in captures] == [r.origin_sha256 for r in responses]
    assert {capture.origin for capture in captures} == {"sample"}


def test_volumes_hold_nothing_but_facts() -> None:
    for pull in lines("pulls.jsonl"):
        assert list(pull) == ["as_of", "start_date", "end_date", "version", "sha256"]
        assert all(map(re.fullmatch, (AS_OF, DATE, DATE, "v1", SHA256), pull.values()))
    as_of = {pull["sha256"]: pull["as_of"] for pull in lines("pulls.jsonl")}
    for day in lines("volumes.jsonl"):
        assert list(day) == ["date", "as_of", "sha256", "tokens"]
        assert re.fullmatch(DATE, day["date"])
        assert as_of[day["sha256"]] == day["as_of"]
        *named, tail = day["tokens"]
        assert tail == "other"
        assert len(named) == 50
        assert all(re.fullmatch(rf"{SLUG}(:[a-z]+)?", permaslug) for permaslug in named)
        assert all(re.fullmatch("[0-9]+", total) for total in day["tokens"].values())


def test_prices_hold_nothing_but_facts() -> None:
    captures = lines("captures.jsonl")
    assert all(list(capture) == ["captured_at", "sha256"] for capture in captures)
    assert all(
        re.fullmatch(INSTANT, c["captured_at"]) and re.fullmatch(SHA256, c["sha256"]) for c in captures
    )
    sha256 = {capture["captured_at"]: capture["sha256"] for capture in captures}
    for row in lines("prices.jsonl"):
        assert list(row) == ["id", "canonical_slug", "created", "output_modalities", "pricing", "posted"]
        assert re.fullmatch(rf"{SLUG}(:[a-z]+)?", row["id"])
        assert re.fullmatch(SLUG, row["canonical_slug"])
        assert row["canonical_slug"].startswith(PREFIXES)
        assert type(row["created"]) is int
        assert {*row["output_modalities"]} <= {"text", "image", "audio"}
        assert row["pricing"].keys() <= DIMENSIONS
        assert all(re.fullmatch(r"[0-9]+(\.[0-9]+)?", price) for price in row["pricing"].values())
        for run in row["posted"]:
            assert list(run) == ["first", "last", "sha256"]
            assert sha256[run["first"]] == run["sha256"]
            assert run["last"] in sha256


def test_files_are_in_canonical_order() -> None:
    rows = lines("prices.jsonl")
    for facts in (
        [capture["captured_at"] for capture in lines("captures.jsonl")],
        [pull["as_of"] for pull in lines("pulls.jsonl")],
        [day["date"] for day in lines("volumes.jsonl")],
        [(row["id"], row["posted"][0]["first"]) for row in rows],
    ):
        assert facts == sorted(set(facts))
    states = [json.dumps({**row, "posted": None}) for row in rows]
    assert len(set(states)) == len(states)


def test_citation_names_the_latest_pull_and_the_readme_every_pull() -> None:
    assert citation() == (
        "Source: OpenRouter (openrouter.ai/rankings), as of 2026-06-27T07:32:19.341Z. "
        "Licensed under CC BY 4.0. Index computed from it by mtok."
    )
    readme = (FOLDER / "README.md").read_text("utf-8")
    for pull in lines("pulls.jsonl"):
        assert f"Source: OpenRouter (openrouter.ai/rankings), as of {pull['as_of']}." in readme
    assert "Licensed under CC BY 4.0." in readme


@pytest.mark.parametrize("name", DATA)
def test_damaged_file_is_named(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "sample"
    shutil.copytree(FOLDER, folder)
    raw = bytearray((folder / name).read_bytes())
    place = next(place for place in range(len(raw) // 2, len(raw)) if raw[place : place + 1] in b"12345678")
    raw[place] += 1
    (folder / name).write_bytes(raw)
    with pytest.raises(EnvironmentFailed, match=re.escape(name)) as damaged:
        list(sample_responses(folder))
    assert damaged.value.code == "sample_damaged"


@pytest.mark.parametrize("name", [*DATA, "SHA256SUMS"])
def test_missing_file_is_named(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "sample"
    shutil.copytree(FOLDER, folder)
    (folder / name).unlink()
    with pytest.raises(EnvironmentFailed, match=re.escape(name)) as damaged:
        list(sample_responses(folder))
    assert damaged.value.code == "sample_damaged"


def test_recordings_give_the_bundled_files(recordings: Path) -> None:
    call = [sys.executable, str(SCRIPT), "--check", str(recordings)]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_check_names_the_first_difference(
    script: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    recordings: Path,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "sample"
    shutil.copytree(FOLDER, folder)
    monkeypatch.setattr(script, "SAMPLE", folder)
    changed = (folder / "prices.jsonl").read_bytes().splitlines(keepends=True)
    changed[6] = changed[6].replace(b'"completion":"0.', b'"completion":"1.')
    (folder / "prices.jsonl").write_bytes(b"".join(changed))
    assert script.main(["--check", str(recordings)]) == 1
    assert "prices.jsonl line 7 " in capsys.readouterr().out
    (folder / "prices.jsonl").unlink()
    assert script.main(["--check", str(recordings)]) == 1
    assert "prices.jsonl is missing" in capsys.readouterr().out


def test_unfit_recordings_are_named(
    script: ModuleType, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert script.main(["--check", str(tmp_path)]) == 2
    assert "holds no recorded responses" in capsys.readouterr().err


def test_models_decode_as_their_originals(responses: list[Response], recordings: Path) -> None:
    recorded = originals(recordings / "models")
    for response in of_kind(responses, KIND_MODELS):
        assert response.origin_sha256
        assert decoded(response.raw) == decoded(recorded[response.origin_sha256])


def decoded(raw: bytes) -> tuple[list[Any], list[Any], list[Any]]:
    """Return the six companies' catalogue rows, prices by id, and faults by id; ordinals are left out."""
    models = decode_models(raw)
    ids = {
        row.ordinal: row.id
        for row in models.catalogue
        if row.author + "/" in PREFIXES or row.slug.startswith("google/gemini-")
    }
    return (
        sorted(row[1:] for row in models.catalogue if row.ordinal in ids),
        sorted(((ids[row.ordinal], row[1:]) for row in models.prices if row.ordinal in ids), key=repr),
        sorted(fault for fault in models.faults if fault.subject in ids.values()),
    )


def test_rankings_decode_as_their_originals(responses: list[Response], recordings: Path) -> None:
    recorded = originals(recordings / "rankings-daily")
    for response in of_kind(responses, KIND_RANKINGS):
        assert response.origin_sha256
        original = decode_rankings(recorded[response.origin_sha256], response.captured_at)
        rendered = decode_rankings(response.raw, response.captured_at)
        assert (rendered.instant, rendered.rows, rendered.days) == (
            original.instant,
            original.rows,
            original.days,
        )
        assert list(rendered.faults) == list(original.faults)


def test_sample_holds_every_price_capture_of_its_days(responses: list[Response], recordings: Path) -> None:
    held = [format_instant(r.captured_at).replace(":", "") for r in of_kind(responses, KIND_MODELS)]
    recorded = sorted(path.name.removesuffix(".json.gz") for path in (recordings / "models").iterdir())
    assert held == [name for name in recorded if "2026-05-06" <= name < "2026-06-28"]


def test_records_are_those_of_the_recordings_but_for_digests(
    responses: list[Response], recordings: Path, tmp_path: Path
) -> None:
    recorded = originals(recordings / "models") | originals(recordings / "rankings-daily")
    as_recorded = [
        replace(response, raw=recorded[response.origin_sha256 or ""], origin=None, origin_sha256=None)
        for response in responses
    ]
    found = records(tmp_path / "sample", responses)
    assert len(found) == 6 * 38
    assert found == records(tmp_path / "recorded", as_recorded)


def records(path: Path, responses: list[Response]) -> list[Any]:
    """Return every determination record of a new store with these responses, digests and origin left out."""
    store = Store.create(path)
    with store.writing():
        list(store.archive(responses))
    determine_days(store)
    determinations = Determinations(store, "1.0")
    return [
        undigested(json.loads(record.canonical))
        for series in determinations.series()
        for record in determinations.read(series)
    ]


def undigested(content: Any) -> Any:
    if isinstance(content, dict):
        left_out = {"sha256", "from_sha256", "origin"}
        return {name: undigested(value) for name, value in content.items() if name not in left_out}
    return [undigested(value) for value in content] if isinstance(content, list) else content


def test_the_settlement_lab_replays_what_the_sample_gives(published_sample: Path) -> None:
    """Its table is every value in force that the sample publishes, and every posted price of its tables of prices."""
    folder = published_sample / "publication"
    published = Published(folder)
    expected: dict[str, dict[int, int]] = {}
    for vintage in published.vintages.all_in_force():
        if vintage.value is not None:
            values = expected.setdefault(vintage.series, {})
            values[parse_date(vintage.date)] = int(vintage.value.replace(".", ""))
    for path in sorted((folder / "prices").glob("????-??-??.json")):
        table = json.loads(path.read_bytes())
        for row in table["prices"]:
            if ":" not in row["constituent"]:
                values = expected.setdefault(f"model:{row['constituent']}", {})
                values[parse_date(table["date"])] = int(row["price_usd_per_mtok"].replace(".", ""))
    lines = (Path(history.__file__).parent / "sample.csv").read_text("utf-8").splitlines()
    assert {line.split(",")[0] for line in lines[1:]} == expected.keys()
    for reference, values in expected.items():
        assert history.sample_history(reference).values == values, reference
    assert history.SAMPLE_METHODOLOGY == "1.0"
