"""Contracts: from booking to the last payment. The table of their states, and one effect a command.

Marks come in as marks, never as numbers: what may not be used for margin, or for what is paid, cannot reach the
arithmetic. All amounts are cents to the long side, the buyer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from mtok.calendar import DAY, day_of, format_date, format_instant
from mtok.market.agreements import Agreed, agreed_by_both
from mtok.market.commands import Command
from mtok.market.cycle import HOUR
from mtok.market.margin import Account, Closing, MarginDay, Side, close, margin_day
from mtok.market.terms import Approval, Terms
from mtok.settlement.business_days import business_day_after, deadline
from mtok.settlement.machines import NEW, Machine, Refused
from mtok.settlement.marks import (
    DISPUTED,
    IN_MARGIN,
    IN_SETTLEMENT,
    REVIEWED,
    Level,
    Mark,
    claims,
    usable,
)
from mtok.settlement.people import Role
from mtok.settlement.specification import Specification

if TYPE_CHECKING:
    from mtok.market.book import Book

_SYSTEM: Final = (Role.SYSTEM,)
_TREASURY: Final = (Role.TREASURY,)
_APPROVER: Final = (Role.PARTICIPANT_APPROVER,)

MACHINE: Final = Machine(
    "contract",
    [
        (NEW, "book", "booked", _SYSTEM, "two approvals of one digest, by two persons of two groups"),
        ("booked", "activate", "active", _TREASURY, "both sides have posted their initial margin, in time"),
        ("booked", "void", "voided", _SYSTEM, "the days for posting are over"),
        ("active", "disrupt", "disrupted", _SYSTEM, "the mark of the day comes from level F3 or below"),
        ("disrupted", "recover", "active", _SYSTEM, "the mark of the day is its own"),
        (
            "active disrupted default_notice",
            "margin",
            "",
            _SYSTEM,
            "a day after the last one, not after the window; every mark usable, from the window's first day on",
        ),
        ("active disrupted default_notice", "post", "", _TREASURY, "a positive amount that has arrived"),
        (
            "active disrupted",
            "agree",
            "",
            _APPROVER,
            "one person of each side, the very value of a day of the window that is over and has no mark (F4), within "
            "the days to agree",
        ),
        (
            "active disrupted",
            "mature",
            "final_pending",
            _SYSTEM,
            "every mark of the window is locked, or agreed",
        ),
        ("final_pending", "settle", "settled", _TREASURY, "payment confirmed"),
        ("settled", "close", "closed", _TREASURY, "collateral returned"),
        ("active disrupted", "notice", "default_notice", _TREASURY, "a second operator; a call is overdue"),
        ("default_notice", "cure", "active", _TREASURY, "a second operator; paid, within the days to cure"),
        (
            "default_notice",
            "close_out",
            "closed_out",
            _TREASURY,
            "a second operator; not paid, the days to cure are over; the first usable mark after the notice",
        ),
        ("active disrupted", "terminate", "terminated", _APPROVER, "one person of each side, the very price"),
        (
            "disrupted",
            "end",
            "terminated",
            _TREASURY,
            "a second operator; a reason; at the last locked mark, nobody's fault (F5)",
        ),
    ],
)

RUNNING: Final = frozenset(row.state for row in MACHINE.rows if row.command == "margin")
"""States in which margin is owed."""


class OpenCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call that is not paid yet. due : the instant after which it is overdue"""

    side: Side
    amount: int
    due: int


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """A contract between two parties on approved terms.

    buyer, seller : parties · days : every margin day so far · calls : not paid · agreed : F4 values by day
    """

    id: str
    terms: Terms
    approvals: tuple[Approval, ...]
    buyer: str
    seller: str
    booked_at: int
    state: str = NEW
    account: Account = Account()
    days: tuple[MarginDay, ...] = ()
    calls: tuple[OpenCall, ...] = ()
    agreed: tuple[tuple[int, int], ...] = ()
    noticed_at: int | None = None
    closing: Closing | None = None
    reason: str | None = None


class Posted(msgspec.Struct, frozen=True, kw_only=True):
    """Collateral that has arrived, in cents."""

    buyer: int = 0
    seller: int = 0


