"""Changes that take two: who may make them with whom, over persons, logins and roles, and what the database holds."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mtok.settlement.machines import Refused
from mtok.settlement.people import OPERATORS, PARTICIPANTS, Role
from peopled import (
    ADMITTED,
    LEI,
    Clock,
    Principal,
    acting,
    agreed,
    changes,
    derived,
    founded,
    granted,
    holdings,
    kinds,
    login_of,
    models,
    named,
    signed_up,
    undone,
)
from venues import NOON

PERSONS = {
    "ann": ["a1@example.org", "a2@example.org"],
    "bob": ["b1@example.org", "b2@example.org"],
    "cat": ["c1@example.org", "c2@example.org"],
    "dan": ["d1@example.org", "d2@example.org"],
}
ADMINS = {"a1@example.org", "a2@example.org", "b1@example.org", "c1@example.org"}
LOGINS = [address for addresses in PERSONS.values() for address in addresses]
PERSON_OF = {address: person for person, addresses in PERSONS.items() for address in addresses}


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[Clock]:
    """Two founding admins and nobody else."""
    with founded(tmp_path) as clock:
        yield clock


@pytest.fixture
def four(venue: Clock) -> Clock:
    """Four persons with two logins each: Ann is admin with both, Bob and Cat with one; Dan is desk with one."""
    for person, addresses in PERSONS.items():
        for address in addresses:
            named(address, person)
    for address in sorted(ADMINS):
        granted(login_of(address), Role.ADMIN)
    granted(login_of("d1@example.org"), Role.DESK)
    return venue


def applied(applicant: str, lei: str = LEI, name: str = "Example Ltd") -> models.Organisation:
    """Make an application as it stands."""
    organisation: models.Organisation = models.Organisation.objects.create(
        legal_name=name, lei=lei, applied_by=login_of(applicant), made_at=NOON
    )
    models.AccountEvent.objects.create(
        at=NOON, what="applied", about=organisation.id, content={"legal_name": name, "lei": lei}
    )
    return organisation


def tried(proposer: Principal, decider: Principal, kind: str, what: dict[str, Any]) -> str:
    """Have one propose and one decide, then take it back; return the code of the refusal, or `made`."""
    with undone():
        try:
            change = changes.propose(proposer, kind, **what)
            changes.decide(decider, change.id, is_approved=True)
        except Refused as refused:
            return refused.code
        return "made"


def of_logins(kind: str) -> list[tuple[str, set[str], dict[str, Any]]]:
    """Return the login a change of this kind is about, the persons it is about, and the change."""
    persons = {name: models.Person.objects.get(name=name).id for name in PERSONS}
    found: list[tuple[str, set[str], dict[str, Any]]] = []
    for address in LOGINS:
        login, own = login_of(address), PERSON_OF[address]
        if kind in ("grant", "withdraw"):
            roles = [Role.ADMIN, Role.DESK, Role.AUDITOR]
            found += [(address, {own}, {"login": login, "details": {"role": role}}) for role in roles]
        elif kind == "name":
            found += [
                (address, {own, other}, {"login": login, "details": {"person": persons[other]}})
                for other in PERSONS
            ]
        else:
            found.append((address, {own}, {"login": login, "details": {"reason": "as agreed"}}))
    return found


@pytest.mark.parametrize("kind", ["grant", "withdraw", "name", "disable", "enable"])
def test_nobody_makes_a_change_alone_or_about_themselves(four: Clock, kind: str) -> None:
    """Every proposer × decider × login × role; what is expected is worked out here, from persons alone."""
    if kind == "enable":
        for address in ("b2@example.org", "c2@example.org", "d2@example.org", "a2@example.org"):
            agreed("disable", login=login_of(address), details={"reason": "lost phone"})
    acts = {address: acting(address) for address in LOGINS}
    eve, fay = acting("eve@example.org"), acting("fay@example.org")
    admins = {address for address in ADMINS if login_of(address).is_active}
    made = self_approved = 0
    for _, about, what in of_logins(kind):
        possible = tried(eve, fay, kind, what)
        for proposer, decider in itertools.product(LOGINS, LOGINS):
            got = tried(acts[proposer], acts[decider], kind, what)
            four_eyes = (
                {proposer, decider} <= admins
                and PERSON_OF[proposer] != PERSON_OF[decider]
                and PERSON_OF[decider] not in about
            )
            self_approved += got == "made" and not four_eyes
            made += got == "made"
            assert (got == "made") == (four_eyes and possible == "made"), (proposer, decider, what, got)
    assert self_approved == 0
    assert made > 0


@pytest.mark.parametrize("kind", ["admit", "refuse", "suspend", "resume"])
def test_no_organisation_is_changed_by_one_person(four: Clock, kind: str) -> None:
    signed_up("pat@example.org")
    organisation = applied("pat@example.org")
    if kind in ("suspend", "resume"):
        agreed("admit", organisation=organisation, details=ADMITTED)
    if kind == "resume":
        agreed("suspend", organisation=models.Organisation.objects.get(), details={"reason": "as agreed"})
    details = ADMITTED if kind == "admit" else {"reason": "as agreed"}
    what = {"organisation": models.Organisation.objects.get(), "details": details}
    acts = {address: acting(address) for address in LOGINS}
    for proposer, decider in itertools.product(LOGINS, LOGINS):
        got = tried(acts[proposer], acts[decider], kind, what)
        allowed = {proposer, decider} <= ADMINS and PERSON_OF[proposer] != PERSON_OF[decider]
        assert (got == "made") == allowed, (proposer, decider, got)


def test_the_matrix_finds_logins_compared_instead_of_persons(
    four: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The defect seeded: with logins compared, the second login of a person approves what the first proposed."""
    monkeypatch.setattr(changes, "refuse_same_person", lambda *_: None)
    what = {"login": login_of("d2@example.org"), "details": {"role": Role.DESK}}
    assert tried(acting("a1@example.org"), acting("a2@example.org"), "grant", what) == "made"
    monkeypatch.undo()
    assert tried(acting("a1@example.org"), acting("a2@example.org"), "grant", what) == "same_person"


