"""Requests: what a participant asks for, the table of its states, and one effect a command.

An effect is given the book, the request and the command and returns what takes its place, or raises `Refused`; the
state is set by the table. The size of a request is divided into what is left, what proposals have reserved and what is
filled; it never adds up to anything else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from mtok.calendar import DAY, day_of, format_instant
from mtok.market.commands import Command
from mtok.market.cycle import is_in_slot, next_run, run_of
from mtok.market.margin import Side
from mtok.market.months import first_day, month_of, month_text
from mtok.market.references import Reference, refusal
from mtok.settlement.machines import NEW, Machine, Refused
from mtok.settlement.people import Role
from mtok.settlement.specification import Specification
from mtok.settlement.values import Style, price_text

if TYPE_CHECKING:
    from mtok.market.book import Book

_USER: Final = (Role.PARTICIPANT_USER,)
_DESK: Final = (Role.DESK,)
_SYSTEM: Final = (Role.SYSTEM,)

MACHINE: Final = Machine(
    "request",
    [
        (NEW, "draft", "draft", _USER, "an id that is new"),
        (
            "draft",
            "submit",
            "submitted",
            _USER,
            "every field as the contract specification has it; within the quotas",
        ),
        (
            "submitted",
            "accept",
            "live",
            _DESK,
            "identity checked, not suspended; starts the clock of priority",
        ),
        ("submitted", "reject", "rejected", _DESK, "a reason"),
        (
            "live",
            "amend",
            "live",
            _USER,
            "not from a run to the end of its slot, nothing reserved, at most two between runs; a smaller size keeps "
            "priority, anything else loses it",
        ),
        ("live", "confirm", "live", _USER, "firm in the next run"),
        ("live", "pause", "paused", (*_USER, *_DESK), ""),
        ("paused", "resume", "live", (*_USER, *_DESK), ""),
        ("live paused", "cancel", "cancelled", _USER, "what is reserved stays until its proposal ends"),
        (
            "live paused",
            "expire",
            "expired",
            _SYSTEM,
            "at its expiry; something is left and nothing reserved",
        ),
        ("live paused", "fill", "filled", _SYSTEM, "nothing is left and nothing reserved"),
        ("submitted live paused", "suspend", "suspended", _DESK, "a second operator; a reason"),
        ("live", "draw", "live", _SYSTEM, "the root of the first checkpoint after acceptance, once"),
    ],
)

OPEN: Final = frozenset({"submitted", "live", "paused"})
"""States that count against the quotas."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request. lots : its size, of it `reserved` by proposals, `filled` by contracts · limit : 10⁻⁶ USD per million

    asked : the size as its owner last named it, which withdrawing and releasing do not change
    maturity : month, `tolerance` months either way where both sides allow it · tail : whether less than `min_lots` may
    remain · expires : instant of a run it no longer takes part in · firm_until : instant up to which it needs no
    confirmation · confirmed_for : the run it was confirmed for · accepted_at : start of its priority
    root : of the first checkpoint after that, hexadecimal · ran : the last run it took part in
    amended : how often before run `amended_before`
    """

    id: str
    party: str
    person: str
    reference: str
    methodology: str
    side: Side
    lots: int
    maturity: int
    expires: int
    min_lots: int = 1
    style: Style = Style.AVERAGE
    limit: int | None = None
    tolerance: int = 0
    tail: bool = False
    firm_until: int | None = None
    state: str = NEW
    reserved: int = 0
    filled: int = 0
    confirmed_for: int | None = None
    accepted_at: int | None = None
    asked: int = 0
    root: str | None = None
    ran: int | None = None
    amended: int = 0
    amended_before: int = 0
    reason: str | None = None

    @property
    def left(self) -> int:
        """What can still be matched."""
        return self.lots - self.reserved - self.filled

    def is_firm(self, run: int) -> bool:
        """Return whether it takes part in a run (C9): live, drawn, not expired, and confirmed for it or firm at it."""
        firm = self.confirmed_for == run or (self.firm_until is not None and self.firm_until >= run)
        return (
            self.state == "live" and self.root is not None and firm and run < self.expires and self.left > 0
        )


class Amendment(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a request that may change, all of them as they are to be."""

    lots: int
    min_lots: int
    limit: int | None
    maturity: int
    tolerance: int
    tail: bool
    expires: int
    firm_until: int | None


def draft(book: Book, _: None, command: Command) -> list[Request]:
    """Make a request that nobody else has seen."""
    wanted, actor = command.given(Request), command.actor
    assert wanted.id == command.id
    assert (wanted.state, wanted.reserved, wanted.filled) == (NEW, 0, 0)
    if actor.party not in book.parties:
        raise Refused("not_found", f"there is no participant {actor.party}", "Sign in for one.")
    return [_changed(wanted, asked=wanted.lots, party=actor.party, person=actor.person)]


