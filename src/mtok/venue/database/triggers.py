"""What the database itself holds, whoever writes: history is insert-only, states follow the tables of the core.

The same rules as triggers of PostgreSQL and of SQLite. A program with an error in it, and a person at the database's
own prompt, are refused alike; who may drop a trigger is no role that the venue runs as.
"""

from __future__ import annotations

from typing import Any, Final

from mtok.market.book import MACHINES
from mtok.settlement import marks
from mtok.settlement.machines import NEW, Machine

INSERT_ONLY: Final = (
    "event",
    "logged",
    "mark_use",
    "ledger_transaction",
    "ledger_transfer",
    "answered",
    "telling",
    "notice",
)
"""Tables of the market that only grow: held so by triggers, and by the rights of the role that the venue runs as."""
INSERT_ONLY_OF_ACCOUNTS: Final = ("accounts_change", "accounts_decision", "accounts_accountevent")
STEPWISE: Final = ("request", "proposal", "contract", "mark")

_TABLES: Final = {**MACHINES, marks.MACHINE.name: marks.MACHINE}
"""The machines by the name of their table."""
_PASSED_THROUGH: Final = "both_approved"
"""A state that nothing is ever kept in: the second approval books the contract in the same step."""
_CORRECTED: Final = "corrected"
"""A corrected mark is a version, and so a row, of its own; the one before stays as it was."""
_IN_MARGIN: Final = sorted(marks.IN_MARGIN | {marks.DISPUTED})
_IN_SETTLEMENT: Final = sorted(marks.IN_SETTLEMENT)


def insert_only(schema_editor: Any, table: str) -> None:
    """Let a table take new rows and nothing else."""
    said = f"{table} is insert-only"
    if schema_editor.connection.vendor == "sqlite":
        for change in ("UPDATE", "DELETE"):
            _on_sqlite(schema_editor, f"{table}_no_{change.lower()}", change, table, "", said)
        return
    _function(schema_editor, f"{table}_insert_only", f"RAISE EXCEPTION '{said}';")
    for change, each in (("UPDATE OR DELETE", "ROW"), ("TRUNCATE", "STATEMENT")):
        schema_editor.execute(
            f"CREATE TRIGGER {table}_no_{change.split()[0].lower()} BEFORE {change} ON {table} "
            f"FOR EACH {each} EXECUTE FUNCTION {table}_insert_only()"
        )


def stepwise(schema_editor: Any, table: str) -> None:
    """Let an object of a table change one version at a time, from state to state as its machine lists, and never go."""
    wrong = (
        "NEW.version <> OLD.version + 1 OR NEW.id <> OLD.id OR NOT EXISTS (SELECT 1 FROM transition "
        f"WHERE machine = '{table}' AND before = OLD.state AND after = NEW.state)"
    )
    new_wrong = (
        f"NEW.version <> 0 OR NOT EXISTS (SELECT 1 FROM transition WHERE machine = '{table}' "
        f"AND before = '{NEW}' AND after = NEW.state)"
    )
    said = f"no table lists this step of a {table}"
    if schema_editor.connection.vendor == "sqlite":
        _on_sqlite(schema_editor, f"{table}_step", "UPDATE", table, wrong, said)
        _on_sqlite(schema_editor, f"{table}_begin", "INSERT", table, new_wrong, said)
        _on_sqlite(schema_editor, f"{table}_stays", "DELETE", table, "", f"a {table} is never deleted")
        return
    _function(
        schema_editor, f"{table}_step", f"IF {wrong} THEN RAISE EXCEPTION '{said}'; END IF; RETURN NEW;"
    )
    _function(
        schema_editor, f"{table}_begin", f"IF {new_wrong} THEN RAISE EXCEPTION '{said}'; END IF; RETURN NEW;"
    )
    _function(schema_editor, f"{table}_stays", f"RAISE EXCEPTION 'a {table} is never deleted';")
    for when, name in (("UPDATE", "step"), ("INSERT", "begin"), ("DELETE", "stays")):
        schema_editor.execute(
            f"CREATE TRIGGER {table}_{name} BEFORE {when} ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION {table}_{name}()"
        )


def reviewed_marks_only(schema_editor: Any) -> None:
    """Let a contract rest on marks that stand in the log: in margin's states, for a settlement locked ones alone."""
    states = " OR ".join(
        f"(NEW.use = '{use}' AND state IN ({', '.join(repr(one) for one in states)}))"
        for use, states in (("margin", _IN_MARGIN), ("settlement", _IN_SETTLEMENT))
    )
    wrong = (
        "NOT EXISTS (SELECT 1 FROM mark WHERE mark.id = NEW.mark_id AND log_index IS NOT NULL "
        f"AND ({states}))"
    )
    said = "no contract rests on a mark that may not be used"
    if schema_editor.connection.vendor == "sqlite":
        _on_sqlite(schema_editor, "mark_use_reviewed", "INSERT", "mark_use", wrong, said)
        return
    _function(
        schema_editor, "mark_use_reviewed", f"IF {wrong} THEN RAISE EXCEPTION '{said}'; END IF; RETURN NEW;"
    )
    schema_editor.execute(
        "CREATE TRIGGER mark_use_reviewed BEFORE INSERT ON mark_use "
        "FOR EACH ROW EXECUTE FUNCTION mark_use_reviewed()"
    )


def steps() -> set[tuple[str, str, str]]:
    """Return every (machine, state, next state) that can be kept."""
    found: set[tuple[str, str, str]] = set()
    for name, machine in _TABLES.items():
        found |= {(name, before, after) for before, after in _kept(machine)}
        found |= {(name, state, state) for state in machine.states if state != NEW}
    return found | {(marks.MACHINE.name, NEW, _CORRECTED)}


def _kept(machine: Machine) -> set[tuple[str, str]]:
    pairs = {(row.state, after) for row in machine.rows for after in row.to}
    onward = {after for before, after in pairs if before == _PASSED_THROUGH}
    through = {(before, end) for before, after in pairs if after == _PASSED_THROUGH for end in onward}
    return {pair for pair in pairs if _PASSED_THROUGH not in pair} | through


def _on_sqlite(schema_editor: Any, name: str, when: str, table: str, wrong: str, said: str) -> None:
    condition = f"WHEN {wrong} " if wrong else ""
    schema_editor.execute(
        f"CREATE TRIGGER {name} BEFORE {when} ON {table} {condition}BEGIN SELECT RAISE(ABORT, '{said}'); END"
    )


def _function(schema_editor: Any, name: str, body: str) -> None:
    """Make a function of a trigger; it looks into the venue's own tables, whatever else has their names."""
    schema_editor.execute(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql "
        f"SET search_path = pg_catalog, public, pg_temp AS $body$ BEGIN {body} END $body$"
    )