# ---- who may not be who


def refusal(roles: set[Role], organisations: set[str]) -> str:
    """Return why nobody may hold this, worked out again from the rules of the house: empty where somebody may."""
    venue = roles & {*OPERATORS, Role.ADMIN, Role.AUDITOR}
    if venue and (roles & set(PARTICIPANTS) or organisations):
        return "operator_and_participant"
    if Role.ADMIN in roles and roles != {Role.ADMIN}:
        return "admin_alone"
    if Role.AUDITOR in roles and roles != {Role.AUDITOR}:
        return "auditor_alone"
    return "two_organisations" if len(organisations) > 1 else ""


def test_every_set_of_roles_is_held_or_refused_as_the_rules_say() -> None:
    """All 256 sets of roles of persons, with none, one and two organisations."""
    for count in range(len(kinds.GRANTABLE) + 1):
        for roles in itertools.combinations(kinds.GRANTABLE, count):
            for organisations in (set[str](), {"one"}, {"one", "two"}):
                holding = holdings.Holding(roles=frozenset(roles), organisations=frozenset(organisations))
                try:
                    holding.refuse()
                    got = ""
                except Refused as refused:
                    got = refused.code
                assert got == refusal(set(roles), organisations), (roles, organisations)


def second_login(first: Role, second: Role) -> str:
    """Grant one role to a person's first login and propose another one for the second; return what comes of it."""
    pat = named("pat@example.org", "Pat")
    pax = named("pax@example.org", "Pat")
    signed_up("far@example.org")
    organisation = applied("far@example.org")
    agreed("admit", organisation=organisation, details=ADMITTED)
    organisation.refresh_from_db()
    granted(pat, first, organisation if first in PARTICIPANTS else None)
    what = {
        "login": pax,
        "organisation": organisation if second in PARTICIPANTS else None,
        "details": {"role": second},
    }
    return tried(acting("eve@example.org"), acting("fay@example.org"), "grant", what)


