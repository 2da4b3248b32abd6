"""A publication is verified: good ones without a finding, and everything that is not right is found where it is.

The publications are made by `publications.py`, by the letter of docs/formats.md. The last group has a publisher that
lies: all digests and signatures are right, and the arithmetic does not trust them.
"""

from __future__ import annotations

import base64
import copy
import json
import os
import random
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mtok.archive import Store
from mtok.client import (
    CODES,
    Finding,
    Folder,
    Limits,
    Report,
    arithmetic,
    links,
    open_source,
    read_head,
    remember,
    remembered,
    state_folder,
    verify,
)
from mtok.client.content import Malformed, decode
from mtok.client.heads import head_path
from mtok.client.source import Missing, Unreadable, is_safe
from mtok.errors import BadCall, BadInput, EnvironmentFailed, MtokError
from mtok.notes import Checkpoint, PrivateKey, PublicKey, sign_note
from mtok.proofs import Tree, leaf_hash
from mtok.quantities import rounded, rounded_root, significant_root
from publications import FORTY, KEY, NINE, ORIGIN, Json, Publisher, Release, canonical, digest, releases

PUBLIC = KEY.public
OTHER = PrivateKey(name=ORIGIN, seed=bytes(32))
THIRD = PrivateKey(name=ORIGIN, seed=b"\x07" * 32)

Files = dict[str, bytes]


@dataclass
class Memory:
    """A publication in memory."""

    files: Files
    where: str = "memory"

    def read(self, path: str) -> bytes:
        if path not in self.files:
            raise Missing(path)
        return self.files[path]

    def digest(self, path: str) -> str:
        return digest(self.read(path))

    def paths(self) -> list[str]:
        return sorted(self.files)

    def close(self) -> None:
        pass


@dataclass(frozen=True)
class Made:
    """A publication and its publisher, who can go on."""

    folder: Path
    publisher: Publisher

    @property
    def files(self) -> Files:
        """The files as they were when they were first asked for, to be changed at will."""
        return dict(self._read)

    @cached_property
    def _read(self) -> Files:
        return {
            file.relative_to(self.folder).as_posix(): file.read_bytes()
            for file in self.folder.rglob("*")
            if file.is_file()
        }

    def copy(self, folder: Path, **changes: Any) -> Publisher:
        """Return a publisher that goes on in a copy, with other habits."""
        shutil.copytree(self.folder, folder)
        return replace(copy.deepcopy(self.publisher), folder=folder, **changes)


def made(folder: Path, found: list[Release], **changes: Any) -> Made:
    publisher = Publisher(folder=folder, **changes)
    for release in found:
        publisher.publish(release)
    return Made(folder, publisher)


