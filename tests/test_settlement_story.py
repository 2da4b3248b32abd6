"""From prints in a real log to what is paid: published, marked by two persons, printed, margined, locked, settled.

Five days of a desk that publishes in time, one of them withheld and carried, one corrected on its own day. At the end a
stranger reads the statement against the log alone.
"""

from __future__ import annotations

import json
from fractions import Fraction

import pytest

from markets import Taken
from mtok.calendar import DAY, format_date, parse_date
from mtok.market.book import margin_run
from mtok.market.contracts import Marked
from mtok.market.statement import statement
from mtok.publication.marks import sources_of
from mtok.settlement import review
from mtok.settlement.marks import Mark, print_of
from mtok.settlement.people import SYSTEM
from mtok.settlement.values import Window, price_units
from mtok.settlement.waterfall import Answer, resolve
from presses import HOUR, Begin, Desk, posted, usual_day
from settling import (
    PUBLISHER,
    RULES,
    approved,
    command,
    desk,
    given,
    preparer,
    running,
    terms,
    the_contract,
    treasury,
)

pytestmark = pytest.mark.usefixtures("quick_disk")

DAYS = [format_date(parse_date("2026-01-08") + number) for number in range(5)]
WITHHELD = DAYS[2]
WINDOW = Window(first=parse_date(DAYS[0]), last=parse_date(DAYS[-1]))
PSEUDONYMS = {"anna": "amber-heron", "bert": "cobalt-finch", "cleo": "dusky-plover", "dora": "ebony-wren"}


def market() -> list[Taken]:
    """Return what is captured from 9 January on: as usual, but never the totals of the withheld day."""
    taken: list[Taken] = []
    for day in range(WINDOW.first + 1, WINDOW.last + 2):
        morning, ranking, noon = usual_day(day)
        taken += [morning, noon] if format_date(day - 1) == WITHHELD else [morning, ranking, noon]
    return taken


def marked(place: Desk, date: str, earlier: list[Mark]) -> Mark:
    """Return the mark of a day as it comes into the log at 18:00 of the day after."""
    day = parse_date(date)
    now = (day + 1) * DAY + 18 * HOUR
    came = resolve(
        day,
        now=now,
        sources=sources_of(place.published, "openai", date),
        earlier=earlier,
        window=WINDOW,
        final=False,
        rules=RULES,
    )
    assert came.resolution is not None
    assert came.steps[-1].answer == Answer.YIELDS
    mark = review.propose(
        came.resolution,
        before=None,
        recomputed=came.resolution.source.sha256,
        actor=preparer(now),
        now=now,
        rules=RULES,
    )
    ready = approved(mark, now)
    [index] = place.mark(now, print_of(ready, PSEUDONYMS.__getitem__))
    return review.publish(ready, actor=PUBLISHER, now=now, log_index=index, rules=RULES)


def test_from_prints_to_a_payment_and_back(begin: Begin) -> None:
    place = begin(market())
    marks: list[Mark] = []
    agreed = terms(window=WINDOW, price=10_000_000, initial_margin=2_000_000, maintenance_margin=1_500_000)
    book = running(agreed, (WINDOW.first - 1) * DAY)
    for date in DAYS:
        day = parse_date(date)
        place.publish((day + 1) * DAY + 14 * HOUR + HOUR // 2)
        marks.append(marked(place, date, marks))
        book, refused = margin_run(book, marks, day, (day + 1) * DAY + 19 * HOUR)
        assert not refused
    assert [str(mark.level) for mark in marks] == ["F0", "F0", "F3", "F0", "F0"]
    assert marks[2].value == marks[1].value

    points = {
        entry["date"]: entry.get("value")
        for entry in place.entries("point") + place.entries("nodata")
        if entry["series"] == "openai" and entry["stage"] == "final"
    }
    assert points[WITHHELD] is None
    values = [price_units(str(points[date] or points[DAYS[1]])) for date in DAYS]
    final = round(Fraction(sum(values), len(DAYS)))

    locked = [review.lock(mark, actor=SYSTEM, now=mark.dispute_until or 0) for mark in marks]
    until = max(mark.dispute_until or 0 for mark in marks)
    place.mark(until, *(print_of(mark, PSEUDONYMS.__getitem__) for mark in locked))
    contract = the_contract(given(book, command("mature", until, Marked(marks=tuple(locked)))))
    said = statement(contract, locked)
    assert price_units(said["final_settlement_value"]) == final
    paid = Fraction(final - 10_000_000, 10**6) * contract.terms.exposure.quantity
    assert Fraction(said["amount_to_buyer"]) == round(paid, 2)
    assert contract.closing is not None
    assert contract.closing.to_long + contract.closing.to_short == 2 * 2_000_000

    log = [json.loads(raw) for raw in place.published.raw_entries]
    for row in said["marks"]:
        entry, source = log[row["log_index"]], log[row["source_index"]]
        assert (entry["type"], entry["value"], entry["date"]) == ("mark", row["value"], row["date"])
        assert (source["type"], source["value"], source["record_sha256"]) == (
            "point",
            row["value"],
            row["source_sha256"],
        )
        assert {entry["preparer_pseudonym"], entry["approver_pseudonym"]} == {"amber-heron", "cobalt-finch"}
        assert (place.folder / row["proof"]).is_file(), "its path leads to a published proof"
    assert [entry["state"] for entry in place.entries("mark")].count("locked") == len(DAYS)
    assert not place.findings()
    for party in (agreed.buyer, agreed.seller, "buyer-1", "seller-1"):
        assert party not in "".join(map(json.dumps, log)), "nothing of the contract is in the public log"


def test_a_value_corrected_on_its_own_day_takes_the_place_of_a_published_mark(begin: Begin) -> None:
    """Two operators who made nothing of the first version point it at the restatement; both are in the log."""
    place = begin(usual_day(WINDOW.first + 1))
    day = parse_date(DAYS[0])
    place.publish((day + 1) * DAY + 14 * HOUR + HOUR // 2)
    first = marked(place, DAYS[0], [])
    place.take(
        posted(day * DAY + 9 * HOUR, {"openai/a": "0.00003", "openai/b": "0.00004", "qwen/q": "0.00001"})
    )
    now = (day + 1) * DAY + 19 * HOUR
    place.restate(now, DAYS[0], "openai")
    [*_, later] = [one for one in sources_of(place.published, "openai", DAYS[0]) if one.stage == "final"]
    assert later.value != first.value
    came = resolve(
        day,
        now=now,
        sources=sources_of(place.published, "openai", DAYS[0]),
        earlier=[],
        window=WINDOW,
        final=False,
        rules=RULES,
    )
    assert came.resolution is not None
    corrected = review.correct(
        first,
        came.resolution,
        actor=desk(now),
        second=treasury(now),
        now=now,
        reason="A response was read wrongly.",
        rules=RULES,
    )
    assert (corrected.source, corrected.value, corrected.version) == (later, later.value, 1)
    [index] = place.mark(now + HOUR, print_of(corrected, PSEUDONYMS.__getitem__))
    done = review.publish(corrected, actor=PUBLISHER, now=now + HOUR, log_index=index, rules=RULES)
    final = review.lock(done, actor=SYSTEM, now=done.dispute_until or 0)
    place.mark(done.dispute_until or 0, print_of(final, PSEUDONYMS.__getitem__))
    assert [entry["state"] for entry in place.entries("mark")] == ["published", "corrected", "locked"]
    assert not place.findings()