class Marked(msgspec.Struct, frozen=True, kw_only=True):
    """The marks a command rests on. day : of the margin that is taken · reason : of an end by two operators"""

    marks: tuple[Mark, ...]
    day: int = 0
    reason: str = ""


def booked(
    terms: Terms, approvals: tuple[Approval, ...], buyer: str, seller: str, command: Command
) -> Contract:
    """Return the contract of terms that two persons have approved for two parties."""
    row = MACHINE.step(NEW, "book", command.actor)
    assert {one.sha256 for one in approvals} == {terms.sha256}, "approvals of other terms"
    assert {one.party for one in approvals} == {buyer, seller}
    assert len({one.person for one in approvals}) == 2
    return Contract(
        id=terms.proposal,
        terms=terms,
        approvals=approvals,
        buyer=buyer,
        seller=seller,
        booked_at=command.at,
        state=row.next(),
    )


def book_alone(_: Book, __: None, ___: Command) -> list[Contract]:
    """Refuse to make a contract of nothing."""
    raise Refused(
        "not_allowed", "a contract is booked with the second approval of its terms", "Approve terms."
    )


def activate(book: Book, contract: Contract, command: Command) -> list[Contract]:
    """Begin a contract whose initial margin has come. Raises Refused: `too_late`, `margin_missing`."""
    posted, until = command.given(Posted), deadline(contract.booked_at, book.rules.posting_days)
    if command.at >= until:
        raise Refused(
            "too_late", f"initial margin was to come before {format_instant(until)}", "It becomes void."
        )
    if min(posted.buyer, posted.seller) < contract.terms.initial_margin:
        raise Refused("margin_missing", "one side's initial margin is not there", "Wait for it.")
    return [_changed(contract, account=Account(long=posted.buyer, short=posted.seller).checked())]


def void(book: Book, contract: Contract, command: Command) -> list[Contract]:
    """End a contract whose initial margin never came. Raises Refused (`not_due`)."""
    _refuse_before(deadline(contract.booked_at, book.rules.posting_days), command.at)
    return [contract]


def disrupt(_: Book, contract: Contract, command: Command) -> list[Contract]:
    """Note that the mark of the day is not its own. Raises Refused: `not_disrupted`, `mark_missing`."""
    if _level(contract, command.given(Mark)) in (Level.FINAL, Level.LATE):
        raise Refused("not_disrupted", "the mark of the day is its own", "Nothing is to be done.")
    return [contract]


def recover(_: Book, contract: Contract, command: Command) -> list[Contract]:
    """Note that the mark of the day is its own again. Raises Refused: `still_disrupted`, `mark_missing`."""
    if _level(contract, command.given(Mark)) not in (Level.FINAL, Level.LATE):
        raise Refused("still_disrupted", "the mark of the day is not its own", "Wait for one that is.")
    return [contract]


def margin(book: Book, contract: Contract, command: Command) -> list[Contract]:
    """Take a day's margin: move what is due, call who is short; of a disputed mark what is undisputed moves.

    A call that was not paid keeps its hour when another follows. Of a day that is agreed no dispute counts.
    Raises Refused: `margin_done`, `window_over`, `mark_missing`.
    """
    given = command.given(Marked)
    return [with_margin(contract, *margin_values(_own(contract, given.marks)), given.day, book.rules)]


def margin_values(marks: Sequence[Mark]) -> tuple[dict[int, int], dict[int, int]]:
    """Return what margin takes of the marks of one reference: values by day, and of disputed ones what is claimed."""
    return usable(marks, IN_MARGIN | {DISPUTED}), claims(marks)