@pytest.fixture(scope="session")
def store(collected_sample: Callable[[Path], Store], tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The bundled sample, collected."""
    return collected_sample(tmp_path_factory.mktemp("verify") / "store")


@pytest.fixture(scope="session")
def nine_releases(store: Store) -> list[Release]:
    return releases(store, NINE, together=True)


@pytest.fixture(scope="session")
def nine(nine_releases: list[Release], tmp_path_factory: pytest.TempPathFactory) -> Made:
    return made(tmp_path_factory.mktemp("nine") / "publication", nine_releases)


@pytest.fixture(scope="session")
def six(nine_releases: list[Release], tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The first six of the nine, so that the next one can be another."""
    return made(tmp_path_factory.mktemp("six") / "publication", nine_releases[:6])


@pytest.fixture(scope="session")
def two_releases(store: Store) -> list[Release]:
    return releases(store, NINE[2:4])


@pytest.fixture(scope="session")
def two(two_releases: list[Release], tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A prelim and the final of one date: each file that a publication has, in little time to verify."""
    return made(tmp_path_factory.mktemp("two") / "publication", two_releases)


@pytest.fixture(scope="session")
def small(two_releases: list[Release], tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Two publications: a prelim before the volumes came, and the final, in which the key is replaced."""
    prelim, final = two_releases
    folder = tmp_path_factory.mktemp("small") / "publication"
    return made(folder, [prelim, replace(final, rotate=OTHER)])


@pytest.fixture(scope="session")
def pair(store: Store, tmp_path_factory: pytest.TempPathFactory) -> tuple[Made, Release]:
    """The final of a date, published, and that of the next, not yet."""
    before, after = releases(store, [NINE[1], NINE[3]])
    return made(tmp_path_factory.mktemp("pair") / "publication", [before]), after


def check(files: Files, *keys: PublicKey, seen: Checkpoint | None = None) -> Report:
    return verify(Memory(files), keys or [PUBLIC], seen=[] if seen is None else [seen])


def places(report: Report) -> list[tuple[str, str]]:
    return [(finding.code, finding.where) for finding in report.findings]


def assert_found(report: Report, code: str, where: str) -> Finding:
    """Return the finding of this code whose place begins so; all findings have known codes."""
    assert not report.ok
    fitting = [one for one in report.findings if one.code == code and one.where.startswith(where)]
    assert fitting, places(report)
    return fitting[0]


# ---- good publications


@pytest.mark.parametrize("number", [1, 9])
def test_a_good_publication_has_no_finding(nine_releases: list[Release], tmp_path: Path, number: int) -> None:
    found = made(tmp_path / "publication", nine_releases[:number])
    report = verify(Folder(tmp_path), [PUBLIC])
    assert places(report) == []
    assert report.ok
    assert report.reached == "arithmetic"
    assert report.checkpoint is not None
    assert report.checkpoint.size == found.publisher.tree.size == report.counts["entries"]
    assert report.key == PUBLIC
    assert report.counts["publications"] == number
    assert report.counts["records"] == report.counts["records calculated"] > 0
    assert report.counts["records"] == len(list(tmp_path.rglob("records/*/*.json")))
    assert report.counts["proofs"] == len(list(tmp_path.rglob("*.tlog-proof")))
    assert report.listed


def test_forty_publications_as_they_come_have_no_finding(store: Store, tmp_path: Path) -> None:
    made(tmp_path / "publication", releases(store, FORTY))
    report = verify(Folder(tmp_path), [PUBLIC])
    assert places(report) == []
    assert report.counts["publications"] == 40
    assert report.counts["bundles"] == 2
    assert "records not compared with earlier ones" not in report.counts


def test_the_publications_hold_what_they_are_meant_to(nine: Made) -> None:
    """Otherwise half of the arithmetic would be verified of nothing."""
    records = [json.loads(raw) for path, raw in nine.files.items() if path.startswith("records/")]
    for name in ("move", "absent", "left_out", "without_volume", "price_index_exact", "supersedes"):
        assert any(name in record for record in records), name
    assert {record["quality"] for record in records} >= {"good", "degraded", "withheld"}
    moves = [record["move"] for record in records if "move" in record]
    assert any("entry_by_cause" in move for move in moves)
    assert any("exit_by_cause" in move for move in moves)
    assert {record["stage"] for record in records} == {"backfill", "prelim", "final", "informational"}


# ---- one thing at a time

TAMPERED = [
    ("log/checkpoint", "checkpoint_refused", "log/checkpoint"),
    ("log/tile/entries/000.p/{size}", "log_root_differs", "log/tile/entries/000.p/{size}, entry"),
    ("log/tile/entries/000.p/{first}", "bundle_differs", "log/tile/entries/000.p/{first}, byte"),
    ("log/tile/0/000.p/{size}", "tile_differs", "log/tile/0/000.p/{size}, byte"),
    ("log/tile/0/000.p/{first}", "tile_differs", "log/tile/0/000.p/{first}, byte"),
    ("log/heads/{size}", "head_differs", "log/heads/{size}"),
    ("log/heads/{first}", "head_differs", "log/heads/{first}"),
    ("records/openai/2026-06-19.1.json", "file_digest", "records/openai/2026-06-19.1.json"),
    ("proofs/openai/2026-06-19.1.tlog-proof", "proof_refused", "proofs/openai/2026-06-19.1.tlog-proof"),
    ("proofs/prices/2026-06-19.tlog-proof", "proof_refused", "proofs/prices/2026-06-19.tlog-proof"),
    ("prices/2026-06-19.json", "file_digest", "prices/2026-06-19.json"),
    ("observations/2026-06-19.", "file_digest", "observations/2026-06-19."),
    ("captures/2026-06-19/", "file_digest", "captures/2026-06-19/"),
    ("raw/2026-06-19/", "file_digest", "raw/2026-06-19/"),
    ("methodology/1.0/parameters.toml", "file_digest", "methodology/1.0/parameters.toml"),
    ("methodology/1.0/rules/11_volume.sql", "file_digest", "methodology/1.0/rules/"),
    ("rulebooks/", "file_digest", "rulebooks/"),
    ("policies/", "file_digest", "policies/"),
    ("rulebook.md", "file_digest", "rulebook.md"),
    ("policy.toml", "file_digest", "policy.toml"),
    ("vkey", "signer_wrong", "vkey"),
    ("latest.json", "sums_differ", "latest.json"),
    ("README.txt", "sums_differ", "README.txt"),
    ("SHA256SUMS", "sums_refused", "SHA256SUMS"),
]


def named(made_: Made, text: str) -> str:
    """Return a path or place with the sizes of a publication in it."""
    ends = [int(path.removeprefix("log/heads/")) for path in made_.files if path.startswith("log/heads/")]
    return text.format(size=max(ends), first=min(ends))


@pytest.mark.parametrize(("path", "code", "where"), TAMPERED, ids=[path for path, _, _ in TAMPERED])
@pytest.mark.parametrize("how", ["flipped", "truncated", "missing"])
def test_a_file_that_was_changed_is_found(two: Made, path: str, code: str, where: str, how: str) -> None:
    files = two.files
    begins = named(two, path)
    path = next(one for one in sorted(files) if one.startswith(begins))
    raw = files.pop(path)
    middle = len(raw) // 2
    changes = {
        "flipped": raw[:middle] + bytes([raw[middle] ^ 1]) + raw[middle + 1 :],
        "truncated": raw[:-1],
    }
    if how != "missing":
        files[path] = changes[how]
    elif path == "log/checkpoint":
        with pytest.raises(BadInput, match="log/checkpoint is not there"):
            check(files)
        return
    if path == "vkey" and how == "truncated":
        assert_found(check(files), "sums_differ", path)
        return
    report = check(files)
    if how == "missing":
        assert_found(report, "file_missing", path)
    elif how != "flipped" and path.endswith(named(two, "entries/000.p/{size}")):
        assert_found(report, "bundle_differs", path)
    else:
        assert_found(report, code, named(two, where))
    assert report.reached != "arithmetic"


def test_a_bit_in_any_hash_of_a_tile_is_found_where_it_is(nine: Made) -> None:
    path = named(nine, "log/tile/0/000.p/{size}")
    for at in range(0, len(nine.files[path]), 97):
        files = nine.files
        raw = bytearray(files[path])
        raw[at] ^= 0x80
        files[path] = bytes(raw)
        finding = assert_found(check(files), "tile_differs", path)
        assert finding.where == f"{path}, byte {at}, hash {at // 32}"
        if at > 1000:
            break


def test_a_changed_entry_is_named_by_its_number(nine: Made) -> None:
    files = nine.files
    path = named(nine, "log/tile/entries/000.p/{size}")
    entry = nine.publisher.entries[17]
    files[path] = files[path].replace(entry, entry.replace(b'"v":"1"', b'"v":"2"'))
    assert places(check(files)) == [("log_root_differs", f"{path}, entry 17")]


def test_two_signatures_with_one_name(nine: Made) -> None:
    files = nine.files
    lines = files["log/checkpoint"].splitlines(keepends=True)
    files["log/checkpoint"] = b"".join([*lines, lines[-1]])
    assert_found(check(files), "checkpoint_refused", "log/checkpoint")


def test_another_signature_of_the_same_name_changes_nothing(nine: Made) -> None:
    """A note may carry signatures of keys nobody here knows: a witness, or a key to come."""
    files = nine.files
    head = Checkpoint.parse(files["log/checkpoint"].decode().partition("\n\n")[0] + "\n")
    files["log/checkpoint"] = sign_note(head.text, KEY, OTHER)
    assert check(files).ok


def test_swapped_proofs(nine: Made) -> None:
    files = nine.files
    one, other = "proofs/openai/2026-06-20.1.tlog-proof", "proofs/qwen/2026-06-20.1.tlog-proof"
    files[one], files[other] = files[other], files[one]
    report = check(files)
    assert [finding.code for finding in report.findings] == ["proof_refused"] * 2
    assert {finding.where for finding in report.findings} == {one, other}


def test_a_proof_with_the_head_of_another_size_is_refused(nine: Made) -> None:
    files = nine.files
    path = "proofs/openai/2026-06-20.1.tlog-proof"
    text, _, _ = files[path].partition(b"\n\n")
    tree = nine.publisher.tree
    head = Checkpoint(origin=ORIGIN, size=tree.size - 1, root=tree.root(tree.size - 1))
    files[path] = text + b"\n\n" + sign_note(head.text, KEY)
    assert "no publication ended with" in assert_found(check(files), "proof_refused", path).found


def test_files_that_nothing_names_and_files_that_are_not_listed(nine: Made) -> None:
    files = nine.files
    for path in (
        "records/openai/2026-06-20.9.json",
        "log/tile/0/000.p/3",
        "notes.txt",
        "proofs/x.tlog-proof",
    ):
        files[path] = b"{}"
        assert_found(check(files), "file_unexpected", path)
        del files[path]
    assert check(files).ok


def resigned(files: Files, change: Callable[[list[str]], list[str]]) -> Files:
    text = files["SHA256SUMS"].decode().partition("\n\n")[0] + "\n"
    lines = change(text.splitlines(keepends=True))
    return {**files, "SHA256SUMS": sign_note("".join(lines), KEY)}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda lines: lines[1:], "file_unexpected"),
        (lambda lines: [line for line in lines if "records/qwen/2026-06-21.0" not in line], "sums_missing"),
        (lambda lines: lines[::-1], "sums_refused"),
        (lambda lines: [lines[0], *lines], "sums_refused"),
        (lambda lines: [*lines, f"{'0' * 64}  zz/../../etc/passwd\n"], "sums_refused"),
        (lambda lines: [*lines, f"{'0' * 64}  /etc/passwd\n"], "sums_refused"),
        (lambda lines: [*lines, f"{'0' * 64}  zz\n"], "file_missing"),
        (lambda lines: [f"{'0' * 64}{lines[0][64:]}", *lines[1:]], "sums_differ"),
        (lambda lines: [*lines, "nonsense\n"], "sums_refused"),
    ],
)
def test_sums_that_were_signed_and_are_wrong(
    nine: Made, change: Callable[[list[str]], list[str]], code: str
) -> None:
    assert code in {finding.code for finding in check(resigned(nine.files, change)).findings}


