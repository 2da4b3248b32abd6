"""The doctor: a sound store is said to be sound, and one bit anywhere in any of its files is found."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from generated import market
from markets import make_store
from mtok.archive import KIND_RANKINGS, Collector, Store
from mtok.calendar import DAY
from mtok.cli.keeping import diagnosis_content, diagnosis_page
from mtok.cli.layout import WIDTH_MIN
from mtok.day import determine_days
from mtok.doctor import Diagnosis, examine
from mtok.errors import EnvironmentFailed
from mtok.observations import Observations
from mtok.progress import silent
from test_archive import archive, contents, noise, responses
from test_backup import flip

TAKEN = market(3)


@pytest.fixture(scope="module")
def determined(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with observations and determinations, to be copied."""
    store = make_store(tmp_path_factory.mktemp("determined") / "store", TAKEN)
    determine_days(store)
    return store.path


@pytest.fixture
def store(determined: Path, tmp_path: Path) -> Store:
    """A copy of it."""
    return Store.open(Path(shutil.copytree(determined, tmp_path / "store")))


def codes(diagnosis: Diagnosis) -> dict[str, list[str]]:
    """Return where each code was found."""
    found: dict[str, list[str]] = {}
    for finding in diagnosis.findings:
        assert finding.found
        assert finding.remedy
        found.setdefault(finding.code, []).append(finding.where)
    return found


def examined(store: Store) -> dict[str, list[str]]:
    """Return where each code is found, and check that the verdict goes with it."""
    diagnosis = examine(store, silent)
    found = codes(diagnosis)
    assert diagnosis.sound == (found.keys() <= {"object_unregistered", "register_torn"})
    return found


