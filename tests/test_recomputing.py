"""A published value made again from the archive by a fresh process, and what it says where it cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from mtok.errors import BadInput
from mtok.publication.facts_evidence import redetermine
from mtok.publication.marks import sources_of
from mtok.publication.recomputation import source_again
from mtok.records import Determination
from mtok.venue.otc.recomputing import recomputed
from presses import Desk, posted, usual_day
from presses import at as instant

DAY_8 = instant("2026-01-08 00:00:00") // (24 * 3600 * 10**6)


@pytest.fixture(scope="module")
def desk(begun: Desk, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A desk whose 8 January is printed, final, and restated for openai alone."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("os.fsync", lambda _: None)
        made = begun.copy(tmp_path_factory.mktemp("again") / "desk", usual_day(DAY_8 + 1))
        made.publish("2026-01-09 14:00:00")
        made.take(posted(instant("2026-01-08 20:00:00"), {"openai/a": "0.00005", "openai/b": "0.00001"}))
        made.restate("2026-01-09 15:00:00", "2026-01-08")
    return made


@pytest.mark.parametrize("reference", ["openai", "qwen", "model:openai/a"])
@pytest.mark.parametrize("date", ["2026-01-07", "2026-01-08"])
def test_what_is_published_comes_out_again_to_the_byte(desk: Desk, reference: str, date: str) -> None:
    found = sources_of(desk.published, reference, date)
    assert found
    for source in found:
        assert source_again(desk.folder, desk.store, source.index) == source.sha256


def test_a_fresh_process_says_the_same(desk: Desk) -> None:
    [source, *_] = sources_of(desk.published, "openai", "2026-01-08")
    assert recomputed(desk.store.path, source.index) == source.sha256


def test_without_the_archive_nobody_can_say(desk: Desk, tmp_path: Path) -> None:
    copy = desk.copy(tmp_path / "desk")
    [source, *_] = sources_of(copy.published, "openai", "2026-01-08")
    for path in (copy.store.path / "objects").rglob("*"):
        if path.is_file():
            path.unlink()
    assert recomputed(copy.store.path, source.index) is None
    assert recomputed(None, source.index) is None


def test_rules_that_come_to_something_else_give_another_digest(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rules that come to something else are what a fresh process is to find."""

    def shifted(facts: Any, before: Any) -> list[Determination]:
        return [msgspec.structs.replace(one, w=one.w + 1) for one in redetermine(facts, before)]

    monkeypatch.setattr("mtok.publication.recomputation.redetermine", shifted)
    source = sources_of(desk.published, "openai", "2026-01-08")[0]
    assert source_again(desk.folder, desk.store, source.index) != source.sha256


def test_an_entry_of_another_type_is_no_value(desk: Desk) -> None:
    with pytest.raises(BadInput) as refused:
        source_again(desk.folder, desk.store, 0)
    assert refused.value.code == "source_unknown"