def test_a_record_edited_together_with_the_sums_but_not_the_log(nine: Made) -> None:
    path = "records/openai/2026-06-21.0.json"
    files = nine.files
    before = digest(files[path])
    files[path] = files[path].replace(b'"value":"', b'"value":"1')
    files = resigned(files, lambda lines: [line.replace(before, digest(files[path])) for line in lines])
    report = check(files)
    assert [code for code, _ in places(report)] == ["file_digest", "sums_differ"]
    assert_found(report, "file_digest", path)


def test_a_publication_signed_again_with_another_key(
    nine: Made, nine_releases: list[Release], tmp_path: Path
) -> None:
    forged = made(tmp_path / "publication", nine_releases[:2], key=OTHER)
    report = check(forged.files)
    assert places(report) == [("checkpoint_refused", "log/checkpoint")]
    assert report.reached is None
    assert report.checkpoint is None
    assert check(forged.files, OTHER.public).ok


# ---- an earlier checkpoint


def head_of(files: Files) -> Checkpoint:
    return Checkpoint.parse(files["log/checkpoint"].decode().partition("\n\n")[0] + "\n")


def test_an_old_checkpoint_served_again_and_a_fork(six: Made, nine: Made) -> None:
    assert check(nine.files, seen=head_of(six.files)).ok
    assert check(nine.files, seen=head_of(nine.files)).ok
    finding = assert_found(check(six.files, seen=head_of(nine.files)), "checkpoint_older", "log/checkpoint")
    assert f"saw size {nine.publisher.tree.size}" in finding.found
    fork = Checkpoint(origin=ORIGIN, size=six.publisher.tree.size, root=bytes(32))
    assert_found(check(nine.files, seen=fork), "log_forked", "log/checkpoint")
    with pytest.raises(BadCall) as refused:
        check(nine.files, seen=replace(fork, origin="another.example"))
    assert refused.value.code == "seen_of_another_log"


def test_a_fork_of_the_same_key_is_found(
    six: Made, nine: Made, nine_releases: list[Release], tmp_path: Path
) -> None:
    """The publisher signs another log from the sixth publication on; either is good alone."""
    publisher = six.copy(tmp_path / "fork")
    publisher.publish(replace(nine_releases[6], time="2026-06-21T18:07:00Z"))
    fork = Made(tmp_path / "fork", publisher)
    assert check(fork.files).ok
    seen = head_of(fork.files)
    assert_found(check(nine.files, seen=seen), "log_forked", "log/checkpoint")


def test_the_last_checkpoint_is_remembered_per_log_and_key(tmp_path: Path, nine: Made, six: Made) -> None:
    state = state_folder({"XDG_STATE_HOME": str(tmp_path)}, Path("/nowhere"))
    assert state == tmp_path
    assert state_folder({"XDG_STATE_HOME": "relative"}, Path("/home/a")) == Path("/home/a/.local/state")
    young, old = head_of(nine.files), head_of(six.files)
    assert remembered(state, ORIGIN, PUBLIC) is None
    path = remember(state, PUBLIC, old)
    assert path.parent == tmp_path / "mtok" / "heads"
    assert remembered(state, ORIGIN, PUBLIC) == old
    remember(state, PUBLIC, young)
    remember(state, PUBLIC, old)
    assert remembered(state, ORIGIN, PUBLIC) == young
    assert remembered(state, ORIGIN, OTHER.public) is None
    assert head_path(state, "../../x", PUBLIC).parent == tmp_path / "mtok" / "heads"
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    path.write_bytes(nine.files["log/checkpoint"])
    assert read_head(path) == young
    path.write_bytes(b"nonsense")
    with pytest.raises(BadInput, match="is no checkpoint"):
        remembered(state, ORIGIN, PUBLIC)


# ---- keys that are replaced


def test_a_key_that_was_replaced_leads_to_the_one_that_signs(small: Made) -> None:
    for keys in ([PUBLIC], [OTHER.public], [PUBLIC, OTHER.public]):
        report = check(small.files, *keys)
        assert places(report) == []
        assert report.key == OTHER.public
    assert_found(check(small.files, THIRD.public), "checkpoint_refused", "log/checkpoint")


