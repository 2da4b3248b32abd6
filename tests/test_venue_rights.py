"""The role that the venue runs as: it can do what the venue does, and of history nothing but add to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
from psycopg import errors
from psycopg.sql import SQL, Identifier

import people
import test_venue_trading
import venues
from databases import Cluster
from mtok.errors import BadCall
from mtok.settlement.people import Role
from mtok.venue.database.rights import RIGHTS, grants
from mtok.venue.database.triggers import INSERT_ONLY, INSERT_ONLY_OF_ACCOUNTS, STEPWISE

HISTORY: Final = (*INSERT_ONLY, *INSERT_ONLY_OF_ACCOUNTS)
ROLE: Final = "mtok_venue"
PASSWORD: Final = "a role of these tests"


def test_every_table_has_its_rights_and_no_other_has(tmp_path: Path) -> None:
    with venues.sqlite(tmp_path / "venue.sqlite3"):
        from django.db import connection

        assert set(connection.introspection.table_names()) == RIGHTS.keys()


def test_history_grows_alone() -> None:
    assert {RIGHTS[table] for table in HISTORY} == {("SELECT", "INSERT")}
    assert {RIGHTS[table] for table in STEPWISE} == {("SELECT", "INSERT", "UPDATE")}


@pytest.mark.parametrize("name", ["", "Venue", "a-b", 'x"; DROP TABLE event; --', "1st", "a" * 64])
def test_a_name_that_would_have_to_be_quoted_is_refused(name: str) -> None:
    with pytest.raises(BadCall) as refused:
        grants(name)
    assert refused.value.code == "role_invalid"


@contextmanager
def as_role(cluster: Cluster) -> Iterator[tuple[str, str]]:
    """Give a database that the venue uses as the role; yield its address for the owner and for the role."""
    with venues.postgresql(cluster) as owner:
        credentials, _, place = owner.removeprefix("postgresql://").rpartition("@")
        assert credentials
        with psycopg.connect(owner, autocommit=True) as connection:
            if not connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [ROLE]).fetchall():
                connection.execute(SQL("CREATE ROLE mtok_venue LOGIN PASSWORD {}").format(PASSWORD))
            connection.execute(grants(ROLE).encode())
            connection.execute(grants(ROLE).encode())  # again, as after every migration
        role = f"postgresql://{ROLE}:{PASSWORD.replace(' ', '%20')}@{place}"
        with venues.at(role):
            yield owner, role


@pytest.mark.machine
def test_the_role_makes_a_contract_of_two_requests(
    postgresql: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    with as_role(postgresql), venues.clock() as clock:
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("SELECT current_user")
            assert cursor.fetchone() == (ROLE,)
        test_venue_trading.published(monkeypatch)
        test_venue_trading.test_two_requests_become_a_contract(clock)


@pytest.mark.machine
def test_the_role_changes_accounts(postgresql: Cluster) -> None:
    with as_role(postgresql), venues.clock():
        from mtok.settlement.machines import Refused
        from mtok.venue.accounts.changes import decide, propose
        from mtok.venue.accounts.models import Grant, Login

        ada, bo = people.person("Ada", Role.ADMIN), people.person("Bo", Role.ADMIN)
        desk = Login.objects.get(id=people.person("Desk").login)
        decide(bo, propose(ada, "name", login=desk, details={"name": "Dora"}).id, is_approved=True)
        desk.refresh_from_db()
        change = propose(ada, "grant", login=desk, details={"role": Role.DESK})
        decide(bo, change.id, is_approved=True)
        assert Grant.objects.filter(login=desk, role=Role.DESK).exists()
        with pytest.raises(Refused) as refused:
            decide(bo, change.id, is_approved=True)
        assert refused.value.code == "decided"
        change = propose(ada, "withdraw", login=desk, details={"role": Role.DESK})
        decide(bo, change.id, is_approved=True)
        assert not Grant.objects.filter(login=desk).exists()


OF_OWNERS: Final = [
    "DROP TRIGGER event_no_update ON event",
    "ALTER TABLE event DISABLE TRIGGER ALL",
    "ALTER TABLE event ADD COLUMN note text",
    "DROP TABLE event",
    "DROP FUNCTION event_insert_only() CASCADE",
    "CREATE OR REPLACE FUNCTION event_insert_only() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "SET session_replication_role = replica",
    "CREATE TABLE other (id int)",
    "CREATE TEMPORARY TABLE transition (machine text, before text, after text)",
    "INSERT INTO transition (machine, before, after) VALUES ('request', 'draft', 'filled')",
    "DELETE FROM request",
    "SELECT * FROM auth_group",
]
"""What would let the role change history, or what a trigger looks into."""


@pytest.mark.machine
def test_the_role_may_not_touch_history_nor_what_holds_it(postgresql: Cluster) -> None:
    with as_role(postgresql) as (owner, role), psycopg.connect(role, autocommit=True) as connection:
        with psycopg.connect(owner) as asked:
            changes = [one for table in HISTORY for one in changes_of(asked, table)]
        for statement in (*changes, *OF_OWNERS):
            try:
                connection.execute(statement.encode())
            except errors.InsufficientPrivilege:
                continue
            pytest.fail(f"the role may: {statement}")
        connection.execute("GRANT UPDATE ON event TO mtok_venue")  # a warning, and nothing is granted
        held = connection.execute(
            "SELECT table_name, array_agg(privilege_type::text) FROM information_schema.role_table_grants "
            "WHERE grantee = %s GROUP BY table_name",
            [ROLE],
        ).fetchall()
        assert {table: set(rights) for table, rights in held} == {
            table: set(rights) for table, rights in RIGHTS.items() if rights
        }


@pytest.mark.machine
def test_triggers_hold_history_against_its_owner_too(postgresql: Cluster) -> None:
    with venues.postgresql(postgresql) as owner, psycopg.connect(owner, autocommit=True) as connection:
        for table in HISTORY:
            put_any_row(connection, table)
            for statement in changes_of(connection, table):
                with pytest.raises(errors.RaiseException, match="is insert-only"):
                    connection.execute(statement.encode())


@pytest.mark.machine
def test_a_step_is_looked_up_in_the_table_of_the_venue(postgresql: Cluster) -> None:
    """A table of the same name in a schema that is looked into first changes nothing."""
    with venues.postgresql(postgresql) as owner, psycopg.connect(owner, autocommit=True) as connection:
        connection.execute("CREATE TEMPORARY TABLE transition (machine text, before text, after text)")
        connection.execute("INSERT INTO pg_temp.transition VALUES ('request', 'new', 'filled')")
        with pytest.raises(errors.RaiseException, match="no table lists this step"):
            connection.execute(
                "INSERT INTO request (id, state, version, record, party, reference, lots, reserved, filled, expires) "
                "VALUES ('r', 'filled', 0, '', 'p', 'openai', 1, 0, 0, 1)"
            )


@pytest.mark.machine
def test_a_role_that_owns_the_tables_is_refused(postgresql: Cluster) -> None:
    with (
        venues.postgresql(postgresql) as owner,
        psycopg.connect(owner, autocommit=True) as connection,
        pytest.raises(errors.RaiseException, match="owns tables of the venue"),
    ):
        connection.execute(grants("mtok").encode())


def columns_of(connection: Any, table: str) -> list[tuple[str, str, int | None]]:
    """Return name, type and length of each column of a table."""
    asked = (
        "SELECT column_name, data_type, character_maximum_length FROM information_schema.columns "
        "WHERE table_schema = 'public' AND table_name = %s ORDER BY ordinal_position"
    )
    found: list[tuple[str, str, int | None]] = connection.execute(asked, [table]).fetchall()
    return found


def changes_of(connection: Any, table: str) -> list[str]:
    """Return statements that change what a table has."""
    [name, *_] = columns_of(connection, table)[-1]
    return [f'UPDATE {table} SET "{name}" = "{name}"', f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"]


def put_any_row(connection: Any, table: str) -> None:
    """Put a row of no meaning into a table, past its triggers and foreign keys, as a superuser can."""
    columns = columns_of(connection, table)
    values = [_any(*column) for column in columns]
    statement = SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({})").format(
        Identifier(table),
        SQL(", ").join(Identifier(name) for name, *_ in columns),
        SQL(", ").join([SQL("%s")] * len(columns)),
    )
    connection.execute("SET session_replication_role = replica")
    connection.execute(statement, values)
    connection.execute("SET session_replication_role = origin")


def _any(name: str, kind: str, length: int | None) -> object:
    values = {"bigint": 1, "integer": 1, "boolean": True, "jsonb": "{}"}
    return values.get(kind, name[:length])
