"""What a participant's program learns of others before its first terms, over HTTP and by mail: nothing.

The comparison can fail: an answer that shows what is reserved, and a mail that is sent only where nobody was found, are
told apart. `scripts/venue_evidence.py secrecy` plays as many pairs as asked.
"""

from __future__ import annotations

from typing import Any

import pytest

import venues

venues.configured()

from venue_worlds import Tamper, play_pair  # noqa: E402 - Django takes its settings first

PAIRS = 5
CONTROLS = 12


@pytest.mark.parametrize("seed", range(PAIRS))
def test_two_worlds_are_the_same_to_a(seed: int) -> None:
    pair = play_pair(seed)
    assert pair.leaks == []
    assert pair.steps


def shows_what_is_left(patch: pytest.MonkeyPatch) -> None:
    """Let an answer say what is left of a request, which a candidate lessens."""
    from mtok.market import reveal

    real: Any = reveal._SHOWN
    patch.setattr(reveal, "_SHOWN", {**real, "asked": lambda _, found, __, ___: found.left})


def mails_only_who_found_nobody(patch: pytest.MonkeyPatch) -> None:
    """Let «no match» go to those alone who were no candidate either."""
    from mtok.venue.database.models import ProposalRow
    from mtok.venue.mail import due

    real = due._no_matches

    def some(run: int, rules: Any) -> Any:
        found = {side for row in ProposalRow.objects.filter(run=run) for side in (row.buy_id, row.sell_id)}
        return (told for told in real(run, rules) if told.object not in found)

    patch.setattr(due, "_no_matches", some)


@pytest.mark.parametrize("tamper", [shows_what_is_left, mails_only_who_found_nobody])
def test_a_venue_that_tells_is_told_apart(tamper: Tamper) -> None:
    assert any(play_pair(seed, tamper).leaks for seed in range(CONTROLS))
