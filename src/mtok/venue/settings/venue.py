"""The venue: the public pages with accounts and a database beside them."""

from __future__ import annotations

from mtok.venue.database.addresses import database
from mtok.venue.environment import venue_environment
from mtok.venue.settings.public import *  # noqa: F403 - settings are names of a module
from mtok.venue.settings.public import INSTALLED_APPS as _PUBLIC_APPS
from mtok.venue.settings.public import MIDDLEWARE as _PUBLIC_MIDDLEWARE
from mtok.venue.settings.public import TEMPLATES as _PUBLIC_TEMPLATES
from mtok.venue.settings.signing_in import *  # noqa: F403 - settings are names of a module
from mtok.venue.upkeep.keys import secret_key

_VENUE = venue_environment()

SECRET_KEY = secret_key(_VENUE.place())
ROOT_URLCONF = "mtok.venue.urls_venue"
LINKS_BESIDE = {"Venue": "/venue/"}
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
    "mtok.venue.accounts.guarded.Guarded",
    "mtok.venue.accounts.sessions.Lifetimes",
    "allauth.account.middleware.AccountMiddleware",
    _PUBLIC_MIDDLEWARE[-1],
]
TEMPLATES = [
    _PUBLIC_TEMPLATES[0]
    | {
        "APP_DIRS": True,
        "OPTIONS": _PUBLIC_TEMPLATES[0]["OPTIONS"]
        | {
            "context_processors": [
                *_PUBLIC_TEMPLATES[0]["OPTIONS"]["context_processors"],
                "django.template.context_processors.request",
                "django.contrib.messages.context_processors.messages",
                "mtok.venue.accounts.shown.beside",
            ]
        },
    }
]
AUTH_USER_MODEL = "accounts.Login"
DATABASES = {"default": database(_VENUE.database_url, _VENUE.place())}
