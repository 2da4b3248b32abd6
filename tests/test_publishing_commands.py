"""publish, restate, notice and keys as an operator meets them; and that no command touches what is published (B5)."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mtok.calendar import parse_date
from mtok.canonical import sha256_hex
from mtok.cli.app import app
from mtok.errors import EnvironmentFailed
from mtok.methodology.registry import documents
from mtok.notes import PrivateKey
from mtok.publication import press
from mtok.publication.keys import Keyring
from mtok.publication.policy import load_policy
from presses import ORIGIN, Begin, Desk, at, ranked, usual_days

pytestmark = pytest.mark.usefixtures("quick_disk")

Command = Callable[..., Result]
AT = ("--at", "2026-01-09T14:00:00Z")


@pytest.fixture
def desk(begin: Begin) -> Desk:
    """A desk that has published, of captures that claim to be real ones."""
    return begin()


def command(desk: Desk, *arguments: str | Path) -> Result:
    """Run a command on the store of a desk."""
    runner = CliRunner(env={"MTOK_STORE": None, "MTOK_HEAD": str(desk.head)})
    return runner.invoke(app, [*map(str, arguments), "--store", str(desk.store.path)])


def refused(result: Result) -> tuple[int, str]:
    """Return exit status and code of an error that is told for machines."""
    return result.exit_code, json.loads(result.stdout)["error"]["code"]


@pytest.fixture
def sample(tmp_path: Path) -> Desk:
    """A desk whose captures are of a sample, so that a command may be told what time it is; it has no key."""
    desk = Desk(tmp_path / "sample", key=False)
    responses = [replace(one.response(), origin="sample") for one in usual_days("2026-01-07", "2026-01-08")]
    with desk.store.writing():
        list(desk.store.archive(responses))
    return desk


# ---- publish


def test_publishing_from_the_first_key_on(sample: Desk) -> None:
    """No key, a key, everything, nothing more."""
    now = ("--at", "2026-01-08T14:00:00Z")
    assert refused(command(sample, "publish", *now, "--json")) == (2, "key_missing")
    made = command(sample, "keys", "new", "--origin", ORIGIN, "--json")
    assert made.exit_code == 0
    done = command(sample, "publish", *now, "--json")
    assert done.exit_code == 0
    content = json.loads(done.stdout)
    assert content.keys() == {
        *("records", "failed", "size", "known_at", "resumed", "next_due", "passed_over", "warning")
    }
    assert content["records"][0].keys() == {
        *("series", "date", "vintage", "stage", "quality", "value", "reason", "record_sha256")
    }
    assert content["size"] == sample.published.size
    again = command(sample, "publish", *now)
    assert again.exit_code == 1
    assert "nothing new; the next date is due at" in again.stdout


def test_a_real_publication_is_dated_by_the_clock_of_the_machine(desk: Desk) -> None:
    for arguments in (
        ["publish"],
        ["restate", "2026-01-05", "openai", "--reason", "parser_bug"],
        ["notice", "incident", "x"],
        ["keys", "rotate"],
    ):
        assert refused(command(desk, *arguments, *AT, "--json")) == (2, "clock_refused")


def test_a_store_without_volumes_has_nothing_to_publish(tmp_path: Path) -> None:
    assert refused(command(Desk(tmp_path), "publish", "--json")) == (1, "no_volumes")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["publish", "--date", "yesterday"], "date_invalid"),
        (["publish", "--at", "noon"], "instant_invalid"),
        (["restate", "2026-01-05", "openai", "--reason", "because"], "reason_unknown"),
        (["restate", "2026-01-05", "openia", "--reason", "parser_bug"], "series_unknown"),
        (["restate", "5 January", "openai", "--reason", "parser_bug"], "date_invalid"),
        (["notice", "rumour", "Something."], "notice_kind"),
        (["notice", "key_rotation", "Something."], "notice_kind"),
        (["notice", "incident", ""], "notice_text"),
        (["notice", "incident", " "], "notice_text"),
        (["notice", "incident", "two\nlines"], "notice_text"),
        (["notice", "incident", "bell \x07"], "notice_text"),
        (["notice", "incident", "right to left \u202e"], "notice_text"),
        (["notice", "incident", "x" * 4001], "notice_text"),
        (["notice", "incident", "x", "--series", "nobody"], "series_unknown"),
        (["notice", "incident", "x", "--from", "2026-01-09", "--to", "2026-01-08"], "dates_out_of_order"),
        (["keys", "new", "--origin", "other.example/log"], "key_exists"),
    ],
)
def test_a_bad_call_changes_nothing(desk: Desk, arguments: list[str], code: str) -> None:
    before = desk.files()
    assert refused(command(desk, *arguments, "--json")) == (2, code)
    assert desk.files() == before


def test_a_date_that_was_never_published_is_not_restated(desk: Desk) -> None:
    result = command(desk, "restate", "2025-12-24", "openai", "--reason", "parser_bug", "--json")
    assert refused(result) == (1, "not_published")


@pytest.mark.parametrize(
    "arguments", [["publish"], ["notice", "incident", "x"], ["keys", "show"], ["keys", "rotate"]]
)
def test_a_store_that_is_not_there(tmp_path: Path, arguments: list[str]) -> None:
    result = CliRunner(env={"MTOK_STORE": None}).invoke(
        app, [*arguments, "--store", str(tmp_path / "no"), "--json"]
    )
    assert refused(result) == (2, "store_missing")


def test_a_notice_and_a_correction_for_machines_and_for_people(desk: Desk) -> None:
    notice = ("notice", "disruption", "Prices were not captured.", "--series", "qwen", "--from", "2026-01-05")
    told = command(desk, *notice, "--json")
    size = desk.published.size
    assert (told.exit_code, json.loads(told.stdout)) == (
        0,
        {"kind": "disruption", "size": size, "published": True},
    )
    again = command(desk, *notice)
    assert "not published again: it is what was published last" in again.stdout
    assert desk.published.size == size
    [entry] = desk.entries("notice")
    assert {name: entry[name] for name in ("kind", "text", "series", "first_date")} == {
        "kind": "disruption",
        "text": "Prices were not captured.",
        "series": "qwen",
        "first_date": "2026-01-05",
    }
    assert "last_date" not in entry
    nothing = command(desk, "restate", "2026-01-05", "openai", "--reason", "parser_bug")
    assert nothing.exit_code == 1
    assert "says what is published of openai" in nothing.stderr
    desk.take(ranked(at("2026-01-08 13:00:01"), [parse_date("2026-01-06")], {"openai/b": 7}))
    done = command(desk, "restate", "2026-01-06", "openai", "qwen", "--reason", "source_restated", "--json")
    assert done.exit_code == 0
    records = json.loads(done.stdout)["records"]
    assert {(one["stage"], one["vintage"], one["reason"]) for one in records} == {
        ("informational", 1, "source_restated")
    }
    assert desk.findings() == []


@pytest.mark.parametrize(
    "arguments", [["publish"], ["restate"], ["notice"], ["keys", "new"], ["keys", "rotate"], ["keys", "show"]]
)
def test_every_command_shows_an_example(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, [*arguments, "--help"])
    assert result.exit_code == 0
    assert f"Example: mtok {' '.join(arguments)}" in " ".join(result.stdout.split())


# ---- keys


@pytest.mark.parametrize(
    "origin",
    [
        "https://x",
        "https://index.example.org/log",
        "two words",
        "a+b",
        "",
        "log\n",
        "/log",
        "x//y",
        "ünicode.example",
        "x" * 201,
    ],
)
def test_what_is_no_origin(tmp_path: Path, origin: str) -> None:
    desk = Desk(tmp_path, key=False)
    assert refused(command(desk, "keys", "new", "--origin", origin, "--json")) == (2, "origin_invalid")
    assert not (desk.store.path / "keys").exists()


@pytest.mark.parametrize("origin", ["index.example.org/log", "localhost:8080/prices/log", "index.example"])
def test_what_is_an_origin(tmp_path: Path, origin: str) -> None:
    desk = Desk(tmp_path, key=False)
    result = command(desk, "keys", "new", "--origin", origin, "--json")
    [key] = json.loads(result.stdout)["keys"]
    assert key["origin"] == origin


def key_files(desk: Desk) -> list[Path]:
    return sorted((desk.store.path / "keys").glob("*.key"))


def test_a_key_is_its_owners_alone_and_never_shown(tmp_path: Path) -> None:
    desk = Desk(tmp_path, key=False)
    umask = os.umask(0)
    made = command(desk, "keys", "new", "--origin", ORIGIN)
    os.umask(umask)
    [path] = key_files(desk)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o400
    assert path.with_suffix(".vkey").read_text() in made.stdout
    secret = path.read_text().strip().rpartition("+")[2]
    shown = [made, command(desk, "keys", "show"), command(desk, "keys", "show", "--json")]
    shown.append(command(desk, "keys", "rotate"))
    assert [one.exit_code for one in shown] == [0, 0, 0, 0]
    for one in shown:
        assert secret not in one.stdout + one.stderr
        assert "PRIVATE" not in one.stdout + one.stderr
    assert not any(secret.encode() in raw for raw in desk.files().values())


@pytest.mark.parametrize("mode", [0o440, 0o404, 0o644, 0o600 | 0o020])
def test_an_exposed_key_signs_nothing(desk: Desk, mode: int) -> None:
    [path] = key_files(desk)
    path.chmod(mode)
    before = desk.files()
    result = command(desk, "notice", "incident", "x", "--json")
    assert refused(result) == (3, "key_exposed")
    assert desk.files() == before


def test_two_keys_before_anything_is_published(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    Keyring(desk.store.path / "keys").add(PrivateKey(name=ORIGIN, seed=bytes([5] * 32)))
    assert refused(command(desk, "publish", "--json")) == (2, "key_ambiguous")


def test_the_key_of_the_log_has_gone(desk: Desk) -> None:
    """Neither no key nor another one signs in its place."""
    [path] = key_files(desk)
    gone = path.rename(path.with_suffix(".elsewhere"))
    assert refused(command(desk, "notice", "incident", "x", "--json")) == (2, "key_missing")
    Keyring(path.parent).add(PrivateKey(name=ORIGIN, seed=bytes([5] * 32)))
    assert refused(command(desk, "publish", "--json")) == (3, "checkpoint_refused")
    gone.rename(path)
    assert command(desk, "notice", "incident", "x").exit_code == 0
    assert desk.findings() == []


def signers(desk: Desk) -> list[str]:
    """Return the ids of the keys whose signatures the checkpoint has."""
    keys = Keyring(desk.store.path / "keys").public()
    return [key.id.hex() for key in desk.published.log.signers(keys)]


def test_a_key_is_replaced_and_once_more(desk: Desk) -> None:
    """Both sign the publication that says so, the new one alone from then on; the old file may be taken away."""
    first = signers(desk)
    desk.rotate("2026-01-08 15:00:00", 1)
    both = signers(desk)
    assert both[:1] == first
    assert len(both) == 2
    desk.notice("2026-01-08 15:01:00")
    assert signers(desk) == both[1:]
    shown = json.loads(command(desk, "keys", "show", "--json").stdout)
    assert shown["signing"] == both[1]
    assert f"retired      key {first[0]}" in command(desk, "keys", "show").stdout
    (desk.store.path / "keys" / f"{first[0]}.key").unlink()
    desk.rotate("2026-01-08 15:02:00", 2)
    desk.notice("2026-01-08 15:03:00")
    assert len(set(signers(desk)) | set(both)) == 3
    assert (desk.folder / "vkey").read_text() == str(desk.published_key()) + "\n"
    assert desk.findings() == []


@pytest.mark.parametrize("after", ["the key was made", "the publication was decided"])
def test_a_rotation_that_was_interrupted(desk: Desk, after: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one uses the key nobody has heard of instead of making a third; a decided one is completed."""
    broken = (
        "mtok.publication.press.Press.rotate"
        if after == "the key was made"
        else "mtok.publication.log.Log.claim"
    )
    with monkeypatch.context() as patched:
        patched.setattr(broken, lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            desk.rotate("2026-01-08 15:00:00", 1)
    assert len(key_files(desk)) == 2
    [waiting] = {path.stem for path in key_files(desk)} - {desk.key.id.hex()}
    if after == "the key was made":
        desk.notice("2026-01-08 15:01:00")
        assert signers(desk) == [desk.key.id.hex()]
        desk.rotate("2026-01-08 15:02:00", 2)
    desk.notice("2026-01-08 15:03:00")
    assert len(key_files(desk)) == 2
    assert signers(desk) == [waiting]
    assert desk.findings() == []


def test_a_key_file_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keyring = Keyring(tmp_path / "keys")
    key = PrivateKey(name=ORIGIN, seed=bytes(32))
    with monkeypatch.context() as patched:
        patched.setattr("os.write", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            keyring.add(key)
    assert list((tmp_path / "keys").iterdir()) == []
    path = keyring.add(key)
    assert keyring.add(key) == path
    assert keyring.private() == [key]


# ---- nothing published is ever changed


def immutable(desk: Desk) -> dict[str, bytes]:
    """Return the files that never change, by docs/formats.md."""
    names = (
        "log/tile log/heads records proofs prices observations captures raw methodology rulebooks policies"
    )
    folders = tuple(f"{name}/" for name in names.split())
    return {path: raw for path, raw in desk.files().items() if path.startswith(folders)}


def test_no_command_changes_or_deletes_what_is_published(desk: Desk, tmp_path: Path) -> None:
    """B5: every command that writes, one after the other, on one published store."""
    before = immutable(desk)
    assert len(before) > 50
    incoming = tmp_path / "2026-01-08T200000Z.json"
    incoming.write_bytes(ranked(at("2026-01-08 20:00:00"), [parse_date("2026-01-06")], {"openai/b": 9}).raw)
    for arguments in (
        ["import", incoming, "--captured-at", "2026-01-08T20:00:00Z"],
        ["determine"],
        ["determine", "--from", "2026-01-05", "--as-of", "2026-01-07T00:00:00Z"],
        ["restate", "2026-01-06", "openai", "--reason", "source_restated"],
        ["notice", "incident", "x"],
        ["keys", "rotate"],
        ["keys", "new", "--origin", "other.example/log"],
        ["publish", "--date", "2026-01-09"],
        ["doctor"],
        ["demo"],
        ["backup", tmp_path / "backup"],
        ["status"],
    ):
        command(desk, *arguments)
        now = immutable(desk)
        assert {path: now.get(path) for path in before} == before, arguments
    assert desk.published.vintages.dates()[-1] == "2026-01-09"
    assert desk.findings() == []


def test_other_bytes_in_the_way_stop_a_publication_until_they_are_gone(begin: Begin) -> None:
    desk = begin(usual_days("2026-01-09", "2026-01-09"))
    path = desk.folder / "records" / "qwen" / "2026-01-08.0.json"
    path.write_text("{}")
    size = desk.published.size
    for _ in range(2):
        with pytest.raises(EnvironmentFailed) as error:
            desk.publish("2026-01-09 06:00:00")
        assert error.value.code == "published_differs"
        assert path.read_text() == "{}"
        assert desk.published.size == size
    path.unlink()
    assert desk.publish("2026-01-09 06:01:00").resumed
    assert desk.vintages("2026-01-08") == [("prelim", None)]
    assert desk.findings() == []


# ---- methods (B7); that a changed rule without a new id fails is tests/test_house.py


def test_a_changed_policy_or_rulebook_is_announced_and_the_old_files_stay(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = begin()
    before = immutable(desk)
    [first] = desk.entries("method")
    desk.notice("2026-01-08 15:00:00")
    assert desk.entries("method") == [first], "an unchanged one is not announced again"
    raw = load_policy().raw + b"# another word\n"
    other = replace(load_policy(), raw=raw, sha256=sha256_hex(raw))
    monkeypatch.setattr(press, "load_policy", lambda: other)
    desk.notice("2026-01-08 16:00:00")
    rulebook = documents("1.0")["rulebook.md"] + b"\nAnother word.\n"
    found = dict(documents("1.0")) | {"rulebook.md": rulebook}
    monkeypatch.setattr(press, "documents", lambda _: dict(found))
    monkeypatch.setattr("mtok.publication.remaking.documents", lambda _: dict(found))
    desk.notice("2026-01-08 17:00:00")
    methods = desk.entries("method")
    assert [one["policy_sha256"] for one in methods] == [first["policy_sha256"], other.sha256, other.sha256]
    assert [one["rulebook_sha256"] for one in methods] == [
        *[first["rulebook_sha256"]] * 2,
        sha256_hex(rulebook),
    ]
    assert {one["reason"] for one in methods[1:]} == {"the text of the rulebook or the policy has changed"}
    now = immutable(desk)
    assert {path: now[path] for path in before} == before
    assert now[f"policies/{other.sha256}.toml"] == raw
    assert now[f"rulebooks/{sha256_hex(rulebook)}.md"] == rulebook
    assert desk.findings() == []