@pytest.mark.parametrize(("first", "second"), list(itertools.permutations(kinds.GRANTABLE, 2)))
def test_a_second_login_opens_no_second_role(venue: Clock, first: Role, second: Role) -> None:
    organisations = {"one"} if {first, second} & set(PARTICIPANTS) else set()
    assert second_login(first, second) == (refusal({first, second}, organisations) or "made")


def test_what_a_login_says_of_itself_makes_it_no_second_person(venue: Clock) -> None:
    """Signing up again makes another person of one's own; roles are for persons that two admins have named."""
    granted(named("pat@example.org", "Pat"), Role.DESK)
    again = signed_up("pat.again@example.org")
    what = {"login": again, "details": {"role": Role.AUDITOR}}
    eve, fay = acting("eve@example.org"), acting("fay@example.org")
    assert tried(eve, fay, "grant", what) == "person_missing"
    agreed("name", login=again, details={"person": login_of("pat@example.org").person_id})
    again.refresh_from_db()
    assert tried(eve, fay, "grant", what) == "auditor_alone"


def test_admins_may_confirm_the_person_that_a_login_says_it_is_of(venue: Clock) -> None:
    login = signed_up("pat@example.org")
    own = {"person": login.person_id}
    agreed("name", login=login, details=own)
    with pytest.raises(Refused) as refused:
        agreed("name", login=login, details=own)
    assert refused.value.code == "named_already"
    granted(login_of("pat@example.org"), Role.DESK)


def test_a_login_with_an_application_is_not_named_as_an_operator(venue: Clock) -> None:
    granted(named("pat@example.org", "Pat"), Role.DESK)
    login = signed_up("pax@example.org")
    applied("pax@example.org")
    person = login_of("pat@example.org").person_id
    what = {"login": login, "details": {"person": person}}
    got = tried(acting("eve@example.org"), acting("fay@example.org"), "name", what)
    assert got == "operator_and_participant"


def test_nobody_acts_for_two_organisations(venue: Clock) -> None:
    pat, pax = named("pat@example.org", "Pat"), named("pax@example.org", "Pat")
    for name, lei in (("one", LEI), ("two", "5493001KJTIIGC8Y1R12")):
        signed_up(f"{name}@example.org")
        agreed("admit", organisation=applied(f"{name}@example.org", lei, name), details=ADMITTED)
    one, two = models.Organisation.objects.order_by("legal_name")
    granted(pat, Role.PARTICIPANT_USER, one)
    what = {"login": pax, "organisation": two, "details": {"role": Role.PARTICIPANT_APPROVER}}
    assert tried(acting("eve@example.org"), acting("fay@example.org"), "grant", what) == "two_organisations"


def test_there_are_always_two_admins(venue: Clock) -> None:
    eve, fay = acting("eve@example.org"), acting("fay@example.org")
    what = {"login": login_of("fay@example.org")}
    assert tried(eve, fay, "withdraw", what | {"details": {"role": Role.ADMIN}}) == "admins_two"
    assert tried(eve, fay, "disable", what | {"details": {"reason": "has left"}}) == "admins_two"
    granted(named("gus@example.org", "Gus"), Role.ADMIN)
    gus = acting("gus@example.org")
    assert tried(eve, gus, "withdraw", what | {"details": {"role": Role.ADMIN}}) == "made"


def test_a_login_with_roles_becomes_nobody_elses(venue: Clock) -> None:
    """Else its roles would pass to another person, whom nobody has granted them."""
    granted(named("pat@example.org", "Pat"), Role.DESK)
    named("ray@example.org", "Ray")
    what = {
        "login": login_of("pat@example.org"),
        "details": {"person": login_of("ray@example.org").person_id},
    }
    assert tried(acting("eve@example.org"), acting("fay@example.org"), "name", what) == "login_has_roles"


def test_a_disabled_login_counts_for_its_person(venue: Clock) -> None:
    """Its roles rest and come back with it."""
    granted(named("pat@example.org", "Pat"), Role.DESK)
    agreed("disable", login=login_of("pat@example.org"), details={"reason": "lost phone"})
    what = {"login": named("pax@example.org", "Pat"), "details": {"role": Role.AUDITOR}}
    assert tried(acting("eve@example.org"), acting("fay@example.org"), "grant", what) == "auditor_alone"


