"""The market against its plain model, command by command, as hypothesis drives both.

`Drive` compares outcome, code, states, quantities, approvals and money after every command, and holds the invariants of
the market: M1 (quantities), M3 and M13 (what stands behind a contract), M8 (the second of a deadline, by the model),
M11 (no reservation stays), S2 and S12 (no cent comes or goes). `scripts/market_evidence_sequences.py` drives the same
rules by a seed, as often as asked.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from market_driving import Drive, sequences
from market_model import DAY
from market_rows import TABLES
from market_world import ACTORS, HOLIDAYS, LAST, STARTS
from mtok.settlement.business_days import is_business_day

NORMAL = settings(
    max_examples=150,
    stateful_step_count=12,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)
"""Every run drives the same sequences; others are the script's."""

EVERY_RUN = 700, 2
"""How many sequences every run drives without hypothesis, and their seed."""

ROWS = frozenset((kind, *row) for kind, rows in TABLES.items() for row in rows)


SEEDS = st.integers(0, 2**32 - 1)
"""Of what a rule picks: one draw a rule, or hypothesis would be slow and prefer the first of all options."""


class Market(RuleBasedStateMachine):
    """A market in two shapes."""

    @initialize(seed=SEEDS)
    def begin(self, seed: int) -> None:
        self.drive = Drive(random.Random(seed).choice)
        self.drive.pair()

    def does(self, seed: int, what: Callable[[Drive], None]) -> None:
        self.drive.pick = random.Random(f"{seed} {self.drive.steps}").choice
        what(self.drive)

    @rule(seed=SEEDS)
    def pair(self, seed: int) -> None:
        self.does(seed, Drive.pair)

    @rule(seed=SEEDS)
    def answer(self, seed: int) -> None:
        self.does(seed, Drive.answer)

    @rule(seed=SEEDS)
    def haggle(self, seed: int) -> None:
        self.does(seed, Drive.haggle)

    @rule(seed=SEEDS)
    def course(self, seed: int) -> None:
        self.does(seed, Drive.course)

    @rule(seed=SEEDS)
    def course_again(self, seed: int) -> None:
        self.does(seed, Drive.course)

    @rule(seed=SEEDS)
    def forward(self, seed: int) -> None:
        self.does(seed, Drive.forward)

    @rule(seed=SEEDS)
    def forward_again(self, seed: int) -> None:
        self.does(seed, Drive.forward)

    @rule(seed=SEEDS)
    def amending(self, seed: int) -> None:
        self.does(seed, Drive.amending)

    @rule(seed=SEEDS)
    def stray(self, seed: int) -> None:
        self.does(seed, Drive.stray)

    @rule(seed=SEEDS)
    def wait(self, seed: int) -> None:
        self.does(seed, Drive.wait)

    @rule(seed=SEEDS)
    def party(self, seed: int) -> None:
        self.does(seed, Drive.party)

    @rule(seed=SEEDS)
    def odd_request(self, seed: int) -> None:
        self.does(seed, Drive.odd_request)

    def teardown(self) -> None:
        if hasattr(self, "drive"):
            self.drive.check_liveness()


def test_the_market_does_what_the_model_says() -> None:
    """Hypothesis looks for a sequence in which they differ, and shortens it."""
    run_state_machine_as_test(Market, settings=NORMAL)


def test_every_row_of_the_tables_is_reached() -> None:
    """Few sequences step over every row of all three tables, and refuse for most reasons there are."""
    tally = sequences(*EVERY_RUN)
    assert not tally.diverged, tally.diverged[0]
    assert not ROWS - tally.rows
    booked = tally.outcomes["proposal approve done"] // 2
    assert booked > 100, "too few contracts for what is said of them"
    codes = {outcome.split()[-1] for outcome in tally.outcomes}
    assert len(codes) >= 40, sorted(codes)


def test_the_same_seed_drives_the_same_sequences() -> None:
    """A divergence can be looked at again."""
    first, again, other = sequences(5, seed=1), sequences(5, seed=1), sequences(5, seed=3)
    assert first == again != other


def test_holidays_of_the_model_are_those_of_the_calendar() -> None:
    """The model has its own list, copied from what the banks have published; two sources agree on every day."""
    for day in range(min(STARTS) // DAY, LAST // DAY):
        weekday = (day + 3) % 7  # 1970-01-01 was a Thursday
        assert is_business_day(day) == (weekday < 5 and day not in HOLIDAYS)


@pytest.mark.parametrize("role", ["admin", "auditor", "svc_publish", "mark_preparer", "mark_approver"])
def test_roles_without_business_take_part_in_vain(role: str) -> None:
    """The sequences have persons of every role."""
    assert role in {actor.role for actor in ACTORS}
    assert not any(role in who for rows in TABLES.values() for who, _ in rows.values())
