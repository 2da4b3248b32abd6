"""The past never changes: random publishers against a model that is a dictionary of lists (B1, B6).

Captures come or do not, corrections, notices, new keys and late imports happen in between, the program is started anew
each time. After every step what was known at every earlier instant is asked again, and the log has only grown.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from mtok.calendar import DAY, SECOND, day_of, format_date, parse_instant
from mtok.errors import AnswerIsNo
from mtok.proofs import Tree, leaf_hash
from mtok.publication.published import Published
from mtok.records import PublishedRecord
from presses import HOUR, SERIES, Desk, begun_desk, posted, ranked

_BEGUN: list[Desk] = []
_STEPS = 14
_HAPPENED: Counter[str] = Counter()
"""How many sequences there were, and how many records of each stage they published."""


def begun() -> Desk:
    """Return the desk every sequence begins with, made once a process."""
    if not _BEGUN:
        _BEGUN.append(begun_desk(Path(tempfile.mkdtemp(prefix="mtok-history-"))))
    return _BEGUN[0]


def sha(*parts: bytes) -> str:
    """Return one digest of several bytes."""
    return sha256(b"\n".join(parts)).hexdigest()


class History(RuleBasedStateMachine):
    """A desk through time, and what it has said.

    vintages : the model: records by (series, date), oldest first · known : digest of what was in force, by instant
    """

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mtok-history-"))
        self.patch = patch("os.fsync", lambda _: None)
        self.patch.start()
        _HAPPENED["sequences"] += 1
        self.desk = begun().copy(self.folder / "desk")
        self.now = parse_instant("2026-01-08T14:00:00Z")
        self.vintages: dict[tuple[str, str], list[PublishedRecord]] = {}
        self.known: dict[int, str] = {}
        self.roots: dict[int, bytes] = {}
        self.seed = 0
        published = self.desk.published
        for vintage in published.vintages.all():
            self.vintages.setdefault((vintage.series, vintage.date), []).append(published.record(vintage))

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.patch.stop()
            shutil.rmtree(self.folder)

    # ---- what happens

    def later(self, days: int, hour: int, second: int) -> None:
        """Let the time be the next such hour, some days on."""
        instant = (day_of(self.now) + days) * DAY + hour * HOUR + second * SECOND
        while instant <= self.now:
            instant += DAY
        self.now = instant

    @rule(hour=st.integers(0, 23))
    def prices_are_captured(self, hour: int) -> None:
        self.later(0, hour, 7)
        self.desk.take(posted(self.now))

    @rule(days=st.integers(1, 10), more=st.integers(0, 3))
    def totals_are_captured(self, days: int, more: int) -> None:
        """Of the last days; with `more` they are others than before: a restatement upstream."""
        self.now += SECOND
        today = day_of(self.now)
        tokens = {"openai/a": 10**6 * (1 + more), "openai/b": 3 * 10**6, "qwen/q": 5 * 10**5}
        self.desk.take(ranked(self.now, range(today - days, today), tokens if more else None))

    @rule(back=st.integers(1, 20), hour=st.integers(0, 23), totals=st.booleans())
    def older_captures_are_imported(self, back: int, hour: int, totals: bool) -> None:
        day = day_of(self.now) - back
        instant = day * DAY + hour * HOUR
        self.desk.take(ranked(instant, range(day - 3, day)) if totals else posted(instant))

    @rule(
        days=st.sampled_from([0, 0, 0, 0, 1, 2, 5]),
        hour=st.sampled_from([5, 6, 6, 13, 14, 14, 15, 19, 20, 23]),
        second=st.sampled_from([0, 0, 1, 3599]),
        last=st.sampled_from([None, None, None, 1, 2, 4]),
    )
    def a_run(self, days: int, hour: int, second: int, last: int | None) -> None:
        self.later(days, hour, second)
        last_day = None if last is None else day_of(self.now) - last
        self._published(lambda: self.desk.publish(self.now, last_day=last_day).records)

    @rule()
    def a_run_at_once(self) -> None:
        self._published(lambda: self.desk.publish(self.now).records)

    @rule(back=st.integers(1, 6), series=st.sampled_from([("openai",), ("qwen",), ("openai", "qwen")]))
    def a_correction(self, back: int, series: tuple[str, ...]) -> None:
        date = format_date(day_of(self.now) - back)
        self._published(lambda: self.desk.restate(self.now, date, *series).records)

    @rule()
    def a_notice(self) -> None:
        self.desk.notice(self.now)

    @rule()
    def a_new_key(self) -> None:
        self.seed += 1
        self.desk.rotate(self.now, self.seed)

    def _published(self, work: Callable[[], tuple[PublishedRecord, ...]]) -> None:
        """Do the work and take what it says it has published into the model."""
        try:
            records = work()
        except AnswerIsNo:
            return
        for record in records:
            _HAPPENED[f"{record.stage} {record.reason or ''}".strip()] += 1
            self.vintages.setdefault((record.series, record.date), []).append(record)

    # ---- what holds

    @invariant()
    def everything_holds(self) -> None:
        published = self.desk.published
        if published.size in self.roots:
            return
        self.the_model_is_what_is_published(published)
        self.vintages_are_dense_and_times_rise(published)
        self.the_past_is_what_it_was(published)
        self.the_as_of_tables_that_were_logged_can_be_made_again(published)
        self.the_log_has_only_grown(published)
        self.nothing_sees_what_is_known_later()

    def the_model_is_what_is_published(self, published: Published) -> None:
        found: dict[tuple[str, str], list[str]] = {}
        for vintage in published.vintages.all():
            found.setdefault((vintage.series, vintage.date), []).append(vintage.record_sha256)
        assert found == {key: [one.sha256 for one in listed] for key, listed in self.vintages.items()}
        for (series, date), listed in self.vintages.items():
            settled = [one for one in listed if one.stage != "informational"]
            in_force = published.vintages.in_force((series, "1.0", date))
            assert in_force
            assert in_force.record_sha256 == settled[-1].sha256

    def vintages_are_dense_and_times_rise(self, published: Published) -> None:
        """B6."""
        for listed in self.vintages.values():
            assert [one.vintage for one in listed] == list(range(len(listed)))
            assert [one.supersedes for one in listed] == [None, *range(len(listed) - 1)]
            assert all(
                parse_instant(one.known_at) < parse_instant(other.known_at) for one, other in pairwise(listed)
            )
        ends = [parse_instant(entry["time"]) for entry in published.entries if entry["type"] == "asof"]
        assert all(one < other for one, other in pairwise(ends))
        times = [parse_instant(entry["time"]) for entry in published.entries]
        assert times == sorted(times)

    def the_past_is_what_it_was(self, published: Published) -> None:
        """B1, from the entries and from the records, at and between the instants of all publications."""
        now = published.known_at
        assert now is not None
        self.known.setdefault(now, self._digest(published, now))
        for instant, digest in self.known.items():
            assert self._digest(published, instant) == digest
        for one, other in pairwise(sorted(self.known)):
            assert published.vintages.table(one) == published.vintages.table((one + other) // 2)

    def _digest(self, published: Published, instant: int) -> str:
        read = [
            record.sha256.encode()
            for series in SERIES
            for record in published.read(series, "1.0", as_of=instant)
        ]
        return sha(published.vintages.table(instant), *read)

    def the_as_of_tables_that_were_logged_can_be_made_again(self, published: Published) -> None:
        for entry in published.entries:
            if entry["type"] == "asof":
                table = published.vintages.table(parse_instant(entry["time"]))
                assert entry["sha256"] == sha256(table).hexdigest()
                assert int(entry["vintages"]) == table.count(b"\n")

    def the_log_has_only_grown(self, published: Published) -> None:
        tree = Tree(map(leaf_hash, published.raw_entries))
        for size, root in self.roots.items():
            assert tree.root(size) == root
        self.roots[tree.size] = tree.root()

    def nothing_sees_what_is_known_later(self) -> None:
        """What a record links to was published before it, with an as_of that is not after its own (R-0)."""
        by_digest: dict[str, PublishedRecord] = {
            one.determination_sha256: one for listed in self.vintages.values() for one in listed
        }
        for listed in self.vintages.values():
            for record in listed:
                assert parse_instant(record.as_of or "") <= parse_instant(record.known_at)
                for earlier in record.earlier:
                    named = by_digest[earlier.sha256]
                    assert named.stage != "informational"
                    assert parse_instant(named.known_at) <= parse_instant(record.known_at)
                    assert parse_instant(named.as_of or "") <= parse_instant(record.as_of or "")


RUN = settings(
    max_examples=12,
    stateful_step_count=_STEPS,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)

TestHistory: Any = History.TestCase
TestHistory.settings = RUN


def test_sequences_reach_every_stage() -> None:
    """The sequences above publish, correct and come late: a machine that does nothing would agree with any model."""
    assert {"prelim", "final", "backfill", "final source_late"} <= set(_HAPPENED) or _HAPPENED[
        "sequences"
    ] == 0


@pytest.mark.soak
def test_sequences_for_some_minutes() -> None:
    """As many as `MTOK_HISTORY_SECONDS` give, 480 unless said (docs/evidence/publication.md)."""
    seconds = int(os.environ.get("MTOK_HISTORY_SECONDS", "480"))
    _HAPPENED.clear()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        run_state_machine_as_test(History, settings=settings(RUN, max_examples=10, database=None))
    print(dict(sorted(_HAPPENED.items())))
    assert {"prelim", "final", "backfill source_late", "informational parser_bug"} <= set(_HAPPENED)
