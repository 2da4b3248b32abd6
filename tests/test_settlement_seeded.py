"""Defects put in on purpose, each where a mistake would be likely: what the other tests of settlement find of them.

A check that cannot fail proves nothing. Every defect is patched in, and a named test or check must fail with it; the
same checks pass without, here too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest

import mtok.market.contracts
import mtok.market.margin
import mtok.settlement.review
import mtok.settlement.waterfall
import settlement_paths
import test_settlement_closing as of_closing
import test_settlement_contracts as of_contracts
import test_settlement_example as of_example
import test_settlement_marks as of_marks
import test_settlement_paths as of_paths
import test_settlement_waterfall as of_waterfall
from mtok.calendar import DAY, SECOND
from mtok.market.margin import Account, Call, Exposure, MarginDay, Side
from mtok.quantities import half_even
from mtok.settlement.machines import Refused
from mtok.settlement.marks import IN_MARGIN, MACHINE, REVIEWED, Mark
from mtok.settlement.people import Actor
from mtok.settlement.values import Style, Window, cash
from settlement_paths import differences, path

Patch = pytest.MonkeyPatch
margin = mtok.market.margin


def _paths() -> None:
    """The comparison of random paths with the oracle."""
    found = [line for seed in range(30) for line in differences(path(seed))]
    assert not found


def _invariant(number: int) -> Callable[[], None]:
    """A check of one of S1 … S12."""
    [holds] = [one for name, one in settlement_paths.INVARIANTS.items() if name.startswith(f"s{number}_")]

    def check() -> None:
        assert all(holds(path(seed)) for seed in range(30))

    return check


# ---- amounts and prices


def wrong_sign(patch: Patch) -> None:
    """The long side gains where the price falls."""
    patch.setattr(Exposure, "target", lambda self, at: cash(self.price - at, self.quantity))


def round_half_up(patch: Patch) -> None:
    """A half goes away from the even one."""
    patch.setattr("mtok.settlement.values.half_even", lambda above, below: (2 * above + below) // (2 * below))


def truncated(patch: Patch) -> None:
    """Cents are cut off."""
    patch.setattr("mtok.settlement.values.half_even", lambda above, below: above // below)


def without_remaining_days(patch: Patch) -> None:
    """In the window the mean of the marks so far."""

    def price(self: Window, day: int, marks: Mapping[int, int]) -> int:
        days = range(self.first, day + 1)
        if not days or self.style == Style.LAST:
            return marks[day]
        return half_even(sum(marks[one] for one in days), len(days))

    patch.setattr(Window, "settlement_price", price)


def marked_to_the_mark(patch: Patch) -> None:
    """In the window the mark of the day (variant 3)."""
    patch.setattr(Window, "settlement_price", lambda _, day, marks: marks[day])


def last_day_left_out(patch: Patch) -> None:
    """The window ends a day early."""
    patch.setattr(Window, "days", property(lambda self: range(self.first, self.last)))


def last_value_for_the_mean(patch: Patch) -> None:
    """Every contract settles to its last mark (variant 4)."""
    patch.setattr(Window, "final_value", lambda self, marks: marks[self.last])


def rounded_day_by_day(patch: Patch) -> None:
    """Each day's change is rounded by itself."""
    real = margin.margin_day

    def day_by_day(
        account: Account, exposure: Exposure, day: int, marks: Mapping[int, int], **more: Any
    ) -> MarginDay:
        taken = real(account, exposure, day, marks, **more)
        before = exposure.window.settlement_price(day - 1, marks) if day - 1 in marks else exposure.price
        due = cash(taken.settlement_price - before, exposure.quantity)
        return msgspec.structs.replace(taken, due=due, moved=due, account=account.transferred(due))

    patch.setattr("settlement_paths.margin_day", day_by_day)
    patch.setattr("test_settlement_example.margin_day", day_by_day)


# ---- margin


