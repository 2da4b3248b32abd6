"""Settlement marks in the log: what they may rest on, what is refused, and what both verifiers find of signed lies."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mtok.archive.backup import back_up
from mtok.archive.published_files import PublishedFiles
from mtok.canonical import canonical_bytes
from mtok.client import open_source, verify
from mtok.doctor import examine_publication
from mtok.errors import EnvironmentFailed, MtokError
from mtok.notes import PrivateKey
from mtok.progress import silent
from mtok.proofs import check_consistency, check_inclusion, leaf_hash
from mtok.publication.marks import (
    CARRY_DAYS_MAX,
    MARKS_MAX,
    MarkPrint,
    Source,
    marks_of,
    refuse_unfit,
    source_at,
    sources_of,
)
from mtok.publication.sealing import Pending, Sealing
from mtok.venue.logged import logged
from mtok.venue.opened import Opening
from parcels import Signer, sealed, write
from presses import HOUR, ORIGIN, Desk, at, posted, ranked, usual_day
from test_publication_interruptions import broken_off
from test_standalone import failures
from test_standalone import verify as standalone

pytestmark = pytest.mark.usefixtures("quick_disk")

KEY = Signer(0, ORIGIN)
D6, D7, D8 = "2026-01-06", "2026-01-07", "2026-01-08"
DAY_8, DAY_9 = (at(f"2026-01-0{day} 00:00:00") // (24 * HOUR) for day in (8, 9))
REASONS = "5" * 64
FIRST, SECOND = ("amber-heron", "cobalt-finch"), ("dusky-plover", "ebony-wren")
"""Preparer and approver of a mark, and of its correction."""
MODEL = "model:openai/a"
DEAR = {"openai/a": "0.00005", "openai/b": "0.000011", "qwen/q": "0.000012"}


def mark_on(source: Source, **changes: Any) -> MarkPrint:
    """Return the first mark that rests on a source."""
    preparer, approver = FIRST
    mark = MarkPrint(
        reference=source.reference,
        methodology=source.methodology,
        date=source.date,
        version=0,
        state="published",
        value=source.value or 0,
        source_index=source.index,
        fallback_level="F0",
        preparer=preparer,
        approver=approver,
    )
    return msgspec.structs.replace(mark, **changes)


def in_state(mark: MarkPrint, state: str, **changes: Any) -> MarkPrint:
    """Return a mark as it is printed in another state."""
    return msgspec.structs.replace(mark, state=state, **changes)


def corrected_to(mark: MarkPrint, source: Source, **changes: Any) -> MarkPrint:
    """Return the correction of a mark by two others."""
    fields = {"version": mark.version + 1, "value": source.value, "source_index": source.index} | changes
    preparer, approver = SECOND
    return in_state(mark, "corrected", **{"preparer": preparer, "approver": approver} | fields)


@pytest.fixture(scope="module")
def before(begun: Desk, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A desk with 8 January as prelim, as final and restated: by then openai/a was far dearer for four hours."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("os.fsync", lambda _: None)
        desk = begun.copy(tmp_path_factory.mktemp("before") / "desk", usual_day(DAY_9))
        desk.publish("2026-01-09 06:30:00")
        desk.take(posted(at("2026-01-08 23:00:00")))
        desk.publish("2026-01-09 14:00:00")
        desk.take(posted(at("2026-01-08 20:00:00"), DEAR))
        desk.take(ranked(at("2026-01-09 14:30:00"), [DAY_8], {"openai/a": 2_000_000, "openai/b": 1_000_000}))
        desk.restate("2026-01-09 15:00:00", D8)
    return desk


def the_source(desk: Desk, reference: str, date: str, vintage: int) -> Source:
    """Return the source of a reference, a date and a vintage."""
    return next(one for one in sources_of(desk.published, reference, date) if one.vintage == vintage)


def openai_8(desk: Desk) -> MarkPrint:
    """Return the first mark of openai on 8 January."""
    return mark_on(the_source(desk, "openai", D8, 1))


def in_all_states(desk: Desk) -> list[list[MarkPrint]]:
    """Return marks of both kinds of reference and all states, by publication; the last one is a mark alone."""
    final = {name: the_source(desk, name, D8, 1) for name in ("openai", MODEL)}
    restated = {name: the_source(desk, name, D8, 2) for name in final}
    first = {name: mark_on(source) for name, source in final.items()}
    other = mark_on(the_source(desk, "openai", D7, 0), version=3, fallback_level="F1")
    loose = mark_on(the_source(desk, "openai", D6, 0))
    carried = mark_on(the_source(desk, "qwen", D7, 0), date="2026-01-09", fallback_level="F3")
    last = mark_on(the_source(desk, "qwen", D7, 0), date="2026-01-20", fallback_level="F5")
    upheld = in_state(other, "upheld", reasons_sha256=REASONS)
    corrected = {name: corrected_to(mark, restated[name]) for name, mark in first.items()}
    locked = [in_state(one, "locked") for one in (upheld, carried, *corrected.values())]
    probe = mark_on(the_source(desk, "qwen", D8, 1))
    return [[*first.values(), other, carried, loose], [upheld, last, *corrected.values()], locked, [probe]]


@pytest.fixture(scope="module")
def marked(before: Desk, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """The same desk with marks in all states, in four publications; the last holds one of qwen alone."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("os.fsync", lambda _: None)
        desk = before.copy(tmp_path_factory.mktemp("marked") / "desk")
        for number, marks in enumerate(in_all_states(desk)):
            desk.mark(f"2026-01-09 18:0{number}:00", *marks)
    return desk


