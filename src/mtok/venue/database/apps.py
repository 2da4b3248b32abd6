"""The market's tables as a Django application."""

from __future__ import annotations

from django.apps import AppConfig


class Database(AppConfig):
    """The application."""

    name = "mtok.venue.database"
    label = "market"
    verbose_name = "Market"
    default_auto_field = "django.db.models.BigAutoField"
