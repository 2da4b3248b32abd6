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
        """Let what happens to a login reach its sessions and factors."""
        from allauth.account.signals import authentication_step_completed, password_changed, password_reset
        from allauth.mfa.signals import authenticator_added
        from django.contrib.auth.signals import user_logged_in
        from django.db.models.signals import post_save

        from mtok.venue.accounts import asking, factors, sessions

        authentication_step_completed.connect(asking.on_authentication, dispatch_uid="accounts.step_up")
        authentication_step_completed.connect(sessions.on_authentication, dispatch_uid="accounts.new_id")
        authenticator_added.connect(factors.on_added, dispatch_uid="accounts.factor_added")
        user_logged_in.connect(sessions.on_signed_in, dispatch_uid="accounts.signed_in")
        password_changed.connect(sessions.on_password, dispatch_uid="accounts.password_changed")
        password_reset.connect(sessions.on_password, dispatch_uid="accounts.password_reset")
        post_save.connect(sessions.on_saved, self.get_model("Login"), dispatch_uid="accounts.login_saved")
