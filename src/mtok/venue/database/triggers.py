"""What the database itself refuses, so that no program and no hand at its prompt can do it by mistake.

A table that is insert-only takes new rows and nothing else: a row is never edited, never deleted, and on PostgreSQL the
table is never emptied. Whoever owns the database can drop a trigger; what that leaves is for `mtok venue check`.
"""

from __future__ import annotations

from typing import Any, Final

_FUNCTION: Final = """
CREATE OR REPLACE FUNCTION mtok_insert_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is insert-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$
"""
_POSTGRESQL: Final = """
CREATE TRIGGER {table}_{event} BEFORE {event} ON {table}
FOR EACH {each} EXECUTE FUNCTION mtok_insert_only()
"""
_SQLITE: Final = """
CREATE TRIGGER {table}_{event} BEFORE {event} ON {table}
BEGIN SELECT RAISE(ABORT, '{table} is insert-only'); END
"""


def insert_only(schema_editor: Any, table: str) -> None:
    """Let a table take new rows alone, from now on. schema_editor : of the migration that says so"""
    assert table.replace("_", "").isalnum(), f"{table!r} is no name of a table of ours"
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(_FUNCTION)
        for event, each in (("UPDATE", "ROW"), ("DELETE", "ROW"), ("TRUNCATE", "STATEMENT")):
            schema_editor.execute(_POSTGRESQL.format(table=table, event=event, each=each))
        return
    for event in ("UPDATE", "DELETE"):
        schema_editor.execute(_SQLITE.format(table=table, event=event))
