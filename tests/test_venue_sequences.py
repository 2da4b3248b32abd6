"""What is kept against the core: recorded sequences of commands, given to the book, the plain model and the database.

After every command all three agree on outcome and code, every object kept is the book's, field by field, and is what
the last event of its history says. `scripts/venue_evidence.py sequences` drives as many as asked.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

import venues
from kept_driving import KeptDrive
from market_driving import RULES

EVERY_RUN = 12
STEPS = 24


def drive(seed: int, steps: int) -> KeptDrive:
    """Drive one sequence of a seed."""
    made = KeptDrive(random.Random(seed).choice, seed)
    rules = [getattr(KeptDrive, rule.__name__) for weight, rule in RULES for _ in range(weight)]
    made.pair()
    while made.steps < steps or made.pick(range(8)):
        made.pick(rules)(made)
    return made


@pytest.mark.parametrize("seed", range(EVERY_RUN))
def test_what_is_kept_is_what_the_core_says(seed: int, tmp_path: Path) -> None:
    with venues.sqlite(tmp_path / "venue.sqlite3"):
        assert drive(seed, STEPS).steps >= STEPS
