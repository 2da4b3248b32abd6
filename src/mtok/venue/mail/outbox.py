"""The outbox: mails and notifications, written in the transaction of what they tell of. Who reads them is read there.

A mail goes to one login. A participant's go to each active login with a participant's role in that organisation, an
operator's to each active login with the role.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from django.db.models import Q

from mtok.canonical import sha256_hex
from mtok.settlement.people import PARTICIPANTS
from mtok.venue.accounts.models import Login, new_id
from mtok.venue.database.models import Message, Notice
from mtok.venue.mail.telling import Told
from mtok.venue.mail.writing import Written, written

NOTIFICATION: Final = "notification"


def put(tellings: Iterable[Told], now: int) -> None:
    """Write what is told into the outbox and among the notifications. Within a transaction: with it or not at all."""
    for told in tellings:
        words, readers = written(told), readers_of(told)
        Message.objects.bulk_create(
            message(told.event, login.email, words, now, login=login, not_before=told.not_before)
            for login in readers
        )
        noticed = [None] if told.party is not None else readers
        Notice.objects.bulk_create(
            Notice(
                id=new_id(),
                kind=NOTIFICATION,
                at=now,
                login=login,
                party=told.party,
                object_kind=told.kind,
                object=told.object,
                text=words.said,
            )
            for login in noticed
        )


def message(
    event: str,
    recipient: str,
    words: Written,
    now: int,
    *,
    login: Login | None = None,
    not_before: int | None = None,
    is_secret: bool = False,
) -> Message:
    """Return a mail of an event to one recipient, not yet kept. The same event and recipient have the same id.

    login : whose address it is · is_secret : of a text that is of no use any more, or of harm, once it is sent
    """
    hour = now if not_before is None else not_before
    return Message(
        id=sha256_hex(f"{event}\n{recipient}".encode()),
        event=event,
        login=login,
        recipient=recipient,
        subject=words.subject,
        text=words.text,
        html=words.html,
        is_secret=is_secret,
        made_at=now,
        not_before=hour,
        next_at=hour,
    )


def readers_of(told: Told) -> list[Login]:
    """Return the logins that are told, in the order in which they were made."""
    if told.role is not None:
        who = Q(grants__role=told.role)
    else:
        who = Q(grants__organisation=told.party, grants__role__in=PARTICIPANTS)
    return list(Login.objects.filter(who, is_active=True).distinct().order_by("pk"))
