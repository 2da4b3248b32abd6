"""The public pages and the read API: no database, no accounts, no cookies."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from csp.constants import NONE, SELF

from mtok.venue.assets import assets_digest, never_changes
from mtok.venue.environment import environment

_FOLDER = Path(__file__).parents[1]
_ENVIRONMENT = environment()

DEBUG = False
SECRET_KEY = os.urandom(32).hex()  # nothing is signed with it: no sessions, no forms that change anything
ALLOWED_HOSTS = [host.strip() for host in _ENVIRONMENT.hosts.split(",") if host.strip()]

INSTALLED_APPS = ["django.contrib.staticfiles", "csp", "mtok.venue"]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.common.CommonMiddleware",
    "mtok.venue.place.OneOpening",
    "mtok.venue.refusals.Refusals",
]
ROOT_URLCONF = "mtok.venue.urls"
APPEND_SLASH = False
LINKS_BESIDE: dict[str, str] = {}  # in the navigation of every page, beside those of the publication
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [_FOLDER / "templates"],
        "OPTIONS": {
            "context_processors": ["mtok.venue.pages.page.standing_beside"],
            "builtins": ["mtok.venue.templatetags.shown"],
        },
    }
]
DATABASES: dict[str, dict[str, str]] = {}
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = False

STATICFILES_DIRS = [_FOLDER / "static"]
STATIC_URL = f"/static/{assets_digest(STATICFILES_DIRS[0])}/"  # another address whenever a file changes
STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_ALLOW_ALL_ORIGINS = False  # `front` says it of every file
WHITENOISE_IMMUTABLE_FILE_TEST = never_changes
WHITENOISE_ALLOW_ALL_ORIGINS = False

FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]
UPLOAD_BYTES_MAX = 8 * 2**20 + 2**16  # a usage export, and the form around it
FILE_UPLOAD_MAX_MEMORY_SIZE = DATA_UPLOAD_MAX_MEMORY_SIZE = UPLOAD_BYTES_MAX
DATA_UPLOAD_MAX_NUMBER_FIELDS = 32
DATA_UPLOAD_MAX_NUMBER_FILES = 1

SECURE_HSTS_SECONDS = 365 * 86_400
SECURE_HSTS_INCLUDE_SUBDOMAINS = False
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "strict-origin-when-cross-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _ENVIRONMENT.proxies else None
X_FRAME_OPTIONS = "DENY"
SILENCED_SYSTEM_CHECKS = [
    "security.W003",  # CSRF: no request changes anything, and nobody is logged in
    "security.W005",  # HSTS for subdomains, W021: preload: the operator's domain, not ours
    "security.W008",  # redirect to TLS: done by whoever ends it
    "security.W021",
]
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "manifest-src": [SELF],
    }
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        "django.request": {"level": "ERROR"},
        "django.security.DisallowedHost": {"level": "CRITICAL"},
    },
}
