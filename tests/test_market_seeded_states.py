"""Defects put into the states of the market on purpose: each is found by the same machine as in every run."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from market_driving import sequences
from mtok.market import book, contracts, matching, proposals, requests
from mtok.market.commands import Command
from test_market_stateful import EVERY_RUN, NORMAL, Market

Effect = Callable[[Any, Any, Command], list[Any]]
Patch = pytest.MonkeyPatch
SECOND = 10**6


def replaced(one: Any, **changes: Any) -> Any:
    return msgspec.structs.replace(one, **changes)


def wrap(
    patch: Patch, module: Any, command: str, wrong: Callable[[Effect, Any, Any, Command], list[Any]]
) -> None:
    """Put another effect in the place of a command's, which is given the right one."""
    right = module.EFFECTS[command]
    patch.setitem(module.EFFECTS, command, lambda *given: wrong(right, *given))


def any_digest(right: Effect, of: Any, one: Any, command: Command) -> list[Any]:
    return right(of, one, replaced(command, details=one.terms.sha256))


def older_digest(right: Effect, of: Any, one: Any, command: Command) -> list[Any]:
    """Accept the digest of any revision of the terms."""
    older = [replaced(one.terms, revision=place).sha256 for place in range(one.terms.revision)]
    return any_digest(right, of, one, command) if command.details in older else right(of, one, command)


def approvals_kept(right: Effect, of: Any, one: Any, command: Command) -> list[Any]:
    amended, *others = right(of, one, command)
    return [replaced(amended, approvals=one.approvals), *others]


def nothing_released(right: Effect, of: Any, one: Any, command: Command) -> list[Any]:
    return right(of, one, command)[:1]


def reserved_lost(right: Effect, of: Any, one: Any, command: Command) -> list[Any]:
    return [replaced(one, lots=one.filled, reserved=0)]


def twice_a_day(right: Effect, of: Any, one: Any, command: Command) -> list[Any]:
    earlier = tuple(day for day in one.days if day.day < command.details.day)
    return right(of, replaced(one, days=earlier), command)


def calls_stay(right: Effect, of: Any, one: Any, command: Command) -> list[Any]:
    return [replaced(changed, calls=one.calls) for changed in right(of, one, command)]


def paid_twice(right: Effect, of: Any, one: Any, command: Command) -> list[Any]:
    return [replaced(changed, account=changed.account.transferred(1)) for changed in right(of, one, command)]


def sisters(patch: Patch) -> None:
    """Let no owners be compared, neither by the run nor when terms are sent and approved."""
    right = matching.fits
    patch.setattr(matching, "fits", lambda buyer, seller: right(replaced(buyer, group="?"), seller))


def later_transfer(patch: Patch) -> None:
    right: Callable[..., Any] = vars(contracts)["margin_day"]

    def wrong(account: Any, exposure: Any, *rest: Any, **named: Any) -> Any:
        return right(account, replaced(exposure, transfer_min=exposure.transfer_min + 1), *rest, **named)

    patch.setattr(contracts, "margin_day", wrong)


def a_second_later(patch: Patch, module: Any, name: str) -> None:
    right = getattr(module, name)
    patch.setattr(module, name, lambda *given: right(*given) + SECOND)


def ignored(patch: Patch, module: Any, name: str) -> None:
    patch.setattr(module, name, lambda *_, **__: None)


def operators_alone(patch: Patch) -> None:
    patch.setattr(Command, "refuse_one_operator", lambda *_: None)


DEFECTS: dict[str, Callable[[Patch], None]] = {
    "any digest is approved": lambda patch: wrap(patch, proposals, "approve", any_digest),
    "the digest of amended terms is approved": lambda patch: wrap(patch, proposals, "approve", older_digest),
    "approvals outlive an amendment": lambda patch: wrap(patch, proposals, "amend", approvals_kept),
    "the end of terms is inclusive": lambda patch: a_second_later(patch, proposals, "lapses_at"),
    "one person approves twice": lambda patch: ignored(patch, proposals, "refuse_same_person"),
    "an old second factor is enough": lambda patch: ignored(patch, proposals, "refuse_without_step_up"),
    "sister companies are matched": sisters,
    "owners are not looked at again": lambda patch: ignored(patch, proposals, "_refuse_ineligible"),
    "a lapse releases nothing": lambda patch: wrap(patch, proposals, "lapse", nothing_released),
    "declining releases nothing": lambda patch: wrap(patch, proposals, "decline", nothing_released),
    "cancelling loses reserved lots": lambda patch: wrap(patch, requests, "cancel", reserved_lost),
    "priority is kept on any amendment": lambda patch: patch.setattr(
        requests, "_keeps_priority", lambda *_: True
    ),
    "amending goes on in the slot": lambda patch: patch.setattr(requests, "is_in_slot", lambda *_: False),
    "margin is taken twice a day": lambda patch: wrap(patch, contracts, "margin", twice_a_day),
    "the smallest transfer waits": later_transfer,
    "a cent moves with a posting": lambda patch: wrap(patch, contracts, "post", paid_twice),
    "a posting pays no call": lambda patch: wrap(patch, contracts, "post", calls_stay),
    "a contract never becomes void": lambda patch: patch.setattr(book, "deadline", lambda *_: 2**62),
    "the days to cure are a second longer": lambda patch: a_second_later(patch, contracts, "deadline"),
    "one operator is enough": operators_alone,
}


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sequences of every run find it; without any they pass (`test_market_stateful`)."""
    DEFECTS[name](monkeypatch)
    (found,) = sequences(*EVERY_RUN, patience=1).diverged
    assert re.search(r": (AssertionError|KeyError): ", found), f"the defect itself is at fault: {found}"


@pytest.mark.parametrize("name", ["a lapse releases nothing", "the end of terms is inclusive"])
def test_hypothesis_finds_a_defect(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine that shortens what it finds is driven by the same rules; here it need not shorten it."""
    DEFECTS[name](monkeypatch)
    seeking = settings(NORMAL, phases=(Phase.generate,), report_multiple_bugs=False, print_blob=False)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Market, settings=seeking)
