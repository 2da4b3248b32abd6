"""Defects seeded into the market, each of which its tests have to find."""

from __future__ import annotations

from itertools import chain

import pytest

import market_worlds
from market_invariants import faults
from mtok.market import book, matching, parties, proposals, requests, reveal
from mtok.market.parties import Party
from mtok.market.requests import Request
from seeded import Seed
from test_market_matching import BOOKS
from test_market_secrecy import PAIRS

# ---- matching: found by the oracle or an invariant, within the markets of a normal run

IN_MATCHING = [
    Seed("a lot under the minimum", matching, "lots_of", "if lots < max(", "if lots < -1 + max("),
    Seed(
        "the minimum of the buyer alone",
        matching,
        "lots_of",
        "max(buyer.min_lots, seller.min_lots)",
        "buyer.min_lots",
    ),
    Seed("no rest", matching, "lots_of", "rest == 0 or ", ""),
    Seed("tail ignored", matching, "lots_of", " or one.tail", ""),
    Seed("tail of anybody", matching, "lots_of", "fits = all(", "fits = any("),
    Seed("rest equal to the minimum", matching, "lots_of", "rest >= one.min_lots", "rest > one.min_lots"),
    Seed(
        "ties by id alone",
        matching,
        "_seniority",
        "interest.accepted_at, drawn, ",
        "interest.accepted_at, b'', ",
    ),
    Seed(
        "a draw before time", matching, "_seniority", "return interest.accepted_at, drawn", "return 0, drawn"
    ),
    Seed("a draw without the root", matching, "_seniority", "bytes.fromhex(interest.root)", "b''"),
    Seed(
        "time before price",
        matching,
        "priority",
        "return price, *_seniority(interest)",
        "return 0, *_seniority(interest)",
    ),
    Seed("no limit is the worst", matching, "priority", "_BEST if", "-_BEST if"),
    Seed("buyers by the lower limit", matching, "priority", "-1 if", "1 if"),
    Seed("price rounded up", matching, "price_of", "sum(limits) // 2", "-(-sum(limits) // 2)"),
    Seed("equal limits cross", matching, "price_of", "limits[0] >= limits[1]", "limits[0] > limits[1]"),
    Seed("the price of the buyer", matching, "price_of", "sum(limits) // 2", "limits[0]"),
    Seed(
        "a mark before one limit", matching, "price_of", "limits[0] if limits else mark", "mark or limits[0]"
    ),
    Seed("sister companies", matching, "fits", "buyer.group != seller.group", "buyer.party != seller.party"),
    Seed("block of the buyer ignored", matching, "fits", "and seller.party not in buyer.refuses", ""),
    Seed("block of the seller ignored", matching, "fits", "and buyer.party not in seller.refuses", ""),
    Seed(
        "tolerance of one side",
        matching,
        "fits",
        "min(buyer.tolerance, seller.tolerance)",
        "max(buyer.tolerance, seller.tolerance)",
    ),
    Seed("tolerance too narrow", matching, "fits", "apart <= min", "apart < 1 or apart < min"),
    Seed("the later side leads", matching._Round, "__init__", "min(heads", "max(heads"),
    Seed("buyers always lead", matching._Round, "__init__", "min(heads, key=_seniority).side", "Side.BUY"),
    Seed(
        "maturity of the leader", matching._Round, "_matched", "min(leader, other, key=_seniority)", "leader"
    ),
    Seed("maturity of the later", matching._Round, "_matched", "min(leader, other", "max(leader, other"),
    Seed(
        "a rest goes behind", matching._Round, "matches", "row = self._first_fitting(other, row)", "row += 1"
    ),
    Seed(
        "no restart after a match",
        matching._Round,
        "matches",
        "row = self._first_fitting(other, row)",
        "pass",
    ),
    Seed("restart at the wrong one", matching._Round, "_first_fitting", "return row", "return row + 1"),
    Seed(
        "one match a leader",
        matching._Round,
        "matches",
        "if self._left[other.id]:",
        "row += 1\n        if False:",
    ),
    Seed(
        "crossing of the first is of all",
        matching._Round,
        "_fitting",
        "if _cross(leader, other):",
        "if other.limit:",
    ),
    Seed("order of arrival", matching, "match", "sorted(groups)", "groups"),
    Seed(
        "styles together",
        matching,
        "match",
        "interest.methodology, interest.style]",
        "interest.methodology, Style.LAST]",
    ),
    Seed(
        "methodologies together",
        matching,
        "match",
        "interest.reference, interest.methodology",
        "interest.reference, ''",
    ),
    Seed(
        "inputs as they come",
        matching,
        "inputs_bytes",
        "sorted(interests, key=lambda one: one.id)",
        "list(interests)",
    ),
    Seed(
        "what is filled counts again",
        book,
        "_interest",
        "lots=request.left",
        "lots=request.lots - request.reserved",
    ),
    Seed(
        "identity not looked at", book, "interests", "book.parties[one.party].may_trade(day_of(at))", "True"
    ),
    Seed("firm a second too short", Request, "is_firm", "self.firm_until >= run", "self.firm_until > run"),
    Seed("not drawn", Request, "is_firm", "self.root is not None and ", ""),
    Seed("known until a day later", Party, "may_trade", "day < self", "day <= self"),
    Seed("names as they are spelled", parties, "plain_name", ".casefold()", ""),
    Seed("names with all their blanks", parties, "plain_name", ".split()", ""),
    Seed("no list is nobody", Party, "refuses", "return bool(self._allowed) and ", "return "),
    Seed("no list at all", Party, "refuses", "return bool(self._allowed) and ", "return False and "),
    Seed("classes not looked at", Party, "refuses", "other.credit_class not in self.accepts or ", ""),
]


