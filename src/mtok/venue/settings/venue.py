"""The venue: the public pages with accounts and a database beside them. Nothing uses these yet."""

from __future__ import annotations

from mtok.venue.environment import environment
from mtok.venue.settings.public import *  # noqa: F403
from mtok.venue.settings.public import INSTALLED_APPS as _PUBLIC_APPS

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    *_PUBLIC_APPS,
]
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(environment().store / "venue.sqlite3")}
}
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