# ---- sources


def test_the_sources_of_a_point_are_its_vintages(before: Desk) -> None:
    found = sources_of(before.published, "openai", D8)
    assert [(one.stage, one.vintage, one.reason) for one in found] == [
        ("prelim", 0, None),
        ("final", 1, None),
        ("final", 2, "parser_bug"),
    ]
    records = before.records(D8)
    for source, record in zip(found, records, strict=True):
        assert source.value == int((record.value or "").replace(".", ""))
        assert (source.sha256, source.known_at, source.quality) == (
            record.sha256,
            record.known_at,
            record.quality,
        )
        assert (source.reasons, source.notes) == (record.reasons, record.notes)
        assert source == source_at(before.published, source.index, "openai")
    [withheld] = sources_of(before.published, "anthropic", D7)
    assert (withheld.value, withheld.quality, withheld.reasons) == (None, "withheld", ("no_priced_volume",))
    assert sources_of(before.published, "openai", "2026-02-01") == []
    assert sources_of(before.published, "nobody", D8) == []


def test_the_sources_of_a_model_are_its_prices_as_the_tables_have_them(before: Desk) -> None:
    found = sources_of(before.published, MODEL, D8)
    entries = before.entries("prices", date=D8)
    assert [(one.stage, one.vintage, one.reason) for one in found] == [
        ("prelim", 0, None),
        ("final", 1, None),
        ("final", 2, "parser_bug"),
    ]
    for source, entry in zip(found, entries, strict=True):
        table = json.loads((before.folder / entry["path"]).read_bytes())
        [row] = [one for one in table["prices"] if one["constituent"] == "openai/a"]
        assert source.value == int(row["price_usd_per_mtok"].replace(".", ""))
        assert (source.sha256, source.known_at, source.methodology) == (entry["sha256"], entry["time"], "1.0")
        assert source == source_at(before.published, source.index, MODEL)
    assert sources_of(before.published, "model:openai/zzz", D8) == []


def test_a_price_far_from_the_one_before_is_noted_and_a_price_of_another_day_is_estimated(
    before: Desk, tmp_path: Path
) -> None:
    """By hand: 10.08 before; the restated day has 5/24 of it at 50 or more, which is above a fifth."""
    assert [one.notes for one in sources_of(before.published, MODEL, D8)] == [(), (), ("jump",)]
    assert [one.quality for one in sources_of(before.published, MODEL, D8)] == ["good"] * 3
    desk = before.copy(tmp_path / "desk")
    desk.take(ranked(at("2026-01-12 05:00:00"), [DAY_9 + 2]))
    desk.publish("2026-01-12 14:00:00")
    [source] = sources_of(desk.published, MODEL, "2026-01-11")
    assert (source.quality, source.stage) == ("estimated", "final")


@pytest.mark.parametrize(("price", "notes"), [("0.000012", ()), ("0.000012000001", ("jump",))])
def test_the_jump_of_a_price_is_more_than_a_fifth_to_the_digit(
    tmp_path: Path, price: str, notes: tuple[str, ...]
) -> None:
    days = (at("2026-01-08 00:00:00"), at("2026-01-09 00:00:00"))
    market = [posted(days[0], DEAR | {"openai/a": "0.00001"}), posted(days[1], DEAR | {"openai/a": price})]
    desk = Desk(tmp_path / "desk", [*market, ranked(at("2026-01-10 05:00:00"), [DAY_8, DAY_9])])
    desk.publish("2026-01-10 14:00:00")
    assert the_source(desk, MODEL, "2026-01-09", 0).notes == notes