def submit(book: Book, request: Request, command: Command) -> list[Request]:
    """Send a request to the desk. Raises Refused: as `check_fields`, `contact_missing`, `quota_live`, `quota_side`."""
    check_fields(request, command.at, book.references, book.rules)
    if not book.parties[request.party].contact:
        raise Refused(
            "contact_missing", "no contact for settlement", "Enter one; nobody sees it before booking."
        )
    own = [one for one in book.requests.values() if one.party == request.party and one.state in OPEN]
    _refuse_beyond_quota(request, own, book.rules)
    return [request]


def accept(book: Book, request: Request, command: Command) -> list[Request]:
    """Take a request into the book; its priority counts from now. Raises Refused (`not_eligible`)."""
    if not book.parties[request.party].may_trade(day_of(command.at)):
        raise Refused(
            "not_eligible", "its identity is not checked, or it is suspended", "Check it, or reject this."
        )
    return [_changed(request, accepted_at=command.at)]


def reject(_: Book, request: Request, command: Command) -> list[Request]:
    """Turn a request away."""
    return [_changed(request, reason=command.reason())]


def amend(book: Book, request: Request, command: Command) -> list[Request]:
    """Change a request. Raises Refused: `slot_running`, `reserved`, `amended_too_often`, `size_filled`, as `submit`."""
    rules, now = book.rules, command.at
    if is_in_slot(now, rules):
        raise Refused("slot_running", "terms may be on their way", "Amend when the slot is over.")
    if request.reserved:
        raise Refused("reserved", "a part of it stands in terms", "Approve or decline them first.")
    run = next_run(now, rules)
    count = request.amended + 1 if request.amended_before == run else 1
    if count > rules.amendments_max:
        raise Refused(
            "amended_too_often",
            f"{rules.amendments_max} amendments between two runs",
            f"Amend after the run of {format_instant(run)}.",
        )
    wanted = command.given(Amendment)
    if wanted.lots <= request.filled:
        raise Refused("size_filled", f"{request.filled} lots are filled already", "Cancel it instead.")
    fields = msgspec.structs.asdict(wanted)
    changed = _changed(request, **fields, asked=wanted.lots, amended=count, amended_before=run)
    check_fields(changed, now, book.references, rules)
    return [changed if _keeps_priority(request, changed) else _changed(changed, accepted_at=now, root=None)]


def confirm(book: Book, request: Request, command: Command) -> list[Request]:
    """Make a request firm in the next run."""
    return [_changed(request, confirmed_for=next_run(command.at, book.rules))]


def as_it_is(_: Book, request: Request, __: Command) -> list[Request]:
    """Change the state alone: pause, resume."""
    return [request]


def cancel(_: Book, request: Request, __: Command) -> list[Request]:
    """Withdraw what is not reserved."""
    return [_changed(request, lots=request.lots - request.left)]


def expire(_: Book, request: Request, command: Command) -> list[Request]:
    """End a request whose time is over. Raises Refused: `not_due`, `reserved`."""
    if command.at < request.expires:
        raise Refused("not_due", f"not before {format_instant(request.expires)}", "Wait until then.")
    if request.reserved or not request.left:
        raise Refused("reserved", "nothing is left, or a part is reserved", "Its proposal ends first.")
    return [request]


def fill(_: Book, request: Request, __: Command) -> list[Request]:
    """End a request of which nothing is left. Raises Refused (`not_due`)."""
    if request.left or request.reserved:
        raise Refused("not_due", f"{request.left} lots are left, {request.reserved} reserved", "Wait.")
    return [request]


def suspend(_: Book, request: Request, command: Command) -> list[Request]:
    """Take a request out of the market for good: two operators, with a reason."""
    command.refuse_one_operator()
    return [_changed(request, lots=request.lots - request.left, reason=command.reason())]


def draw(_: Book, request: Request, command: Command) -> list[Request]:
    """Record the root that decides between requests accepted in one instant. Raises Refused (`drawn_already`)."""
    if request.root is not None:
        raise Refused("drawn_already", "its root is known", "A draw is not repeated.")
    return [_changed(request, root=command.given(str))]


EFFECTS: Final[Mapping[str, Callable[[Book, Any, Command], list[Request]]]] = {
    "draft": draft,
    "submit": submit,
    "accept": accept,
    "reject": reject,
    "amend": amend,
    "confirm": confirm,
    "pause": as_it_is,
    "resume": as_it_is,
    "cancel": cancel,
    "expire": expire,
    "fill": fill,
    "suspend": suspend,
    "draw": draw,
}

