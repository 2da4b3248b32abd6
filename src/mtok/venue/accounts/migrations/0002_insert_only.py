"""What two persons decided, and what happened to accounts, can be added to and never changed."""

from __future__ import annotations

from typing import Any

from django.db import migrations

from mtok.venue.database.triggers import INSERT_ONLY_OF_ACCOUNTS, insert_only


def hold(apps: Any, schema_editor: Any) -> None:
    """Make the triggers."""
    for table in INSERT_ONLY_OF_ACCOUNTS:
        insert_only(schema_editor, table)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]
    operations = [migrations.RunPython(hold, elidable=False)]
