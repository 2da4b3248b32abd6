"""Same inputs, same bytes (R-12): whatever the order of rows and imports, threads, time zone, locale or hash seed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from generated import market
from markets import Taken, make_store
from mtok.archive import KIND_MODELS, Store
from mtok.calendar import parse_date
from mtok.canonical import sha256_hex
from mtok.day import determine_days
from mtok.engine import EmbeddedEngine

SEED = 7

DETERMINE = """
import contextlib, locale, pathlib, sys
with contextlib.suppress(locale.Error):  # not every machine has every locale
    locale.setlocale(locale.LC_ALL, "")
from mtok.archive import Store
from mtok.day import determine_days
determine_days(Store.open(pathlib.Path(sys.argv[1])))
"""


def _bytes(store: Store) -> dict[str, str]:
    folder = store.path / "determinations"
    return {
        str(path.relative_to(folder)): sha256_hex(path.read_bytes())
        for path in sorted(folder.rglob("*.jsonl"))
    }


@pytest.fixture(scope="module")
def taken() -> list[Taken]:
    return market(SEED)


@pytest.fixture(scope="module")
def wanted(taken: list[Taken], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    store = make_store(tmp_path_factory.mktemp("same") / "store", taken)
    determine_days(store, engine=EmbeddedEngine(threads=1))
    return _bytes(store)


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_number_of_threads(taken: list[Taken], wanted: dict[str, str], tmp_path: Path, threads: int) -> None:
    store = make_store(tmp_path / "store", taken)
    determine_days(store, engine=EmbeddedEngine(threads))
    assert _bytes(store) == wanted


def test_order_of_import(taken: list[Taken], wanted: dict[str, str], tmp_path: Path) -> None:
    shuffled = list(taken)
    Random(SEED).shuffle(shuffled)
    store = make_store(tmp_path / "store", shuffled)
    determine_days(store)
    assert _bytes(store) == wanted


def test_order_of_rows_changes_nothing_but_the_digest_of_the_response(
    taken: list[Taken], tmp_path: Path
) -> None:
    """Distinct rows in another order say the same; only sha256s and what is derived from them may differ."""
    random = Random(SEED)
    turned = []
    for one in taken:
        payload = json.loads(one.raw)
        if one.kind == KIND_MODELS and len({row["id"] for row in payload["data"]}) == len(payload["data"]):
            random.shuffle(payload["data"])
        turned.append(
            Taken(
                kind=one.kind,
                instant=one.instant,
                raw=json.dumps(payload).encode(),
                collector=one.collector,
                rank=one.rank,
            )
        )
    values = []
    for number, listed in enumerate((taken, turned)):
        store = make_store(tmp_path / f"store-{number}", listed)
        determine_days(store)
        values.append(
            [
                (
                    record["series"],
                    record["date"],
                    record.get("n"),
                    record["w"],
                    record["diagnostics"],
                    record["reasons"],
                )
                for path in sorted((store.path / "determinations").rglob("*.jsonl"))
                for record in map(json.loads, path.read_text().splitlines())
            ]
        )
    assert values[0] == values[1]


@pytest.mark.parametrize(
    ("zone", "language", "seed"),
    [("UTC", "C", "0"), ("Asia/Kolkata", "tr_TR.UTF-8", "1"), ("America/St_Johns", "C.UTF-8", "random")],
)
def test_time_zone_locale_and_hash_seed(
    taken: list[Taken], wanted: dict[str, str], tmp_path: Path, zone: str, language: str, seed: str
) -> None:
    store = make_store(tmp_path / "store", taken)
    environment = os.environ | {"TZ": zone, "LC_ALL": language, "LANG": language, "PYTHONHASHSEED": seed}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    subprocess.run([sys.executable, "-c", DETERMINE, str(store.path)], env=environment, check=True)
    assert _bytes(store) == wanted


def test_determining_again_writes_nothing(taken: list[Taken], tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", taken)
    assert determine_days(store).files_changed > 0
    assert determine_days(store).files_changed == 0


def test_a_part_of_the_range_has_the_same_records(
    taken: list[Taken], wanted: dict[str, str], tmp_path: Path
) -> None:
    store = make_store(tmp_path / "store", taken)
    last = determine_days(store).last_date
    determine_days(store, last_day=parse_date(last) - 2)
    assert _bytes(store) == wanted
