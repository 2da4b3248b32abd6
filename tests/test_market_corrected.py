"""Defects of the market that were found and corrected, each by the smallest test that fails without the correction."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from market_driving import Drive, booked
from market_world import DESK, PRICE, TREASURY, Row, mark
from mtok.calendar import DAY
from mtok.market.agreements import Agreed, Agreement
from mtok.market.contracts import Contract, Marked, Posted
from mtok.market.proposals import TermsAmendment
from mtok.settlement.people import SYSTEM, Role


def active() -> tuple[Drive, str, Callable[[], Contract]]:
    """Return a market with a contract of 10 lots at 12.00, margin posted, and what returns the contract."""
    drive, name = booked()
    initial = drive.model.contracts[name].deal.initial
    posted = Posted(buyer=initial, seller=initial)
    drive.give("contract", "activate", name, TREASURY[0], posted, buyer=initial, seller=initial)
    return drive, name, lambda: drive.book.contracts[name]


def take_margin(drive: Drive, name: str, row: Row) -> None:
    """Take the margin of a day before the window, by its mark alone."""
    assert drive.give(
        "contract", "margin", name, SYSTEM, Marked(marks=(mark(row),), day=row.day), marks=[row], day=row.day
    )


def test_a_missed_call_stays_missed_with_the_next_margin() -> None:
    """Each day's call took the place of the last one with a later due instant, so nobody was ever overdue."""
    drive, name, contract = active()
    today = drive.now // DAY
    for day in (today, today + 7):
        take_margin(drive, name, Row("series", "1", day, 1, "published", PRICE * 4 // 5, None, True, "F0"))
    (call,) = contract().calls
    assert call.due < (today + 7) * DAY
    drive.go(call.due)
    assert drive.give("contract", "notice", name, TREASURY[0], second=TREASURY[1])


def test_what_both_sides_agree_on_is_not_held_back_by_a_dispute() -> None:
    """A value agreed for a day (F4) stands before its mark, so a dispute of that mark is of no consequence."""
    drive, name, contract = active()
    first = contract().terms.exposure.window.first
    said = Agreement(contract=name, terms_sha256=contract().terms.sha256, value=PRICE + 1_000_000, day=first)
    drive.go((first + 1) * DAY)
    buyer, seller = (drive.person(party, Role.PARTICIPANT_APPROVER) for party in ("p1", "p3"))
    agreed = Agreed(agreement=said, first_sha256=said.sha256, second_sha256=said.sha256)
    assert drive.give(
        "contract",
        "agree",
        name,
        buyer,
        agreed,
        second=seller,
        value=said.value,
        day=first,
        same=True,
        marks=(),
    )
    take_margin(drive, name, Row("series", "1", first, 1, "disputed", PRICE, PRICE - 1_000_000, True, "F0"))
    assert contract().account.moved == contract().terms.exposure.target(PRICE + 1_000_000)


@pytest.mark.parametrize("same", [True, False])
def test_one_person_cannot_ask_for_both_sides(same: bool) -> None:
    """Terms are amended because both sides ask for it; somebody with a login of each side is one person."""
    drive = Drive(lambda options: options[0])
    drive.new_request(drive.model.requests[drive.new_request(side="buy", lots=4, limit=PRICE)])
    drive.run()
    (name,) = drive.model.proposals
    nonces, _ = drive.details("proposal", "send", None)
    assert drive.give("proposal", "send", name, DESK, nonces)
    first, second = (drive.person(party, Role.PARTICIPANT_APPROVER) for party in ("p1", "p3"))
    asked = first, msgspec.structs.replace(second, person=first.person) if same else second
    wanted = TermsAmendment(price=PRICE, lots=3, asked_by=asked)
    assert drive.give("proposal", "amend", name, DESK, wanted, price=PRICE, lots=3, asked=asked) != same
