"""The venue: the public pages with accounts and a database beside them."""

from __future__ import annotations

from mtok.venue.database.addresses import database
from mtok.venue.environment import venue_environment
from mtok.venue.keys import secret_key
from mtok.venue.settings.public import *  # noqa: F403
from mtok.venue.settings.public import INSTALLED_APPS as _PUBLIC_APPS
from mtok.venue.settings.public import MIDDLEWARE as _PUBLIC_MIDDLEWARE

_VENUE = venue_environment()

SECRET_KEY = secret_key(_VENUE.place())
ROOT_URLCONF = "mtok.venue.urls_venue"
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "mtok.venue.accounts",
    "mtok.venue.database",
    *_PUBLIC_APPS,
]
MIDDLEWARE = [
    *_PUBLIC_MIDDLEWARE[:-1],
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    _PUBLIC_MIDDLEWARE[-1],
]
AUTH_USER_MODEL = "accounts.Login"
DATABASES = {"default": database(_VENUE.database_url, _VENUE.place())}
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