def _wrong_margin(patch: Patch, wrong: Callable[[MarginDay, Account, Exposure], MarginDay]) -> None:
    real = margin.margin_day

    def taken(
        account: Account, exposure: Exposure, day: int, marks: Mapping[int, int], **more: Any
    ) -> MarginDay:
        return wrong(real(account, exposure, day, marks, **more), account, exposure)

    for module in (
        "settlement_paths",
        "test_settlement_example",
        "test_settlement_paths",
        "mtok.market.contracts",
    ):
        patch.setattr(f"{module}.margin_day", taken)


def more_than_the_smallest_transfer(patch: Patch) -> None:
    """`>` for `>=`."""

    def wrong(day: MarginDay, account: Account, exposure: Exposure) -> MarginDay:
        if abs(day.moved) != exposure.transfer_min:
            return day
        return msgspec.structs.replace(day, moved=0, account=account)

    _wrong_margin(patch, wrong)


def called_to_maintenance(patch: Patch) -> None:
    """A call restores the maintenance margin alone."""

    def wrong(day: MarginDay, _: Account, exposure: Exposure) -> MarginDay:
        less = exposure.initial_margin - exposure.maintenance_margin
        calls = tuple(Call(side=call.side, amount=call.amount - less) for call in day.calls)
        return msgspec.structs.replace(day, calls=calls)

    _wrong_margin(patch, wrong)


def called_at_maintenance(patch: Patch) -> None:
    """Whose equity is just the maintenance margin is called."""

    def wrong(day: MarginDay, _: Account, exposure: Exposure) -> MarginDay:
        closer = msgspec.structs.replace(exposure, maintenance_margin=exposure.initial_margin)
        return msgspec.structs.replace(day, calls=margin._calls(day.account, closer, day.due - day.moved))

    _wrong_margin(patch, wrong)


def unmoved_forgotten_in_calls(patch: Patch) -> None:
    """Equity is the collateral alone."""
    real = margin._calls
    patch.setattr(margin, "_calls", lambda account, exposure, _: real(account, exposure, 0))


def disputed_moves_whole(patch: Patch) -> None:
    """A dispute holds nothing back."""
    patch.setattr(margin, "undisputed", lambda due, _: due)


def disputed_moves_the_larger(patch: Patch) -> None:
    """Of two numbers the larger one."""
    patch.setattr(margin, "undisputed", lambda due, own_due: max(due, own_due, key=abs))


def element_below(patch: Patch) -> None:
    """The quantile's element one too low."""
    real = margin.initial_margin
    patch.setattr(
        "test_settlement_paths.initial_margin",
        lambda price, quantity, moves, rules: real(
            price, quantity, [moves[0], *moves[:-1]] if len(moves) >= 60 else moves, rules
        ),
    )


# ---- the end


def claim_lost(patch: Patch) -> None:
    """What the collateral does not cover is forgotten."""
    real = margin.close

    def wrong(account: Account, exposure: Exposure, price: int) -> Any:
        return msgspec.structs.replace(real(account, exposure, price), claim=0, debtor=None)

    for module in ("settlement_paths", "test_settlement_closing", "mtok.market.contracts"):
        patch.setattr(f"{module}.close", wrong)


def below_nothing_is_nothing(patch: Patch) -> None:
    """Collateral below nothing is not taken from the other side."""
    real = margin.close

    def wrong(account: Account, exposure: Exposure, price: int) -> Any:
        closing = real(account, exposure, price)
        return msgspec.structs.replace(closing, to_short=max(0, account.short - closing.open))

    for module in ("settlement_paths", "test_settlement_closing", "mtok.market.contracts"):
        patch.setattr(f"{module}.close", wrong)


def claim_on_the_payer(patch: Patch) -> None:
    """Who pays the last amount owes the claim, whoever lacks collateral."""
    real = margin.close

    def wrong(account: Account, exposure: Exposure, price: int) -> Any:
        closing = real(account, exposure, price)
        return msgspec.structs.replace(closing, debtor=closing.payer if closing.claim else None)

    patch.setattr("settlement_paths.close", wrong)


def paid_on_published_marks(patch: Patch) -> None:
    """What is for margin is paid on."""
    patch.setattr(mtok.market.contracts, "IN_SETTLEMENT", IN_MARGIN)