def test_later_heads_are_signed_by_the_new_key_alone(
    small: Made, nine_releases: list[Release], tmp_path: Path
) -> None:
    publisher = small.copy(tmp_path / "on")
    publisher.publish(replace(nine_releases[8], editions=(), time="2026-06-23T00:00:00Z"))
    on = Made(tmp_path / "on", publisher)
    for keys in ([PUBLIC], [OTHER.public]):
        assert check(on.files, *keys).ok
    text = head_of(on.files).text
    for signers in ([KEY], [KEY, OTHER]):
        files = {**on.files, "log/checkpoint": sign_note(text, *signers)}
        assert_found(check(files), "signer_wrong", "log/checkpoint")
    files = {**on.files, "log/checkpoint": sign_note(text, KEY)}
    assert_found(check(files, OTHER.public), "checkpoint_refused", "log/checkpoint")


def test_a_rotation_that_one_key_did_not_sign(nine_releases: list[Release], tmp_path: Path) -> None:
    def forged(entry: Json) -> Json:
        if entry.get("kind") == "key_rotation":
            entry["old_signature"] = entry["new_signature"]
        return entry

    found = made(
        tmp_path / "publication", [nine_releases[0], replace(nine_releases[1], rotate=OTHER)], entry=forged
    )
    assert_found(check(found.files), "key_rotation_refused", "log entry")
    text = head_of(found.files).text
    stolen = {**found.files, "log/checkpoint": sign_note(text, OTHER)}
    assert_found(check(stolen), "checkpoint_refused", "log/checkpoint")


# ---- a publisher that lies


def bumped(text: str) -> str:
    """Return a decimal or a count one unit in its last place higher."""
    places_ = len(text.partition(".")[2])
    return rounded(Fraction(text) + Fraction(1, 10**places_), places_)


def lie(series: str, change: Callable[[Json], object]) -> Callable[[Json], Json]:
    def changed(content: Json) -> Json:
        if content["series"] == series:
            change(content)
        return content

    return changed


def put(name: str, value: str | Callable[[str], str]) -> Callable[[Json], None]:
    """Return a change of one field, `a.0.b` leading to it."""

    def change(content: Json) -> None:
        *way, last = name.split(".")
        part: Any = content
        for step in way:
            part = part[int(step) if step.lstrip("-").isdecimal() else step]
        part[last] = value(part[last]) if callable(value) else value

    return change


LIES: list[tuple[str, Callable[[Json], object], str, str]] = [
    ("value", put("value", bumped), "value_differs", "value"),
    ("n", put("n", bumped), "value_differs", "n"),
    ("w", put("w", bumped), "value_differs", "w"),
    ("dropped", lambda record: record["constituents"].pop(1), "value_differs", "n"),
    (
        "share",
        put("constituents.0.weight_share", bumped),
        "constituents_differ",
        "constituents[0].weight_share",
    ),
    (
        "contribution",
        put("constituents.1.contribution_usd_per_mtok", bumped),
        "constituents_differ",
        "constituents[1].contribution_usd_per_mtok",
    ),
    ("order", lambda record: record["constituents"].reverse(), "constituents_differ", "constituents[0]"),
    ("hhi", put("diagnostics.hhi", bumped), "diagnostics_differ", "diagnostics.hhi"),
    ("low", put("diagnostics.truncation_low", bumped), "diagnostics_differ", "diagnostics.truncation_low"),
    ("high", put("diagnostics.truncation_high", bumped), "diagnostics_differ", "diagnostics.truncation_high"),
    ("unseen", put("diagnostics.unseen_ratio", bumped), "diagnostics_differ", "diagnostics.unseen_ratio"),
    ("average", put("average_7d", bumped), "averages_differ", "average_7d"),
    ("average days", put("average_30d_days", bumped), "averages_differ", "average_30d_days"),
    ("index", put("price_index_exact", bumped), "index_differs", "price_index_exact"),
    ("rounded index", put("price_index", bumped), "index_differs", "price_index"),
    ("move", put("move.price", bumped), "move_differs", "move.price"),
    ("mix", put("move.constituents.0.mix", bumped), "move_differs", "move.constituents[0].mix"),
    ("factor", put("move.factors.mix", bumped), "move_differs", "move.factors.mix"),
    ("from", put("move.from_sha256", "0" * 64), "move_differs", "move.from_sha256"),
    ("no move", lambda record: record.pop("move"), "move_differs", "move"),
    ("note", lambda record: record["notes"].append("jump"), "notes_differ", "notes"),
    ("earlier", put("earlier.-1.sha256", "0" * 64), "earlier_differs", "earlier["),
    ("earlier one less", lambda record: record["earlier"].pop(0), "earlier_differs", "earlier["),
    ("absent one less", lambda record: record["absent"].pop(), "diagnostics_differ", "diagnostics."),
    ("seen", put("inputs.seen.0.captures", bumped), "inputs_differ", "inputs.seen[0].captures"),
    ("capture", put("inputs.captures.0.sha256", "0" * 64), "inputs_differ", "inputs.captures[0]"),
    (
        "reference",
        lambda record: record["constituents"][0]["captures"].insert(0, "c99999"),
        "inputs_differ",
        "inputs",
    ),
    ("number", put("w", lambda text: f"0{text}"), "record_malformed", "w"),
    ("negative tokens", put("constituents.0.tokens", "-1"), "record_malformed", "constituents[0].tokens"),
    (
        "no price",
        put("constituents.0.price_seconds", "0"),
        "record_malformed",
        "constituents[0].price_seconds",
    ),
    ("endless index", put("price_index_exact", "1e999999999"), "record_malformed", "price_index_exact"),
]


@pytest.mark.parametrize(("change", "code", "where"), [one[1:] for one in LIES], ids=[one[0] for one in LIES])
def test_a_publisher_that_signs_what_does_not_follow(
    six: Made,
    nine_releases: list[Release],
    tmp_path: Path,
    change: Callable[[Json], object],
    code: str,
    where: str,
) -> None:
    """Everything is signed, digests and prices are right: only the content is not."""
    publisher = six.copy(tmp_path / "lies", determination=lie("openai", change))
    publisher.publish(nine_releases[6])
    report = check(Made(tmp_path / "lies", publisher).files)
    assert_found(report, code, f"records/openai/2026-06-20.2.json, {where}")
    assert all("openai" in finding.where or "prices" in finding.where for finding in report.findings)
    assert report.reached == ("log" if CODES[code][0] == "arithmetic" else None)


