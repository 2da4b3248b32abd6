"""Contacts for settlement: sealed, bound to their row, opened for a reason, destroyed for good, and nowhere else."""

from __future__ import annotations

import logging
import pickle
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtok.errors import EnvironmentFailed
from mtok.settlement.machines import Refused
from mtok.settlement.people import OPERATORS, Role
from peopled import (
    ADMITTED,
    Clock,
    acting,
    admitted,
    agreed,
    contacts,
    founded,
    granted,
    login_of,
    models,
    named,
    parties,
)
from venues import NOON

CANARY = "Canary Nine, settlement desk, +1 555 0100, canary-nine@example.org"
OTHER_LEI = "5493001KJTIIGC8Y1R12"


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[Clock]:
    """A venue with two participants; the contact of the first is the canary."""
    with founded(tmp_path) as clock:
        admitted("pat@example.org", CANARY)
        admitted("quin@example.org", "Quin, quin@example.org", lei=OTHER_LEI, name="Second Ltd")
        yield clock


def sealed() -> models.SealedContact:
    """Return the first participant's contact as it is stored."""
    found = contacts.current(acting("pat@example.org").party)
    assert found is not None
    return found


def treasury() -> None:
    """Make a treasurer."""
    granted(named("tess@example.org", "Tess"), Role.TREASURY)


def test_its_participant_reads_it(venue: Clock) -> None:
    own = contacts.own_contact(acting("pat@example.org"))
    assert own is not None
    assert own.shown() == CANARY


def test_the_treasury_opens_it_with_a_reason_and_the_participant_sees_that(venue: Clock) -> None:
    treasury()
    venue.pass_seconds(60)
    contact = contacts.open_contact(acting("tess@example.org"), sealed().id, "margin is overdue")
    assert contact.shown() == CANARY
    party = acting("pat@example.org").party
    assert party is not None
    opened = [(one.at, one.role, one.reason) for one in contacts.openings(party)]
    assert opened == [(NOON + 60_000_000, "treasury", "margin is overdue")]


@pytest.mark.parametrize("reason", ["", "  ", "x", "two\nlines", "x" * 501])
def test_no_reason_no_contact(venue: Clock, reason: str) -> None:
    treasury()
    with pytest.raises(Refused, match="reason"):
        contacts.open_contact(acting("tess@example.org"), sealed().id, reason)
    assert not models.AccountEvent.objects.filter(what="contact.opened").exists()


@pytest.mark.parametrize("role", [*sorted(set(OPERATORS) - {Role.TREASURY}), Role.AUDITOR, Role.ADMIN, None])
def test_nobody_else_of_the_venue_opens_it(venue: Clock, role: Role | None) -> None:
    login = named("olga@example.org", "Olga")
    if role is not None:
        granted(login, role)
    with pytest.raises(Refused) as refused:
        contacts.open_contact(acting("olga@example.org"), sealed().id, "curiosity")
    assert refused.value.code == "not_yours"
    with pytest.raises(Refused) as refused:
        contacts.own_contact(acting("olga@example.org"))
    assert refused.value.code == "not_yours"


def test_another_participant_does_not_open_it(venue: Clock) -> None:
    with pytest.raises(Refused) as refused:
        contacts.open_contact(acting("quin@example.org"), sealed().id, "curiosity")
    assert refused.value.code == "not_yours"


def booked(buyer: str, seller: str) -> str:
    """Write a booked contract as the market would."""
    from mtok.venue.database.models import ContractRow

    ContractRow.objects.create(
        id="contract", state="booked", version=0, record="{}", buyer=buyer, seller=seller, booked_at=NOON
    )
    return "contract"


def test_the_other_side_of_a_contract_opens_it(venue: Clock) -> None:
    pat, quin = acting("pat@example.org"), acting("quin@example.org")
    assert pat.party is not None
    assert quin.party is not None
    contract = booked(pat.party, quin.party)
    assert contacts.open_counterparty(quin, contract).shown() == CANARY
    assert contacts.open_counterparty(pat, contract).shown() == "Quin, quin@example.org"
    assert [one.role for one in contacts.openings(pat.party)] == ["counterparty"]


def test_a_contract_of_others_and_none_say_the_same(venue: Clock) -> None:
    pat = acting("pat@example.org")
    said = []
    booked("somebody", "else")
    for contract in ("contract", "none"):
        with pytest.raises(Refused) as refused:
            contacts.open_counterparty(pat, contract)
        said.append((refused.value.code, str(refused.value)))
    assert said[0] == said[1]
    with pytest.raises(Refused):
        contacts.open_counterparty(acting("eve@example.org"), "contract")


# ---- what is stored