def one(store: Store, pattern: str) -> Path:
    """Return a file in the middle of those that a pattern matches."""
    found = sorted(store.path.glob(pattern))
    return found[len(found) // 2]


def name(store: Store, path: Path) -> str:
    return path.relative_to(store.path).as_posix()


# ---- a sound store


def test_a_sound_store_is_sound_and_left_as_it_is(store: Store) -> None:
    before = contents(store.path)
    steps: list[tuple[str, int, int]] = []
    diagnosis = examine(store, lambda *step: steps.append(step))
    assert diagnosis.sound
    assert not diagnosis.findings
    assert not diagnosis.not_examined
    assert diagnosis.captures == len(TAKEN)
    assert diagnosis.objects == len(list(store.path.glob("objects/*/*.zst")))
    assert diagnosis.observations == len([name for name in before if name.startswith("observations/")])
    assert diagnosis.records == sum(
        raw.count(b"\n")
        for name, raw in before.items()
        if name.endswith(".jsonl") and "determinations" in name
    )
    assert contents(store.path) == before
    assert {"rehashing", "observing"} <= {what for what, _, _ in steps}


def test_a_store_without_anything_is_sound(tmp_path: Path) -> None:
    diagnosis = examine(Store.create(tmp_path), silent)
    assert (diagnosis.sound, diagnosis.captures, diagnosis.records) == (True, 0, 0)


def test_a_store_that_grew_in_steps_is_sound_after_each(tmp_path: Path) -> None:
    """Observations and records may each be behind the register: they are compared with what they were made from."""
    store = make_store(tmp_path / "store", TAKEN)
    volumes_first = sorted(TAKEN, key=lambda taken: (taken.kind != KIND_RANKINGS, taken.instant))
    everything = [taken.response() for taken in volumes_first]
    shutil.rmtree(store.path / "captures")
    half = len(everything) // 2
    archive(store.path, everything[:half])
    assert examine(store, silent).not_examined == ("observations, since there are none",)
    determine_days(store)
    archive(store.path, everything[half:-1])
    assert not examined(store).keys() - {"object_unregistered"}
    with store.writing():
        Observations(store).refresh(silent)
    archive(store.path, everything[-1:])
    assert not examined(store)
    determine_days(store)
    assert not examined(store)


def test_records_of_other_days_and_other_instants_are_sound(store: Store) -> None:
    last = max(taken.instant for taken in TAKEN)
    determine_days(store, last_day=last // DAY + 3)
    determine_days(store, as_of=last)
    assert len(list(store.path.glob("determinations/1.0/*/"))) >= 2
    assert not examined(store)


def test_a_collector_that_writes_is_waited_for(store: Store) -> None:
    with Store(store.path).writing(), pytest.raises(EnvironmentFailed) as caught:
        examine(store, silent)
    assert caught.value.code == "store_in_use"


# ---- one bit


def flip_each(paths: list[Path]) -> list[Path]:
    """Flip a bit in each file, further on in each than in the one before: first bytes, last bytes, all between."""
    for number, path in enumerate(paths):
        flip(path, (path.stat().st_size - 1) * number // max(len(paths) - 1, 1))
    return paths


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("objects/*/*.zst", {"object_damaged"}),
        ("observations/*/*.parquet", {"observations_differ"}),
        ("determinations/1.0/all/*/*/*.jsonl", {"determinations_damaged", "determinations_differ"}),
    ],
)
def test_a_flipped_bit_in_each_of_many_files_is_found_in_each(
    pattern: str, expected: set[str], store: Store
) -> None:
    paths = flip_each(sorted(store.path.glob(pattern)))
    assert len(paths) > 5
    found = examined(store)
    listed = {where for code in expected for where in found.get(code, [])}
    assert listed == {name(store, path) for path in paths}


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("captures/register.jsonl", {"register_damaged", "register_torn"}),
        ("observations/manifest.json", {"observations_differ"}),
        ("determinations/1.0/rankings-daily.run.json", {"determinations_differ", "determinations_outdated"}),
    ],
)
def test_a_flipped_bit_anywhere_in_a_file_is_found(file: str, expected: set[str], store: Store) -> None:
    path = store.path / file
    sound = path.read_bytes()
    for byte in (0, len(sound) // 3, len(sound) - 1):
        flip(path, byte)
        diagnosis = examine(store, silent)
        assert not diagnosis.sound
        assert file in [finding.where for finding in diagnosis.findings if finding.code in expected]
        path.write_bytes(sound)


def test_a_flipped_bit_in_the_parameters_is_found(store: Store) -> None:
    """Parameters that can still be read are others than those the records were determined under."""
    parameters = store.parameters
    entries = tuple(
        Collector(collector=f"{entry.collector}x", rank=entry.rank) for entry in parameters.collectors
    )
    store.write_parameters(type(parameters)(collectors=entries))
    assert examined(store) == {"determinations_outdated": ["determinations/1.0/rankings-daily.run.json"]}


def test_a_changed_last_line_of_the_register_is_found_by_what_was_made_from_it(store: Store) -> None:
    """No later line vouches for it, and what is changed here is in no observation; the positions noted vouch for it."""
    path = store.register.path
    *before, last = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*before, last.replace(b"test market", b"best market")]))
    assert examined(store) == {
        "observations_differ": ["observations/manifest.json"],
        "determinations_outdated": ["determinations/1.0/rankings-daily.run.json"],
    }


# ---- files that are gone, or too many


def test_every_damage_is_listed_not_the_first_alone(store: Store) -> None:
    first, second, third, *_ = sorted(store.path.glob("objects/*/*.zst"))
    flip(first)
    flip(second)
    third.unlink()
    months = sorted(store.path.glob("determinations/1.0/all/*/*/*.jsonl"))[:2]
    for path in months:
        path.write_bytes(path.read_bytes()[:-1])
    diagnosis = examine(store, silent)
    assert codes(diagnosis) == {
        "object_missing": [name(store, third)],
        "object_damaged": [name(store, first), name(store, second)],
        "determinations_damaged": [name(store, path) for path in months],
    }
    assert len(diagnosis.not_examined) == 1
    page = "\n".join(diagnosis_page(diagnosis, store.path))
    assert all(name(store, path) in page for path in (first, second, third, *months))
    assert "is not sound" in page
    assert diagnosis_content(diagnosis)["sound"] is False


def test_every_damaged_line_of_the_register_is_listed(store: Store) -> None:
    lines = store.register.path.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1].replace(b"test market", b"best market")
    lines[4] = b"{}\n"
    store.register.path.write_bytes(b"".join(lines))
    found = [finding.found.split(" of ")[0] for finding in examine(store, silent).findings]
    assert found[:3] == ["line 3", "line 5", "line 6"]