def test_quality_upgraded_from_degraded_to_good(
    six: Made, nine_releases: list[Release], tmp_path: Path
) -> None:
    release = nine_releases[6]
    [edition] = release.editions
    series = next(name for name, record in edition.records.items() if record["quality"] == "degraded")

    def upgrade(record: Json) -> None:
        record |= {"quality": "good", "reasons": []}

    publisher = six.copy(tmp_path / "lies", determination=lie(series, upgrade))
    publisher.publish(release)
    path = f"records/{series}/2026-06-20.2.json"
    assert places(check(Made(tmp_path / "lies", publisher).files)) == [
        ("quality_differs", f"{path}, quality")
    ]


def on_entry(kind: str, change: Callable[[Json], object]) -> Callable[[Json], Json]:
    def changed(entry: Json) -> Json:
        if entry["type"] == kind and entry["time"] == "2026-06-21T18:01:00Z":
            change(entry)
        return entry

    return changed


ENTRY_LIES: list[tuple[str, str, Callable[[Json], object], str]] = [
    ("as-of digest", "asof", put("sha256", "0" * 64), "asof_differs"),
    ("as-of count", "asof", put("vintages", bumped), "asof_differs"),
    ("known_at", "asof", put("known_at", "2026-06-21T18:02:00Z"), "time_order"),
    ("time of one", "prices", put("time", "2026-06-21T18:02:00Z"), "time_order"),
    ("value", "point", put("value", bumped), "record_differs"),
    ("quality", "point", put("quality", "estimated"), "record_differs"),
    ("reason", "point", put("reason", "unit_error"), "record_differs"),
    ("no reason", "point", lambda entry: entry.pop("reason"), "record_differs"),
    ("supersedes", "point", put("supersedes", "0"), "vintage_order"),
    ("stage", "point", put("stage", "prelim"), "stage_order"),
    ("parameters", "point", put("parameters_sha256", "0" * 64), "method_missing"),
    ("methodology", "point", put("methodology", "2.0"), "method_missing"),
    ("unknown series", "point", put("series", "nobody"), "entry_malformed"),
    ("series upwards", "point", put("series", "../x"), "entry_malformed"),
    ("no digest", "point", put("record_sha256", "x"), "entry_malformed"),
    ("rows", "prices", put("constituents", bumped), "prices_differ"),
    ("prices upwards", "prices", put("path", "prices/../../../etc/passwd"), "edition_differs"),
    ("prices elsewhere", "prices", put("path", "prices/2026-06-20.json"), "edition_differs"),
]


@pytest.mark.parametrize(
    ("kind", "change", "code"), [one[1:] for one in ENTRY_LIES], ids=[one[0] for one in ENTRY_LIES]
)
def test_a_publisher_that_signs_wrong_entries(
    six: Made,
    nine_releases: list[Release],
    tmp_path: Path,
    kind: str,
    change: Callable[[Json], object],
    code: str,
) -> None:
    publisher = six.copy(tmp_path / "lies", entry=on_entry(kind, change))
    publisher.publish(nine_releases[6])
    report = check(Made(tmp_path / "lies", publisher).files)
    assert code in {finding.code for finding in report.findings}, places(report)
    assert report.reached is None


def test_vintages_doubled_and_with_a_gap(six: Made, nine_releases: list[Release], tmp_path: Path) -> None:
    for name, last, expected in (("gap", 2, "2 expected, 3 found"), ("doubled", 0, "2 expected, 1 found")):
        publisher = six.copy(tmp_path / name)
        publisher._vintages["openai", "2026-06-20"] = last
        publisher.publish(nine_releases[6])
        report = check(Made(tmp_path / name, publisher).files)
        assert assert_found(report, "vintage_order", "log entry").found == expected


def test_known_at_going_back(six: Made, nine_releases: list[Release], tmp_path: Path) -> None:
    publisher = six.copy(tmp_path / "back")
    publisher.publish(replace(nine_releases[6], time=nine_releases[5].time))
    assert_found(check(Made(tmp_path / "back", publisher).files), "time_order", "log entry")


def test_a_table_of_prices_that_does_not_follow(
    six: Made, nine_releases: list[Release], tmp_path: Path
) -> None:
    def dearer(table: Json) -> Json:
        row = table["prices"][3]
        row["price_usd_per_mtok"] = bumped(row["price_usd_per_mtok"])
        return table

    publisher = six.copy(tmp_path / "dearer", table=dearer)
    publisher.publish(nine_releases[6])
    report = check(Made(tmp_path / "dearer", publisher).files)
    assert places(report) == [("prices_differ", "prices/2026-06-20.2.json, prices[3].price_usd_per_mtok")]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (put("determination_sha256", "0" * 64), "determination_sha256"),
        (put("observations.sha256", "0" * 64), "observations.sha256"),
        (put("observations.path", "observations/2026-06-20.parquet"), "observations.path"),
        (put("prices.sha256", "0" * 64), "prices.sha256"),
        (put("policy_sha256", "0" * 64), "policy_sha256"),
        (put("as_of", "2026-06-21T14:00:00Z"), "as_of"),
    ],
)
def test_a_record_that_names_other_files(
    six: Made, nine_releases: list[Release], tmp_path: Path, change: Callable[[Json], object], where: str
) -> None:
    publisher = six.copy(tmp_path / "lies", record=lie("qwen", change))
    publisher.publish(nine_releases[6])
    report = check(Made(tmp_path / "lies", publisher).files)
    assert any(finding.where == f"records/qwen/2026-06-20.2.json, {where}" for finding in report.findings), (
        places(report)
    )


def leaves(content: Any, way: str = "") -> Iterator[str]:
    """Yield the way to every text of a record."""
    if isinstance(content, str):
        yield way
    elif isinstance(content, dict):
        for name, value in content.items():
            yield from leaves(value, f"{way}.{name}" if way else name)
    elif isinstance(content, list):
        for at, value in enumerate(content):
            yield from leaves(value, f"{way}.{at}")


NOT_FROM_THE_RECORD = {
    "origin",
    "inputs.rankings.sha256",
    "diagnostics.named_rows",
    "without_volume.#",
    "left_out.#.constituent",
    "absent.#.constituent",
    # a unit more is no other share, bound or price of six decimals
    *("diagnostics.market_tokens", "diagnostics.market_tail_tokens", "diagnostics.smallest_named_tokens"),
    "absent.#.price_seconds",
}
"""What nothing else in a record repeats: the rules say it, from the observations."""


