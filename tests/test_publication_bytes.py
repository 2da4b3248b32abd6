"""One small publication written again by hand from docs/formats.md, and the same bytes on every machine (B3)."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

import mtok
from mtok.calendar import DAY, parse_date
from mtok.notes import Checkpoint, PrivateKey, sign_note
from mtok.proofs import Tree, leaf_hash
from presses import ORIGIN, Desk, at, posted, ranked, usual_days

D = "2026-01-09"
KNOWN_AT = "2026-01-10T14:00:00.25Z"
SOURCE = Path(mtok.__file__).parent


def sha(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """One model, one price list, one day: 1,000,000 tokens at 10 USD a million."""
    day = parse_date(D)
    market = [
        posted(day * DAY, {"openai/a": "0.00001"}),
        ranked(at("2026-01-10 05:00:00"), [day], {"openai/a": 1_000_000}),
    ]
    desk = Desk(tmp_path_factory.mktemp("one"), market)
    desk.publish("2026-01-10 14:00:00.25")
    return desk


@pytest.fixture(scope="module")
def files(one: Desk) -> dict[str, bytes]:
    return one.files()


def capture(one: Desk, kind: str) -> tuple[str, int]:
    """Return digest and size of the only capture of a kind."""
    [found] = [found for found in one.store.register.read() if found.kind == kind]
    return found.sha256, found.bytes


def rules() -> str:
    """Return the digest of the rules, from their files."""
    listed = sorted((SOURCE / "methodology" / "v1" / "rules").glob("*.sql"))
    pairs = ",".join(f'"{path.name}":"{sha(path.read_bytes())}"' for path in listed)
    return sha(f"{{{pairs}}}".encode())


def test_the_table_of_prices(one: Desk, files: dict[str, bytes]) -> None:
    """10⁻⁵ USD a token is 10¹³ of 10⁻¹⁸ USD, for 86,400 seconds."""
    models, _ = capture(one, "models")
    assert files[f"prices/{D}.json"].decode() == (
        '{"as_of":"2026-01-10T14:00:00Z","date":"2026-01-09","methodology":"1.0","prices":[{"age_days":"0",'
        '"captures":"1","constituent":"openai/a","price_seconds":"864000000000000000",'
        '"price_usd_per_mtok":"10.000000","rung":"direct","series":"openai",'
        f'"sha256":"{models}","tokens":"1000000"}}],"stage":"final"}}'
    )


def test_the_lists_of_captures(one: Desk, files: dict[str, bytes]) -> None:
    models, size = capture(one, "models")
    seen = f'[{{"captured_at":"2026-01-09T00:00:00Z","collector":"primary","rank":"1","sha256":"{models}"}}]'
    raw = (
        f'[{{"bytes":"{size}","captured_at":"2026-01-09T00:00:00Z","collector":"primary","sha256":"{models}",'
        '"source":"models"}]'
    )
    assert files[f"captures/{D}/{sha(seen.encode())}.json"].decode() == seen
    assert files[f"raw/{D}/{sha(raw.encode())}.json"].decode() == raw
    assert len([path for path in files if path.startswith(("captures/", "raw/"))]) == 2


def expected_entries(files: dict[str, bytes]) -> list[str]:
    """Return the ten entries of the publication, written from the table of docs/formats.md."""
    rulebook = sha((SOURCE / "methodology" / "v1" / "rulebook.md").read_bytes())
    parameters = sha((SOURCE / "methodology" / "v1" / "parameters" / "1.0.toml").read_bytes())
    policy = sha((SOURCE / "publication" / "policy.toml").read_bytes())
    head = f'"time":"{KNOWN_AT}"'
    [raw] = [path for path in files if path.startswith("raw/")]
    method = (
        f'{{"announced_at":"{KNOWN_AT}","effective_from":"EFFECTIVE","methodology":"1.0",'
        f'"parameters_sha256":"{parameters}","policy_sha256":"{policy}","reason":"first publication",'
        f'"rulebook_sha256":"{rulebook}","rules_sha256":"{rules()}",{head},"type":"method","v":"1"}}'
    )
    entries = [method]
    entries.append(f'{{"captures":"1","date":"{D}","sha256":"{raw[15:79]}",{head},"type":"raw","v":"1"}}')
    lines = []
    for series in ("openai", "google-gemini", "anthropic", "deepseek", "qwen", "moonshot"):
        record = sha(files[f"records/{series}/{D}.0.json"])
        printed = series == "openai"
        quality, value = ("degraded", "10.000000") if printed else ("withheld", "-")
        lines.append(f"{series} 1.0 {D} 0 final {quality} {value} {record}\n")
        reasons = "" if printed else '"reasons":["no_priced_volume"],'
        tail = ',"value":"10.000000","vintage":"0"}' if printed else ',"vintage":"0"}'
        entries.append(
            f'{{"date":"{D}","methodology":"1.0","parameters_sha256":"{parameters}","quality":"{quality}",'
            f'{reasons}"record_sha256":"{record}","rules_sha256":"{rules()}","series":"{series}",'
            f'"stage":"final",{head},"type":"{"point" if printed else "nodata"}",'
            f'"unit":"USD_PER_MTOK_OUTPUT","v":"1"{tail}'
        )
    entries.append(
        f'{{"constituents":"1","date":"{D}","path":"prices/{D}.json","sha256":"{sha(files[f"prices/{D}.json"])}",'
        f'"stage":"final",{head},"type":"prices","v":"1"}}'
    )
    table = "".join(sorted(lines)).encode()
    entries.append(
        f'{{"known_at":"{KNOWN_AT}","sha256":"{sha(table)}",{head},"type":"asof","v":"1","vintages":"6"}}'
    )
    return entries


def test_the_entries(one: Desk, files: dict[str, bytes]) -> None:
    """Only the date from which the version is in force is taken from the entry: docs do not say it."""
    found = [entry.decode() for entry in one.published.raw_entries]
    effective = one.published.entries[0]["effective_from"]
    assert found == [entry.replace("EFFECTIVE", effective) for entry in expected_entries(files)]


def test_the_log_around_the_entries(one: Desk, files: dict[str, bytes]) -> None:
    """The bundle has two bytes of length before each; the checkpoint is the note of the tree, by the key."""
    entries = one.published.raw_entries
    bundle = b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)
    assert files["log/tile/entries/000.p/10"] == bundle
    hashes = [hashlib.sha256(b"\0" + entry).digest() for entry in entries]
    assert files["log/tile/0/000.p/10"] == b"".join(hashes)
    tree = Tree(map(leaf_hash, entries))
    key = PrivateKey(name=ORIGIN, seed=bytes(32))
    checkpoint = Checkpoint(origin=ORIGIN, size=10, root=tree.root())
    assert files["log/checkpoint"] == sign_note(checkpoint.text, key)
    assert files["log/heads/10"] == checkpoint.text.split("\n", 1)[1].replace("\n", " ", 1).encode()


def test_the_sums_list_every_file_but_the_log_and_the_proofs(files: dict[str, bytes]) -> None:
    text, _, _ = files["SHA256SUMS"].decode().partition("\n\n")
    listed = {path: digest for digest, path in (line.split("  ") for line in text.splitlines())}
    assert list(listed) == sorted(listed)
    assert listed == {
        path: sha(raw)
        for path, raw in files.items()
        if not path.startswith(("log/", "proofs/", "SHA256SUMS"))
    }


def test_the_verifier_finds_nothing(one: Desk) -> None:
    assert one.findings() == []


# ---- the same bytes everywhere

PUBLISH = """
import contextlib, locale, pathlib, sys
with contextlib.suppress(locale.Error):  # not every machine has every locale
    locale.setlocale(locale.LC_ALL, "")
