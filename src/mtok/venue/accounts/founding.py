"""How a venue gets its first admins: the one change that nobody proposed and nobody decided, as it stands recorded.

Every later change takes two admins, so the first two are made together, by whoever holds the machine, and only while
there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from allauth.account.forms import default_token_generator
from allauth.account.models import EmailAddress
from allauth.account.utils import user_pk_to_url_str
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.urls import reverse

from mtok.errors import BadCall, EnvironmentFailed
from mtok.settlement.people import Role
from mtok.venue import place
from mtok.venue.accounts.changes import record, subject
from mtok.venue.accounts.events import happened
from mtok.venue.accounts.holdings import ADMINS_MIN
from mtok.venue.accounts.kinds import NAME_CHARS
from mtok.venue.accounts.models import AccountEvent, Change, Grant, Login, new_id
from mtok.venue.database.transactions import transaction_of
from mtok.venue.environment import venue_environment
from mtok.venue.upkeep.keys import MASTER, key_check

Named = tuple[str, str]
"""A person's name and address."""

FOUNDED: Final = "founded"
_LAST: Final = ">"


def read_admins(texts: Sequence[str]) -> list[Named]:
    """Return names and addresses of texts `Name <address>`.

    Raises BadCall: `admin_invalid` for another form, `admins_two` for fewer than two, or one address twice.
    """
    named = [_named(text) for text in texts]
    if len(named) < ADMINS_MIN or len({address for _, address in named}) < len(named):
        raise BadCall(
            "admins_two",
            f"{len(named)} admins are named, and every change takes two persons",
            'Give --admin "Name <address>" twice or more, of persons with addresses of their own.',
        )
    return named


def _named(text: str) -> Named:
    name, _, address = text.rpartition("<")
    address = address.removesuffix(_LAST).strip().casefold()
    try:
        validate_email(address)
    except ValidationError:
        address = ""
    if not text.endswith(_LAST) or not address or len(name.strip()) not in NAME_CHARS:
        raise BadCall(
            "admin_invalid",
            f"{text!r} is no name and address",
            'Write --admin "Ada Example <ada@example.org>".',
        )
    return name.strip(), address


def found(admins: Sequence[Named]) -> None:
    """Make the first admins of a venue that has none. All are made or nobody is.

    Raises BadCall (`login_exists`) where an address has a login: whoever it is, nobody has checked it.
    """

    def work() -> None:
        assert not is_founded(), "a venue is founded once"
        for name, address in admins:
            if Login.objects.filter(email=address).exists():
                raise BadCall(
                    "login_exists",
                    f"{address} has signed up already",
                    "Name an address that nobody has used.",
                )
            login = Login.objects.create_user(address, made_at=place.now())
            EmailAddress.objects.create(user=login, email=address, verified=True, primary=True)
            _record("name", login, {"person": new_id(), "name": name})
            _record("grant", login, {"role": Role.ADMIN})
        happened(FOUNDED, "", master_key=key_check(venue_environment().place()))

    transaction_of(work)


def refuse_other_admins(admins: Sequence[Named]) -> None:
    """Raise BadCall (`admins_there`) where others are named than those that a venue has."""
    there = set(Grant.objects.filter(role=Role.ADMIN).values_list("login__email", flat=True))
    others = sorted({address for _, address in admins} - there)
    if others:
        raise BadCall(
            "admins_there",
            f"the venue has admins, and {', '.join(others)} is none of them",
            "Two of its admins make another one, on their pages; leave --admin out here.",
        )


def is_founded() -> bool:
    """Return whether there are admins, whose decisions are to be read with the master key that is here.

    Raises EnvironmentFailed (`venue_keys_differ`) where the key is another one: contacts would stay shut, and new ones
    would be sealed with a key that nobody has a copy of.
    """
    founding = AccountEvent.objects.filter(what=FOUNDED).first()
    if founding is None:
        return False
    folder = venue_environment().place()
    if founding.content["master_key"] != key_check(folder):
        raise EnvironmentFailed(
            "venue_keys_differ",
            f"{folder / MASTER} is not the master key that this venue was founded with",
            "Put the venue's own key files back.",
        )
    return True


def _record(kind: str, login: Login, content: dict[str, str]) -> None:
    change = Change(kind=kind, login=login, content=content, proposed_at=place.now())
    change.content["before"] = subject(change)
    change.save(force_insert=True)
    record(change, is_approved=True, by=None)


def not_yet_in() -> list[Login]:
    """Return the founding admins who have set no password yet."""
    founding = Grant.objects.filter(role=Role.ADMIN, change__proposed_by=None).order_by("login")
    return [grant.login for grant in founding if not grant.login.has_usable_password()]


def entrance(login: Login) -> str:
    """Return the path of a page on which a login sets its password, once; it lasts as a forgotten password's does."""
    key = default_token_generator.make_token(login)
    path: str = reverse(
        "account_reset_password_from_key", kwargs={"uidb36": user_pk_to_url_str(login), "key": key}
    )
    return path
