"""The tables of the market.

An object of the core is kept whole as its record (JSON, msgspec); the columns beside it are read out of it, for what
the database itself looks for and holds. Amounts are BIGINT cents, prices BIGINT 10⁻⁶ USD per million tokens, instants
BIGINT microseconds since 1970 UTC. What is called insert-only below is so by `mtok.venue.database.triggers`.
"""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from mtok.venue.accounts.models import Login, new_id


class Kept(models.Model):
    """An object of the core. version : how often it has changed; the database takes no other than the next one"""

    id = models.CharField(primary_key=True, max_length=22)
    state = models.CharField(max_length=24, db_index=True)
    version = models.BigIntegerField()
    record = models.TextField()

    class Meta:
        abstract = True


class RequestRow(Kept):
    """`mtok.market.requests.Request`."""

    party = models.CharField(max_length=22, db_index=True)
    reference = models.CharField(max_length=220)
    lots = models.BigIntegerField()
    reserved = models.BigIntegerField()
    filled = models.BigIntegerField()
    expires = models.BigIntegerField()

    class Meta:
        db_table = "request"
        constraints = [
            models.CheckConstraint(
                name="request_conserved",
                condition=Q(reserved__gte=0, filled__gte=0, lots__gte=F("reserved") + F("filled")),
            )
        ]


class ProposalRow(Kept):
    """`mtok.market.proposals.Proposal`."""

    buy = models.ForeignKey(RequestRow, on_delete=models.PROTECT, related_name="+")
    sell = models.ForeignKey(RequestRow, on_delete=models.PROTECT, related_name="+")
    run = models.BigIntegerField(db_index=True)

    class Meta:
        db_table = "proposal"


class ContractRow(Kept):
    """`mtok.market.contracts.Contract`, of the proposal with its id."""

    buyer = models.CharField(max_length=22, db_index=True)
    seller = models.CharField(max_length=22, db_index=True)
    reference = models.CharField(max_length=220)
    methodology = models.CharField(max_length=40)
    booked_at = models.BigIntegerField()

    class Meta:
        db_table = "contract"
        constraints = [models.CheckConstraint(name="contract_two_parties", condition=~Q(buyer=F("seller")))]


class MarkRow(Kept):
    """`mtok.settlement.marks.Mark`, one version of it."""

    reference = models.CharField(max_length=220)
    methodology = models.CharField(max_length=40)
    day = models.BigIntegerField()
    mark_version = models.BigIntegerField()
    preparer = models.CharField(max_length=22)
    approver = models.CharField(max_length=22, null=True)
    log_index = models.BigIntegerField(null=True)

    class Meta:
        db_table = "mark"
        constraints = [
            models.UniqueConstraint(
                fields=["reference", "methodology", "day", "mark_version"], name="one_version_a_mark"
            ),
            models.CheckConstraint(
                name="mark_two_persons", condition=Q(approver=None) | ~Q(approver=F("preparer"))
            ),
        ]


class MarkUse(models.Model):
    """That a contract's day rests on a mark; insert-only. The database takes marks in margin's states, or locked ones.

    use : `margin`, `settlement`
    """

    contract = models.ForeignKey(ContractRow, on_delete=models.PROTECT, related_name="+")
    mark = models.ForeignKey(MarkRow, on_delete=models.PROTECT, related_name="+")
    use = models.CharField(max_length=12)
    at = models.BigIntegerField()

    class Meta:
        db_table = "mark_use"
        constraints = [models.UniqueConstraint(fields=["contract", "mark", "use"], name="one_use_a_mark")]


class Event(models.Model):
    """What happened to an object, in order; insert-only. The last one of an object is the object.

    command : the cause, `kind.command`, given to the object `subject` by a person in a role with `details` (JSON)
    version, state, record : of the object after it; of a run, kind `run` and its instant, what it looks at and finds
    """

    at = models.BigIntegerField()
    kind = models.CharField(max_length=12)
    object = models.CharField(max_length=22)
    version = models.BigIntegerField()
    command = models.CharField(max_length=32)
    subject = models.CharField(max_length=22)
    person = models.CharField(max_length=22)
    role = models.CharField(max_length=24)
    party = models.CharField(max_length=22, null=True)
    second = models.CharField(max_length=22, null=True)
    details = models.TextField()
    state = models.CharField(max_length=24)
    record = models.TextField()

    class Meta:
        db_table = "event"
        constraints = [
            models.UniqueConstraint(fields=["kind", "object", "version"], name="one_event_a_version")
        ]
        indexes = [models.Index(fields=["kind", "command", "at"], name="event_by_cause")]


class Logged(models.Model):
    """Where an event stands in the private log; insert-only."""

    index = models.BigIntegerField(primary_key=True)
    event = models.OneToOneField(Event, on_delete=models.PROTECT, related_name="logged")

    class Meta:
        db_table = "logged"


