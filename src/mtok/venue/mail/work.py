"""Delivery from the outbox: claim a mail, hand it over, note that it was taken. At least once, by one worker at a time.

A claim is a short transaction of its own that counts the attempt and sets the hour of the next one; only then is the
server spoken to, and what came of it is noted in another one. So no transaction waits for a server, a mail whose worker
died comes again at the hour that its claim has set, and no other worker takes it before. What the server has taken and
nobody could note is sent again, with the same Message-ID. docs/decisions/0024 says why this table is the queue.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.db import connection, transaction
from django.db.models import Q

from mtok.calendar import DAY, SECOND
from mtok.market.cycle import HOUR
from mtok.settlement.people import Role
from mtok.venue.database.models import Message
from mtok.venue.mail import outbox
from mtok.venue.mail.sending import NotSent
from mtok.venue.mail.telling import Told

FIRST_DELAY: Final = 4 * 60 * SECOND
"""Longer than the slowest delivery: until then a mail that was claimed belongs to its worker."""
DELAY_MAX: Final = HOUR
REFUSED_FOR: Final = DAY
"""How long a recipient that is refused for good is tried again: a server that is set up wrongly refuses so too."""
LATE_AFTER: Final = DAY
UNDELIVERABLE: Final = "undeliverable"

_WAITING: Final = Q(sent_at=None, given_up_at=None)


def deliver_due(send: Callable[[Message], None], now: Callable[[], int], limit: int) -> int:
    """Deliver what is due, at most `limit` mails; return how many were taken. send : raises NotSent"""
    taken = 0
    for _ in range(limit):
        message = claim(now())
        if message is None:
            break
        try:
            send(message)
        except NotSent as error:
            _failed(message, error, now())
        else:
            _sent(message, now())
            taken += 1
    return taken


def claim(now: int) -> Message | None:
    """Take the next mail that is due for this worker, None where there is none. Its attempt counts from here on."""

    with transaction.atomic(durable=True):  # the row's lock decides, whatever the isolation
        due = Message.objects.filter(_WAITING, next_at__lte=now, not_before__lte=now)
        free = due.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked)
        message: Message | None = free.order_by("next_at", "pk").first()
        if message is not None:
            message.attempts += 1
            message.next_at = now + delay(message.attempts)
            message.save(update_fields=["attempts", "next_at"])
    return message


def delay(attempts: int) -> int:
    """Return how long after the beginning of an attempt the next one comes, microseconds.

    >>> [delay(count) // 60_000_000 for count in (1, 2, 3, 4, 5, 99)]
    [4, 8, 16, 32, 60, 60]
    """
    return min(DELAY_MAX, FIRST_DELAY * 2 ** min(attempts - 1, 8))


def late(now: int) -> list[Message]:
    """Return what operators have to look at: mails that have waited for a day, and those given up, the oldest first."""
    waiting = Q(sent_at=None) & (Q(not_before__lte=now - LATE_AFTER) | Q(given_up_at__isnull=False))
    return list(Message.objects.filter(waiting).order_by("not_before", "pk"))


def _sent(message: Message, now: int) -> None:
    erased = {"text": "", "html": ""} if message.is_secret else {}
    Message.objects.filter(pk=message.pk).update(sent_at=now, failure="", **erased)


def _failed(message: Message, error: NotSent, now: int) -> None:
    if not error.is_refused or now < message.not_before + REFUSED_FOR:
        Message.objects.filter(pk=message.pk).update(failure=str(error))
        return
    with transaction.atomic(durable=True):
        Message.objects.filter(pk=message.pk).update(failure=str(error), given_up_at=now)
        if not message.event.startswith(UNDELIVERABLE):
            outbox.put([_undeliverable(message, now)], now)


def _undeliverable(message: Message, now: int) -> Told:
    """Return that a mail was given up, for the desk; whose it is stands on the desk's own pages."""
    event = f"{UNDELIVERABLE}:{message.pk}"
    return Told(event=event, name=UNDELIVERABLE, not_before=now, role=Role.DESK)