def call_postponed(patch: Patch) -> None:
    """Each call gives another day for all that is open."""
    real = mtok.market.contracts.EFFECTS["margin"]

    def wrong(book: Any, contract: Any, command: Any) -> Any:
        [after] = real(book, contract, command)
        later = tuple(msgspec.structs.replace(one, due=command.at + DAY) for one in after.calls)
        return [msgspec.structs.replace(after, calls=later)]

    patch.setitem(mtok.market.contracts.EFFECTS, "margin", wrong)


# ---- marks


def locked_a_second_early(patch: Patch) -> None:
    """A mark is final while it can still be disputed."""
    real = mtok.settlement.review.lock
    patch.setattr(
        mtok.settlement.review, "lock", lambda mark, *, actor, now: real(mark, actor=actor, now=now + SECOND)
    )


def own_approval(patch: Patch) -> None:
    """Who prepared a mark may approve it."""
    patch.setattr(mtok.settlement.review, "refuse_same_person", lambda *_: None)


def old_second_factor(patch: Patch) -> None:
    """The second factor lasts a second longer."""

    def wrong(self: Actor, now: int, rules: Any) -> bool:
        return self.stepped_up_at is not None and 0 <= now - self.stepped_up_at <= 301 * SECOND

    patch.setattr(Actor, "has_stepped_up", wrong)


def second_factor_of_tomorrow(patch: Patch) -> None:
    """One that is shown later counts."""

    def wrong(self: Actor, now: int, rules: Any) -> bool:
        return self.stepped_up_at is not None and now - self.stepped_up_at <= rules.step_up_seconds * SECOND

    patch.setattr(Actor, "has_stepped_up", wrong)


def judges_of_their_own_mark(patch: Patch) -> None:
    """Who made a version decides about it."""

    def wrong(mark: Mark, command: str, actor: Actor, second: Actor, now: int, rules: Any) -> None:
        MACHINE.step(mark.state, command, second)
        if actor.person == second.person:
            raise Refused("same_person", "one", "two")

    patch.setattr(mtok.settlement.review, "_refuse_judges", wrong)


def any_log_entry_forgotten(patch: Patch) -> None:
    """A corrected version keeps the entry of the one before."""
    real = mtok.settlement.review.correct
    patch.setattr(
        mtok.settlement.review,
        "correct",
        lambda mark, *given, **more: msgspec.structs.replace(
            real(mark, *given, **more), log_index=mark.log_index
        ),
    )


def jump_ignored(patch: Patch) -> None:
    """What jumped is proposed like anything else."""
    real = mtok.settlement.review._why_held
    patch.setattr(
        mtok.settlement.review,
        "_why_held",
        lambda *given: tuple(code for code in real(*given) if code != "jump"),
    )


def carried_for_four_days(patch: Patch) -> None:
    """One day more than three."""
    real = mtok.settlement.waterfall._why_not_carried

    def wrong(case: Any, last: Mark) -> str | None:
        return None if case.day - last.source_day == 4 else real(case, last)

    patch.setattr(mtok.settlement.waterfall, "_why_not_carried", wrong)


def less_than_a_fifth(patch: Patch) -> None:
    """`>=` for `>`: the last day that is allowed is not."""
    real = mtok.settlement.waterfall._why_not_carried

    def wrong(case: Any, last: Mark) -> str | None:
        shorter = msgspec.structs.replace(case.window, last=case.window.last - 1)
        return real(dataclasses.replace(case, window=shorter), last)

    patch.setattr(mtok.settlement.waterfall, "_why_not_carried", wrong)


def dispute_carried(patch: Patch) -> None:
    """A mark somebody disputes is carried."""
    patch.setattr(mtok.settlement.waterfall, "REVIEWED", REVIEWED | {"disputed"})