def test_who_was_refused_may_act_for_the_venue(venue: Clock) -> None:
    login = named("pat@example.org", "Pat")
    organisation = applied("pat@example.org")
    what = {"login": login, "details": {"role": Role.DESK}}
    eve, fay = acting("eve@example.org"), acting("fay@example.org")
    assert tried(eve, fay, "grant", what) == "operator_and_participant"
    agreed("refuse", organisation=organisation, details={"reason": "no papers"})
    assert tried(eve, fay, "grant", what) == "made"


def test_two_logins_of_one_admin_are_one_admin(venue: Clock) -> None:
    """With two logins of Eve's and one of Fay's, Fay's cannot be withdrawn."""
    granted(named("eve2@example.org", "Eve Example"), Role.ADMIN)
    login, details = login_of("fay@example.org"), {"role": Role.ADMIN}
    with pytest.raises(Refused) as refused:
        changes.propose(acting("eve2@example.org"), "withdraw", login=login, details=details)
    assert refused.value.code == "admins_two"


# ---- when a change is decided


def test_two_changes_that_are_right_alone_are_not_both_made(venue: Clock) -> None:
    """What a change is about has not changed, yet it cannot be made any more: it is checked again when decided."""
    granted(named("gus@example.org", "Gus"), Role.ADMIN)
    eve, fay = acting("eve@example.org"), acting("fay@example.org")
    goes = [
        changes.propose(eve, "withdraw", login=login_of(address), details={"role": Role.ADMIN})
        for address in ("gus@example.org", "eve@example.org")
    ]
    changes.decide(fay, goes[0].id, is_approved=True)
    assert refused_code(fay, goes[1]) == "admins_two"


def test_of_two_applications_with_one_lei_one_is_admitted(venue: Clock) -> None:
    eve, fay = acting("eve@example.org"), acting("fay@example.org")
    admissions = []
    for address in ("pat@example.org", "ray@example.org"):
        signed_up(address)
        admissions.append(changes.propose(eve, "admit", organisation=applied(address), details=ADMITTED))
    changes.decide(fay, admissions[0].id, is_approved=True)
    assert refused_code(fay, admissions[1]) == "lei_taken"


def test_a_principal_of_another_person_is_not_the_logins(venue: Clock) -> None:
    other = acting("fay@example.org", person=login_of("eve@example.org").person_id)
    assert refused_code(other, proposed()) == "not_yours"


def proposed(**what: Any) -> models.Change:
    """Have Eve propose a grant of the desk to a new person."""
    login = named("pat@example.org", "Pat")
    return changes.propose(
        acting("eve@example.org"), "grant", login=login, details={"role": Role.DESK} | what
    )


def refused_code(decider: Principal, change: models.Change, *, is_approved: bool = True) -> str:
    """Return the code with which a decision is refused."""
    with pytest.raises(Refused) as refused:
        changes.decide(decider, change.id, is_approved=is_approved)
    return refused.value.code


def test_a_decision_needs_the_second_factor_just_shown(venue: Clock) -> None:
    """Five minutes to the second, as of every decision of the venue."""
    change = proposed()
    fay = acting("fay@example.org")
    assert refused_code(acting("fay@example.org", stepped_up_at=None), change) == "step_up"
    venue.pass_seconds(301)
    assert refused_code(fay, change) == "step_up"
    venue.instant -= 1_000_000
    changes.decide(fay, change.id, is_approved=True)


def test_a_key_of_the_api_changes_no_accounts(venue: Clock) -> None:
    fay = acting("fay@example.org", scopes=frozenset({"read", "requests", "approvals"}))
    assert refused_code(fay, proposed()) == "not_yours"


def test_a_principal_that_was_an_admin_a_moment_ago_is_none(venue: Clock) -> None:
    """What counts is the table within the transaction, not what a request began with."""
    granted(named("gus@example.org", "Gus"), Role.ADMIN)
    gus, change = acting("gus@example.org"), proposed()
    agreed("withdraw", login=login_of("gus@example.org"), details={"role": Role.ADMIN})
    assert Role.ADMIN in gus.roles
    assert refused_code(gus, change) == "not_yours"


