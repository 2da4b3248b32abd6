"""Contacts for settlement, sealed: what a participant wrote is in no table, log, page or error but where it is opened.

Each contact has a key of its own (AES-256-GCM), which the venue's master key wraps; both name organisation and record
(additional data), so that neither text nor key can be put into another row. Withdrawing destroys the wrapped key. A
contact is opened for its own participant, for the treasury, and for the other side of a booked contract; that and why
is written down, and the participant can see it.
"""

from __future__ import annotations

import os
import unicodedata
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.db.models import Q

from mtok.errors import EnvironmentFailed
from mtok.settlement.machines import Refused
from mtok.settlement.people import Role
from mtok.venue import place
from mtok.venue.accounts.events import happened
from mtok.venue.accounts.kinds import REASON_CHARS, written
from mtok.venue.accounts.models import AccountEvent, Organisation, SealedContact, new_id
from mtok.venue.accounts.principals import Principal
from mtok.venue.database.models import ContractRow
from mtok.venue.database.transactions import transaction_of
from mtok.venue.environment import venue_environment
from mtok.venue.upkeep.keys import master_key

CONTACT_CHARS: Final = range(3, 501)
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_OPENED: Final = "contact.opened"


class Contact:
    """A contact that is open. Its text is asked for by name; printed, logged or in a traceback it says nothing."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def shown(self) -> str:
        """Return the text, to be written into the one page it was opened for."""
        return self._text

    def __repr__(self) -> str:
        return "Contact(…)"

    __str__ = __repr__

    def __reduce__(self) -> Any:
        raise TypeError("a contact is kept sealed alone")


@dataclass(frozen=True, kw_only=True)
class Opened:
    """That a contact was opened. role : in which, `counterparty` for the other side of a contract"""

    at: int
    role: str
    reason: str


def read_contact(text: str) -> Contact:
    """Return a contact as it was written. Raises Refused (`contact_invalid`), which does not repeat it."""
    bare = text.strip()
    if len(bare) not in CONTACT_CHARS or any(unicodedata.category(char).startswith("C") for char in bare):
        raise Refused(
            "contact_invalid",
            f"a contact has {CONTACT_CHARS.start} to {CONTACT_CHARS.stop - 1} characters in one line, no control ones",
            "Write a name and an address or a number.",
        )
    return Contact(bare)


def seal(organisation: Organisation, contact: Contact) -> SealedContact:
    """Seal a contact and return it, not yet saved."""
    made = SealedContact(id=new_id(), organisation=organisation, made_at=place.now())
    key = os.urandom(_KEY_BYTES)
    made.nonce = os.urandom(_NONCE_BYTES)
    made.sealed = AESGCM(key).encrypt(made.nonce, contact.shown().encode(), _bound(made))
    nonce = os.urandom(_NONCE_BYTES)
    made.wrapped_key = nonce + AESGCM(_master()).encrypt(nonce, key, _bound(made))
    return made


def current(organisation: str | None) -> SealedContact | None:
    """Return the contact of an organisation that is in use."""
    return SealedContact.objects.filter(organisation=organisation, withdrawn_at=None).first()


def replace(principal: Principal, text: str) -> SealedContact:
    """Give the principal's organisation another contact; the one before is withdrawn. Raises Refused."""
    contact = read_contact(text)

    def work() -> SealedContact:
        organisation = own_organisation(principal)
        _withdraw(current(organisation.id))
        made = seal(organisation, contact)
        made.save(force_insert=True)
        happened("contact.replaced", made.id, principal, organisation=organisation.id)
        return made

    return transaction_of(work)


def withdraw(principal: Principal) -> None:
    """Destroy the key of the contact of the principal's organisation. Raises Refused (`contact_unknown`)."""

    def work() -> None:
        found = current(own_organisation(principal).id)
        if found is None:
            raise _unknown()
        _withdraw(found)
        happened("contact.withdrawn", found.id, principal, organisation=found.organisation_id)

    transaction_of(work)