@pytest.mark.parametrize("seed", IN_MATCHING, ids=lambda seed: seed.title)
def test_a_defect_of_matching_is_found(seed: Seed, monkeypatch: pytest.MonkeyPatch) -> None:
    seed.plant(monkeypatch)
    if seed.holder is matching and seed.name in ("match", "inputs_bytes"):
        monkeypatch.setattr(book, seed.name, getattr(matching, seed.name))
    assert next(chain.from_iterable(map(_faults, range(BOOKS))), None)


def _faults(market: int) -> list[str]:
    """Return the faults of a market; an assertion that fails in the code is one."""
    try:
        return faults(market)
    except AssertionError as error:
        return [str(error) or "assertion"]


# ---- leaks: found by comparing two worlds, within the pairs of a normal run

_REFUSED = 'raise Refused("reserved", "a part of it is reserved", "Wait.")'

LEAKS = [
    Seed(
        "reserved is shown",
        reveal,
        "revealed",
        "return next(",
        "return ('reserved',) * (kind == 'request') + next(",
    ),
    Seed("left for asked", reveal, "_shown", "found, name)", "found, 'left' if name == 'asked' else name)"),
    Seed(
        "lots for asked, once cancelled",
        reveal,
        "_shown",
        "found, name)",
        "found, 'lots' if (name, found.state) == ('asked', 'cancelled') else name)",
    ),
    Seed(
        "a candidate is an outcome",
        reveal._SHOWN,
        "last_run",
        "one.run == run and one.terms is not None",
        "one.run == run",
    ),
    Seed(
        "candidates stand in terms",
        reveal._SHOWN,
        "in_terms",
        "one.state in WITH_TERMS",
        "one.state in WITH_TERMS | {'candidate'}",
    ),
    Seed(
        "no amendment of what is reserved alone",
        requests.EFFECTS,
        "amend",
        "if is_in_slot(now, rules):",
        "if is_in_slot(now, rules) and request.reserved:",
    ),
    Seed("amendments in the slot", requests.EFFECTS, "amend", "if is_in_slot(now, rules):", "if False:"),
    Seed(
        "expiry at any time",
        requests,
        "_check_times",
        "request.expires != run_of(day_of(request.expires), rules) or ",
        "",
    ),
    Seed(
        "cancel refused",
        requests.EFFECTS,
        "cancel",
        "return [",
        f"if request.reserved:\n        {_REFUSED}\n    return [",
    ),
    Seed(
        "pause refused",
        requests.EFFECTS,
        "pause",
        "return [",
        f"if request.reserved:\n        {_REFUSED}\n    return [",
    ),
    Seed("quotas of everybody", requests.EFFECTS, "submit", "one.party == request.party and ", ""),
    Seed("a candidate has owners", book.Book, "owners", " if found.terms else ()", ""),
    Seed(
        "foreign is not missing",
        book,
        "_known",
        'Refused("not_found"',
        'Refused("not_found" if found is None else "not_yours"',
    ),
    Seed("a new id is taken", book, "_known", "machine.step(NEW, command.command, command.actor)", ""),
    Seed("how many there are", book, "_known", "{command.id}", "{command.id} of {len(book.requests)}"),
    Seed(
        "who is matched took part",
        market_worlds,
        "run",
        "for one in taking_part))",
        "for one in taking_part if matches))",
    ),
    Seed(
        "candidates outlast the slot",
        proposals,
        "lapses_at",
        'slot_end if proposal.state == "candidate" else terms_end',
        "terms_end",
    ),
    Seed("what is reserved is marked", proposals, "reserved", "+ lots)", "+ lots, reason='found')"),
    Seed(
        "what is released is not firm", proposals, "released", "lots=size)", "lots=size, confirmed_for=None)"
    ),
]


@pytest.mark.parametrize("seed", LEAKS, ids=lambda seed: seed.title)
def test_a_leak_is_found(seed: Seed, monkeypatch: pytest.MonkeyPatch) -> None:
    seed.plant(monkeypatch)
    assert any(market_worlds.play_pair(pair).leaks for pair in range(PAIRS))
