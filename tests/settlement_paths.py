"""Random paths of contracts, played by the code under test and by the oracle, and what must hold of each.

A path is a contract and what happens to it day by day: marks, days without a value of their own, disputes, corrections,
top-ups, days without margin. `differences` compares every number of a path with `settlement_oracle`; `INVARIANTS` are
checked one by one. scripts/market_evidence_paths.py runs both over as many seeds as there is time for.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any, NamedTuple

import msgspec

import settlement_oracle as oracle
from mtok.calendar import DAY, format_date
from mtok.market.book import Book
from mtok.market.contracts import Contract, Marked, Posted
from mtok.market.margin import (
    Account,
    Closing,
    Exposure,
    MarginDay,
    Side,
    close,
    initial_margin,
    maintenance_margin,
    margin_day,
)
from mtok.market.netting import due_of, net
from mtok.settlement.machines import Refused
from mtok.settlement.marks import Level, Mark
from mtok.settlement.values import Style, Window, cash
from settling import (
    RULES,
    Windowed,
    book_with,
    claim,
    command,
    given,
    mark_of,
    new_contract,
    running,
    terms,
    the_contract,
)

FIRST = 20_500
"""A day of 2026; nothing depends on it."""
QUANTITY_MAX = RULES.lots_max * RULES.multiplier


class Event(NamedTuple):
    """A day of a path. marks : as known on it · claims : of those disputed on it · top_up : of each side, cents

    carried : days whose mark is another day's · corrected : days whose mark has a second version
    """

    day: int
    marks: dict[int, int]
    claims: dict[int, int]
    carried: frozenset[int]
    corrected: frozenset[int]
    takes_margin: bool
    top_up: tuple[int, int]


class Path(NamedTuple):
    """A contract, its days, and the marks that are locked in the end. moves : of which the rules make a margin

    The initial margin of the contract is a part of that, small in some, so that collateral runs out.
    """

    seed: int
    exposure: Exposure
    moves: tuple[int, ...]
    events: tuple[Event, ...]
    final: dict[int, int]

    @property
    def window(self) -> Window:
        """Its window."""
        return self.exposure.window

    @property
    def deal(self) -> oracle.Deal:
        """As the oracle takes it."""
        one = self.exposure
        return oracle.Deal(
            trade=one.price,
            quantity=one.quantity,
            first=one.window.first,
            last=one.window.last,
            of_last=one.window.style == Style.LAST,
            initial=one.initial_margin,
            maintenance=one.maintenance_margin,
            least=one.transfer_min,
        )


class Played(NamedTuple):
    """What became of a path: days, and its money before the end."""

    rows: tuple[MarginDay, ...]
    account: Account
    closing: Closing


def path(seed: int) -> Path:
    """Return the path of a seed."""
    chance = random.Random(seed)
    window = Window(
        first=FIRST,
        last=FIRST + chance.randint(5, 31) - 1,
        style=Style.LAST if chance.random() < 0.2 else Style.AVERAGE,
    )
    top = chance.choice([1_000, 3 * 10**7, 3 * 10**7, 3 * 10**7, RULES.price_max])
    price = chance.randint(1, top)
    quantity = chance.choice([1, 100, 25_000, 100 * chance.randint(1, 10**4), QUANTITY_MAX])
    moves = tuple(
        sorted(chance.randint(0, max(1, top // 3)) for _ in range(chance.choice([0, 59, 60, 100, 250])))
    )
    initial = initial_margin(price, quantity, moves, RULES) // chance.choice([1, 1, 1, 10, 100]) + 1
    start = window.first - chance.randint(0, 10)
    events, final = _events(chance, range(start, window.last + 1), price, top)
    exposure = Exposure(
        price=price,
        quantity=quantity,
        window=window,
        initial_margin=initial,
        maintenance_margin=maintenance_margin(initial, RULES),
        transfer_min=_least(chance, events[0], price, quantity),
    )
    return Path(seed, exposure, moves, tuple(events), final)


def _least(chance: random.Random, first: Event, price: int, quantity: int) -> int:
    """Return the smallest transfer: that of the rules, or what is due on the first day to the cent, or about it."""
    due = abs(oracle.cents(oracle.dollars(first.marks[first.day] - price, quantity)))
    return chance.choice([RULES.transfer_min, RULES.transfer_min, 1, due or 1, due + 1, max(1, due - 1)])


def _events(chance: random.Random, days: range, price: int, top: int) -> tuple[list[Event], dict[int, int]]:
    marks: dict[int, int] = {}
    claims: dict[int, int] = {}
    carried: set[int] = set()
    fixed: set[int] = set()
    events, value = [], price
    for day in days:
        value = _next(chance, value, top)
        if marks and chance.random() < 0.08:
            carried.add(day)
            value = marks[day - 1]
        marks[day] = value
        for one in list(claims):
            if chance.random() < 0.4:
                del claims[one]
                if chance.random() < 0.5:
                    marks[one] = _other(chance, marks[one], top)
                    fixed.add(one)
                    carried.discard(one)
        if chance.random() < 0.08:
            one = chance.choice(
                [recent for recent in marks if recent > day - 4 and recent not in fixed] or [day]
            )
            if one not in fixed:
                claims[one] = _other(chance, marks[one], top)
        events.append(
            Event(
                day=day,
                marks=dict(marks),
                claims=dict(claims),
                carried=frozenset(carried),
                corrected=frozenset(fixed),
                takes_margin=chance.random() < 0.9,
                top_up=(_top_up(chance), _top_up(chance)),
            )
        )
    final = dict(marks)
    for one in claims:
        if chance.random() < 0.5:
            final[one] = _other(chance, final[one], top)
    return events, final


def _next(chance: random.Random, value: int, top: int) -> int:
    if chance.random() < 0.05:
        return chance.choice([1, top, chance.randint(1, top)])
    return min(top, max(1, value + value * chance.randint(-300, 300) // 2_000 + chance.randint(-1, 1)))


def _other(chance: random.Random, value: int, top: int) -> int:
    other = _next(chance, value, top)
    return other if other != value else value % top + 1


def _top_up(chance: random.Random) -> int:
    return chance.randint(1, 10**9) if chance.random() < 0.05 else 0


# ---- two ways of playing it


def played(one: Path, *, margin: bool | None = None, peaceful: bool = False) -> Played:
    """Play a path by the arithmetic of margin. margin : on every day or on none · peaceful : without any dispute"""
    account, rows = Account(long=one.exposure.initial_margin, short=one.exposure.initial_margin), []
    for event in one.events:
        if event.takes_margin if margin is None else margin:
            claims = {} if peaceful else event.claims
            row = margin_day(account, one.exposure, event.day, event.marks, claimed=claims)
            rows.append(row)
            account = row.account
            for call in row.calls:
                account = account.posted(call.side, call.amount) if _pays(one, event.day) else account
        for side, amount in zip((Side.BUY, Side.SELL), event.top_up, strict=True):
            account = account.posted(side, amount) if amount else account
    return Played(tuple(rows), account, close(account, one.exposure, one.window.final_value(one.final)))


def _pays(one: Path, day: int) -> bool:
    """Of three paths one pays no call, one most of them, one all."""
    return (one.seed % 3 == 1 and day % 4 != 0) or one.seed % 3 == 2


def differences(one: Path) -> list[str]:
    """Return where the code and the oracle come to different numbers."""
    found: list[str] = []

    def same(what: str, got: object, wanted: object) -> None:
        if got != wanted:
            found.append(f"seed {one.seed}, {what}: {got!r}, the oracle {wanted!r}")

    deal, result = one.deal, played(one)
    wanted = oracle.initial(deal.trade, deal.quantity, one.moves)
    same("initial margin", initial_margin(deal.trade, deal.quantity, one.moves, RULES), wanted)
    same("maintenance margin", deal.maintenance, round(Fraction(3, 4) * deal.initial))
    money, rows = oracle.Money(0, deal.initial, deal.initial), iter(result.rows)
    for event in one.events:
        if event.takes_margin:
            row, got = oracle.margin(deal, money, event.day, event.marks, event.claims), next(rows)
            where = format_date(event.day)
            same(f"{where} price", got.settlement_price, row.dsp)
            same(f"{where} target, due, moved", (got.target, got.due, got.moved), row[1:4])
            same(f"{where} money", msgspec.structs.astuple(got.account), tuple(row.money))
            same(f"{where} calls", {str(call.side): call.amount for call in got.calls}, row.calls)
            money = row.money
            if _pays(one, event.day):
                money = _posted(money, row.calls.get("buy", 0), row.calls.get("sell", 0))
        money = _posted(money, *event.top_up)
    same("money at the end", msgspec.structs.astuple(result.account), tuple(money))
    value = oracle.fsv(deal, one.final)
    same("final value", one.window.final_value(one.final), value)
    same_end(same, result.closing, oracle.end(deal, money, value))
    return found


def same_end(same: Callable[[str, object, object], None], closing: Closing, end: oracle.End) -> None:
    """Compare how a contract ends with the oracle."""
    same("value, open", (closing.value, closing.open), (end.value, end.open))
    same("collateral returned", (closing.to_long, closing.to_short), (end.to_long, end.to_short))
    same("claim", closing.claim, sum(end.debts.values()))
    same("debtor", closing.debtor, next(iter(end.debts), None))
    payer = "sell" if end.open > 0 else "buy"
    same("payer", closing.payer, payer if end.open else None)
    same("paid", closing.paid, max(0, abs(end.open) - end.debts.get(payer, 0)))


def _posted(money: oracle.Money, long: int, short: int) -> oracle.Money:
    return money._replace(long=money.long + long, short=money.short + short)


# ---- the same path through a contract, its marks and commands


def contract_terms(one: Path, name: str = "proposal-1") -> Windowed:
    """Return terms that have the numbers of a path."""
    exposure = one.exposure
    return terms(
        proposal=name,
        window=exposure.window,
        style=exposure.window.style,
        price=exposure.price,
        lots=exposure.quantity,
        multiplier=1,
        initial_margin=exposure.initial_margin,
        maintenance_margin=exposure.maintenance_margin,
        transfer_min=exposure.transfer_min,
    )


def marks_on(event: Event) -> list[Mark]:
    """Return the marks of a day as two persons have made them: published, disputed, or corrected beside the first."""
    found = []
    for day, value in event.marks.items():
        date = format_date(day)
        level = Level.CARRIED if day in event.carried else Level.FINAL
        if day in event.corrected:
            found += [mark_of(date, value + 1), mark_of(date, value, "corrected", version=1)]
        elif day in event.claims:
            raised = claim(party="buyer-1", own_value=event.claims[day], resolve_until=(day + 9) * DAY)
            found.append(mark_of(date, value, "disputed", dispute=raised, level=level))
        else:
            found.append(mark_of(date, value, "published" if day > event.day - 4 else "locked", level=level))
    return found


def locked_marks(one: Path) -> list[Mark]:
    """Return the marks a path ends with."""
    return [mark_of(format_date(day), value, "locked") for day, value in one.final.items()]


def booked_path(one: Path, name: str = "proposal-1") -> Iterator[Book]:
    """Yield the book of a path's contract after each day, and after it has matured."""
    agreed = contract_terms(one, name)
    at = (one.events[0].day - 1) * DAY
    book = running(agreed, at, one.exposure.initial_margin)
    for event in one.events:
        at = (event.day + 1) * DAY + DAY // 2
        if event.takes_margin:
            details = Marked(marks=tuple(marks_on(event)), day=event.day)
            book = given(book, command("margin", at, details, id=name))
            day = book.contracts[name].days[-1]
            for call in day.calls if _pays(one, event.day) else ():
                paid = Posted(**{"buyer" if call.side == Side.BUY else "seller": call.amount})
                book = given(book, command("post", at, paid, id=name))
        if any(event.top_up):
            book = given(
                book, command("post", at, Posted(buyer=event.top_up[0], seller=event.top_up[1]), id=name)
            )
        yield book
    yield given(book, command("mature", at + 9 * DAY, Marked(marks=tuple(locked_marks(one))), id=name))