def test_every_number_of_a_record_is_looked_at(pair: tuple[Made, Release], tmp_path: Path) -> None:
    """One leaf of each field is changed, signed and published: only what the record cannot show passes."""
    begun, release = pair
    [edition] = release.editions
    record = edition.records["openai"]
    fields: dict[str, str] = {}
    for way in leaves(record):
        fields.setdefault(re.sub(r"\.\d+(?=\.|$)", ".#", way), way)
    assert len(fields) > 80
    passed = set()
    for number, (field, way) in enumerate(fields.items()):
        old: Any = record
        for step in way.split("."):
            old = old[int(step)] if isinstance(old, list) else old[step]
        new = bumped(old) if re.fullmatch(r"-?\d+(\.\d+)?", str(old)) else f"{old}x"

        def change(content: Json, way: str = way, new: str = new) -> None:
            *steps, last = way.split(".")
            part: Any = content
            for step in steps:
                part = part[int(step)] if isinstance(part, list) else part[step]
            part[int(last) if isinstance(part, list) else last] = new

        folder = tmp_path / str(number)
        publisher = begun.copy(folder, determination=lie("openai", change))
        publisher.publish(release)
        if check(Made(folder, publisher).files).ok:
            passed.add(field)
        shutil.rmtree(folder)
    assert passed <= NOT_FROM_THE_RECORD, sorted(passed - NOT_FROM_THE_RECORD)


# ---- what is not known yet


def test_unknown_types_and_fields_are_passed_over_and_counted(
    six: Made, nine_releases: list[Release], tmp_path: Path
) -> None:
    def newer(entry: Json) -> Json:
        if entry["type"] == "notice":
            return {**entry, "type": "weather"}
        return {**entry, "mood": "good"} if entry["type"] == "prices" else entry

    notice = {"kind": "incident", "text": "It rained."}
    publisher = six.copy(
        tmp_path / "newer",
        entry=newer,
        determination=lambda record: {**record, "diagnostics": {**record["diagnostics"], "beauty": "1"}},
    )
    publisher.publish(replace(nine_releases[6], notices=[notice, notice]))
    report = check(Made(tmp_path / "newer", publisher).files)
    assert report.passed_over == {
        "entries of type 'weather', v '1'": 2,
        "field 'beauty' of diagnostics": 6,
        "field 'mood' of prices entries": 1,
    }
    assert places(report) == []


# ---- hostile content


def of_entries(entries: list[bytes]) -> Files:
    """Return a log of any entries, properly signed."""
    files: Files = {}
    publisher = Publisher(folder=Path("/nowhere"))
    publisher.entries = entries
    publisher.tree = Tree(map(leaf_hash, entries))

    def write(path: str, raw: bytes) -> str:
        files[path] = raw
        return digest(raw)

    publisher.write = write  # type: ignore[method-assign]
    publisher._log([KEY])
    return files


@pytest.mark.parametrize(
    "entry",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'"\\ud800"',
        b"[" * 60_000,
        b'{"a":null}',
        b'{"a":1}',
        b'{"a":1e999}',
        b'{"a":NaN}',
        b'{"b":"","a":""}',
        b'{"a":"","a":""}',
        b'{"time":[],"type":{},"v":"1"}',
        '{"ä":""}'.encode(),
        b'{"time":"2026-06-20T00:00:00Z","type":"point","v":"1"}',
        b'{"time":"9999-99-99T00:00:00Z","type":"asof","v":"1"}',
        b'{"known_at":"","sha256":"","time":"","type":"asof","v":"1","vintages":"-1"}',
        b'{"kind":"key_rotation","new_key":[],"old_key":"","type":"notice","v":"1"}',
    ],
    ids=repr,
)
def test_hostile_entries_are_findings(entry: bytes) -> None:
    asof = canonical({"v": "1", "type": "asof", "time": "2026-06-20T00:00:00Z"})
    for entries in ([entry], [entry, asof], [asof, entry, entry, asof]):
        report = check(of_entries(entries))
        assert not report.ok
        assert report.findings


HOSTILE: list[Any] = [
    *("", "0", "-1", "9" * 5000, "1e999999999", "x" * 400, "../../etc/passwd", "\x00", "\u2028", "c0"),
    *(
        "9999-12-31",
        "0001-01-01",
        "9999-12-31T23:59:59Z",
        "0" * 64,
        True,
        [],
        {},
        [[]],
        {"a": "b"},
        ["c1"] * 300,
    ),
]


def spoiled(chance: random.Random, content: Json) -> Json:
    """Return content with one part of it replaced by something nobody expects, or left out."""
    part: Any = content
    while True:
        at = chance.choice(sorted(part)) if isinstance(part, dict) else chance.randrange(len(part))
        if isinstance(part[at], dict | list) and part[at] and chance.random() < 0.8:
            part = part[at]
            continue
        if chance.random() < 0.1:
            del part[at]
        else:
            part[at] = chance.choice(HOSTILE)
        return content


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("what", ["determination", "record", "entry"])
def test_hostile_content_that_is_properly_signed_raises_nothing(
    pair: tuple[Made, Release], tmp_path: Path, what: str, seed: int
) -> None:
    chance = random.Random(f"{what} {seed}")
    begun, release = pair
    published = begun.folder / "records/openai/2026-06-18.0.json"
    found = json.loads(published.read_bytes())
    if what == "entry":
        entries = [json.loads(raw) for raw in begun.publisher.entries]
        at = chance.randrange(len(entries))
        entries[at] = spoiled(chance, entries[at])
        files = {**begun.files, **of_entries([canonical(entry) for entry in entries])}
        report = check(files)
        assert not report.ok
        return
    folder = tmp_path / "hostile"
    if what == "record":
        entries = [json.loads(raw) for raw in begun.publisher.entries]
        raw = canonical(spoiled(chance, found))
        [entry] = [one for one in entries if one.get("record_sha256") == digest(published.read_bytes())]
        entry["record_sha256"] = digest(raw)
        files = {**begun.files, **of_entries([canonical(one) for one in entries])}
        files["records/openai/2026-06-18.0.json"] = raw
        assert not check(files).ok
        return
    publisher = begun.copy(folder)
    [edition] = release.editions
    records = {**edition.records, "qwen": spoiled(chance, json.loads(canonical(edition.records["qwen"])))}
    try:
        publisher.publish(replace(release, editions=[replace(edition, records=records)]))
    except (LookupError, TypeError, AttributeError):
        return  # the publisher of the tests stumbles over it
    check(Made(folder, publisher).files)


