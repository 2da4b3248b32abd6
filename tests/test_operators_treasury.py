"""The treasury's pages on the worked example of the design (market.md 7.6): its prices, amounts and last payment.

The figures were typed from the written example, where they were computed with decimals; the two days before the window
and the mean of the month are its own, the dates are others.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import operated
import people
import venues
from mtok.calendar import DAY, format_date, parse_date, parse_instant
from mtok.market.contracts import Marked
from mtok.market.months import month_number
from mtok.market.netting import Payment
from mtok.market.terms import Terms
from mtok.settlement.people import SYSTEM, Role
from mtok.settlement.values import Style
from operated import Signing, client, form_of, text_of, words_of
from settling import RULES, mark_of, micro, new_contract

BOOKED = parse_instant("2026-07-29T16:00:00Z")
BUYER, SELLER = "buyer-1", "seller-1"
NAME = "example"
CONTRACT = f"/venue/treasury/contracts/{NAME}"


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[venues.Clock]:
    with operated.market(tmp_path / "venue.sqlite3", monkeypatch, BOOKED) as clock:
        yield clock


def terms(name: str = NAME, **changes: Any) -> Terms:
    """Return the terms of the worked example, for August."""
    usual: dict[str, Any] = {
        "proposal": name,
        "revision": 0,
        "end": BOOKED + 1,
        "reference": "openai",
        "methodology": "1.0",
        "style": Style.AVERAGE,
        "maturity": month_number("2026-08"),
        "lots": 25,
        "price": micro("12.3456"),
        "initial_margin": 925_920,
        "maintenance_margin": 694_440,
        "buyer": "b" * 64,
        "seller": "c" * 64,
        "buyer_class": "A",
        "seller_class": "A",
        "multiplier": 1000,
        "transfer_min": 50_000,
        "payment_days": 2,
        "unit": RULES.unit,
        "currency": RULES.currency,
        "specification": RULES.specification,
        "specification_sha256": RULES.sha256,
    }
    return Terms(**usual | changes)


def booked(name: str = NAME, buyer: str = BUYER, seller: str = SELLER, **changes: Any) -> None:
    """Keep a contract as it is when it has just been booked."""
    from mtok.market.commands import Command
    from mtok.venue.database import books

    cause = Command(kind="proposal", command="approve", id=name, actor=SYSTEM, at=BOOKED)
    books.keep_one(new_contract(terms(name, **changes), BOOKED, buyer, seller), None, cause)


def kept_marks(*marks: Any) -> None:
    """Keep marks that are in the log, as rows alone: how they came to be is tested elsewhere."""
    from mtok.venue.database.models import MarkRow, Transition
    from mtok.venue.database.records import KINDS, MARK, record_of

    states = {one.state for one in marks}
    for state in states:
        Transition.objects.get_or_create(machine="mark", before="new", after=state)
    for number, one in enumerate(marks):
        columns = KINDS[MARK].columns(one)
        MarkRow.objects.create(
            pk=f"{one.date}.{one.version}.{number}",
            state=one.state,
            version=0,
            record=record_of(one),
            **columns,
        )


def margined(clock: venues.Clock, date: str, *marks: Any) -> None:
    """Take the margin of a day of every contract at 19:00 of the day after."""
    from mtok.venue.database import giving
    from mtok.venue.database.models import ContractRow
    from mtok.venue.otc import trading

    clock.instant = max(clock(), (parse_date(date) + 1) * DAY + 19 * 3_600 * 1_000_000)
    names = set(ContractRow.objects.values_list("pk", flat=True))
    _, refused = giving.give_margin(trading.surroundings(), marks, parse_date(date), clock(), names)
    assert not refused


def typed(page: Any, action: str, buyer: str, seller: str) -> Any:
    """Type amounts, look at what will happen, and return that page."""
    return page.post(f"{CONTRACT}/{action}", {"buyer": buyer, "seller": seller})


def sent(page: Any, action: str, looked_at: Any) -> Any:
    """Send the form of a page that says what will happen."""
    return page.post(f"{CONTRACT}/{action}", form_of(looked_at))


def test_the_worked_example_from_margin_to_the_last_payment(clock: venues.Clock) -> None:
    from mtok.market.commands import Command
    from mtok.venue.database import giving
    from mtok.venue.otc import trading

    booked()
    who = people.person("Tess", Role.TREASURY)
    page = Signing(who, clock)
    short = typed(page, "activate", "9,259.19", "9,259.20")
    assert "It would be refused now: one side's initial margin is not there" in words_of(short)
    looked = typed(page, "activate", "9259.20", "9,259.20")
    assert "It is booked now and will be active." in words_of(looked)
    assert (
        "9,259.20 USD of the buyer are taken as collateral: 0.00 USD before, 9,259.20 USD after."
        in words_of(looked)
    )
    assert trading.seen(who, "contract", NAME, Role.TREASURY)["state"] == "booked", "looking does nothing"
    assert sent(page, "activate", looked)["Location"] == CONTRACT
    assert sent(page, "activate", looked).status_code == 409, "a second time it is refused"

    first, second = mark_of("2026-07-30", micro("12.4")), mark_of("2026-07-31", micro("12.25"))
    margined(clock, "2026-07-30", first)
    row = "12.400000 12.400000 1,360.00 1,360.00 1,360.00 1,360.00 10,619.20 7,899.20 –"
    assert row in words_of(page.get(CONTRACT))
    margined(clock, "2026-07-31", first, second)
    row = "12.250000 12.250000 −2,390.00 −3,750.00 −3,750.00 −2,390.00 6,869.20 11,649.20 buyer 2,390.00"
    assert row in words_of(page.get(CONTRACT))
    overview = words_of(page.get("/venue/treasury/"))
    assert "buyer 2,390.00 3 Aug 2026 17:00:00 UTC open" in overview
    looked = typed(page, "post", "2390", "0")
    assert "The call of the buyer for 2,390.00 USD is paid." in words_of(looked)
    assert sent(page, "post", looked).status_code == 303
    assert "None: every call is paid." in words_of(page.get("/venue/treasury/"))

    days = [format_date(parse_date("2026-08-01") + number) for number in range(31)]
    locked = tuple(mark_of(date, micro("12.326"), "locked") for date in days)
    clock.instant = parse_instant("2026-09-08T12:00:00Z")
    giving.give(
        Command(
            kind="contract", command="mature", id=NAME, actor=SYSTEM, at=clock(), details=Marked(marks=locked)
        ),
        trading.surroundings(),
    )
    looked = page.get(f"{CONTRACT}/settle")
    assert (
        "At 12.326000 USD per Mtok the contract is worth −490.00 USD to the buyer. The seller owes the last "
        "1,900.00 USD "
        "of it; 1,900.00 USD come out of collateral. Of the collateral 11,159.20 USD go to the buyer and "
        "9,749.20 USD to "
        "the seller."
    ) in words_of(looked)
    owed = words_of(page.get("/venue/treasury/obligations"))
    assert "seller-1 buyer-1 1,900.00 example" in owed
    assert sent(page, "settle", looked).status_code == 303
    looked = page.get(f"{CONTRACT}/close")
    assert "11,159.20 USD to the buyer and 9,749.20 USD to the seller." in words_of(looked)
    assert sent(page, "close", looked).status_code == 303
    assert trading.seen(who, "contract", NAME, Role.TREASURY)["state"] == "closed"
    assert "Nothing: it is over" in words_of(page.get(CONTRACT))


@pytest.mark.parametrize(
    "amount", ["", "-1", "1e3", "9.259,20", "9259.2", "0x10", "１０", "1,00.00", "NaN", "9" * 25]
)
def test_what_is_no_amount_is_asked_for_again(clock: venues.Clock, amount: str) -> None:
    booked()
    page = client(people.person("Tess", Role.TREASURY), clock())
    answer = typed(page, "activate", amount, "9259.20")
    assert answer.status_code == 422
    assert "Look at what will happen" in words_of(answer)


def in_default(clock: venues.Clock) -> tuple[Any, Any]:
    """Make the contract miss the call of the worked example; return two of the treasury."""
    booked()
    one, other = people.person("Tess", Role.TREASURY), people.person("Theo", Role.TREASURY)
    page = client(one, clock())
    assert sent(page, "activate", typed(page, "activate", "9259.20", "9259.20")).status_code == 303
    first, second = mark_of("2026-07-30", micro("12.4")), mark_of("2026-07-31", micro("12.25"))
    kept_marks(first, second)
    margined(clock, "2026-07-30", first)
    margined(clock, "2026-07-31", first, second)
    clock.instant = parse_instant("2026-08-03T17:00:00Z")
    return one, other


def by_two(clock: venues.Clock, one: Any, other: Any, command: str, **said: str) -> Any:
    """Let one say a command and another confirm it; return the page that was confirmed."""
    first, second = client(one, clock()), client(other, clock())
    looked = first.get(f"{CONTRACT}/{command}")
    answer = first.post(f"{CONTRACT}/{command}", form_of(looked) | said)
    assert answer.status_code == 303, words_of(answer)
    address = (
        "/venue/desk/said/"
        + text_of(second.get(CONTRACT)).partition("/venue/desk/said/")[2].partition('"')[0]
    )
    page = second.get(address)
    assert second.post(address, {"digest": form_of(page)["digest"]}).status_code == 303
    return page


def test_a_missed_call_is_noticed_by_two_and_closed_out(clock: venues.Clock) -> None:
    """Buyer's collateral 6,869.20; 2.0000 less than the trade price on the first day after the notice.

    By hand: worth −50,000.00 at 10.3456 (before the window a price is the mark itself; on its day 3 of 31 it is
    (12.25 + 12.25 + 29 · 10.2142) ÷ 31, chosen so that nobody has to compute it: the page is held against the core).
    """
    from mtok.venue.otc import trading

    one, other = in_default(clock)
    assert "overdue" in words_of(client(one, clock()).get("/venue/treasury/"))
    page = by_two(clock, one, other, "notice")
    assert "The buyer has not paid 2,390.00 USD, which were due at 3 Aug 2026 17:00:00 UTC." in words_of(page)
    assert trading.seen(one, "contract", NAME, Role.TREASURY)["state"] == "default_notice"
    early = client(one, clock()).get(f"{CONTRACT}/close_out")
    assert "It would be refused now: not before 2026-08-05T00:00:00Z" in words_of(early)
    marks = [mark_of(f"2026-08-0{day}", micro("12.25")) for day in (1, 2, 3)]
    kept_marks(*marks)
    clock.instant = parse_instant("2026-08-05T00:00:00Z")
    page = by_two(clock, one, other, "close_out")
    assert "At 12.250000 USD per Mtok the contract is worth −2,390.00 USD to the buyer." in words_of(page)
    assert "6,869.20 USD go to the buyer and 11,649.20 USD to the seller." in words_of(page)
    assert trading.seen(one, "contract", NAME, Role.TREASURY)["state"] == "closed_out"


def test_a_default_is_cured(clock: venues.Clock) -> None:
    from mtok.venue.otc import trading

    one, other = in_default(clock)
    by_two(clock, one, other, "notice")
    page = client(one, clock())
    unpaid = page.get(f"{CONTRACT}/cure")
    assert "It would be refused now: a call is not paid" in words_of(unpaid)
    assert sent(page, "post", typed(page, "post", "2390.00", "0")).status_code == 303
    by_two(clock, one, other, "cure")
    assert trading.seen(one, "contract", NAME, Role.TREASURY)["state"] == "active"


def test_one_person_closes_nothing_out(clock: venues.Clock) -> None:
    from mtok.venue.database.models import Intention

    one, _ = in_default(clock)
    page = client(one, clock())
    page.post(f"{CONTRACT}/notice", form_of(page.get(f"{CONTRACT}/notice")))
    said = Intention.objects.get()
    answer = page.post(f"/venue/desk/said/{said.pk}", {"digest": said.digest})
    assert (answer.status_code, "same_person" in text_of(answer)) == (409, True)
    stale = client(one, clock() - 301 * 1_000_000).get(f"{CONTRACT}/notice")
    assert stale["Location"].startswith("/account/2fa/reauthenticate/?next=")


def test_what_the_treasury_said_is_not_the_desks_to_know(clock: venues.Clock) -> None:
    from mtok.venue.otc import trading

    one, _ = in_default(clock)
    said = trading.intend(one, "contract", "notice", NAME)
    desk = client(people.person("Dora", Role.DESK), clock())
    for identity in (said.pk, "missing"):
        for answer in (
            desk.get(f"/venue/desk/said/{identity}"),
            desk.post(f"/venue/desk/said/{identity}", {"digest": said.digest}),
        ):
            assert answer.status_code == 404
            assert f"nothing waits to be confirmed under {identity}" in words_of(answer)


def test_what_was_said_lapses_when_a_mark_changes(clock: venues.Clock) -> None:
    """Two persons mean the same close-out only while it rests on the same marks."""
    from mtok.venue.database.models import Intention

    one, other = in_default(clock)
    by_two(clock, one, other, "notice")
    kept_marks(*(mark_of(f"2026-08-0{day}", micro("12.25")) for day in (1, 2, 3)))
    clock.instant = parse_instant("2026-08-05T00:00:00Z")
    page = client(one, clock())
    page.post(f"{CONTRACT}/close_out", form_of(page.get(f"{CONTRACT}/close_out")))
    kept_marks(mark_of("2026-08-03", micro("11.25"), version=1))
    said = Intention.objects.get(state="open")
    answer = client(other, clock()).post(f"/venue/desk/said/{said.pk}", {"digest": said.digest})
    assert (answer.status_code, "intention_stale" in text_of(answer)) == (409, True)


def test_a_refused_notice_is_not_even_half_said(clock: venues.Clock) -> None:
    from mtok.venue.database.models import Intention

    one, _ = in_default(clock)
    clock.instant -= 1
    page = client(one, clock())
    looked = page.get(f"{CONTRACT}/notice")
    assert "It would be refused now: no call is overdue" in words_of(looked)
    shown = {"shown": "0" * 64}
    assert page.post(f"{CONTRACT}/notice", shown).status_code == 409
    assert not Intention.objects.exists()


def test_what_two_parties_owe_each_other_is_one_payment(clock: venues.Clock) -> None:
    """1,360.00 to the buyer of one, twice that to the seller of it under the other: 1,360.00 the other way."""
    from mtok.market.contracts import Posted
    from mtok.venue.database import books
    from mtok.venue.operators.owed import owed
    from mtok.venue.otc import trading

    booked()
    booked("other", SELLER, BUYER, lots=50)
    booked("third", BUYER, "third-party")
    who = people.person("Tess", Role.TREASURY)
    for name in (NAME, "other", "third"):
        trading.give(who, "contract", "activate", name, Posted(buyer=2_000_000, seller=2_000_000))
    margined(clock, "2026-07-30", mark_of("2026-07-30", micro("12.4")))
    held = books.of_all(trading.surroundings(), clock())
    found = owed(list(held.book.contracts.values()), parse_date("2026-07-30"))
    usual: dict[str, Any] = {"currency": "USD", "amount": 136_000}
    assert list(found.margin) == [
        Payment(payer=BUYER, payee=SELLER, contracts=(NAME, "other"), **usual),
        Payment(payer="third-party", payee=BUYER, contracts=("third",), **usual),
    ]
    page = words_of(client(who, clock()).get("/venue/treasury/obligations?date=2026-07-30"))
    assert "buyer-1 seller-1 1,360.00 example , other" in page
    assert client(who, clock()).get("/venue/treasury/obligations?date=yesterday").status_code == 400


def test_days_without_a_mark_and_what_the_waterfall_says(clock: venues.Clock) -> None:
    one, _ = in_default(clock)
    clock.instant = parse_instant("2026-08-03T20:00:00Z")
    kept_marks(mark_of("2026-08-01", micro("12.25")))
    page = words_of(client(one, clock()).get("/venue/treasury/disruptions"))
    assert "openai, 2026-08" in page
    assert "2 Aug 2026 none F0 unavailable: nothing was published" in page
    assert "F3 yields: the mark of 2026-08-01" in page
    assert "3 Aug 2026" not in page, "a day that is not over lacks nothing yet"