@pytest.mark.parametrize("column", ["wrapped_key", "nonce", "sealed"])
@pytest.mark.parametrize("at", [0, -1])
def test_a_flipped_bit_is_found(venue: Clock, column: str, at: int) -> None:
    found = sealed()
    raw = bytearray(getattr(found, column))
    raw[at] ^= 1
    models.SealedContact.objects.filter(id=found.id).update(**{column: bytes(raw)})
    with pytest.raises(EnvironmentFailed) as failed:
        contacts.own_contact(acting("pat@example.org"))
    assert failed.value.code == "contact_damaged"
    assert CANARY not in str(failed.value)


def test_a_contact_moved_to_another_row_stays_shut(venue: Clock) -> None:
    """All three columns copied, so that only what they are bound to differs."""
    found, quin = sealed(), contacts.current(acting("quin@example.org").party)
    assert quin is not None
    columns = {name: getattr(found, name) for name in ("wrapped_key", "nonce", "sealed")}
    models.SealedContact.objects.filter(id=quin.id).update(**columns)
    with pytest.raises(EnvironmentFailed, match="is not as it was sealed"):
        contacts.own_contact(acting("quin@example.org"))


def test_a_contact_given_to_another_organisation_stays_shut(venue: Clock) -> None:
    found, quin = sealed(), acting("quin@example.org")
    contacts.withdraw(quin)
    models.SealedContact.objects.filter(id=found.id).update(organisation=quin.party)
    with pytest.raises(EnvironmentFailed, match="is not as it was sealed"):
        contacts.own_contact(quin)


def test_another_master_key_opens_nothing(venue: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contacts, "_master", lambda: bytes(32))
    with pytest.raises(EnvironmentFailed, match="master key"):
        contacts.own_contact(acting("pat@example.org"))


def test_two_contacts_of_one_text_have_nothing_in_common(venue: Clock) -> None:
    first = sealed()
    contacts.replace(acting("pat@example.org"), CANARY)
    second = sealed()
    assert first.id != second.id
    assert bytes(first.sealed) != bytes(second.sealed)
    assert bytes(first.nonce) != bytes(second.nonce)


def test_withdrawing_destroys_the_key(venue: Clock, tmp_path: Path) -> None:
    """The key's bytes leave the file, too: what is overwritten is off the disk once the log of writes is gone."""
    found = sealed()
    key = bytes(found.wrapped_key)
    assert key in stored(tmp_path)
    contacts.withdraw(acting("pat@example.org"))
    assert key not in stored(tmp_path)
    assert contacts.own_contact(acting("pat@example.org")) is None
    treasury()
    with pytest.raises(Refused) as refused:
        contacts.open_contact(acting("tess@example.org"), found.id, "margin is overdue")
    assert refused.value.code == "contact_unknown"


def test_replacing_withdraws_the_one_before(venue: Clock, tmp_path: Path) -> None:
    key = bytes(sealed().wrapped_key)
    contacts.replace(acting("pat@example.org"), "Pat, new desk")
    own = contacts.own_contact(acting("pat@example.org"))
    assert own is not None
    assert own.shown() == "Pat, new desk"
    assert key not in stored(tmp_path)