def test_a_change_lapses_after_a_week_to_the_second(venue: Clock) -> None:
    change = proposed()
    venue.pass_seconds(7 * 86_400 - 1)
    assert changes.lapse_of(change) == ""
    venue.pass_seconds(1)
    assert refused_code(acting("fay@example.org"), change) == "lapsed"


def test_a_change_is_stale_when_its_subject_has_changed(venue: Clock) -> None:
    change = proposed()
    agreed("grant", login=login_of("pat@example.org"), details={"role": Role.TREASURY})
    assert refused_code(acting("fay@example.org"), change) == "stale"
    assert [one.id for one in changes.undecided()] == [change.id]
    changes.decide(acting("fay@example.org"), change.id, is_approved=False)
    assert changes.undecided() == []


def test_a_change_is_stale_when_another_login_of_the_person_has_got_a_role(venue: Clock) -> None:
    change = proposed()
    granted(named("pax@example.org", "Pat"), Role.TREASURY)
    assert refused_code(acting("fay@example.org"), change) == "stale"


def test_a_change_of_somebody_who_is_no_admin_any_more_lapses(venue: Clock) -> None:
    granted(named("gus@example.org", "Gus"), Role.ADMIN)
    pat = named("pat@example.org", "Pat")
    change = changes.propose(acting("gus@example.org"), "grant", login=pat, details={"role": Role.DESK})
    agreed("withdraw", login=login_of("gus@example.org"), details={"role": Role.ADMIN})
    assert refused_code(acting("fay@example.org"), change) == "proposer_gone"


def test_a_change_is_decided_once(venue: Clock) -> None:
    change = proposed()
    changes.decide(acting("fay@example.org"), change.id, is_approved=False)
    assert refused_code(acting("fay@example.org"), change) == "decided"
    assert not models.Grant.objects.filter(login__email="pat@example.org").exists()


def test_a_refused_decision_writes_nothing(venue: Clock) -> None:
    change = proposed()
    before = models.AccountEvent.objects.count(), models.Decision.objects.count()
    assert refused_code(acting("eve@example.org"), change) == "same_person"
    assert (models.AccountEvent.objects.count(), models.Decision.objects.count()) == before


def test_what_is_disabled_comes_back_without_its_keys(venue: Clock) -> None:
    login = named("pat@example.org", "Pat")
    models.ApiKey.objects.create(
        login=login, name="one", prefix="mtok_", digest="0" * 64, made_at=NOON, expires_at=NOON + 1
    )
    agreed("disable", login=login, details={"reason": "lost phone"})
    assert models.ApiKey.objects.get().ended_at == NOON
    agreed("enable", login=login_of("pat@example.org"), details={"reason": "new phone"})
    assert models.ApiKey.objects.get().ended_at == NOON
    assert login_of("pat@example.org").is_active