@pytest.mark.parametrize("size", [2**63 - 1, 10**7])
def test_a_log_longer_than_it_can_be(size: int) -> None:
    head = Checkpoint(origin=ORIGIN, size=size, root=bytes(32))
    assert places(check({"log/checkpoint": sign_note(head.text, KEY)})) == [
        ("log_too_long", "log/checkpoint")
    ]


def test_an_empty_log() -> None:
    assert check(of_entries([])).counts["entries"] == 0


@pytest.mark.parametrize(
    "text",
    [
        "methodology = 1",
        "[[[[",
        "a=" + "[" * 5000,
        "[quality]\njump = { value = [1, 0] }",
        'methodology = "1.0"\nunit = "u"\nweight_basis = "w"\nseries = [1]',
        "",
    ],
)
def test_parameters_nobody_can_calculate_with(text: str) -> None:
    with pytest.raises(Malformed):
        arithmetic.Parameters(text.encode())


@given(st.binary(max_size=200))
@example(b'{"a":"' + b"9" * 100 + b'"}')
def test_decoding_raises_malformed_and_nothing_else(raw: bytes) -> None:
    try:
        content = decode(raw)
    except Malformed:
        return
    assert canonical(content) == raw


def test_a_random_byte_flipped_anywhere_is_found(small: Made) -> None:
    """Every file of a publication is covered by a signature, and every byte of it."""
    flips(small, 320, seed=20260621)


@pytest.mark.soak
def test_many_random_bytes_flipped_anywhere_are_found(nine: Made) -> None:
    flips(nine, 3000, seed=20260622)


def flips(of: Made, trials: int, *, seed: int) -> None:
    chance = random.Random(seed)
    good = of.files
    paths = sorted(good)
    assert check(good).ok
    for trial in range(trials):
        path = paths[trial % len(paths)] if trial < len(paths) else chance.choice(paths)
        raw = bytearray(good[path])
        at, mask = chance.randrange(len(raw)), chance.randrange(1, 256)
        raw[at] ^= mask
        report = check({**good, path: bytes(raw)})
        assert not report.ok, f"trial {trial}: {path}, byte {at} ^ {mask:#x}"
        assert report.findings
        assert {finding.code for finding in report.findings} <= CODES.keys()


# ---- folders


def test_a_folder_is_not_left(nine: Made, tmp_path: Path) -> None:
    folder = tmp_path / "publication"
    shutil.copytree(nine.folder, folder)
    outside = tmp_path / "outside"
    record = folder / "records/openai/2026-06-21.0.json"
    shutil.move(record, outside)
    record.symlink_to(outside)
    assert_found(verify(Folder(folder), [PUBLIC]), "file_refused", "records/openai/2026-06-21.0.json")
    record.unlink()
    record.symlink_to(record)
    assert_found(verify(Folder(folder), [PUBLIC]), "file_refused", "records/openai/2026-06-21.0.json")
    record.unlink()
    os.mkfifo(record)
    assert_found(verify(Folder(folder), [PUBLIC]), "file_refused", "records/openai/2026-06-21.0.json")
    record.unlink()
    record.mkdir()
    assert_found(verify(Folder(folder), [PUBLIC]), "file_refused", "records/openai/2026-06-21.0.json")
    record.rmdir()
    (folder / "elsewhere").symlink_to(tmp_path)
    assert_found(verify(Folder(folder), [PUBLIC]), "file_unexpected", "elsewhere")


@pytest.mark.parametrize(
    "path",
    ["", "/a", "a/", "a//b", "..", "a/../b", "./a", "a/.", "a b", "ä", "a\\b", "a\n", "a" * 400, "a\0"],
)
def test_paths_that_are_none(nine: Made, path: str) -> None:
    assert not is_safe(path)
    with pytest.raises(Unreadable):
        Folder(nine.folder).read(path)


def test_a_folder_without_a_publication(tmp_path: Path) -> None:
    with pytest.raises(BadCall) as refused:
        open_source(tmp_path)
    assert refused.value.code == "publication_missing"
    with pytest.raises(BadCall):
        verify(Memory({}), [])