def with_margin(
    contract: Contract,
    values: Mapping[int, int],
    claimed: Mapping[int, int],
    day: int,
    rules: Specification,
) -> Contract:
    """Return a contract after the margin of a day. values, claimed : of its reference, by `margin_values`

    Raises Refused as `margin`.
    """
    exposure = contract.terms.exposure
    if contract.days and day <= contract.days[-1].day:
        raise Refused(
            "margin_done", f"margin of {format_date(contract.days[-1].day)} is taken", "Nothing is due."
        )
    if day > exposure.window.last:
        raise Refused(
            "window_over", f"the window ended on {format_date(exposure.window.last)}", "It matures now."
        )
    agreed = dict(contract.agreed)
    if agreed:
        values = {**values, **agreed}
        claimed = {one: own for one, own in claimed.items() if one not in agreed}
    taken = margin_day(contract.account, exposure, day, values, claimed=claimed)
    due = business_day_after(day + 1, 1) * DAY + rules.payment_hour * HOUR
    calls = {one.side: one for one in contract.calls}
    for one in taken.calls:  # a call that was missed stays missed, whatever is called after it
        since = min(due, calls[one.side].due) if one.side in calls else due
        calls[one.side] = OpenCall(side=one.side, amount=one.amount, due=since)
    return _changed(
        contract, account=taken.account, days=(*contract.days, taken), calls=tuple(calls.values())
    )


def post(_: Book, contract: Contract, command: Command) -> list[Contract]:
    """Take collateral that has arrived; a call that it covers is paid. Raises Refused (`amount_invalid`)."""
    posted = command.given(Posted)
    amounts = {Side.BUY: posted.buyer, Side.SELL: posted.seller}
    if min(amounts.values()) < 0 or not any(amounts.values()):
        raise Refused("amount_invalid", "no positive amount", "Post what has arrived.")
    left = [msgspec.structs.replace(one, amount=one.amount - amounts[one.side]) for one in contract.calls]
    account = contract.account
    for side, amount in amounts.items():
        account = account.posted(side, amount) if amount else account
    return [_changed(contract, account=account, calls=tuple(one for one in left if one.amount > 0))]


def agree(book: Book, contract: Contract, command: Command) -> list[Contract]:
    """Take what both sides agree to be the value of a day, for this contract alone (F4).

    Raises Refused: `day_outside`, `mark_exists`, `too_late`, `not_asked`, `digest_stale`, `same_person`, `step_up`,
    `value_invalid`.
    """
    agreed = agreed_by_both(book, contract, command, command.two_persons(MACHINE, contract.state))
    if agreed.day is None or agreed.day not in contract.terms.exposure.window.days:
        raise Refused(
            "day_outside", "it is no day of the window", "Only a day of the window can be agreed on."
        )
    if command.at < (agreed.day + 1) * DAY:
        raise Refused("day_outside", f"{format_date(agreed.day)} is not over", "Wait for its print.")
    given = command.given(Agreed)
    if agreed.day in usable(_own(contract, given.marks), REVIEWED):
        raise Refused("mark_exists", f"{format_date(agreed.day)} has a mark", "Dispute it, if it is wrong.")
    until = deadline((agreed.day + 1) * DAY, book.rules.agreement_days)
    if command.at >= until:
        raise Refused(
            "too_late", f"that was possible before {format_instant(until)}", "Two operators decide (F5)."
        )
    values = dict(contract.agreed) | {agreed.day: agreed.value}
    return [_changed(contract, agreed=tuple(sorted(values.items())))]


def mature(_: Book, contract: Contract, command: Command) -> list[Contract]:
    """Fix what is paid at the end of the window. Raises Refused (`mark_missing`) unless every mark is locked."""
    values = _values(contract, command.given(Marked).marks, IN_SETTLEMENT)
    return [_closed(contract, contract.terms.exposure.window.final_value(values))]


def as_it_is(_: Book, contract: Contract, __: Command) -> list[Contract]:
    """Change the state alone: the last payment is made; the collateral has been returned."""
    return [contract]


def notice(_: Book, contract: Contract, command: Command) -> list[Contract]:
    """Give notice of default. Raises Refused: `second_missing`, `same_person`, `not_overdue`."""
    command.refuse_one_operator()
    if not any(command.at >= one.due for one in contract.calls):
        raise Refused("not_overdue", "no call is overdue", "Wait until one is.")
    return [_changed(contract, noticed_at=command.at)]