@pytest.mark.parametrize(
    ("kind", "details", "code"),
    [
        ("grant", {"role": "svc_publish"}, "role_unknown"),
        ("grant", {"role": "king"}, "role_unknown"),
        ("grant", {"role": Role.PARTICIPANT_USER}, "organisation_wrong"),
        ("withdraw", {"role": Role.DESK}, "not_granted"),
        ("name", {"person": "nobody"}, "person_unknown"),
        ("name", {"name": "two\nlines"}, "text_invalid"),
        ("name", {"name": ""}, "text_invalid"),
        ("disable", {}, "text_invalid"),
        ("enable", {"reason": "as agreed"}, "login_enabled"),
        ("admit", ADMITTED, "kind_unknown"),
        ("promote", {}, "kind_unknown"),
    ],
)
def test_what_cannot_be_is_refused_when_proposed(
    venue: Clock, kind: str, details: dict[str, Any], code: str
) -> None:
    login = named("pat@example.org", "Pat")
    with pytest.raises(Refused) as refused:
        changes.propose(acting("eve@example.org"), kind, login=login, details=details)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"credit_class": "a"}, "class_invalid"),
        ({"accepts": ["A"] * 17}, "class_invalid"),
        ({"known_until": NOON // 86_400_000_000}, "known_until_invalid"),
        ({"known_until": NOON // 86_400_000_000 + 732}, "known_until_invalid"),
        ({"group_name": None, "group": "none"}, "group_unknown"),
    ],
)
def test_an_organisation_is_admitted_as_something(venue: Clock, changed: dict[str, Any], code: str) -> None:
    signed_up("pat@example.org")
    with pytest.raises(Refused) as refused:
        agreed("admit", organisation=applied("pat@example.org"), details=ADMITTED | changed)
    assert refused.value.code == code


# ---- what the database holds, and what follows from it


@pytest.mark.parametrize("table", ["accounts_change", "accounts_decision", "accounts_accountevent"])
def test_the_database_refuses_to_edit_and_to_delete(venue: Clock, table: str) -> None:
    """Through SQL itself, as a hand at its prompt would."""
    from django.db import IntegrityError, connection

    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        count = cursor.fetchone()[0]
        assert count > 0
        for statement in (f"UPDATE {table} SET {_column(table)} = {_column(table)}", f"DELETE FROM {table}"):
            with pytest.raises(IntegrityError, match=f"{table} is insert-only"):
                cursor.execute(statement)
        cursor.execute(f"SELECT count(*) FROM {table}")
        assert cursor.fetchone()[0] == count


def _column(table: str) -> str:
    return {"accounts_change": "kind", "accounts_decision": "decider", "accounts_accountevent": "what"}[table]


def test_everything_follows_from_the_decisions(four: Clock) -> None:
    signed_up("pat@example.org")
    organisation = applied("pat@example.org")
    agreed("admit", organisation=organisation, details=ADMITTED)
    agreed("suspend", organisation=models.Organisation.objects.get(), details={"reason": "as agreed"})
    agreed("withdraw", login=login_of("d1@example.org"), details={"role": Role.DESK})
    agreed("disable", login=login_of("d1@example.org"), details={"reason": "has left"})
    assert list(derived.findings()) == []


def edits() -> dict[str, Any]:
    """Return edits of tables that no decision made, by name."""
    eve = models.Login.objects.filter(email="eve@example.org")
    desk = models.Grant.objects.filter(role=Role.DESK)
    return {
        "a role made": lambda: models.Grant.objects.create(
            login=eve.get(), role=Role.DESK, change=models.Change.objects.all()[0]
        ),
        "a role lost": desk.delete,
        "a role moved": lambda: desk.update(login=login_of("d2@example.org")),
        "a person exchanged": lambda: eve.update(person=login_of("a1@example.org").person),
        "a login disabled": lambda: eve.update(is_active=False),
        "an organisation admitted": lambda: models.Organisation.objects.update(state="admitted"),
        "an organisation renamed": lambda: models.Organisation.objects.update(legal_name="Other Ltd"),
        "a class raised": lambda: models.Organisation.objects.update(credit_class="AAA"),
    }


@pytest.mark.parametrize("edit", list(range(8)))
def test_an_edited_table_does_not_follow(four: Clock, edit: int) -> None:
    signed_up("pat@example.org")
    applied("pat@example.org")
    name, make = list(edits().items())[edit]
    make()
    assert len(list(derived.findings())) >= 1, name


def test_a_decision_of_one_person_shows_in_the_history(four: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "refuse_same_person", lambda *_: None)
    login = login_of("d2@example.org")
    change = changes.propose(acting("a1@example.org"), "grant", login=login, details={"role": Role.TREASURY})
    changes.decide(acting("a2@example.org"), change.id, is_approved=True)
    assert [found for found in derived.findings() if "by one person" in found]


def test_a_decision_of_no_admin_shows_in_the_history(four: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "refuse_unless_admin", lambda _: None)
    login = login_of("b2@example.org")
    change = changes.propose(
        acting("a1@example.org"), "disable", login=login, details={"reason": "as agreed"}
    )
    changes.decide(acting("d1@example.org"), change.id, is_approved=True)
    assert [found for found in derived.findings() if "decided by somebody who was no admin" in found]