def contract_differences(one: Path) -> list[str]:
    """Return where a contract, with marks and commands, comes to something else than the arithmetic alone."""
    *_, last = booked_path(one)
    contract, wanted = the_contract(last), played(one)
    if (contract.days, contract.account, contract.closing) != wanted:
        return [
            f"seed {one.seed}: the contract ends with {contract.account}, {contract.closing}, not {wanted[1:]}"
        ]
    return []


# ---- what must hold of every path


def s1_moved_and_final_are_the_whole_amount_rounded_once(one: Path) -> bool:
    """S1."""
    result = played(one)
    total = result.account.moved + result.closing.open
    mean = oracle.fsv(one.deal, one.final)
    return (
        total
        == result.closing.value
        == oracle.cents(oracle.dollars(mean - one.deal.trade, one.deal.quantity))
    )


def s2_every_cent_is_on_one_side(one: Path) -> bool:
    """S2: what a side has is what it posted, and what moved to it."""
    long = short = one.exposure.initial_margin
    rows = {row.day: row for row in played(one).rows}
    holds = True
    for event in one.events:
        if event.day in rows:
            row = rows[event.day]
            holds &= (row.account.long, row.account.short) == (
                long + row.account.moved,
                short - row.account.moved,
            )
            paid = {call.side: call.amount for call in row.calls} if _pays(one, event.day) else {}
            long, short = long + paid.get(Side.BUY, 0), short + paid.get(Side.SELL, 0)
        long, short = long + event.top_up[0], short + event.top_up[1]
    return holds