@pytest.mark.parametrize(
    ("index", "reference", "code"),
    [
        (10, "qwen", "source_unknown"),
        (0, "openai", "source_unknown"),
        (-1, "openai", "source_unknown"),
        (10**6, "openai", "source_unknown"),
        (16, "openai", "source_unknown"),
        (10, MODEL, "source_unknown"),
        (16, "model:openai/zzz", "not_listed"),
        (16, "model:openai/a:free", "source_unknown"),
        (16, "model:../../a", "source_unknown"),
    ],
)
def test_what_is_no_source(before: Desk, index: int, reference: str, code: str) -> None:
    with pytest.raises(MtokError) as refused:
        source_at(before.published, index, reference)
    assert refused.value.code == code
    assert refused.value.remedy


def test_a_table_of_prices_that_was_changed_is_no_source(before: Desk, tmp_path: Path) -> None:
    desk = before.copy(tmp_path / "desk")
    source = the_source(desk, MODEL, D8, 1)
    path = desk.folder / f"prices/{D8}.json"
    path.write_bytes(path.read_bytes().replace(b"10.", b"11."))
    with pytest.raises(EnvironmentFailed) as refused:
        source_at(desk.published, source.index, MODEL)
    assert refused.value.code == "publication_damaged"


# ---- printed


def test_marks_of_all_states_and_references_are_accepted_by_both_verifiers(marked: Desk) -> None:
    assert marked.findings() == []
    assert failures(marked.folder, KEY) == []
    report = verify(open_source(marked.folder), [marked.key])
    assert report.counts["marks"] == sum(map(len, in_all_states(marked))) == 14
    assert report.passed_over == {}
    states = {(one.state, one.reference.partition(":")[0]) for one in marks_of(marked.published.entries)}
    assert states >= {
        (state, kind) for state in ("published", "corrected", "locked") for kind in ("openai", "model")
    }


def test_entries_say_what_was_printed_in_the_order_of_the_format(marked: Desk) -> None:
    [first, *_] = in_all_states(marked)
    time = "2026-01-09T18:00:00Z"
    entries = [one for one in marked.published.entries if one["time"] == time]
    assert [one["type"] for one in entries] == ["mark"] * 5 + ["asof"]
    places = [(one["date"], one["reference"]) for one in entries[:-1]]
    assert places == sorted(places)
    entry = next(one for one in entries if one.get("reference") == MODEL)
    source = the_source(marked, MODEL, D8, 1)
    assert entry == {
        "v": "1",
        "type": "mark",
        "time": time,
        "reference": MODEL,
        "methodology": "1.0",
        "date": D8,
        "mark_version": "0",
        "state": "published",
        "value": f"{source.value or 0:08}"[:-6] + "." + f"{source.value or 0:08}"[-6:],
        "unit": "USD_PER_MTOK_OUTPUT",
        "source_point_index": str(source.index),
        "fallback_level": "F0",
        "preparer_pseudonym": FIRST[0],
        "approver_pseudonym": FIRST[1],
    }
    found = marks_of(marked.published.entries)
    assert set(first) <= found.keys()
    assert all(marked.published.entries[found[mark]]["reference"] == mark.reference for mark in first)


def test_everything_that_reads_files_knows_the_proofs_of_marks(marked: Desk, tmp_path: Path) -> None:
    files = PublishedFiles(marked.folder)
    assert list(files.damages()) == []
    assert files.unlisted == []
    assert list(examine_publication(files)) == []
    back_up(marked.store, tmp_path / "backup", silent)
    now = Opening(marked.folder).now()
    for mark in marks_of(marked.published.entries):
        raw = (marked.folder / mark.proof).read_bytes()
        assert (tmp_path / "backup" / "publication" / mark.proof).read_bytes() == raw
        assert logged(now, mark.proof) == raw
        assert files.fault_of(mark.proof, raw.replace(b"index ", b"index 1"))
    assert (marked.folder / f"proofs/marks/model/openai/a/{D8}.1.corrected.tlog-proof").exists()


