"""What has to hold of a venue that was interrupted, and what it has come to in the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from mailbox import Mailbox
from typing import Any

Content = dict[str, Any]


def content() -> Content:
    """Return what a venue has come to, without what is another one each time: ids that are chance, and order."""
    from mtok.venue.database import ledger
    from mtok.venue.database.models import Event, MarkUse, Message, Notice, Telling

    pair = only("contract").pk
    events = Event.objects.values_list("kind", "object", "command", "role", "version", "state")
    return {
        "events": sorted((kind, one.replace(pair, "pair"), *rest) for kind, one, *rest in events),
        "mails": sorted(
            (event.split(":")[0], to, text.replace(pair, "pair"))
            for event, to, text in Message.objects.values_list("event", "recipient", "text")
        ),
        "notices": sorted(Notice.objects.values_list("party", "login", "text"), key=str),
        "tellings": sorted(  # who asks for confirmations on which day depends on when there was somebody to ask
            Telling.objects.exclude(event__startswith="reconfirm:").values_list("event", flat=True)
        ),
        "uses": MarkUse.objects.count(),
        "ledger": sorted(
            (
                one.kind,
                one.effective_day,
                leg.debit.replace(pair, "pair"),
                leg.credit.replace(pair, "pair"),
                leg.amount,
            )
            for one in ledger.transactions()
            for leg in one.transfers
        ),
    }


def wrong(box: Mailbox) -> Iterator[str]:
    """Yield what does not hold of a venue, whatever has been done so far."""
    from mtok.market.trial_balance import check
    from mtok.venue.database import ledger
    from mtok.venue.database.models import Event, Message
    from mtok.venue.database.records import KINDS

    last: dict[tuple[str, str], Event] = {}
    for event in Event.objects.exclude(kind="run").order_by("kind", "object", "version"):
        before = last.get((event.kind, event.object))
        if event.version != (0 if before is None else before.version + 1):
            yield f"{event.kind} {event.object}: version {event.version} has none before it"
        last[event.kind, event.object] = event
    for kind, of_kind in KINDS.items():
        rows = {row.pk: row for row in of_kind.table.objects.all()}
        if rows.keys() != {name for one, name in last if one == kind}:
            yield f"{kind}: rows and events are of other objects"
            continue
        for name, row in rows.items():
            event = last[kind, name]
            if (event.version, event.state, event.record) != (row.version, row.state, row.record):
                yield f"{kind} {name} is not what its last event says"
    contracts = [read("contract", row) for row in KINDS["contract"].table.objects.all()]
    yield from (f"ledger: {one}" for one in check(ledger.transactions(), contracts))
    taken = {one.partition("@")[0].strip("<") for one in box.ids}
    for message in Message.objects.exclude(sent_at=None):
        if message.pk not in taken:
            yield f"mail {message.event} counts as sent and nobody has taken it"


def missing(told: list[str]) -> Iterator[str]:
    """Yield what was told as done and is not there."""
    from mtok.venue.database.models import Event

    for one, count in Counter(told).items():
        command, _, subject = one.partition(" ")
        found = Event.objects.filter(command=command, **({"subject": subject} if subject else {}))
        instants = found.values_list("person", "at").distinct().count()
        if instants < count:
            yield f"{one} was told as done {count} times and is there {instants} times"


def only(kind: str) -> Any:
    """Return the one row of a kind."""
    from mtok.venue.database.records import KINDS

    return KINDS[kind].table.objects.get()


def read(kind: str, row: Any) -> Any:
    """Return the object of a row."""
    from mtok.venue.database.records import KINDS

    return KINDS[kind].read(row.record)