def cure(book: Book, contract: Contract, command: Command) -> list[Contract]:
    """Go on after a default that was cured. Raises Refused: `second_missing`, `same_person`, `not_paid`, `too_late`."""
    command.refuse_one_operator()
    assert contract.noticed_at is not None
    if contract.calls:
        raise Refused("not_paid", "a call is not paid", "Post what has arrived first.")
    if command.at >= deadline(contract.noticed_at, book.rules.cure_days):
        raise Refused("too_late", "the days to cure are over", "It is closed out.")
    return [_changed(contract, noticed_at=None)]


def close_out(book: Book, contract: Contract, command: Command) -> list[Contract]:
    """Close out a defaulted contract at the first usable mark of a day that is not before the notice.

    Raises Refused: `second_missing`, `same_person`, `not_due`, `mark_missing`.
    """
    command.refuse_one_operator()
    assert contract.noticed_at is not None
    _refuse_before(deadline(contract.noticed_at, book.rules.cure_days), command.at)
    values, window = _values(contract, command.given(Marked).marks, IN_MARGIN), contract.terms.exposure.window
    after = [day for day in values if day_of(contract.noticed_at) <= day <= window.last]
    return [_closed(contract, window.settlement_price(min(after, default=window.last), values))]


def terminate(book: Book, contract: Contract, command: Command) -> list[Contract]:
    """End a contract at the price both sides agree on. Raises Refused as `agree`."""
    agreed = agreed_by_both(book, contract, command, command.two_persons(MACHINE, contract.state))
    if agreed.day is not None:
        raise Refused("day_outside", "a price to end at is of no day", "Leave out the day.")
    return [_closed(contract, agreed.value)]


def end(_: Book, contract: Contract, command: Command) -> list[Contract]:
    """End a contract that can have no value, at its last locked mark before the first gap of the window (F5).

    Raises Refused: `second_missing`, `same_person`, `reason_missing`, `mark_missing`.
    """
    command.refuse_one_operator()
    given, window = command.given(Marked), contract.terms.exposure.window
    if not given.reason.strip():
        raise Refused("reason_missing", "no reason", "Write why.")
    values = _values(contract, given.marks, IN_SETTLEMENT)
    gap = next((day for day in window.days if day not in values), window.last + 1)
    day = max((day for day in values if day < gap), default=None)
    if day is None:
        raise Refused("mark_missing", "no mark is locked", "Wait until one is.")
    return [_changed(_closed(contract, window.settlement_price(day, values)), reason=given.reason)]


EFFECTS: Final[Mapping[str, Callable[[Book, Any, Command], list[Contract]]]] = {
    "book": book_alone,
    "activate": activate,
    "void": void,
    "disrupt": disrupt,
    "recover": recover,
    "margin": margin,
    "post": post,
    "agree": agree,
    "mature": mature,
    "settle": as_it_is,
    "close": as_it_is,
    "notice": notice,
    "cure": cure,
    "close_out": close_out,
    "terminate": terminate,
    "end": end,
}


def _closed(contract: Contract, price: int) -> Contract:
    return _changed(contract, closing=close(contract.account, contract.terms.exposure, price), calls=())


def _values(contract: Contract, marks: Sequence[Mark], states: frozenset[str]) -> dict[int, int]:
    """Return the usable values by day of a contract's reference and methodology; agreed ones before marks."""
    return usable(_own(contract, marks), states) | dict(contract.agreed)


def _level(contract: Contract, mark: Mark) -> Level:
    """Return the level of a mark that the contract may use. Raises Refused (`mark_missing`) for another one."""
    if not usable(_own(contract, [mark]), IN_MARGIN):
        raise Refused(
            "mark_missing", f"the mark of {mark.date} is not one of this contract's", "Give its own."
        )
    return mark.level


def _own(contract: Contract, marks: Sequence[Mark]) -> list[Mark]:
    """Return the marks of a contract's reference and methodology, whatever else is there."""
    terms = contract.terms
    return [
        mark for mark in marks if (mark.reference, mark.methodology) == (terms.reference, terms.methodology)
    ]


def _refuse_before(instant: int, now: int) -> None:
    if now < instant:
        raise Refused("not_due", f"not before {format_instant(instant)}", "Wait until then.")


def _changed(contract: Contract, **changes: Any) -> Contract:
    return msgspec.structs.replace(contract, **changes)