def test_the_same_again_says_nothing_and_returns_the_same_places(marked: Desk, tmp_path: Path) -> None:
    desk = marked.copy(tmp_path / "desk")
    marks = [mark for marks in in_all_states(desk) for mark in marks]
    held = desk.files()
    places = desk.mark("2026-01-09 19:00:00", *marks)
    assert desk.files() == held
    found = marks_of(desk.published.entries)
    assert places == [found[mark] for mark in marks]
    assert desk.mark("2026-01-09 19:00:00") == []
    new = mark_on(the_source(desk, "qwen", D6, 0))
    [*same, added, again] = desk.mark("2026-01-09 19:00:01", *marks, new, new)
    assert same == places
    assert added == again == desk.published.size - 2


@pytest.mark.parametrize(
    "step", ["after pending", "before a tile", "before the head", "before a proof", "before the sums"]
)
def test_an_interrupted_publication_is_completed_and_every_mark_is_there_once(
    before: Desk, tmp_path: Path, step: str
) -> None:
    desk = before.copy(tmp_path / "desk")
    first, second = openai_8(desk), mark_on(the_source(desk, MODEL, D8, 1))
    broken_off(lambda: desk.mark("2026-01-09 18:00:00", first, second), step)
    third = mark_on(the_source(desk, "qwen", D8, 1))
    places = desk.mark("2026-01-09 18:00:07", first, second, third)
    found = desk.entries("mark")
    assert len(found) == len(set(places)) == 3
    assert [desk.published.entries[place]["reference"] for place in places] == ["openai", MODEL, "qwen"]
    assert [one["time"] for one in found] == ["2026-01-09T18:00:00Z"] * 2 + ["2026-01-09T18:00:07Z"]
    assert desk.findings() == []


def test_one_publication_may_hold_a_mark_and_what_follows_it(before: Desk, tmp_path: Path) -> None:
    desk = before.copy(tmp_path / "desk")
    first = openai_8(desk)
    corrected = corrected_to(first, the_source(desk, "openai", D8, 2))
    desk.mark("2026-01-09 18:00:00", in_state(corrected, "locked"), corrected, first)
    assert [one["state"] for one in desk.entries("mark")] == ["published", "corrected", "locked"]
    assert desk.findings() == []
    assert failures(desk.folder, KEY) == []


# ---- refused by the publisher

Refused = Callable[[Desk], Sequence[MarkPrint]]


def _refusals() -> dict[str, tuple[str, Refused]]:
    """Return by name the code, and the marks after those that the desk has printed, `marked` without its last."""
    source: Callable[..., Source] = the_source

    def qwen(**changes: Any) -> Refused:
        return lambda desk: [mark_on(source(desk, "qwen", D8, 1), **changes)]

    def loose(make: Callable[[MarkPrint], MarkPrint]) -> Refused:
        return lambda desk: [make(mark_on(source(desk, "openai", D6, 0)))]

    def correction(date: str, **changes: Any) -> Refused:
        def corrected(desk: Desk) -> Sequence[MarkPrint]:
            mark = mark_on(source(desk, "openai", D6, 0))
            return [corrected_to(mark, source(desk, "openai", date, 0), fallback_level="F5", **changes)]

        return corrected

    def locked_before(desk: Desk) -> MarkPrint:
        return corrected_to(openai_8(desk), source(desk, "openai", D8, 2))

    return {
        "another value": ("mark_value_differs", qwen(value=1)),
        "no value": ("mark_value_differs", lambda desk: [mark_on(source(desk, "anthropic", D7, 0))]),
        "prelim": ("mark_not_final", lambda desk: [mark_on(source(desk, "qwen", D8, 0))]),
        "backfill": ("mark_not_final", lambda desk: [mark_on(source(desk, "openai", "2026-01-04", 0))]),
        "prelim prices": ("mark_not_final", lambda desk: [mark_on(source(desk, "model:qwen/q", D8, 0))]),
        "F0 of another date": ("mark_level", qwen(date="2026-01-09")),
        "F1 of another date": ("mark_level", qwen(date="2026-01-09", fallback_level="F1")),
        "F3 of its date": ("mark_level", qwen(fallback_level="F3")),
        "F3 too old": ("mark_level", qwen(date=f"2026-01-{8 + CARRY_DAYS_MAX + 1:02}", fallback_level="F3")),
        "F5 of a later date": ("mark_level", qwen(date=D7, fallback_level="F5")),
        "F2": ("mark_level", qwen(fallback_level="F2")),
        "F4": ("mark_level", qwen(fallback_level="F4")),
        "one person": ("mark_one_person", qwen(approver=FIRST[0])),
        "a short pseudonym": ("mark_invalid", qwen(approver="heron")),
        "a name": ("mark_invalid", qwen(preparer="Amber Heron")),
        "an unknown state": ("mark_invalid", qwen(state="disputed")),
        "a version below 0": ("mark_invalid", qwen(version=-1)),
        "no date": ("mark_invalid", qwen(date="2026-1-8")),
        "no digest": ("mark_invalid", qwen(reasons_sha256="x")),
        "another methodology": ("source_unknown", qwen(methodology="2.0")),
        "another series": ("source_unknown", qwen(reference="openai")),
        "beyond the log": ("source_unknown", qwen(source_index=10**6)),
        "a model not listed": (
            "not_listed",
            lambda desk: [mark_on(source(desk, MODEL, D8, 1), reference="model:openai/zzz")],
        ),
        "first upheld": ("mark_order", qwen(state="upheld")),
        "first corrected": ("mark_order", qwen(state="corrected")),
        "first locked": ("mark_order", qwen(state="locked")),
        "published twice": ("mark_order", loose(lambda one: in_state(one, "published", version=1))),
        "upheld with another level": (
            "mark_order",
            loose(lambda one: in_state(one, "upheld", fallback_level="F1")),
        ),
        "locked with reasons": (
            "mark_order",
            loose(lambda one: in_state(one, "locked", reasons_sha256=REASONS)),
        ),
        "locked by others": ("mark_order", loose(lambda one: in_state(one, "locked", approver=SECOND[1]))),
        "corrected to the same": ("mark_order", correction(D6)),
        "corrected by one of them": ("mark_order", correction("2026-01-05", approver=FIRST[0])),
        "corrected without a version": ("mark_order", correction("2026-01-05", version=0)),
        "upheld after locked": ("mark_order", lambda desk: [in_state(locked_before(desk), "upheld")]),
        "locked twice": ("mark_order", lambda desk: [in_state(locked_before(desk), "locked", version=2)]),
        "one unfit of two": (
            "mark_not_final",
            lambda desk: [
                mark_on(source(desk, "openai", "2026-01-05", 0)),
                mark_on(source(desk, "qwen", D8, 0)),
            ],
        ),
    }