def own_contact(principal: Principal) -> Contact | None:
    """Return the contact of the principal's organisation to itself, None where it has none. Raises Refused."""
    found = current(own_organisation(principal).id)
    return None if found is None else _unsealed(found)


def open_contact(principal: Principal, contact_id: str, reason: str) -> Contact:
    """Open a contact for the treasury, which says why.

    Raises Refused: `not_yours`, `text_invalid`, `contact_unknown`
    """
    if Role.TREASURY not in principal.roles:
        raise Refused(
            "not_yours", "contacts are not yours to open", f"That is for {Role.TREASURY}, with a reason."
        )
    return _opened(principal, contact_id, Role.TREASURY, written({"reason": reason}, "reason", REASON_CHARS))


def open_counterparty(principal: Principal, contract_id: str) -> Contact:
    """Open the contact of the other side of a contract for one of its parties.

    Raises Refused: `not_found`, the same words for a contract of others and for none; `contact_unknown`
    """
    party = principal.party
    contract = ContractRow.objects.filter(Q(buyer=party) | Q(seller=party), id=contract_id).first()
    if party is None or contract is None:
        raise Refused("not_found", "there is no such contract", "Your contracts are listed under /venue.")
    other = current(contract.seller if contract.buyer == party else contract.buyer)
    return _opened(principal, other.id if other else "", "counterparty", f"contract {contract_id}")


def openings(organisation: str) -> list[Opened]:
    """Return when contacts of an organisation were opened, in which role and why, latest first."""
    found = AccountEvent.objects.filter(what=_OPENED, content__organisation=organisation).order_by(
        "-at", "-id"
    )
    return [Opened(at=one.at, role=one.content["role"], reason=one.content["reason"]) for one in found]


def own_organisation(principal: Principal) -> Organisation:
    """Return the organisation that a participant acts for. Raises Refused (`not_yours`)."""
    organisation: Organisation | None = Organisation.objects.filter(id=principal.party).first()
    if organisation is None or not principal.is_participant:
        raise Refused(
            "not_yours", "you act for no organisation", "Apply for one, or ask an admin for the role."
        )
    return organisation


def _opened(principal: Principal, contact_id: str, role: str, reason: str) -> Contact:
    def work() -> Contact:
        found = SealedContact.objects.filter(id=contact_id, withdrawn_at=None).first()
        if found is None:
            raise _unknown()
        contact = _unsealed(found)
        happened(_OPENED, found.id, principal, organisation=found.organisation_id, role=role, reason=reason)
        return contact

    return transaction_of(work)


def _unknown() -> Refused:
    return Refused("contact_unknown", "there is no such contact", "It may have been withdrawn or replaced.")


def _unsealed(found: SealedContact) -> Contact:
    """Return a sealed contact open. Raises EnvironmentFailed (`contact_damaged`) where anything was exchanged."""
    wrapped = bytes(found.wrapped_key)
    try:
        nonce, rest = wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:]
        key = AESGCM(_master()).decrypt(nonce, rest, _bound(found))
        text = AESGCM(key).decrypt(bytes(found.nonce), bytes(found.sealed), _bound(found))
    except InvalidTag:
        raise EnvironmentFailed(
            "contact_damaged",
            f"contact {found.id} is not as it was sealed, or the master key is another one",
            "Put the venue's master_key back; if it is the right one, ask the participant for the contact again.",
        ) from None
    return Contact(text.decode())


def _withdraw(found: SealedContact | None) -> None:
    if found is not None:
        found.wrapped_key = None
        found.withdrawn_at = place.now()
        found.save(update_fields=["wrapped_key", "withdrawn_at"])


def _bound(made: SealedContact) -> bytes:
    """Return what a contact and its key are bound to; both ids have a fixed alphabet without a blank."""
    return f"{made.organisation_id} {made.id}".encode()


def _master() -> bytes:
    return master_key(venue_environment().place())