DEFECTS: dict[Callable[[Patch], None], list[Callable[[], object]]] = {
    wrong_sign: [_paths, of_example.test_every_column_of_every_row],
    round_half_up: [_paths],
    truncated: [
        _paths,
        lambda: of_example.test_ties_go_to_the_even_cent_and_zero_has_no_sign("2.675", "2.68"),
    ],
    without_remaining_days: [_paths, of_example.test_every_column_of_every_row],
    marked_to_the_mark: [_paths, _invariant(3), of_example.test_every_column_of_every_row],
    last_day_left_out: [_paths, _invariant(3)],
    last_value_for_the_mean: [_paths, of_example.test_variant_1_a_correction_in_the_window],
    rounded_day_by_day: [_paths, of_example.test_days_rounded_one_by_one_would_drift],
    more_than_the_smallest_transfer: [
        _paths,
        of_paths.test_the_smallest_transfer_moves_and_a_cent_less_does_not,
    ],
    called_to_maintenance: [_paths, of_example.test_every_column_of_every_row],
    called_at_maintenance: [_paths, of_example.test_every_column_of_every_row],
    unmoved_forgotten_in_calls: [_paths],
    disputed_moves_whole: [_paths, of_contracts.test_what_is_undisputed_moves_and_the_rest_waits],
    disputed_moves_the_larger: [_paths, of_contracts.test_what_is_undisputed_moves_and_the_rest_waits],
    element_below: [
        lambda: of_paths.test_the_element_of_the_sorted_moves_is_written_out(200, 198),
        lambda: of_paths.test_the_initial_margin_is_that_of_the_oracle(101),
    ],
    claim_lost: [_paths, _invariant(12)],
    below_nothing_is_nothing: [_paths, _invariant(12)],
    claim_on_the_payer: [_paths, _invariant(12)],
    paid_on_published_marks: [
        _invariant(10),
        of_example.test_a_contract_takes_every_row_and_ends_at_the_final_value,
    ],
    call_postponed: [of_contracts.test_a_call_that_is_not_paid_stays_due_when_another_follows],
    locked_a_second_early: [
        lambda: of_marks.test_a_mark_is_locked_at_the_second_it_can_be_disputed_no_more("published")
    ],
    own_approval: [of_marks.test_one_person_is_one_person_under_any_role],
    old_second_factor: [lambda: of_marks.test_the_second_factor_was_just_shown(301 * SECOND, "step_up")],
    second_factor_of_tomorrow: [lambda: of_marks.test_the_second_factor_was_just_shown(-1, "step_up")],
    judges_of_their_own_mark: [lambda: of_marks.test_two_uninvolved_operators_decide("uphold")],
    any_log_entry_forgotten: [
        of_marks.test_a_corrected_version_is_of_two_other_persons_and_counts_when_it_is_in_the_log
    ],
    jump_ignored: [
        lambda: of_marks.test_what_is_proposed_and_what_is_held(
            of_marks.SOURCE, {"notes": ("jump",)}, "held", ("jump",)
        )
    ],
    carried_for_four_days: [of_waterfall.test_f3_is_three_days_in_a_row_and_not_four],
    less_than_a_fifth: [lambda: of_waterfall.test_f3_is_a_fifth_of_the_window_and_no_day_more(30, 6, True)],
    dispute_carried: [lambda: of_waterfall.test_f3_carries_what_was_reviewed_and_is_not_disputed("disputed")],
}
"""A defect → the checks that must find it, each by itself."""


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.__name__)
def test_a_seeded_defect_is_found(defect: Callable[[Patch], None]) -> None:
    for check in DEFECTS[defect]:
        check()
    for check in DEFECTS[defect]:
        with pytest.MonkeyPatch.context() as patch:
            defect(patch)
            try:
                check()
            except (AssertionError, Refused, pytest.fail.Exception):
                continue
        raise AssertionError(f"{defect.__name__} is not found by {getattr(check, '__name__', check)}")


def test_the_checks_of_a_closing_find_a_claim_that_is_lost() -> None:
    """By hand: 300 of 800 are not covered."""
    given = (Account(long=500, short=1500), "9.2", Side.BUY, 500, Side.BUY, 300, 0, 2000)
    of_closing.test_who_owes_a_claim_is_who_lacks_collateral(*given)
    with pytest.MonkeyPatch.context() as patch:
        claim_lost(patch)
        with pytest.raises(AssertionError):
            of_closing.test_who_owes_a_claim_is_who_lacks_collateral(*given)