class Intention(models.Model):
    """What one person has said of a command that takes two. object_version : of the object it was said of

    digest : of kind, object, command and details, which the other one confirms · state : `open`, `given`, `withdrawn`
    """

    id = models.CharField(primary_key=True, max_length=22, default=new_id)
    kind = models.CharField(max_length=12)
    object = models.CharField(max_length=22, db_index=True)
    object_version = models.BigIntegerField()
    command = models.CharField(max_length=16)
    details = models.TextField()
    digest = models.CharField(max_length=64)
    login = models.ForeignKey(Login, on_delete=models.PROTECT, related_name="+")
    person = models.CharField(max_length=22)
    role = models.CharField(max_length=24)
    party = models.CharField(max_length=22, null=True)
    stepped_up_at = models.BigIntegerField(null=True)
    made_at = models.BigIntegerField()
    ends_at = models.BigIntegerField()
    state = models.CharField(max_length=12, default="open")

    class Meta:
        db_table = "intention"


class LedgerTransaction(models.Model):
    """`mtok.market.ledger.Transaction`; insert-only. marks : what it rests on, JSON"""

    id = models.CharField(primary_key=True, max_length=22)
    kind = models.CharField(max_length=24)
    business_key = models.CharField(max_length=160, unique=True)
    contract = models.ForeignKey(ContractRow, on_delete=models.PROTECT, related_name="transactions")
    effective_day = models.BigIntegerField()
    posted_at = models.BigIntegerField()
    person = models.CharField(max_length=22)
    reverses = models.OneToOneField("self", null=True, on_delete=models.PROTECT, related_name="+")
    terms_sha256 = models.CharField(max_length=64)
    marks = models.TextField()

    class Meta:
        db_table = "ledger_transaction"


class LedgerTransfer(models.Model):
    """A transfer from one account to another, cents; insert-only. Both legs are one row: zero-sum as it stands."""

    transaction = models.ForeignKey(LedgerTransaction, on_delete=models.PROTECT, related_name="transfers")
    debit = models.CharField(max_length=64, db_index=True)
    credit = models.CharField(max_length=64, db_index=True)
    amount = models.BigIntegerField()

    class Meta:
        db_table = "ledger_transfer"
        constraints = [
            models.CheckConstraint(name="transfer_positive", condition=Q(amount__gt=0)),
            models.CheckConstraint(name="transfer_two_accounts", condition=~Q(debit=F("credit"))),
        ]


class Answered(models.Model):
    """The answer to a request that carried an idempotency key; insert-only. scope : whose key it is"""

    scope = models.CharField(max_length=80)
    key = models.CharField(max_length=80)
    request_sha256 = models.CharField(max_length=64)
    status = models.IntegerField()
    body = models.TextField()
    at = models.BigIntegerField()

    class Meta:
        db_table = "answered"
        constraints = [models.UniqueConstraint(fields=["scope", "key"], name="one_answer_a_key")]


class Message(models.Model):
    """A mail to one recipient, written in the transaction it tells of. id : of event and recipient, its Message-ID too

    login : whose address it is, None of an address that is nobody's yet · not_before : the slot of what may be told
    at a fixed time alone · next_at : when it is tried next · given_up_at : since when the recipient counts as gone
    is_secret : whether its text is erased once it is sent
    """

    id = models.CharField(primary_key=True, max_length=64)
    event = models.CharField(max_length=160)
    login = models.ForeignKey(Login, null=True, on_delete=models.PROTECT, related_name="+")
    recipient = models.EmailField()
    subject = models.CharField(max_length=160)
    text = models.TextField()
    html = models.TextField()
    is_secret = models.BooleanField(default=False)
    made_at = models.BigIntegerField()
    not_before = models.BigIntegerField()
    sent_at = models.BigIntegerField(null=True, db_index=True)
    given_up_at = models.BigIntegerField(null=True)
    attempts = models.IntegerField(default=0)
    next_at = models.BigIntegerField()
    failure = models.TextField(blank=True)

    class Meta:
        db_table = "message"
        indexes = [
            models.Index(
                name="message_waiting",
                fields=["next_at"],
                condition=Q(sent_at=None, given_up_at=None),
            )
        ]


class Telling(models.Model):
    """That what no change of an object tells has been told, once: «no match», a call that is overdue; insert-only."""

    event = models.CharField(primary_key=True, max_length=160)
    at = models.BigIntegerField()

    class Meta:
        db_table = "telling"


class Notice(models.Model):
    """What a participant or an operator is shown under notifications, and what incidents and complaints are kept as.

    kind : `notification`, `incident`, `complaint`
    """

    id = models.CharField(primary_key=True, max_length=22, default=new_id)
    kind = models.CharField(max_length=16)
    at = models.BigIntegerField()
    login = models.ForeignKey(Login, null=True, on_delete=models.PROTECT, related_name="notices")
    party = models.CharField(max_length=22, null=True, db_index=True)
    object_kind = models.CharField(max_length=12, blank=True)
    object = models.CharField(max_length=22, blank=True)
    text = models.TextField()
    answers = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        db_table = "notice"


class Transition(models.Model):
    """The pairs of states that the tables of the core allow, for the triggers; refreshed with every migration."""

    machine = models.CharField(max_length=12)
    before = models.CharField(max_length=24)
    after = models.CharField(max_length=24)

    class Meta:
        db_table = "transition"
        constraints = [
            models.UniqueConstraint(fields=["machine", "before", "after"], name="one_transition_a_pair")
        ]
