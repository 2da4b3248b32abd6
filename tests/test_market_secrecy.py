"""What a participant learns of others before its first terms: nothing. And what everybody learns of names, and when.

Two worlds that differ in what others want are the same to A: its views at every instant, and every refusal to the
letter. That the comparison can fail is shown by markets that match at once, and by leaks of `test_market_seeded`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from market_worlds import (
    APPROVER,
    DESK,
    FIRST_DAY,
    MINUTE,
    MONTH,
    PRICE,
    ROOT,
    RULES,
    RUNS,
    SYSTEM,
    USER,
    Variant,
    lei,
    play_pair,
)
from mtok.calendar import DAY
from mtok.market.book import MACHINES, Book, apply, run
from mtok.market.commands import Command
from mtok.market.contracts import Posted
from mtok.market.cycle import HOUR
from mtok.market.margin import Side
from mtok.market.parties import Party
from mtok.market.proposals import Nonces, TermsAmendment
from mtok.market.references import Reference
from mtok.market.requests import Amendment, Request
from mtok.market.reveal import views
from mtok.settlement.machines import Refused
from mtok.settlement.people import Actor, Role
from mtok.settlement.values import price_text

PAIRS = 300

# ---- non-interference


@pytest.fixture(scope="module")
def played() -> tuple[list[str], Counter[str]]:
    pairs = [play_pair(seed) for seed in range(PAIRS)]
    return [leak for pair in pairs for leak in pair.leaks], sum(
        (pair.counts for pair in pairs), start=Counter()
    )


def test_before_its_terms_a_participant_cannot_tell_two_worlds_apart(
    played: tuple[list[str], Counter[str]],
) -> None:
    assert played[0] == []


def test_the_worlds_are_worth_comparing(played: tuple[list[str], Counter[str]]) -> None:
    counts = played[1]
    least = {
        "candidates of A in one world alone": PAIRS * 3 // 10,
        "candidates of A in both worlds": PAIRS // 10,
        "terms of A": PAIRS // 10,
        "contracts of others": 10,
        "steps compared": 20 * PAIRS,
        "while reserved: amend refused": 20,
        "while reserved: cancel": 10,
        "while reserved: pause": 20,
        "while reserved: resume": 3,
        "while reserved: confirm": 5,
        "expires after a candidate": 10,
        "refused slot_running": 100,
        "refused not_found": 500,
        "refused not_yours": 50,
        "refused not_allowed": 500,
        "refused quota_side": 20,
        "refused expiry_invalid": 20,
        "refused minimum_invalid": 10,
    }
    assert not {name: counts[name] for name, number in least.items() if counts[name] < number}


@pytest.mark.parametrize(
    "variant", [Variant(runs_at_once=True), Variant(runs_at_once=True, sends_at_once=True)]
)
def test_a_market_that_matches_at_once_is_told_apart(variant: Variant) -> None:
    """The positive control: the comparison is able to fail."""
    assert sum(bool(play_pair(seed, variant).leaks) for seed in range(30)) >= 5


@pytest.mark.parametrize("command", MACHINES["proposal"].commands)
@pytest.mark.parametrize("actor", [USER, APPROVER], ids=lambda actor: actor.role)
def test_a_candidate_is_as_if_missing_whatever_is_tried(command: str, actor: Actor) -> None:
    """`match` on an id that exists was once answered in another way than on one that does not."""
    book = _stages(PRICE, PRICE)["candidate"]
    answers = set()
    for name in ("c0", "c1"):
        tried = Command(kind="proposal", command=command, id=name, actor=actor, at=RUNS[0] + 1, details="")
        with pytest.raises(Refused) as refused:
            apply(book, tried)
        answers.add((refused.value.code, str(refused.value).replace(name, "")))
    assert len(answers) == 1


# ---- names, contacts and limits

CANARIES = {party: (f"Canary {party} Ltd", f"canary-{party}@example.test") for party in ("A", "B", "C")}
LIMITS = {"A": PRICE + 31_337, "B": PRICE - 27_183}
"""Limits of A and B; the price is between them, so that neither may be seen in it."""


def _actor(party: str, role: Role = Role.PARTICIPANT_USER, at: int | None = None) -> Actor:
    return Actor(person=f"{party} {role}", role=role, party=party, stepped_up_at=at)


def _given(
    book: Book, at: int, kind: str, command: str, name: str, actor: Actor, details: Any = None
) -> Book:
    return apply(book, Command(kind=kind, command=command, id=name, actor=actor, at=at, details=details))


def _stages(limit: int | None, other_limit: int | None) -> dict[str, Book]:
    """Return a market of A, who buys, B, who sells, and C, who looks on, at every stage up to a contract."""
    parties = {
        name: Party(
            id=name,
            group=f"group {name}",
            legal_name=CANARIES[name][0],
            lei=lei(f"CANARY{name}"),
            contact=CANARIES[name][1],
            credit_class="1",
            accepts=frozenset("1"),
            blocked=frozenset({CANARIES["C"][0]} if name != "C" else ()),
            known_until=FIRST_DAY + 99,
        )
        for name in CANARIES
    }
    reference = Reference(reference="openai", methodology="v1", printed=60, mark=PRICE)
    book = Book(rules=RULES, parties=parties, references={"openai": reference})
    stages = {}
    wanted = {"a": ("A", Side.BUY, limit), "b": ("B", Side.SELL, other_limit), "c": ("C", Side.SELL, None)}
    for stage, minutes, actor, details in (
        ("draft", 0, None, None),
        ("submit", 1, None, None),
        ("accept", 2, DESK, None),
        ("draw", 3, SYSTEM, ROOT),
        ("confirm", 4, None, None),
    ):
        for name, (party, side, its_limit) in wanted.items():
            request = Request(
                id=name,
                party="",
                person="",
                reference="openai",
                methodology="v1",
                side=side,
                lots=5 if name == "a" else 7,
                limit=its_limit,
                maturity=MONTH,
                expires=RUNS[2],
            )
            at = RUNS[0] - HOUR + minutes * MINUTE
            given = request if stage == "draft" else details
            book = _given(book, at, "request", stage, name, actor or _actor(party), given)
        stages[stage] = book
    stages["candidate"], _ = run(book, RUNS[0], iter(["c0"]))
    nonces = Nonces(buyer="11" * 32, seller="22" * 32)
    at = RUNS[0] + MINUTE
    stages["terms"] = _given(stages["candidate"], at, "proposal", "send", "c0", DESK, nonces)
    terms = stages["terms"].proposals["c0"].terms
    assert terms is not None
    for stage, party in (("one approved", "A"), ("booked", "B")):
        before = stages["one approved" if party == "B" else "terms"]
        actor = _actor(party, Role.PARTICIPANT_APPROVER, at)
        stages[stage] = _given(before, at, "proposal", "approve", "c0", actor, terms.sha256)
    declining = _actor("B", Role.PARTICIPANT_APPROVER, at)
    stages["declined"] = _given(stages["one approved"], at, "proposal", "decline", "c0", declining)
    return stages


STAGES = _stages(LIMITS["A"], LIMITS["B"])


def _everybody(at: int) -> Iterator[Actor]:
    for role in Role:
        if role.startswith("participant"):
            yield from (_actor(party, role, at) for party in CANARIES)
        else:
            yield Actor(person=str(role), role=role, stepped_up_at=at)


def _canaries(party: str) -> tuple[str, ...]:
    return *CANARIES[party], lei(f"CANARY{party}")


def _seen(text: str, canaries: tuple[str, ...]) -> list[str]:
    return [canary for canary in canaries if canary.lower() in text.lower()]


@pytest.mark.parametrize("stage", STAGES)
def test_names_and_contacts_are_seen_by_the_two_parties_and_once_it_is_booked(stage: str) -> None:
    at = RUNS[0] + 2 * MINUTE
    for viewer in _everybody(at):
        text = repr(views(STAGES[stage], viewer, at))
        other = {"A": "B", "B": "A"}.get(viewer.party or "")
        for party in CANARIES:
            may_see = stage == "booked" and party == other
            assert _seen(text, _canaries(party)) == ([*_canaries(party)] if may_see else []), (viewer, party)


@pytest.mark.parametrize("stage", STAGES)
def test_a_limit_is_seen_by_its_owner_the_desk_and_the_auditor(stage: str) -> None:
    at = RUNS[0] + 2 * MINUTE
    for viewer in _everybody(at):
        text = repr(views(STAGES[stage], viewer, at))
        for party, limit in LIMITS.items():
            may_see = viewer.party == party or viewer.role in (Role.DESK, Role.AUDITOR)
            assert may_see or not _seen(text, (str(limit), price_text(limit))), (viewer, party)


DETAILS: dict[tuple[str, str], Any] = {
    ("request", "reject"): "no",
    ("request", "suspend"): "no",
    ("request", "amend"): Amendment(
        lots=3,
        min_lots=4,
        limit=None,
        maturity=MONTH,
        tolerance=0,
        tail=True,
        expires=RUNS[2],
        firm_until=None,
    ),
    ("proposal", "send"): Nonces(buyer="11" * 32, seller="22" * 32),
    ("proposal", "approve"): "00" * 32,
    ("contract", "activate"): Posted(buyer=1, seller=1),
}


@pytest.mark.parametrize("stage", STAGES)
def test_no_refusal_says_a_name_a_contact_or_a_limit(stage: str) -> None:
    """Every command on every object, and on one that is missing, by every person; also an amendment of terms."""
    book, refusals = STAGES[stage], set()
    for at in (RUNS[0] + 2 * MINUTE, RUNS[0] + HOUR, RUNS[0] + DAY):
        tried = [
            Command(
                kind=kind, command=command, id=name, actor=actor, at=at, details=DETAILS.get((kind, command))
            )
            for actor in _everybody(at)
            for kind, machine in MACHINES.items()
            for command in machine.commands
            for name in ("a", "b", "c", "c0", "missing")
            if actor.role != Role.SYSTEM
            and (kind, command) not in (("request", "draft"), ("proposal", "amend"))
        ]
        asked_by = _actor("A", Role.PARTICIPANT_APPROVER, at), _actor("B", Role.PARTICIPANT_APPROVER, at)
        for price, lots in ((PRICE * 2, 1), (PRICE // 2, 1), (PRICE, 99)):
            wanted = TermsAmendment(price=price, lots=lots, asked_by=asked_by)
            tried.append(
                Command(kind="proposal", command="amend", id="c0", actor=DESK, at=at, details=wanted)
            )
        for command in tried:
            try:
                apply(book, command)
            except Refused as refused:
                refusals.add(f"{refused.code}: {refused}")
    hidden = [*(text for party in CANARIES for text in _canaries(party)), *map(str, LIMITS.values())]
    hidden += [price_text(limit) for limit in LIMITS.values()]
    assert not [refusal for refusal in refusals if _seen(refusal, tuple(hidden))]
    assert len(refusals) > 50


def test_what_is_logged_of_a_run_has_no_names_and_its_matches_no_limits() -> None:
    _, done = run(STAGES["confirm"], RUNS[0], iter(["c0"]))
    assert len(done.matches) == 1
    for party in CANARIES:
        assert not _seen((done.inputs + done.outputs).decode(), _canaries(party))
    assert not _seen(done.outputs.decode(), tuple(map(price_text, LIMITS.values())))
    assert all(price_text(limit) in done.inputs.decode() for limit in LIMITS.values())
    assert b'"refuses":["C"]' in done.inputs, "a block, by the pseudonym of who takes part"