REFUSALS = _refusals()


@pytest.mark.parametrize("name", REFUSALS)
def test_an_unfit_mark_is_refused_and_nothing_is_written(refusing: Desk, name: str) -> None:
    code, marks = REFUSALS[name]
    held = refusing.files()
    with pytest.raises(MtokError) as refused:
        refusing.mark("2026-01-09 20:00:00", *marks(refusing))
    assert refused.value.code == code
    assert refused.value.remedy
    assert refusing.files() == held


@pytest.fixture(scope="module")
def refusing(before: Desk, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """The desk with all marks but the last, which nothing of the tests before changes."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("os.fsync", lambda _: None)
        desk = before.copy(tmp_path_factory.mktemp("refusing") / "desk")
        for number, marks in enumerate(in_all_states(desk)[:-1]):
            desk.mark(f"2026-01-09 18:0{number}:00", *marks)
    return desk


def test_more_marks_than_a_publication_takes_are_refused(refusing: Desk) -> None:
    mark = mark_on(the_source(refusing, "qwen", D8, 1))
    with pytest.raises(MtokError) as refused:
        refusing.mark("2026-01-09 20:00:00", *[mark] * (MARKS_MAX + 1))
    assert refused.value.code == "marks_too_many"


def test_marks_of_two_methodologies_have_proofs_of_two_names(refusing: Desk) -> None:
    """No second methodology is published yet, so the marks before are made up."""
    mark = mark_on(the_source(refusing, "qwen", D8, 1))
    with pytest.raises(MtokError) as refused:
        refuse_unfit(refusing.published, mark, [msgspec.structs.replace(mark, methodology="2.0")])
    assert refused.value.code == "mark_order"
    refuse_unfit(refusing.published, mark, [msgspec.structs.replace(mark, methodology="2.0", version=1)])
    refuse_unfit(refusing.published, mark)


# ---- signed lies

Lie = Callable[[Desk], dict[str, Any]]
"""What the last mark, of qwen on 8 January, says instead."""


def on(reference: str, date: str, vintage: int, /, **changes: Any) -> Lie:
    """Say that it rests on another source, with its value."""

    def lie(desk: Desk) -> dict[str, Any]:
        source = the_source(desk, reference, date, vintage)
        fields = mark_on(source).fields
        return {name: fields[name] for name in ("source_point_index", "value")} | changes

    return lie


def following(reference: str, date: str, state: str, /, **changes: Any) -> Lie:
    """Say what the last mark of a reference and date says, in another state."""

    def lie(desk: Desk) -> dict[str, Any]:
        before = desk.entries("mark", reference=reference, date=date)[-1]
        return (
            {name: before.get(name) for name in {*before, "reasons_sha256"} - {"time"}}
            | {"state": state}
            | changes
        )

    return lie


def says(**changes: Any) -> Lie:
    """Say something else in some fields."""
    return lambda _: changes


OTHERS = {"preparer_pseudonym": SECOND[0], "approver_pseudonym": SECOND[1]}
PROOF = "proof_refused"
LIES: dict[str, tuple[Lie, set[str], str]] = {
    "wrong value": (says(value="1.000000"), {"mark_value_differs"}, "value of the mark is"),
    "prelim source": (on("qwen", D8, 0), {"mark_not_final"}, "stage is prelim"),
    "withheld source": (
        on("anthropic", D8, 1, reference="anthropic", value="0.000000"),
        {"mark_value_differs"},
        "value of the mark is",
    ),
    "other series' index": (on("openai", D8, 1), {"mark_source"}, "no value of qwen"),
    "a table for a series": (on(MODEL, D8, 1), {"mark_source"}, "no value of qwen"),
    "a point for a model": (
        on("openai", D8, 1, reference=MODEL, date="2026-01-30", fallback_level="F5"),
        {"mark_source"},
        "type is point",
    ),
    "its own index": (
        lambda desk: {"source_point_index": str(desk.published.size - 2)},
        {"mark_source"},
        "is in no earlier publication",
    ),
    "index above": (says(source_point_index="9" * 18), {"mark_source"}, "is in no earlier publication"),
    "an index of something else": (says(source_point_index="0"), {"mark_source"}, "no value of qwen"),
    "one person twice": (says(approver_pseudonym=FIRST[0]), {"mark_one_person"}, "one person has prepared"),
    "locked twice": (following("openai", D8, "locked"), {"mark_order", PROOF}, "locked cannot follow locked"),
    "upheld after locked": (following("openai", D8, "upheld"), {"mark_order"}, "upheld cannot follow locked"),
    "first locked": (says(state="locked"), {"mark_order"}, "locked cannot follow nothing"),
    "corrected to the same source": (
        following("openai", D6, "corrected", mark_version="1", **OTHERS),
        {"mark_order"},
        "corrected to the same value",
    ),
    "corrected by one of them": (
        on(
            "openai",
            "2026-01-05",
            0,
            reference="openai",
            date=D6,
            state="corrected",
            mark_version="1",
            fallback_level="F5",
            preparer_pseudonym=SECOND[0],
            approver_pseudonym=FIRST[1],
        ),
        {"mark_order"},
        "a person behind the version before",
    ),
    "corrected without a version": (
        on(
            "openai",
            "2026-01-05",
            0,
            reference="openai",
            date=D6,
            state="corrected",
            fallback_level="F5",
            **OTHERS,
        ),
        {"mark_order"},
        "no greater version",
    ),
    "upheld by others": (
        following("openai", D6, "upheld", **OTHERS),
        {"mark_order"},
        "which was printed before",
    ),
    "locked with reasons": (
        following("openai", D6, "locked", reasons_sha256=REASONS),
        {"mark_order"},
        "reasons_sha256, which was printed before",
    ),
    "F0 with another date": (says(date="2026-01-10"), {"mark_level"}, "not fit for level F0"),
    "F3 of its date": (says(fallback_level="F3"), {"mark_level"}, "not fit for level F3"),
    "F3 too old": (says(date="2026-01-12", fallback_level="F3"), {"mark_level"}, "not fit for level F3"),
    "F5 of a later date": (says(date=D7, fallback_level="F5"), {"mark_level"}, "not fit for level F5"),
    "model not in the table": (
        on(MODEL, D8, 1, reference="model:openai/zzz"),
        {"mark_source"},
        "does not list openai/zzz",
    ),
    "price of another edition": (
        lambda desk: {
            **mark_on(the_source(desk, MODEL, D8, 1)).fields,
            "date": "2026-01-30",
            "fallback_level": "F5",
            "source_point_index": the_source(desk, MODEL, D8, 2).index,
        },
        {"mark_value_differs"},
        "value of the mark is",
    ),
    "prelim prices": (
        on("model:qwen/q", D8, 0, reference="model:qwen/q"),
        {"mark_not_final"},
        "stage is prelim",
    ),
    "another methodology": (says(methodology="2.0"), {"mark_source"}, "methodology is 1.0"),
}


def lied(desk: Desk, lie: Lie, path: Path) -> Path:
    """Return a copy of a publication whose last mark says something else, everything properly signed again."""
    *entries, last, asof = desk.published.raw_entries
    changed = canonical_bytes(json.loads(last) | lie(desk))
    return write(sealed(desk.files(), [*entries, changed, asof], KEY, ORIGIN), path)


def found_in(folder: Path, desk: Desk) -> set[str]:
    """Return the codes of what the client finds."""
    return {finding.code for finding in verify(open_source(folder), [desk.key]).findings}


def refusal(folder: Path) -> str:
    """Return what the standalone verifier says of log and marks alone, nothing where it refuses neither."""
    place = standalone.Place(str(folder))
    try:
        log = standalone.read_log(place, standalone.parse_key(KEY.vkey), set())
        standalone.check_marks(place, log)
    except standalone.Refused as refused:
        return str(refused)
    return ""


@pytest.mark.parametrize("name", LIES)
def test_a_lie_that_is_properly_signed_is_found_by_both_verifiers(
    marked: Desk, tmp_path: Path, name: str
) -> None:
    lie, codes, said = LIES[name]
    folder = lied(marked, lie, tmp_path / "publication")
    assert found_in(folder, marked) == codes
    text = refusal(folder)
    assert text.startswith(f"entry {marked.published.size - 2}: ")
    assert said in text
    if name == "wrong value":
        [line] = failures(folder, KEY)
        assert line == f"marks | log/ | {text}"


def test_a_publication_that_is_sealed_again_as_it_was_is_accepted(marked: Desk, tmp_path: Path) -> None:
    folder = lied(marked, says(), tmp_path / "publication")
    assert found_in(folder, marked) == set()
    assert failures(folder, KEY) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("fallback_level", "F2"),
        ("state", "disputed"),
        ("approver_pseudonym", "heron"),
        ("preparer_pseudonym", "Amber Heron"),
        ("value", "twelve"),
        ("mark_version", "-1"),
        ("reference", "model:../../x"),
        ("date", "2026-02-30"),
        ("reasons_sha256", "x"),
        ("source_point_index", None),
    ],
)
def test_a_field_that_is_not_in_its_form_is_found_by_both_verifiers(
    marked: Desk, tmp_path: Path, field: str, value: str | None
) -> None:
    folder = lied(marked, says(**{field: value}), tmp_path / "publication")
    assert "entry_malformed" in found_in(folder, marked)
    assert refusal(folder).startswith(f"entry {marked.published.size - 2}: ")


def test_marks_out_of_order_are_found_by_both_verifiers(marked: Desk, tmp_path: Path) -> None:
    """Two marks of one publication, exchanged; and a mark after the notice of the same publication."""
    entries = list(marked.published.raw_entries)
    at_first = next(place for place, one in enumerate(marked.published.entries) if one["type"] == "mark")
    entries[at_first : at_first + 2] = entries[at_first : at_first + 2][::-1]
    notice = {"v": "1", "type": "notice", "kind": "incident", "text": "A test."}
    time = marked.published.entries[-1]["time"]
    early = [*marked.published.raw_entries[:-2], canonical_bytes(notice | {"time": time})]
    for number, log in enumerate((entries, [*early, *marked.published.raw_entries[-2:]])):
        folder = write(sealed(marked.files(), log, KEY, ORIGIN), tmp_path / str(number))
        assert found_in(folder, marked) == {"entry_order"}
        assert any("mark out of order" in line for line in failures(folder, KEY))


def test_a_mark_on_a_value_of_its_own_publication_is_found_by_both_verifiers(
    marked: Desk, tmp_path: Path
) -> None:
    source = the_source(marked, "openai", D8, 2)
    entries = list(marked.published.raw_entries)
    end = next(
        place
        for place, one in enumerate(marked.published.entries)
        if (one["type"], one["time"]) == ("asof", source.known_at)
    )
    fields = mark_on(source, date="2026-01-30", fallback_level="F5").fields
    entry = json.loads(entries[-2]) | fields | {"time": source.known_at}
    entries.insert(end, canonical_bytes(entry))
    folder = write(sealed(marked.files(), entries, KEY, ORIGIN), tmp_path / "publication")
    assert found_in(folder, marked) == {"mark_source"}
    text = f"entry {end}: source_point_index {source.index} is in no earlier publication"
    assert refusal(folder) == text


def test_a_proof_that_was_changed_is_found_by_both_verifiers(marked: Desk, tmp_path: Path) -> None:
    desk = marked.copy(tmp_path / "desk")
    [mark, *_] = marks_of(desk.published.entries)
    path = desk.folder / mark.proof
    path.write_bytes(path.read_bytes().replace(b"index ", b"index 1"))
    assert found_in(desk.folder, desk) == {"proof_refused"}
    assert any(line.startswith(f"proofs | {mark.proof}") for line in failures(desk.folder, KEY))
    path.unlink()
    assert found_in(desk.folder, desk) == {"file_missing"}


# ---- a private log of the same code

PRIVATE = "desk.example/events"
PRIVATE_KEY = PrivateKey(name=PRIVATE, seed=bytes([9]) * 32)


def event(number: int) -> str:
    """Return an entry of a private log: what happened to a contract, and who did it, by pseudonym."""
    happened = {"v": "1", "type": "approved", "contract": f"contract-{number}", "by": FIRST[0]}
    return canonical_bytes(happened).decode()


def private(folder: Path) -> Sealing:
    """Return a private log in a folder of its own, whose head is remembered beside it."""
    return Sealing(folder / "publication", PRIVATE, folder / "head")


def record(sealing: Sealing, *numbers: int) -> Pending:
    """Put events into a private log, in one publication."""
    pending = Pending(
        size=sealing.log.check([PRIVATE_KEY.public]),
        known_at="2026-01-09T18:00:00Z",
        entries=[event(number) for number in numbers],
        files={},
        proofs={},
    )
    sealing.decide(pending)
    sealing.complete(pending, [PRIVATE_KEY], dict, silent)
    return pending


def test_a_private_log_is_kept_by_the_same_code(tmp_path: Path) -> None:
    sealing = private(tmp_path)
    assert sealing.refuse_behind() is None
    record(sealing, *range(3))
    record(sealing, *range(3, 300))
    log = private(tmp_path).log
    assert log.check([PRIVATE_KEY.public]) == 300
    assert [entry.decode() for entry in log.entries(300)] == [event(number) for number in range(300)]
    head, tree = log.checkpoint([PRIVATE_KEY.public]), log.read_back(300)
    assert head is not None
    assert (head.origin, head.size, head.root) == (PRIVATE, 300, tree.root())
    leaf = leaf_hash(event(256).encode())
    assert check_inclusion(256, 300, leaf, tree.inclusion(256), head.root)
    assert check_consistency(3, tree.root(3), 300, head.root, tree.consistency(3, 300))
    assert log.claimed() == [3, 300]
    with pytest.raises(EnvironmentFailed, match="checkpoint"):
        log.check([PrivateKey(name=PRIVATE, seed=bytes(32)).public])


@pytest.mark.parametrize("step", ["after pending", "before a tile", "before the head", "before the sums"])
def test_a_private_log_that_was_interrupted_is_completed(tmp_path: Path, step: str) -> None:
    sealing = private(tmp_path)
    record(sealing, 0)
    broken_off(lambda: record(sealing, 1, 2), step)
    again = private(tmp_path)
    pending = again.pending()
    assert pending is not None
    again.refuse_torn(again.log.check([PRIVATE_KEY.public]), pending)
    again.complete(pending, [PRIVATE_KEY], dict, silent)
    assert again.pending() is None
    assert [entry.decode() for entry in again.log.entries(3)] == [event(number) for number in range(3)]
    assert again.log.check([PRIVATE_KEY.public]) == 3


def test_a_private_log_is_never_forked(tmp_path: Path) -> None:
    """One size has one root: here, in an older copy beside the head that is remembered, and in another log."""
    sealing = private(tmp_path)
    record(sealing, 0)
    shutil.copytree(tmp_path / "publication", tmp_path / "older")
    record(sealing, 1)
    older = Sealing(tmp_path / "older", PRIVATE, tmp_path / "head")
    with pytest.raises(MtokError) as refused:
        older.refuse_behind()
    assert refused.value.code == "log_behind"
    record(Sealing(tmp_path / "older", PRIVATE, None), 2)
    with pytest.raises(MtokError) as refused:
        older.refuse_behind()
    assert refused.value.code == "log_forked"
    with pytest.raises(MtokError) as refused:
        sealing.log.claim(2, bytes(32))
    assert refused.value.code == "log_forked"
