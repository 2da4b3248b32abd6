"""A machine does what its rows say; the specification is what its file says; what is written about a mark stays."""

from __future__ import annotations

import dataclasses
import tomllib
from fractions import Fraction

import msgspec
import pytest

from mtok.canonical import sha256_hex
from mtok.publication.marks import MarkPrint
from mtok.settlement import review
from mtok.settlement.machines import NEW, Machine, Refused, Transition
from mtok.settlement.marks import print_of
from mtok.settlement.people import Actor, Role
from mtok.settlement.specification import read_specification, specification, specification_text
from settling import RULES, actor, approved, found, proposed, published, source, trader

ROWS = [
    (NEW, "make", "made held", (Role.DESK,), "something holds"),
    ("made held", "keep", "", (Role.DESK, Role.TREASURY), ""),
    ("made", "end", "over", (Role.SYSTEM,), "it is time"),
]
DESK = Actor(person="dora", role=Role.DESK)


def test_a_machine_is_its_rows() -> None:
    machine = Machine("thing", ROWS)
    assert machine.name == "thing"
    assert machine.rows == (
        Transition(NEW, "make", ("made", "held"), (Role.DESK,), "something holds"),
        Transition("made", "keep", ("made",), (Role.DESK, Role.TREASURY), ""),
        Transition("held", "keep", ("held",), (Role.DESK, Role.TREASURY), ""),
        Transition("made", "end", ("over",), (Role.SYSTEM,), "it is time"),
    )
    assert machine.states == (NEW, "made", "held", "over")
    assert machine.commands == ("make", "keep", "end")
    assert machine.roles == {Role.DESK, Role.TREASURY, Role.SYSTEM}
    assert (machine.has(NEW, "make"), machine.has("over", "keep")) == (True, False)


def test_a_machine_steps_by_its_rows_and_tells_what_is_possible() -> None:
    machine = Machine("thing", ROWS)
    assert machine.step("held", "keep", DESK).next() == "held"
    assert machine.step(NEW, "make", DESK).next("held") == "held"
    with pytest.raises(Refused) as refused:
        machine.step("made", "make", DESK)
    assert (refused.value.code, refused.value.remedy) == ("not_allowed", "Possible for desk: keep.")
    assert refused.value.found == "a thing that is made cannot be given the command make"
    with pytest.raises(Refused) as refused:
        machine.step("made", "end", DESK, shown="here")
    assert (refused.value.code, refused.value.remedy) == ("not_yours", "That is for system.")
    assert refused.value.found == "desk may not end a thing that is here"
    with pytest.raises(Refused) as refused:
        machine.step("over", "end", DESK, shown="gone")
    assert refused.value.found == "a thing that is gone cannot be given the command end"
    assert refused.value.remedy == "Possible for desk: nothing."


def test_a_row_that_is_not_followed_or_stands_twice_is_our_own_mistake() -> None:
    row = Machine("thing", ROWS).step(NEW, "make", DESK)
    for state in (None, "over"):
        with pytest.raises(AssertionError):
            row.next(state)
    with pytest.raises(AssertionError):
        Machine("thing", [*ROWS, ("held", "keep", "over", (Role.DESK,), "")])


def test_the_specification_is_its_file_number_by_number() -> None:
    """Read a second time with `tomllib` alone."""
    raw = specification_text()
    content = tomllib.loads(raw.decode("utf-8"))
    numbers = {
        name: entry["value"]
        for part in content.values()
        if isinstance(part, dict)
        for name, entry in part.items()
    }
    read = read_specification(raw)
    said = dataclasses.asdict(read)
    assert {name: said.pop(name) for name in ("sha256", "specification", "unit", "currency")} == {
        "sha256": sha256_hex(raw),
        "specification": "1",
        "unit": "USD_PER_MTOK_OUTPUT",
        "currency": "USD",
    }
    assert said == {name: Fraction(*one) if isinstance(one, list) else one for name, one in numbers.items()}
    assert read == specification()
    assert all(type(one) in (int, Fraction) for one in said.values())


@pytest.mark.parametrize("change", [b"", b'[more]\nnumber = { value = 1, unit = "", reason = "" }\n'])
def test_a_specification_with_other_numbers_is_our_own_mistake(change: bytes) -> None:
    raw = specification_text()
    wrong = raw + change if change else raw.replace(b"lots_min", b"lots_least")
    with pytest.raises(AssertionError):
        read_specification(wrong)


NOW = 10**15
SOURCE = source("2026-06-30", 12_345_678)


def test_what_is_printed_of_a_mark_is_all_of_it() -> None:
    mark = approved(proposed(found(SOURCE), NOW), NOW)
    expected = MarkPrint(
        reference=mark.reference,
        methodology=mark.methodology,
        date="2026-06-30",
        version=0,
        state="published",
        value=12_345_678,
        source_index=SOURCE.index,
        fallback_level="F0",
        preparer=f"p-{mark.preparer}",
        approver=f"p-{mark.approver}",
        reasons_sha256=None,
    )
    assert print_of(mark, lambda person: f"p-{person}") == expected
    upheld = msgspec.structs.replace(mark, state="upheld", version=3)
    assert print_of(upheld, lambda person: f"p-{person}") == msgspec.structs.replace(
        expected, state="upheld", version=3
    )


def test_what_is_written_about_a_mark_stays_with_who_wrote_it_and_when() -> None:
    mark = published(found(SOURCE), NOW)
    disputed = review.dispute(
        mark,
        actor=trader("buyer", NOW),
        now=NOW + 1,
        parties=["buyer"],
        own_value=1,
        reason="It reads another day.",
        evidence=("ab" * 32,),
        rules=RULES,
    )
    assert disputed.dispute is not None
    assert disputed.reasons == (), "what a party writes is in no digest of the log"
    reason = disputed.dispute.reason
    assert (reason.person, reason.text, reason.evidence) == ("emil", "It reads another day.", ("ab" * 32,))
    assert reason.at == NOW, "cut to the second"
    assert (disputed.dispute.party, disputed.dispute.own_value) == ("buyer", 1)
    judges = [actor(name, Role.TREASURY, NOW + 2) for name in ("karl", "lisa")]
    upheld = review.uphold(
        disputed, actor=judges[0], second=judges[1], now=NOW + 2, reason="It does not.", rules=RULES
    )
    assert [(one.person, one.text) for one in upheld.reasons] == [("karl", "It does not.")]
    assert upheld.resolvers == ("karl", "lisa")
    later = source("2026-06-30", 12_345_679, index=SOURCE.index + 1, vintage=1)
    corrected = review.correct(
        disputed,
        found(later),
        actor=judges[0],
        second=judges[1],
        now=NOW + 2,
        reason="It did.",
        rules=RULES,
    )
    assert [one.text for one in corrected.reasons] == ["It did."]
    rejected = review.reject(
        proposed(found(SOURCE), NOW), actor=actor("bert", Role.MARK_APPROVER, NOW), now=NOW, reason="No."
    )
    assert [(one.person, one.text) for one in rejected.reasons] == [("bert", "No.")]