# ---- effects of proposals, which no command asks for


def reserved(request: Request, lots: int) -> Request:
    """Return the request with lots reserved."""
    assert 0 < lots <= request.left
    return _changed(request, reserved=request.reserved + lots)


def took_part(request: Request, run: int) -> Request:
    """Return the request after a run, whatever came of it."""
    return _changed(request, ran=run)


def released(request: Request, lots: int) -> Request:
    """Return the request with lots no longer reserved; of one that has ended they are gone."""
    assert 0 < lots <= request.reserved
    size = request.lots if request.state in OPEN else request.lots - lots
    return _changed(request, reserved=request.reserved - lots, lots=size)


def filled(request: Request, lots: int) -> Request:
    """Return the request with reserved lots filled."""
    assert 0 < lots <= request.reserved
    return _changed(request, reserved=request.reserved - lots, filled=request.filled + lots)


# ---- what a request has to be


def check_fields(
    request: Request, now: int, references: Mapping[str, Reference], rules: Specification
) -> None:
    """Raise Refused for the first field that the contract specification does not have."""
    reference = references.get(request.reference)
    if reference is None or not reference.is_offered(rules) or reference.methodology != request.methodology:
        why = (
            refusal(reference, request.reference, rules)
            or f"methodology {request.methodology} is not in force"
        )
        raise Refused("reference_not_offered", why, "Choose another reference.")
    if not rules.lots_min <= request.lots - request.filled:
        raise Refused("size_below_minimum", f"{request.lots} lots", f"At least {rules.lots_min}.")
    if request.lots > rules.lots_max:
        raise Refused("size_above_maximum", f"{request.lots} lots", f"At most {rules.lots_max}.")
    if not rules.lots_min <= request.min_lots <= request.lots - request.filled:
        raise Refused(
            "minimum_invalid", f"a minimum of {request.min_lots} lots", f"1 to {request.lots} lots."
        )
    _check_maturity(request, now, rules)
    if request.limit is not None and not 0 < request.limit <= rules.price_max:
        raise Refused(
            "limit_out_of_range",
            f"a limit of {request.limit}",
            f"Above 0, at most {price_text(rules.price_max)}.",
        )
    _check_times(request, now, rules)


def _check_maturity(request: Request, now: int, rules: Specification) -> None:
    ahead = request.maturity - month_of(day_of(now))
    if not 1 <= ahead <= rules.months_ahead_max:
        raise Refused(
            "maturity_off_grid",
            f"{month_text(request.maturity)} is {ahead} months ahead",
            f"Choose one of the next {rules.months_ahead_max} months.",
        )
    if now >= closing(request.maturity, rules):
        raise Refused(
            "maturity_closed",
            f"requests for {month_text(request.maturity)} closed {rules.close_days} days before it",
            "Choose a later month.",
        )
    if not 0 <= request.tolerance <= rules.months_ahead_max:
        raise Refused("tolerance_invalid", f"{request.tolerance} months", f"0 to {rules.months_ahead_max}.")


def _check_times(request: Request, now: int, rules: Specification) -> None:
    last = run_of(day_of(closing(request.maturity, rules)), rules)
    if request.expires != run_of(day_of(request.expires), rules) or not now < request.expires <= last:
        raise Refused(
            "expiry_invalid",
            f"expiry {format_instant(request.expires)}",
            f"At {rules.run_hour}:00 UTC of a day after now, until {format_instant(last)}.",
        )


def closing(maturity: int, rules: Specification) -> int:
    """Return the first instant at which no request for a month is taken any more."""
    return (first_day(maturity) - rules.close_days) * DAY


def _refuse_beyond_quota(request: Request, live: Sequence[Request], rules: Specification) -> None:
    if len(live) >= rules.live_max:
        raise Refused(
            "quota_live", f"{len(live)} live requests", f"At most {rules.live_max}: cancel one first."
        )
    beside = [one for one in live if (one.reference, one.side) == (request.reference, request.side)]
    if len(beside) >= rules.live_per_side_max:
        raise Refused(
            "quota_side",
            f"{len(beside)} live requests to {request.side} {request.reference}",
            f"At most {rules.live_per_side_max}: cancel one first.",
        )


def _keeps_priority(before: Request, after: Request) -> bool:
    """Return whether it asks for the same at most: a smaller size or minimum, or other times."""
    asked = [(one.limit, one.maturity, one.tolerance, one.tail) for one in (before, after)]
    return asked[0] == asked[1] and after.lots <= before.lots and after.min_lots <= before.min_lots


def _changed(request: Request, **changes: Any) -> Request:
    return msgspec.structs.replace(request, **changes)