def s3_the_last_daily_price_is_the_final_value(one: Path) -> bool:
    """S3."""
    return one.window.settlement_price(one.window.last, one.final) == one.window.final_value(one.final)


def s4_the_total_does_not_depend_on_the_path(one: Path) -> bool:
    """S4."""
    ways = [played(one), played(one, margin=True), played(one, margin=False), played(one, peaceful=True)]
    return len({way.account.moved + way.closing.open for way in ways}) == 1


def s5_less_than_the_smallest_transfer_stays_unmoved(one: Path) -> bool:
    """S5: but in a dispute."""
    return all(
        abs(row.due - row.moved) < one.exposure.transfer_min for row in played(one, peaceful=True).rows
    )


def s6_the_long_side_gains_what_the_short_side_loses(one: Path) -> bool:
    """S6: with every price mirrored at the trade price, every amount is the negative."""

    def mirrored(values: Mapping[int, int]) -> dict[int, int]:
        return {day: 2 * one.exposure.price - value for day, value in values.items()}

    events = tuple(
        event._replace(
            marks=mirrored(event.marks),
            claims=mirrored(event.claims),
            top_up=(event.top_up[1], event.top_up[0]),
        )
        for event in one.events
    )
    here, there = played(one), played(one._replace(events=events, final=mirrored(one.final)))
    return all(
        (row.target, row.due, row.moved) == (-other.target, -other.due, -other.moved)
        and (row.account.long, row.account.short) == (other.account.short, other.account.long)
        and {(call.side, call.amount) for call in row.calls}
        == {(call.side.other, call.amount) for call in other.calls}
        for row, other in zip(here.rows, there.rows, strict=True)
    ) and (here.closing.value, here.closing.to_long) == (-there.closing.value, there.closing.to_short)


