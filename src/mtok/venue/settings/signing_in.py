"""How people sign in to the venue: passwords, second factors, sessions and their cookies (docs/accounts.md).

allauth does it; what it can do beyond what is listed in `mtok.venue.accounts.urls` has no address here.
"""

from __future__ import annotations

from mtok.errors import BadCall
from mtok.venue.environment import environment

_ENVIRONMENT = environment()
_HOUR = 3_600

if "*" in _ENVIRONMENT.hosts and not _ENVIRONMENT.base_url:
    raise BadCall(
        "setting_invalid",
        "MTOK_HOSTS admits any name and MTOK_BASE_URL is empty: links in mails would lead wherever a stranger says",
        "Name the hosts, or the base address.",
    )

# cookies: two of them, for this host alone
SESSION_COOKIE_NAME = "__Host-sid"
CSRF_COOKIE_NAME = "__Host-csrf"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = "/"
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_COOKIE_AGE = 12 * _HOUR
CSRF_COOKIE_AGE = None
CSRF_FAILURE_VIEW = "mtok.venue.refusals.forged"
CSRF_TRUSTED_ORIGINS = [_ENVIRONMENT.base_url] if _ENVIRONMENT.base_url else []
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

# passwords
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = ["mtok.venue.accounts.passwords.Argon2id"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "mtok.venue.accounts.passwords.Length"},
    {"NAME": "mtok.venue.accounts.passwords.OwnWords"},
    {"NAME": "mtok.venue.accounts.passwords.Common"},
]
PASSWORD_RESET_TIMEOUT = _HOUR

# signing up and in
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = LOGOUT_REDIRECT_URL = "/venue/"
ACCOUNT_ADAPTER = "mtok.venue.accounts.adapter.Adapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_FORMS = {
    "login": "mtok.venue.accounts.forms.SignIn",
    "signup": "mtok.venue.accounts.forms.SignUp",
    "change_password": "mtok.venue.accounts.forms.ChangePassword",
    "reset_password": "mtok.venue.accounts.forms.ResetPassword",
    "reset_password_from_key": "mtok.venue.accounts.forms.ResetPasswordByLink",
    "reauthenticate": "mtok.venue.accounts.forms.PasswordAgain",
}
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_CONFIRMATION_EXPIRE_DAYS = 1
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = True
ACCOUNT_REAUTHENTICATION_METHODS = ("password", "mfa")
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
ACCOUNT_LOGIN_TIMEOUT = 600
ACCOUNT_RATE_LIMITS = {
    "login": "30/m/ip",
    "login_failed": "10/m/ip,5/5m/key",
    "signup": "20/m/ip",
    "reset_password": "20/m/ip,5/h/key",
    "reset_password_from_key": "20/m/ip",
    "confirm_email": "1/3m/key",
    "change_password": "5/m/user",
    "reauthenticate": "10/m/user",
}
ALLAUTH_TRUSTED_PROXY_COUNT = _ENVIRONMENT.proxies
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {
            "MAX_ENTRIES": 200_000
        },  # a full cache forgets at random, and with it who tried how often
    }
}

# the second factor
MFA_ADAPTER = "mtok.venue.accounts.factors.Adapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_FORMS = {
    "authenticate": "mtok.venue.accounts.factors.Authenticate",
    "reauthenticate": "mtok.venue.accounts.factors.Reauthenticate",
    "activate_totp": "mtok.venue.accounts.factors.ActivateTotp",
    "add_webauthn": "mtok.venue.accounts.factors.AddPasskey",
    "edit_webauthn": "mtok.venue.accounts.factors.RenamePasskey",
}
MFA_TOTP_ISSUER = "mtok"
MFA_TOTP_PERIOD = 30
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_WEBAUTHN_USER_VERIFICATION = "preferred"