# ---- addresses

Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Serves files, or what a test puts in their place."""

    files: Files
    answers: dict[str, Answer]
    over: threading.Event

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # otherwise each answer waits 40 ms for its headers to be acknowledged

    def do_GET(self) -> None:
        path = self.path.removeprefix("/data/")
        if path in self.answers:
            self.answers[path](self)
        elif path in self.files:
            self.answer(200, self.files[path])
        else:
            self.answer(404, b"not here")

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@dataclass
class Served:
    """A publication at an address on this machine."""

    url: str
    answers: dict[str, Answer]


@pytest.fixture
def served(small: Made) -> Iterator[Served]:
    answers: dict[str, Answer] = {}
    over = threading.Event()
    handler = type("Bound", (Handler,), {"files": small.files, "answers": answers, "over": over})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield Served(f"http://127.0.0.1:{server.server_port}/data", answers)
    over.set()
    server.shutdown()
    server.server_close()
    thread.join()


SOON = Limits(read_seconds=1)


def verified(url: str, limits: Limits = SOON) -> Report:
    source = open_source(url, limits)
    try:
        return verify(source, [PUBLIC])
    finally:
        source.close()


def test_an_address_gives_the_report_of_the_folder(small: Made, served: Served) -> None:
    report = verified(served.url)
    assert report == replace(verify(Folder(small.folder), [PUBLIC]), listed=False)
    assert report.ok


RECORD = "records/openai/2026-06-19.1.json"


def redirected(to: str) -> Answer:
    return lambda handler: handler.answer(302, b"", Location=to)


def stuck(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    handler.wfile.write(b"x")
    handler.over.wait(20)


def cut(handler: Handler) -> None:
    handler.answer(200, b"half", Content_Length="100")
    handler.close_connection = True


def endless(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    try:
        while not handler.over.is_set():
            handler.wfile.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")
    except OSError:
        handler.close_connection = True


REFUSED: list[tuple[str, Answer, str]] = [
    ("elsewhere", redirected("http://localhost/x"), "redirected to another host"),
    ("another port", redirected("http://127.0.0.1:1/x"), "redirected to another host"),
    ("in circles", redirected(f"/data/{RECORD}"), "redirected more than 3 times"),
    ("nowhere", redirected("http://[x"), "redirected to"),
    ("announced huge", lambda handler: handler.answer(200, b"", Content_Length=str(2**40)), "above"),
    ("endless", endless, "has more than"),
    ("a page", lambda handler: handler.answer(200, b"<html>", Content_Type="text/html; charset=x"), "a page"),
    ("compressed", lambda handler: handler.answer(200, b"x", Content_Encoding="gzip"), "compressed"),
]


@pytest.mark.parametrize(("answer", "found"), [one[1:] for one in REFUSED], ids=[one[0] for one in REFUSED])
def test_an_answer_that_is_no_file_is_a_finding(served: Served, answer: Answer, found: str) -> None:
    served.answers[RECORD] = answer
    finding = assert_found(verified(served.url), "file_refused", RECORD)
    assert found in finding.found


def test_a_file_that_is_not_served_is_a_finding(served: Served) -> None:
    served.answers[RECORD] = lambda handler: handler.answer(404, b"<html>", Content_Type="text/html")
    assert_found(verified(served.url), "file_missing", RECORD)


def test_a_redirect_on_the_same_host_is_followed(served: Served, small: Made) -> None:
    served.answers[RECORD] = redirected("/data/moved")
    served.answers["moved"] = lambda handler: handler.answer(200, small.files[RECORD])
    assert verified(served.url).ok


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (stuck, "source_slow"),
        (cut, "source_failed"),
        (lambda handler: handler.answer(500, b""), "source_failed"),
        (lambda handler: handler.answer(403, b""), "source_failed"),
    ],
    ids=["stuck", "cut", "500", "403"],
)
def test_a_server_that_fails_is_an_error(served: Served, answer: Answer, code: str) -> None:
    served.answers[RECORD] = answer
    with pytest.raises(EnvironmentFailed) as refused:
        verified(served.url)
    assert refused.value.code == code
    assert refused.value.remedy


def test_a_file_that_drips_has_no_longer_than_its_limit(served: Served) -> None:
    def dripping(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        try:
            while not handler.over.wait(0.05):
                handler.wfile.write(b"1\r\nx\r\n")
        except OSError:
            handler.close_connection = True

    served.answers[RECORD] = dripping
    with pytest.raises(EnvironmentFailed, match="was not whole after 1 s") as refused:
        verified(served.url, Limits(read_seconds=1, file_seconds=1))
    assert refused.value.code == "source_slow"


def test_an_answer_cut_once_is_asked_for_again(served: Served, small: Made) -> None:
    tries = []

    def once(handler: Handler) -> None:
        tries.append(1)
        if len(tries) == 1:
            cut(handler)
        else:
            handler.answer(200, small.files[RECORD])

    served.answers[RECORD] = once
    assert verified(served.url).ok
    assert len(tries) == 2


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a.example/",
        "http://",
        "http://a:b@a.example/",
        "http://a.example/?x=1",
        "http://a.example/#x",
        "file:///x",
    ],
)
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(MtokError) as refused:
        open_source(url)
    assert refused.value.code == "address_refused"


def test_nobody_listens() -> None:
    with pytest.raises(EnvironmentFailed) as refused:
        verified("http://127.0.0.1:1/")
    assert refused.value.code == "source_failed"


# ---- the verifier stands alone


def test_it_verifies_where_neither_engine_nor_parquet_can_be_imported(nine: Made) -> None:
    program = f"""
import sys
for name in ("duckdb", "pyarrow", "zstandard", "typer", "rich", "httpx2", "prometheus_client", "structlog"):
    sys.modules[name] = None
from mtok.client import Folder, verify
from mtok.notes import PublicKey
report = verify(Folder(__import__("pathlib").Path({str(nine.folder)!r})), [PublicKey.parse({str(PUBLIC)!r})])
assert report.ok and report.reached == "arithmetic", report.findings
foreign = [name for name in sys.modules if name.startswith("mtok.")]
print(*sorted({{name.split(".")[1] for name in foreign}}))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"]},
    )
    assert set(done.stdout.split()) <= {
        *("client", "canonical", "calendar", "errors", "notes", "progress", "proofs", "quantities", "records")
    }


# ---- its arithmetic against that of the program, written apart from it

FRACTIONS = st.fractions(min_value=Fraction(1, 10**9), max_value=10**9, max_denominator=10**12)


@given(st.fractions(min_value=-1000, max_value=1000), st.integers(1, 12))
@example(Fraction(5, 1000), 2)
@example(Fraction(-15, 1000), 2)
def test_rounding_agrees(quotient: Fraction, places_: int) -> None:
    assert arithmetic.text(quotient, places_) == rounded(quotient, places_)


@given(FRACTIONS)
@example(Fraction(1, 4))
@example(Fraction(9, 4))
@example(Fraction(25, 4))
def test_roots_agree(square: Fraction) -> None:
    assert links._root(square) == rounded_root(square, 12)
    assert links.significant_root(square, 50) == significant_root(square, 50)


def test_the_root_of_a_half_goes_to_the_even_one() -> None:
    assert [arithmetic.root(Fraction(n, 4)) for n in (1, 9, 25, 49)] == [0, 2, 2, 4]


# ---- codes


def test_every_code_is_one_that_can_be_found() -> None:
    source = "".join(
        file.read_text("utf-8")
        for file in Path(arithmetic.__file__).parent.glob("*.py")
        if file.name != "findings.py"
    )
    ours = {code for code, (level, _) in CODES.items() if level in {"log", "arithmetic"}}
    assert {code for code in ours if f'"{code}"' not in source} == set()


def test_further_levels_have_a_place() -> None:
    report = Report(
        findings=(),
        more=0,
        counts={},
        passed_over={},
        checkpoint=Checkpoint(origin=ORIGIN, size=0, root=bytes(32)),
        key=PUBLIC,
        listed=True,
    )
    assert report.reached == "arithmetic"
    assert report.with_level("rules", [], {"days": 3}).reached == "rules"
    assert report.with_level("rules", [], {}).with_level("decoding", [], {}).reached == "decoding"
    assert base64.b64encode(bytes(32))