def s7_twice_the_lots_are_twice_the_amount(one: Path) -> bool:
    """S7: to the cent."""
    value = one.window.final_value(one.final)
    double = msgspec.structs.replace(one.exposure, quantity=2 * one.exposure.quantity)
    return abs(double.target(value) - 2 * one.exposure.target(value)) <= 1


def s8_a_day_taken_twice_is_taken_once(one: Path) -> bool:
    """S8: the arithmetic moves nothing more, and a contract refuses it."""
    account = Account(long=one.exposure.initial_margin, short=one.exposure.initial_margin)
    event = one.events[-1]
    first = margin_day(account, one.exposure, event.day, event.marks, claimed=event.claims)
    again = margin_day(first.account, one.exposure, event.day, event.marks, claimed=event.claims)
    return (again.moved, again.account) == (0, first.account)


def s9_the_order_of_contracts_is_irrelevant(one: Path) -> bool:
    """S9: of what is netted, against the oracle, and of the margin of several contracts."""
    chance = random.Random(one.seed)
    parties = ("p1", "p2", "p3")
    dues, plain = [], []
    for number in range(6):
        buyer, seller = chance.sample(parties, 2)
        agreed = contract_terms(one, f"c{number}") if number % 2 else terms(proposal=f"c{number}")
        due = due_of(
            new_contract(agreed, 0, buyer, seller), chance.choice([-5, 5, chance.randint(-(10**9), 10**9)])
        )
        if due is not None:
            dues.append(due)
            name = f"{agreed.maturity} {agreed.style}"
            plain.append((name, due.payer, due.payee, due.amount))
    payments = net(dues)
    shuffled = chance.sample(dues, len(dues))
    wanted = oracle.netted(plain)
    return net(shuffled) == payments and sorted(
        (pay.payer, pay.payee, pay.amount) for pay in payments
    ) == sorted((payer, payee, amount) for (_, payer, payee), amount in wanted.items())


def s10_only_locked_marks_are_paid_on(one: Path) -> bool:
    """S10: with one mark of the window in another state, or a newer version that is not locked, nothing matures."""
    chance = random.Random(one.seed)
    day = chance.choice(list(one.window.days))
    state = chance.choice(
        ["proposed", "held", "approved", "rejected", "published", "disputed", "upheld", "corrected"]
    )
    marks = locked_marks(one)
    place = [mark.day for mark in marks].index(day)
    contract = msgspec.structs.replace(new_contract(contract_terms(one), 0), state="active")
    swapped = [*marks[:place], msgspec.structs.replace(marks[place], state=state), *marks[place + 1 :]]
    newer = [*marks, msgspec.structs.replace(marks[place], state=state, version=1)]
    return all(_is_refused(contract, some, "mark_missing") for some in (swapped, newer)) and not _is_refused(
        contract, marks, "mark_missing"
    )


