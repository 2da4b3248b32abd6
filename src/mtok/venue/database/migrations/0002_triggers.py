"""What the database itself holds: history that only grows, steps that the tables of the core list."""

from __future__ import annotations

from typing import Any

from django.db import migrations

from mtok.venue.database import triggers


def hold(apps: Any, schema_editor: Any) -> None:
    """Make the triggers, and the table of steps they look into."""
    transition = apps.get_model("market", "Transition")
    transition.objects.bulk_create(
        transition(machine=machine, before=before, after=after)
        for machine, before, after in sorted(triggers.steps())
    )
    for table in triggers.INSERT_ONLY:
        triggers.insert_only(schema_editor, table)
    for table in triggers.STEPWISE:
        triggers.stepwise(schema_editor, table)
    triggers.reviewed_marks_only(schema_editor)


class Migration(migrations.Migration):
    """The triggers."""

    dependencies = [("market", "0001_initial")]
    operations = [migrations.RunPython(hold)]