def test_a_wrong_size_in_the_register_is_found(tmp_path: Path) -> None:
    archive(tmp_path, responses(2))
    store = Store.open(tmp_path)
    raw = store.register.path.read_bytes()
    start = raw.rindex(b'"bytes":"300"')
    store.register.path.write_bytes(raw[:start] + b'"bytes":"301"' + raw[start + 13 :])
    assert examined(store) == {"register_damaged": ["captures/register.jsonl"]}


def test_objects_that_nobody_registered_are_listed_and_harmless(store: Store) -> None:
    sha256 = store.objects.put(noise(99, 100))
    stray = store.path / "objects" / "notes.txt"
    stray.write_bytes(b"mine")
    listed = sorted(name(store, path) for path in (store.objects.path(sha256), stray))
    assert examined(store) == {"object_unregistered": listed}
    flip(store.objects.path(sha256))
    assert examined(store)["object_damaged"] == [name(store, store.objects.path(sha256))]


def test_a_torn_last_line_is_told_and_harmless(tmp_path: Path) -> None:
    archive(tmp_path, responses(2))
    with (tmp_path / "captures" / "register.jsonl").open("ab") as file:
        file.write(b'{"bytes"')
    assert examined(Store.open(tmp_path)) == {"register_torn": ["captures/register.jsonl"]}


def test_observations_that_are_gone_or_too_many_are_listed(store: Store) -> None:
    gone = one(store, "observations/*/volumes.parquet")
    gone.unlink()
    (store.path / "observations" / "1999-01-01").mkdir()
    (store.path / "observations" / "1999-01-01" / "volumes.parquet").write_bytes(b"")
    assert examined(store) == {
        "observations_missing": [name(store, gone)],
        "observations_left_over": ["observations/1999-01-01/volumes.parquet"],
    }


def test_a_month_that_is_gone_is_listed(store: Store) -> None:
    gone = one(store, "determinations/1.0/all/*/*/*.jsonl")
    gone.unlink()
    found = examined(store)
    assert found["determinations_missing"] == [name(store, gone)]


def forge(path: Path) -> None:
    """Change a token total in the last record of a month, canonical as before: no later record names it."""
    *before, last = path.read_bytes().splitlines(keepends=True)
    changed = last.replace(b'"w":"', b'"w":"1', 1)
    assert changed != last
    path.write_bytes(b"".join([*before, changed]))


def test_a_forged_record_that_no_other_names_is_found_by_determining_again(store: Store) -> None:
    path = sorted(store.path.glob("determinations/1.0/all/*/openai/*.jsonl"))[-1]
    forge(path)
    assert examined(store) == {"determinations_differ": [name(store, path)]}
    finding = examine(store, silent).findings[0]
    assert "1 of its records differ" in finding.found


def test_a_forged_record_as_of_an_instant_is_found_where_a_later_one_names_it(store: Store) -> None:
    determine_days(store, as_of=max(taken.instant for taken in TAKEN))
    path = one(store, "determinations/1.0/2*/*/openai/*.jsonl")
    first, *rest = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([first.replace(b'"w":"', b'"w":"1', 1), *rest]))
    assert set(examined(store)) == {"determinations_damaged"}


@pytest.mark.parametrize("pattern", ["observations/manifest.json", "observations/*/prices.parquet"])
def test_the_remedy_for_observations_works(pattern: str, store: Store) -> None:
    """As it says: delete the folder, `mtok determine`."""
    expected = contents(store.path)
    flip(one(store, pattern))
    assert examined(store)
    shutil.rmtree(store.path / "observations")
    determine_days(store)
    assert contents(store.path) == expected
    assert not examined(store)


def test_the_remedy_for_determinations_works(store: Store) -> None:
    """As it says: delete the file and the note of the run, `mtok determine`."""
    expected = contents(store.path)
    path = one(store, "determinations/1.0/all/*/*/*.jsonl")
    forge(path)
    remedy = examine(store, silent).findings[0].remedy
    assert "Delete it and determinations/1.0/rankings-daily.run.json" in remedy
    path.unlink()
    (store.path / "determinations" / "1.0" / "rankings-daily.run.json").unlink()
    determine_days(store)
    assert contents(store.path) == expected
    assert not examined(store)


def test_the_page_fits(store: Store) -> None:
    flip(one(store, "observations/*/prices.parquet"))
    lines = diagnosis_page(examine(store, silent), Path("store"))
    assert lines[0] == "store        store is not sound: see below what to do"
    assert all(len(line) <= WIDTH_MIN for line in lines)
