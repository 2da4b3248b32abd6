"""The tables."""

import django.db.models.expressions
import mtok.venue.accounts.models
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Telling",
            fields=[
                ("event", models.CharField(max_length=160, primary_key=True, serialize=False)),
                ("at", models.BigIntegerField()),
            ],
            options={
                "db_table": "telling",
            },
        ),
        migrations.CreateModel(
            name="Answered",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("scope", models.CharField(max_length=80)),
                ("key", models.CharField(max_length=80)),
                ("request_sha256", models.CharField(max_length=64)),
                ("status", models.IntegerField()),
                ("body", models.TextField()),
                ("at", models.BigIntegerField()),
            ],
            options={
                "db_table": "answered",
                "constraints": [models.UniqueConstraint(fields=("scope", "key"), name="one_answer_a_key")],
            },
        ),
        migrations.CreateModel(
            name="ContractRow",
            fields=[
                ("id", models.CharField(max_length=22, primary_key=True, serialize=False)),
                ("state", models.CharField(db_index=True, max_length=24)),
                ("version", models.BigIntegerField()),
                ("record", models.TextField()),
                ("buyer", models.CharField(db_index=True, max_length=22)),
                ("seller", models.CharField(db_index=True, max_length=22)),
                ("reference", models.CharField(max_length=220)),
                ("methodology", models.CharField(max_length=40)),
                ("booked_at", models.BigIntegerField()),
            ],
            options={
                "db_table": "contract",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("buyer", models.F("seller")), _negated=True),
                        name="contract_two_parties",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Event",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.BigIntegerField()),
                ("kind", models.CharField(max_length=12)),
                ("object", models.CharField(max_length=22)),
                ("version", models.BigIntegerField()),
                ("command", models.CharField(max_length=32)),
                ("subject", models.CharField(max_length=22)),
                ("person", models.CharField(max_length=22)),
                ("role", models.CharField(max_length=24)),
                ("party", models.CharField(max_length=22, null=True)),
                ("second", models.CharField(max_length=22, null=True)),
                ("details", models.TextField()),
                ("state", models.CharField(max_length=24)),
                ("record", models.TextField()),
            ],
            options={
                "db_table": "event",
                "indexes": [models.Index(fields=["kind", "command", "at"], name="event_by_cause")],
                "constraints": [
                    models.UniqueConstraint(fields=("kind", "object", "version"), name="one_event_a_version")
                ],
            },
        ),
        migrations.CreateModel(
            name="Intention",
            fields=[
                (
                    "id",
                    models.CharField(
                        default=mtok.venue.accounts.models.new_id,
                        max_length=22,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("kind", models.CharField(max_length=12)),
                ("object", models.CharField(db_index=True, max_length=22)),
                ("object_version", models.BigIntegerField()),
                ("command", models.CharField(max_length=16)),
                ("details", models.TextField()),
                ("digest", models.CharField(max_length=64)),
                ("person", models.CharField(max_length=22)),
                ("role", models.CharField(max_length=24)),
                ("party", models.CharField(max_length=22, null=True)),
                ("stepped_up_at", models.BigIntegerField(null=True)),
                ("made_at", models.BigIntegerField()),
                ("ends_at", models.BigIntegerField()),
                ("state", models.CharField(default="open", max_length=12)),
                (
                    "login",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "db_table": "intention",
            },
        ),
        migrations.CreateModel(
            name="LedgerTransaction",
            fields=[
                ("id", models.CharField(max_length=22, primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=24)),
                ("business_key", models.CharField(max_length=160, unique=True)),
                ("effective_day", models.BigIntegerField()),
                ("posted_at", models.BigIntegerField()),
                ("person", models.CharField(max_length=22)),
                ("terms_sha256", models.CharField(max_length=64)),
                ("marks", models.TextField()),
                (
                    "contract",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="transactions",
                        to="market.contractrow",
                    ),
                ),
                (
                    "reverses",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="market.ledgertransaction",
                    ),
                ),
            ],
            options={
                "db_table": "ledger_transaction",
            },
        ),
        migrations.CreateModel(
            name="Logged",
            fields=[
                ("index", models.BigIntegerField(primary_key=True, serialize=False)),
                (
                    "event",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="logged", to="market.event"
                    ),
                ),
            ],
            options={
                "db_table": "logged",
            },
        ),
        migrations.CreateModel(
            name="MarkRow",
            fields=[
                ("id", models.CharField(max_length=22, primary_key=True, serialize=False)),
                ("state", models.CharField(db_index=True, max_length=24)),
                ("version", models.BigIntegerField()),
                ("record", models.TextField()),
                ("reference", models.CharField(max_length=220)),
                ("methodology", models.CharField(max_length=40)),
                ("day", models.BigIntegerField()),
                ("mark_version", models.BigIntegerField()),
                ("preparer", models.CharField(max_length=22)),
                ("approver", models.CharField(max_length=22, null=True)),
                ("log_index", models.BigIntegerField(null=True)),
            ],
            options={
                "db_table": "mark",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("reference", "methodology", "day", "mark_version"), name="one_version_a_mark"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("approver", None),
                            models.Q(("approver", models.F("preparer")), _negated=True),
                            _connector="OR",
                        ),
                        name="mark_two_persons",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Notice",
            fields=[
                (
                    "id",
                    models.CharField(
                        default=mtok.venue.accounts.models.new_id,
                        max_length=22,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("kind", models.CharField(max_length=16)),
                ("at", models.BigIntegerField()),
                ("party", models.CharField(db_index=True, max_length=22, null=True)),
                ("object_kind", models.CharField(blank=True, max_length=12)),
                ("object", models.CharField(blank=True, max_length=22)),
                ("text", models.TextField()),
                (
                    "answers",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="market.notice",
                    ),
                ),
                (
                    "login",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="notices",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "db_table": "notice",
            },
        ),
        migrations.CreateModel(
            name="RequestRow",
            fields=[
                ("id", models.CharField(max_length=22, primary_key=True, serialize=False)),
                ("state", models.CharField(db_index=True, max_length=24)),
                ("version", models.BigIntegerField()),
                ("record", models.TextField()),
                ("party", models.CharField(db_index=True, max_length=22)),
                ("reference", models.CharField(max_length=220)),
                ("lots", models.BigIntegerField()),
                ("reserved", models.BigIntegerField()),
                ("filled", models.BigIntegerField()),
                ("expires", models.BigIntegerField()),
            ],
            options={
                "db_table": "request",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("filled__gte", 0),
                            (
                                "lots__gte",
                                django.db.models.expressions.CombinedExpression(
                                    models.F("reserved"), "+", models.F("filled")
                                ),
                            ),
                            ("reserved__gte", 0),
                        ),
                        name="request_conserved",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ProposalRow",
            fields=[
                ("id", models.CharField(max_length=22, primary_key=True, serialize=False)),
                ("state", models.CharField(db_index=True, max_length=24)),
                ("version", models.BigIntegerField()),
                ("record", models.TextField()),
                ("run", models.BigIntegerField(db_index=True)),
                (
                    "buy",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="market.requestrow"
                    ),
                ),
                (
                    "sell",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="market.requestrow"
                    ),
                ),
            ],
            options={
                "db_table": "proposal",
            },
        ),
        migrations.CreateModel(
            name="Transition",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("machine", models.CharField(max_length=12)),
                ("before", models.CharField(max_length=24)),
                ("after", models.CharField(max_length=24)),
            ],
            options={
                "db_table": "transition",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("machine", "before", "after"), name="one_transition_a_pair"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="LedgerTransfer",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("debit", models.CharField(db_index=True, max_length=64)),
                ("credit", models.CharField(db_index=True, max_length=64)),
                ("amount", models.BigIntegerField()),
                (
                    "transaction",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="transfers",
                        to="market.ledgertransaction",
                    ),
                ),
            ],
            options={
                "db_table": "ledger_transfer",
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("amount__gt", 0)), name="transfer_positive"),
                    models.CheckConstraint(
                        condition=models.Q(("debit", models.F("credit")), _negated=True),
                        name="transfer_two_accounts",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="MarkUse",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("use", models.CharField(max_length=12)),
                ("at", models.BigIntegerField()),
                (
                    "contract",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="market.contractrow"
                    ),
                ),
                (
                    "mark",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="market.markrow"
                    ),
                ),
            ],
            options={
                "db_table": "mark_use",
                "constraints": [
                    models.UniqueConstraint(fields=("contract", "mark", "use"), name="one_use_a_mark")
                ],
            },
        ),
        migrations.CreateModel(
            name="Message",
            fields=[
                ("id", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("event", models.CharField(max_length=160)),
                ("recipient", models.EmailField(max_length=254)),
                ("subject", models.CharField(max_length=160)),
                ("text", models.TextField()),
                ("html", models.TextField()),
                ("is_secret", models.BooleanField(default=False)),
                ("made_at", models.BigIntegerField()),
                ("not_before", models.BigIntegerField()),
                ("sent_at", models.BigIntegerField(db_index=True, null=True)),
                ("given_up_at", models.BigIntegerField(null=True)),
                ("attempts", models.IntegerField(default=0)),
                ("next_at", models.BigIntegerField()),
                ("failure", models.TextField(blank=True)),
                (
                    "login",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "db_table": "message",
                "indexes": [
                    models.Index(
                        condition=models.Q(("given_up_at", None), ("sent_at", None)),
                        fields=["next_at"],
                        name="message_waiting",
                    )
                ],
            },
        ),
    ]
