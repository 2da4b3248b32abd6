"""What is told because it is time: who has to confirm a request, that a run found nothing, that a call is overdue.

Each is told once, kept as a `Telling` in the same transaction; a worker that was away tells it when it is back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from django.db.models import Q

from mtok.calendar import DAY
from mtok.market.book import CONTRACT, PROPOSAL, REQUEST
from mtok.market.contracts import RUNNING
from mtok.market.cycle import last_run, slot_end
from mtok.market.requests import Request
from mtok.settlement.specification import Specification
from mtok.venue.database import runs
from mtok.venue.database.models import ContractRow, ProposalRow, RequestRow, Telling
from mtok.venue.database.records import KINDS
from mtok.venue.database.transactions import transaction_of
from mtok.venue.mail import outbox
from mtok.venue.mail.telling import Told, no_match, overdue, reconfirmation


def tell_due(now: int, rules: Specification) -> int:
    """Tell what is due by an instant and was not told; return how many things that was. After the runs due by then."""
    run = last_run(now, rules)
    count = _once(f"reconfirm:{run}", partial(_reconfirmations, run), now)
    for over in _runs_over(now, rules):
        count += _once(f"no_match:{over}", partial(_no_matches, over, rules), now)
    for late in list(_overdue(now)):
        count += _once(late[0].event, partial(list, late), now)
    return count


def _once(event: str, found: Callable[[], Iterable[Told]], now: int) -> int:
    """Tell what is found, once; return how much that was."""
    if Telling.objects.filter(pk=event).exists():
        return 0

    def work() -> int:
        if Telling.objects.filter(pk=event).exists():
            return 0
        Telling.objects.create(pk=event, at=now)
        tellings = list(found())
        outbox.put(tellings, now)
        return len(tellings)

    return transaction_of(work)


def _runs_over(now: int, rules: Specification) -> list[int]:
    """Return the runs whose slot is over and whose outcome may not have been told, in order.

    The first run of a venue is where it began; nothing was looked at.
    """
    told = set(Telling.objects.filter(event__startswith="no_match:").values_list("pk", flat=True))
    return [run for run in runs.looked_at() if now >= slot_end(run, rules) and f"no_match:{run}" not in told]


def _reconfirmations(run: int) -> Iterator[Told]:
    """Yield a question for each live request that the run after this one would leave out.

    Nothing that depends on others decides it: not what is reserved, and not what is left.
    """
    following = run + DAY
    for request in _requests(Q(state="live")):
        is_firm = request.firm_until is not None and request.firm_until >= following
        if not is_firm and request.confirmed_for != following and following < request.expires:
            yield reconfirmation(request, following, run)


def _no_matches(run: int, rules: Specification) -> Iterator[Told]:
    """Yield «no match» for each request that was in the run, or sat it out, and has no terms by the end of its slot."""
    pairs = ProposalRow.objects.filter(run=run).order_by("pk")
    with_terms = {
        side
        for row in pairs
        if KINDS[PROPOSAL].read(row.record).terms is not None
        for side in (row.buy_id, row.sell_id)
    }
    for request in _requests(~Q(state__in=("draft", "submitted", "rejected"))):
        if _was_in_book(request, run) and request.id not in with_terms:
            yield no_match(request, run, slot_end(run, rules))


def _was_in_book(request: Request, run: int) -> bool:
    """Return whether a request was in a run, or sat it out for want of a confirmation or whatever else."""
    if request.ran == run:
        return True
    was_accepted = request.accepted_at is not None and request.accepted_at <= run < request.expires
    return was_accepted and (request.state == "live" or (request.ran is not None and request.ran > run))


def _overdue(now: int) -> Iterator[list[Told]]:
    for row in ContractRow.objects.filter(state__in=RUNNING).order_by("pk"):
        contract = KINDS[CONTRACT].read(row.record)
        for call in contract.calls:
            if now >= call.due:
                yield overdue(contract, call)


def _requests(which: Q) -> Iterator[Request]:
    for row in RequestRow.objects.filter(which).order_by("pk"):
        yield KINDS[REQUEST].read(row.record)