def stored(folder: Path) -> bytes:
    """Return every byte of the database, its log of writes included."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return b"".join(path.read_bytes() for path in sorted(folder.glob("venue.sqlite3*")))


def test_the_text_is_in_no_byte_of_the_database_and_in_no_log(
    venue: Clock, tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    treasury()
    contacts.open_contact(acting("tess@example.org"), sealed().id, "margin is overdue")
    contacts.replace(acting("pat@example.org"), CANARY + " again")
    contacts.withdraw(acting("pat@example.org"))
    raw = stored(tmp_path)
    assert b"Second Ltd" in raw, "the search finds what is there"
    for part in ("Canary Nine", "555 0100", "canary-nine"):
        assert part.encode() not in raw
        assert part not in caplog.text + "".join(capsys.readouterr())


def test_an_open_contact_says_nothing_unless_asked() -> None:
    contact = contacts.read_contact(CANARY)
    try:
        raise ValueError(contact)
    except ValueError as error:
        told = [
            str(contact),
            repr(contact),
            f"{contact}",
            f"{[contact]!r}",
            traceback.format_exc(),
            repr(error),
        ]
    assert not [text for text in told if "Canary" in text]
    with pytest.raises(TypeError):
        pickle.dumps(contact)


@pytest.mark.parametrize(
    "text", ["", "ab", "two\nlines", "a\tb c", "bell \x07", "right \u202e left", "nul\x00byte", "x" * 501]
)
def test_what_is_no_contact_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(Refused) as refused:
        contacts.read_contact(text)
    assert refused.value.code == "contact_invalid"
    assert not text.strip() or text not in str(refused.value)


# ---- parties


def test_an_organisation_is_a_party_of_the_market(venue: Clock) -> None:
    organisation = models.Organisation.objects.get(legal_name="Example Ltd")
    party = parties.party_of(organisation)
    assert (party.id, party.contact, party.group) == (organisation.id, sealed().id, organisation.group_id)
    assert (party.legal_name, party.credit_class, party.accepts) == ("Example Ltd", "A", frozenset("AB"))
    assert party.may_trade(NOON // 86_400_000_000)
    assert parties.parties([organisation.id, "none"]) == {organisation.id: party}
    agreed("suspend", organisation=organisation, details={"reason": "as agreed"})
    organisation.refresh_from_db()
    assert not parties.is_known(organisation)


def test_a_party_without_a_contact_says_so(venue: Clock) -> None:
    contacts.withdraw(acting("pat@example.org"))
    assert parties.party_of(models.Organisation.objects.get(legal_name="Example Ltd")).contact == ""


def test_what_is_not_admitted_cannot_trade(venue: Clock) -> None:
    named("ray@example.org", "Ray")
    made = parties.apply(acting("ray@example.org"), "Third Ltd", OTHER_LEI, "Ray, ray@example.org")
    models.Organisation.objects.filter(id=made.id).update(known_until=99_999)
    made.refresh_from_db()
    assert not parties.is_known(made)


def test_an_application_does_not_tell_who_is_a_participant(venue: Clock) -> None:
    """The LEI of a participant and a free one are taken alike; an admission of the first is refused to the admins."""
    named("ray@example.org", "Ray")
    taken = parties.apply(acting("ray@example.org"), "Third Ltd", OTHER_LEI, "Ray, ray@example.org")
    assert taken.state == "applied"
    with pytest.raises(Refused) as refused:
        agreed("admit", organisation=taken, details=ADMITTED)
    assert refused.value.code == "lei_taken"


@pytest.mark.parametrize("address", ["eve@example.org", "pat@example.org"])
def test_who_has_a_role_applies_for_nothing(venue: Clock, address: str) -> None:
    with pytest.raises(Refused) as refused:
        parties.apply(acting(address), "Third Ltd", OTHER_LEI, "Ray, ray@example.org")
    assert refused.value.code == "applied_already"


def test_a_second_login_of_an_operator_applies_for_nothing(venue: Clock) -> None:
    granted(named("olga@example.org", "Olga"), Role.DESK)
    named("olga2@example.org", "Olga")
    with pytest.raises(Refused) as refused:
        parties.apply(acting("olga2@example.org"), "Third Ltd", OTHER_LEI, "Ray, ray@example.org")
    assert refused.value.code == "applied_already"


@pytest.mark.parametrize("lei", ["", "529900T8BM49AURSDO54", "529900t8bm49aursdo55"])
def test_an_lei_has_check_digits(venue: Clock, lei: str) -> None:
    named("ray@example.org", "Ray")
    with pytest.raises(Refused) as refused:
        parties.apply(acting("ray@example.org"), "Third Ltd", lei, "Ray, ray@example.org")
    assert refused.value.code == "lei_invalid"


def test_lists_are_the_participants_own(venue: Clock) -> None:
    pat = acting("pat@example.org")
    parties.edit_lists(pat, allowed=[], blocked=["Second  LTD", "second ltd", " "])
    one, two = (
        parties.party_of(models.Organisation.objects.get(legal_name=name))
        for name in ("Example Ltd", "Second Ltd")
    )
    assert one.refuses(two)
    assert not two.refuses(one)
    assert len(one.blocked) == 1
    with pytest.raises(Refused):
        parties.edit_lists(acting("eve@example.org"), allowed=[], blocked=[])
    with pytest.raises(Refused) as refused:
        parties.edit_lists(pat, allowed=[f"Name {number}" for number in range(201)], blocked=[])
    assert refused.value.code == "list_too_long"


def test_who_is_named_in_a_list_is_in_no_audit_log(venue: Clock) -> None:
    parties.edit_lists(acting("pat@example.org"), allowed=["Secret friend"], blocked=[])
    events = models.AccountEvent.objects.filter(what="lists.edited")
    assert events.count() == 1
    assert "Secret friend" not in repr(list(events.values()))


def test_an_approver_alone_edits_no_lists(venue: Clock) -> None:
    agreed("withdraw", login=login_of("pat@example.org"), details={"role": Role.PARTICIPANT_USER})
    with pytest.raises(Refused) as refused:
        parties.edit_lists(acting("pat@example.org"), allowed=[], blocked=[])
    assert refused.value.code == "not_yours"
