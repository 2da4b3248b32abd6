"""How people sign in to the venue: passwords, second factors, sessions and their cookies (docs/accounts.md)."""

from __future__ import annotations

from mtok.venue.environment import environment, venue_environment

_ENVIRONMENT = environment()
_VENUE = venue_environment()

# cookies: two of them, for this host alone
SESSION_COOKIE_NAME = "__Host-sid"
CSRF_COOKIE_NAME = "__Host-csrf"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = "/"
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_COOKIE_AGE = 12 * 3_600
CSRF_COOKIE_AGE = None
CSRF_FAILURE_VIEW = "mtok.venue.refusals.forged"
CSRF_TRUSTED_ORIGINS = [_ENVIRONMENT.base_url] if _ENVIRONMENT.base_url else []
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = LOGOUT_REDIRECT_URL = "/venue/"

ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
