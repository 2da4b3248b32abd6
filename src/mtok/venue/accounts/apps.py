"""The accounts as a Django application."""

from __future__ import annotations

from django.apps import AppConfig


class Accounts(AppConfig):
    """The application."""

    name = "mtok.venue.accounts"
    label = "accounts"
    verbose_name = "Accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Let what allauth says of a login reach the session."""
        from allauth.account.signals import authentication_step_completed

        from mtok.venue.accounts.asking import on_authentication

        authentication_step_completed.connect(on_authentication, dispatch_uid="accounts.step_up")
