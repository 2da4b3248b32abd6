"""The tables of accounts. What decides who may do what is insert-only: a change is another row, never an edit.

A login is an address and a password; a person may have several, and everything that takes two takes two persons.
Instants are BIGINT microseconds since 1970 UTC, days are days since then, as everywhere in mtok.
"""

from __future__ import annotations

import secrets
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models

from mtok.settlement.people import Role


def new_id() -> str:
    """Return an id of 128 bits of chance."""
    return secrets.token_urlsafe(16)


class Person(models.Model):
    """A human being. name : as the venue knows it, shown to operators alone"""

    id = models.CharField(primary_key=True, max_length=22, default=new_id, editable=False)
    name = models.CharField(max_length=120)
    made_at = models.BigIntegerField()


class Logins(BaseUserManager):
    """Makes logins. Addresses are compared in small letters."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> Login:
        """Make a login."""
        login = Login(email=email.casefold(), **fields)
        login.set_password(password)
        login.save(using=self._db)
        return login

    def get_by_natural_key(self, email: str | None) -> Login:
        """Return the login of an address."""
        found: Login = self.get(email=(email or "").casefold())
        return found


class Login(AbstractBaseUser):
    """An address and a password. person : as it says itself, until two admins have said whose it is"""

    email = models.EmailField(unique=True)
    person = models.ForeignKey(Person, null=True, on_delete=models.PROTECT, related_name="logins")
    is_active = models.BooleanField(default=True)
    made_at = models.BigIntegerField()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    objects = Logins()


class OwnerGroup(models.Model):
    """Beneficial owners; sister companies share one."""

    id = models.CharField(primary_key=True, max_length=22, default=new_id, editable=False)
    name = models.CharField(max_length=200)


class Organisation(models.Model):
    """A participant: static data as two admins admitted it (`mtok.market.parties.Party`).

    accepts, allowed, blocked : JSON lists of texts · known_until : day from which its identity must be checked again
    state : `applied`, `admitted`, `refused`
    """

    id = models.CharField(primary_key=True, max_length=22, default=new_id, editable=False)
    legal_name = models.CharField(max_length=200)
    lei = models.CharField(max_length=20)
    group = models.ForeignKey(OwnerGroup, null=True, on_delete=models.PROTECT)
    credit_class = models.CharField(max_length=8, default="")
    accepts = models.JSONField(default=list)
    allowed = models.JSONField(default=list)
    blocked = models.JSONField(default=list)
    known_until = models.BigIntegerField(default=0)
    is_suspended = models.BooleanField(default=False)
    state = models.CharField(max_length=16, default="applied")
    applied_by = models.ForeignKey(Login, null=True, on_delete=models.PROTECT, related_name="+")
    made_at = models.BigIntegerField()


class Change(models.Model):
    """A change that two persons make: one proposes it, another one decides. Insert-only.

    kind : `grant`, `withdraw` a role of a login; `admit`, `refuse`, `suspend`, `resume` an organisation; `name` whose a
    login is; `disable`, `enable` a login · content : what exactly, JSON, as it was shown to both, with what the subject
    was `before` · proposer : the person; nobody proposed what founded the venue
    """

    id = models.CharField(primary_key=True, max_length=22, default=new_id, editable=False)
    kind = models.CharField(max_length=16)
    login = models.ForeignKey(Login, null=True, on_delete=models.PROTECT, related_name="changes")
    organisation = models.ForeignKey(
        Organisation, null=True, on_delete=models.PROTECT, related_name="changes"
    )
    content = models.JSONField()
    proposed_by = models.ForeignKey(Login, null=True, on_delete=models.PROTECT, related_name="+")
    proposer = models.CharField(max_length=22, blank=True)
    proposed_at = models.BigIntegerField()


class Decision(models.Model):
    """What the second person said to a change. Insert-only.

    number : 1, 2, 3 … without a gap, the order in which decisions took effect; no two are made at once
    decider : the person
    """

    change = models.OneToOneField(Change, primary_key=True, on_delete=models.PROTECT, related_name="decision")
    number = models.BigIntegerField()
    is_approved = models.BooleanField()
    decided_by = models.ForeignKey(Login, null=True, on_delete=models.PROTECT, related_name="+")
    decider = models.CharField(max_length=22, blank=True)
    decided_at = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["number"], name="one_decision_a_number")]


class Grant(models.Model):
    """A role that a login has now, made and ended by decided changes alone; the changes are its history."""

    login = models.ForeignKey(Login, on_delete=models.PROTECT, related_name="grants")
    role = models.CharField(max_length=24, choices=[(role, role) for role in Role])
    organisation = models.ForeignKey(Organisation, null=True, on_delete=models.PROTECT, related_name="grants")
    change = models.ForeignKey(Change, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["login", "role"], name="one_grant_a_role")]


class ApiKey(models.Model):
    """A key of the API. prefix : what it begins with, shown in lists · digest : sha256 of the whole key

    scopes : JSON list · ended_at : since when it is of no use
    """

    id = models.CharField(primary_key=True, max_length=22, default=new_id, editable=False)
    login = models.ForeignKey(Login, on_delete=models.PROTECT, related_name="keys")
    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=12)
    digest = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=list)
    made_at = models.BigIntegerField()
    expires_at = models.BigIntegerField()
    used_at = models.BigIntegerField(null=True)
    ended_at = models.BigIntegerField(null=True)


class SealedContact(models.Model):
    """Whom to reach for settlement, sealed with a key of its own, which the venue's master key wraps (AES-256-GCM).

    Withdrawing it destroys the wrapped key; what is left can be opened by nobody.
    """

    id = models.CharField(primary_key=True, max_length=22, default=new_id, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="contacts")
    wrapped_key = models.BinaryField(null=True)
    nonce = models.BinaryField()
    sealed = models.BinaryField()
    made_at = models.BigIntegerField()
    withdrawn_at = models.BigIntegerField(null=True)


class AccountEvent(models.Model):
    """What happened to accounts, for the audit log: insert-only, without passwords, tokens, contacts."""

    at = models.BigIntegerField()
    login = models.ForeignKey(Login, null=True, on_delete=models.PROTECT, related_name="+")
    person = models.CharField(max_length=22, blank=True)
    what = models.CharField(max_length=40)
    about = models.CharField(max_length=120, blank=True)
    content = models.JSONField(default=dict)