from mtok.archive import Store
from mtok.calendar import parse_instant
from mtok.day import publish_due
from mtok.progress import silent
from mtok.publication.operators import give_notice, rotate_key
from mtok.replay import ReplayClock
store = Store.open(pathlib.Path(sys.argv[1]))
head = pathlib.Path(sys.argv[2])
for now in sys.argv[3:]:
    publish_due(store, ReplayClock(parse_instant(now), 0), lambda origin: head)
give_notice(store, parse_instant(now), lambda origin: head, kind="incident", text="İstanbul'da kesinti", series="qwen",
    first_date=None, last_date=None, progress=silent)
rotate_key(store, parse_instant(now), lambda origin: head, bytes([9] * 32), silent)
"""
INSTANTS = ["2026-01-10T06:00:00Z", "2026-01-10T14:00:00Z"]
SEEDS, ZONES = ("0", "1", "random"), ("UTC", "America/St_Johns", "Asia/Kolkata")
LOCALES = ("C", "tr_TR.UTF-8")
PAIRS = [
    (seed, zone, LOCALES[(first + second) % 2])
    for first, seed in enumerate(SEEDS)
    for second, zone in enumerate(ZONES)
]
"""Each pair of a seed, a time zone and a locale is in one of them."""
FEW = [("0", "UTC", "C"), ("random", "America/St_Johns", "tr_TR.UTF-8")]


@pytest.fixture(scope="module")
def unpublished(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A store with everything until 10 January at 05:30 and nothing published."""
    desk = Desk(tmp_path_factory.mktemp("unpublished"))
    desk.take(
        *(
            taken
            for taken in usual_days("2026-01-07", "2026-01-10")
            if taken.instant < at("2026-01-10 06:00:00")
        )
    )
    return desk


def published_by(desk: Desk, folder: Path, seed: str, zone: str, language: str) -> dict[str, bytes]:
    """Return what a process with this hash seed, time zone and locale publishes from a copy of the store."""
    copy = desk.copy(folder)
    environment = os.environ | {"TZ": zone, "LC_ALL": language, "LANG": language, "PYTHONHASHSEED": seed}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    command = [sys.executable, "-c", PUBLISH, str(copy.store.path), str(copy.head), *INSTANTS]
    subprocess.run(command, env=environment, check=True)
    return copy.files()


@pytest.fixture(scope="module")
def wanted(unpublished: Desk, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return published_by(
        unpublished, tmp_path_factory.mktemp("wanted") / "desk", "1", "Asia/Kolkata", "C.UTF-8"
    )


@pytest.mark.parametrize(
    ("seed", "zone", "language"),
    [
        pytest.param(*combination, marks=[] if combination in FEW else [pytest.mark.long])
        for combination in PAIRS
    ],
)
def test_the_same_publication_under_every_hash_seed_time_zone_and_locale(
    unpublished: Desk, wanted: dict[str, bytes], tmp_path: Path, seed: str, zone: str, language: str
) -> None:
    found = published_by(unpublished, tmp_path / "desk", seed, zone, language)
    assert found.keys() == wanted.keys()
    assert [path for path in wanted if found[path] != wanted[path]] == []
    assert sum(path.endswith(".parquet") for path in wanted) > len(INSTANTS)