def _is_refused(contract: Contract, marks: list[Mark], code: str) -> bool:
    try:
        given(book_with(contract), command("mature", 0, Marked(marks=tuple(marks))))
    except Refused as error:
        return error.code == code
    return False


def s11_a_correction_reverses_and_pays_anew(one: Path) -> bool:
    """S11: settling again on the corrected value pays the difference, which is the reversal and the new amount."""
    day = random.Random(one.seed).choice(list(one.window.days))
    old = one.window.final_value(one.final)
    new = one.window.final_value(one.final | {day: one.final[day] % RULES.price_max + 1})
    first = played(one)
    settled = first.account.transferred(first.closing.open)
    again = close(settled, one.exposure, new)
    reversed_and_new = -first.closing.value + cash(new - one.exposure.price, one.exposure.quantity)
    return again.open == reversed_and_new == one.exposure.target(new) - one.exposure.target(
        old
    ) and settled.transferred(again.open).moved == one.exposure.target(new)


def s12_a_close_out_conserves_money(one: Path) -> bool:
    """S12: also with collateral below nothing; nobody gets less than nothing out of it."""
    chance = random.Random(one.seed)
    total = chance.choice([0, 1, 2 * one.exposure.initial_margin])
    long = chance.randint(-total - 5, 2 * total + 5)
    price = chance.choice(list(one.final.values()))
    left = chance.choice([0, chance.randint(-total - 5, total + 5), chance.randint(-(10**12), 10**12)])
    account = Account(moved=one.exposure.target(price) - left, long=long, short=total - long)
    closing = close(account, one.exposure, price)
    owed = {closing.debtor: closing.claim}
    long_in_all = closing.to_long - owed.get(Side.BUY, 0) + owed.get(Side.SELL, 0)
    short_in_all = closing.to_short - owed.get(Side.SELL, 0) + owed.get(Side.BUY, 0)
    return (
        closing.to_long + closing.to_short == total
        and min(closing.to_long, closing.to_short, closing.claim, closing.paid) >= 0
        and (long_in_all, short_in_all) == (account.long + closing.open, account.short - closing.open)
        and (closing.claim > 0) == (closing.debtor is not None)
        and closing.open == left
        and closing.paid <= abs(left)
    )


INVARIANTS: dict[str, Callable[[Path], bool]] = {
    name: function
    for name, function in list(globals().items())
    if name[0] == "s" and name[1:].split("_")[0].isdigit()
}
"""S1 … S12 by name."""


class Evidence(NamedTuple):
    """What many paths came to."""

    paths: int
    contracts: int
    days: int
    found: tuple[str, ...]


def evidence(seeds: range, *, every: int = 1, contracts_every: int = 10) -> Evidence:
    """Compare the paths of seeds with the oracle, check the invariants of every so manyth, book every so manyth."""
    found: list[str] = []
    days = booked = 0
    for seed in seeds:
        one = path(seed)
        days += sum(event.takes_margin for event in one.events)
        found += differences(one)
        if seed % every == 0:
            found += [f"seed {seed}: {name}" for name, holds in INVARIANTS.items() if not holds(one)]
        if seed % contracts_every == 0:
            booked += 1
            found += contract_differences(one)
    return Evidence(len(seeds), booked, days, tuple(found))


def features_of(one: Path) -> Iterator[str]:
    """Yield what a path has that a wrong rule could trip over."""
    result = played(one)
    least = one.exposure.transfer_min
    has: dict[str, Any] = {
        "before the window": one.events[0].day < one.window.first,
        "carried": any(event.carried for event in one.events),
        "disputed": any(event.claims for event in one.events),
        "corrected": any(event.corrected for event in one.events),
        "unmoved": any(0 < abs(row.due) < least for row in result.rows),
        "exactly the smallest transfer": any(abs(row.due) == least for row in result.rows),
        "called": any(row.calls for row in result.rows),
        "claim": result.closing.claim,
        "claim on who receives": result.closing.claim and result.closing.debtor != result.closing.payer,
        "last value": one.window.style == Style.LAST,
        "largest size": one.exposure.quantity == QUANTITY_MAX,
        "highest price": RULES.price_max in one.final.values(),
    }
    return (name for name, there in has.items() if there)
